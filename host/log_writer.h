// Writes lines to a descriptor from a thread of its own, so that whoever logs never waits for the reader.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace pons {

/// Lines wait in a queue of at most `queue_bytes`; when it is full the oldest are dropped, and before the next line goes out one of
/// `dropped_line` says how many were lost. Thread safety: push and flush from any thread. The thread blocks all signals.
class LogWriter {
 public:
  using DroppedLine = std::function<std::string(std::size_t count)>;

  LogWriter(int fd, std::size_t queue_bytes, std::chrono::milliseconds flush_timeout, DroppedLine dropped_line);
  /// Waits at most flush_timeout for the reader; what is not written then is lost.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  /// `line` ends with its line feed.
  void push(std::string line);
  /// False if what was pushed before is not written (or dropped) in time.
  bool flush(std::chrono::milliseconds timeout);

 private:
  struct State;
  static void run(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;  // shared with the thread, which may be left behind in a write that never returns
  std::chrono::milliseconds flush_timeout_;
  std::thread thread_;
};

}  // namespace pons
