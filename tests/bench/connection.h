// The client of the benchmarks: requests as bytes, and a blocking connection that sends and receives whole frames.
// It is the same for the host and for the references, and knows nothing of the project's own libraries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/process.h"

namespace pons::bench {

/// A request ready to be written, with a number in it that can be another one: the id, or the session's.
class Request {
 public:
  /// JSON, `{"id", "command", "args": {"text"}}`, whose body is `body_size` bytes.
  static Request json(const std::string& command, std::size_t body_size);
  /// JSON with `args` as written.
  static Request json_args(const std::string& command, const std::string& args);
  /// JSON, `{"id", "command", "session_id"}`; the number is the session's.
  static Request in_session(const std::string& command);
  /// MessagePack, `{"id", "command", "args": {"data": bin}}` with `data_size` bytes of data.
  static Request msgpack(const std::string& command, std::size_t data_size);

  [[nodiscard]] std::string_view frame() const { return frame_; }
  /// The same request with another number, one of 10^7 values; no two of 10^7 in a row are alike.
  [[nodiscard]] std::string_view frame_with(std::uint32_t number);

 private:
  std::string frame_;
  std::size_t number_at_ = 0;  ///< 0: there is none
};

class Connection {
 public:
  /// Takes the descriptor over. Waits of more than 60 s fail.
  explicit Connection(Descriptor socket);
  /// Connects to a unix socket as soon as `server` listens there. Throws if it ends, or does not listen within 30 s.
  static Connection to(const std::string& path, Process& server);

  /// All of them throw std::runtime_error if the peer closes, or does not answer.
  void send(std::string_view bytes);
  /// The body of the next frame; valid until the next call.
  std::string_view receive();
  /// Takes at least one whole frame, then all that have arrived, and returns their number. Throws if one of them says that it failed.
  std::size_t receive_small();
  /// Sends one request and returns the reply's body.
  std::string_view exchange(std::string_view frame) {
    send(frame);
    return receive();
  }
  /// As exchange, throws unless the reply is a success.
  std::string_view exchange_ok(std::string_view frame);

 private:
  [[nodiscard]] std::size_t whole_frame() const;
  void read_more(std::size_t wanted);

  Descriptor socket_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

/// Throws unless the body of a reply, in either codec, reports success.
void require_success(std::string_view body);

}  // namespace pons::bench
