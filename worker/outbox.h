// The writing end of a worker's channel. Frames are gathered until somebody flushes.
//
// Two threads write: the one that serves, which may block while the host does not read, and the one that reads, which must not. A frame
// of one never lands inside a frame of the other. Does not own the descriptor.
#pragma once

#include <atomic>
#include <cstddef>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>

namespace pons {

class Outbox {
 public:
  explicit Outbox(int fd);

  // From any thread

  /// Gathers one frame.
  void append(std::string_view body);
  [[nodiscard]] std::size_t pending() const;  ///< bytes that are gathered
  /// A write failed: the host is gone. All later frames are thrown away.
  [[nodiscard]] bool is_broken() const { return is_broken_.load(); }

  // From the thread that serves

  /// One frame whose body is `parts`. Long ones are written at once, short ones with the next flush() or when many have gathered.
  void send(std::initializer_list<std::string_view> parts);
  /// Writes what is gathered; blocks while the host does not read.
  void flush();

  // From the thread that reads

  /// Writes as much of what is gathered as the descriptor takes now. True if something is left that only waits for the descriptor.
  bool flush_some();

 private:
  void write_all(std::unique_lock<std::mutex>& lock, std::initializer_list<std::string_view> parts);
  void write_blocking(std::string_view first, std::initializer_list<std::string_view> parts);

  const int fd_;
  const bool is_socket_;
  mutable std::mutex mutex_;
  std::string gathered_;
  std::size_t written_ = 0;  // of gathered_, by flush_some()
  bool is_writing_ = false;  // the thread that serves writes, and will write what is gathered meanwhile
  std::atomic<bool> is_broken_{false};
  std::string batch_;  // what the thread that serves is writing
};

}  // namespace pons
