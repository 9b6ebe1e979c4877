// The host's side of a channel, as plain as can be, and workers in child processes to try it on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/codec.h"

namespace pons::test {

using nlohmann::json;

/// A process that is killed when the test is over.
class Child {
 public:
  /// Runs `body` in a copy of this process; its result is the exit status.
  static Child fork(const std::function<int()>& body);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const;
  /// The status as waitpid() gives it; fails the test after the deadline.
  int wait();
  /// The exit status; -1 if it was a signal.
  int exit_status();

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_;
  std::optional<int> status_;
};

/// Speaks frames over descriptors that it owns. Every read has a deadline, and throws when it is missed or the stream has ended.
class TestHost {
 public:
  TestHost(int in, int out) : in_(in), out_(out) {}
  ~TestHost();
  TestHost(const TestHost&) = delete;
  TestHost& operator=(const TestHost&) = delete;

  void send_bytes(std::string_view bytes) const;
  void send_body(std::string_view body) const { send_bytes(framed(body)); }
  void send(const json& request, Codec codec = Codec::json) const { send_body(encoded(request, codec)); }
  /// The next frame.
  std::string receive_body();
  json receive(Codec codec = Codec::json);
  /// Sends a request with a fresh id and reads frames until its terminal reply.
  json call(const std::string& command, json args = json::object(), Codec codec = Codec::json, json more = json::object());
  /// call(), of which the result.
  json result(const std::string& command, json args = json::object(), Codec codec = Codec::json);
  /// Waits for the end of the stream; throws if anything else comes.
  void expect_end();
  void close();
  /// The partial replies that the last call() passed over.
  [[nodiscard]] const std::vector<json>& partials() const { return partials_; }

  static std::string framed(std::string_view body);
  static std::string encoded(const json& document, Codec codec);

 private:
  bool fill();

  int in_;
  int out_;
  std::string buffer_;
  std::uint64_t last_id_ = 100;
  std::vector<json> partials_;
};

/// A worker in a child process, and the host's end of its channel. `body` gets the worker's end.
struct Served {
  explicit Served(const std::function<int(int fd)>& body);
  std::pair<int, int> fds;  // the host's end, the worker's end: made first
  Child child;
  TestHost host;
};

}  // namespace pons::test
