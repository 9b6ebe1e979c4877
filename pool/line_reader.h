// The captured output of a worker: cuts lines out of a pipe, passes on at most `rate` a second, keeps the last ones for error messages.
//
// The pipe is always read, so that a worker never blocks on its own noise, a bounded number of bytes in one turn of the loop, so that the
// host stays responsive; what is above the rate costs little more than the reading. Lifetimes and threads as FrameStream.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/transport/task.h"
#include "protocol/transport/unique_fd.h"

namespace pons {

class LineReader : public std::enable_shared_from_this<LineReader> {
 public:
  static constexpr std::size_t kMaxLine = 8192;  ///< bytes; a longer line is passed on in parts
  static constexpr std::size_t kTailLines = 20;
  static constexpr std::size_t kTailBytes = 4096;

  struct Callbacks {
    /// `cut`: a part of a line that was too long.
    std::function<void(std::string line, bool cut)> on_line;
    /// So many lines were above the rate, in the second that ended; also when nothing comes after them.
    std::function<void(std::uint64_t count)> on_dropped;
    std::function<void()> on_end;
  };

  /// `rate`: lines a second, 0: all.
  static std::shared_ptr<LineReader> create(Executor executor, UniqueFd fd, int rate, Callbacks callbacks);
  /// Takes what lies in the pipe now, without waiting for more, the last line also without its newline; then closes. For a process that
  /// has ended: all that it has written is there by then. on_end is not called.
  void finish();
  void close();
  /// The last lines, oldest first, at most kTailLines and kTailBytes; also those that were above the rate.
  [[nodiscard]] const std::deque<std::string>& tail() const { return tail_; }

 private:
  enum class Read : std::uint8_t { some, nothing_now, end };

  LineReader(Executor executor, UniqueFd fd, int rate, Callbacks callbacks);
  void await();
  Read read();
  void end();
  void take(std::string_view bytes);
  void skip(std::string_view& bytes);
  void line(std::string text, bool cut);
  void last_line();
  void pass(std::string text, bool cut);
  void drop(std::uint64_t lines);
  void begin_second();
  void report_dropped();

  Descriptor fd_;
  Timer second_end_;
  int rate_;
  std::shared_ptr<const Callbacks> callbacks_;  // one that runs is held: it may call close()
  std::string partial_;
  bool cut_ = false;  // `partial_` goes on with a line of which parts were passed on
  std::deque<std::string> tail_;
  std::size_t tail_bytes_ = 0;
  TimePoint second_{};         // when the one that counts has begun
  TimePoint now_{};            // of the last read
  int passed_ = 0;             // in this second
  std::uint64_t dropped_ = 0;  // likewise
};

}  // namespace pons
