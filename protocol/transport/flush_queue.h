// What was sent during one turn of reading leaves at the end of that turn: each stream in one system call, without another round of
// the event loop in between. A service of the io_context; the streams are its only users.
#pragma once

#include <boost/asio/execution_context.hpp>
#include <memory>
#include <vector>

namespace pons {

class FrameStream;

class FlushQueue final : public boost::asio::execution_context::service {
 public:
  static inline boost::asio::execution_context::id id;

  explicit FlushQueue(boost::asio::execution_context& context) : service(context) {}

  /// While one lives, add() collects; when the outermost ends, everything collected is flushed.
  class Turn {
   public:
    explicit Turn(FlushQueue& queue) : queue_(queue) { ++queue_.turns_; }
    ~Turn() {
      if (queue_.turns_ == 1) queue_.flush();
      --queue_.turns_;
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    FlushQueue& queue_;
  };

  [[nodiscard]] bool in_turn() const { return turns_ > 0; }
  void add(std::shared_ptr<FrameStream> stream) { streams_.push_back(std::move(stream)); }

 private:
  void shutdown() override { streams_.clear(); }
  void flush();

  std::vector<std::shared_ptr<FrameStream>> streams_;
  int turns_ = 0;
};

}  // namespace pons
