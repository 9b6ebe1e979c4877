// SIGINT and SIGTERM while a command runs: the first asks for an orderly end, the second for an end.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <functional>

namespace pons::cli {

class Interrupts {
 public:
  /// Caught from now on, as long as this object lives.
  explicit Interrupts(boost::asio::io_context& io);

  /// Called by the loop for every signal, with how many there were.
  void on_signal(std::function<void(int count)> callback) { callback_ = std::move(callback); }
  [[nodiscard]] int count() const { return count_; }
  /// 130 after SIGINT, 143 after SIGTERM: the first one counts.
  [[nodiscard]] int exit_status() const { return 128 + first_; }

 private:
  void wait();

  boost::asio::signal_set signals_;
  std::function<void(int)> callback_;
  int count_ = 0;
  int first_ = 0;
};

}  // namespace pons::cli
