// A loop, a stream on one end of a socket pair or of two pipes, and the bare other end.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "protocol/transport/frame_stream.h"

namespace pons {

inline std::string header_of(std::uint32_t length) {
  std::string header;
  for (const int shift : {24, 16, 8, 0}) header += static_cast<char>(length >> shift & 0xff);
  return header;
}
inline std::string framed(const std::string& body) { return header_of(static_cast<std::uint32_t>(body.size())) + body; }

/// The bodies of the whole frames in `bytes`, which must hold nothing else.
inline std::vector<std::string> unframed(const std::string& bytes) {
  std::vector<std::string> bodies;
  std::size_t at = 0;
  while (at + 4 <= bytes.size()) {
    std::size_t length = 0;
    for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
    if (at + 4 + length > bytes.size()) break;
    bodies.push_back(bytes.substr(at + 4, length));
    at += 4 + length;
  }
  EXPECT_EQ(at, bytes.size()) << "bytes that are no whole frame";
  return bodies;
}

/// Writes down what a stream says, and does what the test adds.
class Recorder final : public FrameStream::Handler {
 public:
  void on_frame(Frame frame) override {
    const std::string body(frame.body);
    frames.push_back(body);
    if (const auto hook = then) hook(body);
  }
  void on_oversized(std::uint64_t length) override {
    oversized.push_back(length);
    if (const auto hook = then_oversized) hook();
  }
  void on_end(FrameStream::End end, std::string text) override {
    ends.push_back(end);
    texts.push_back(std::move(text));
    if (const auto hook = then_end) hook();
  }
  void on_written(std::size_t unsent) override {
    ++writes;
    last_unsent = unsent;
    if (const auto hook = then_written) hook();
  }

  std::vector<std::string> frames;
  std::vector<std::uint64_t> oversized;
  std::vector<FrameStream::End> ends;
  std::vector<std::string> texts;
  int writes = 0;
  std::size_t last_unsent = 0;
  std::function<void(const std::string&)> then;
  std::function<void()> then_oversized, then_end, then_written;
};

class StreamTest : public testing::Test {
 protected:
  using End = FrameStream::End;
  using Ends = std::vector<End>;
  using Bodies = std::vector<std::string>;
  static constexpr auto kDeadline = std::chrono::seconds(20);

  StreamTest() { ::signal(SIGPIPE, SIG_IGN); }

  static std::pair<UniqueFd, UniqueFd> socket_pair(int type = SOCK_STREAM) {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
  }
  static std::pair<UniqueFd, UniqueFd> make_pipe() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
  }
  /// A stream on a socket; the other end is `peer`.
  void open_socket(const FrameStream::Options& options, int type = SOCK_STREAM) {
    auto [ours, theirs] = socket_pair(type);
    peer = std::move(theirs);
    stream = FrameStream::create(io.get_executor(), std::move(ours), {}, options);
    stream->start(recorder);
  }
  void open_socket() { open_socket(FrameStream::Options{}); }
  /// A stream on two pipes; the other ends are `peer_out` (what it writes goes to the stream) and `peer`.
  void open_pipes(const FrameStream::Options& options) {
    auto [in, into] = make_pipe();
    auto [from, out] = make_pipe();
    peer = std::move(from);
    peer_out = std::move(into);
    stream = FrameStream::create(io.get_executor(), std::move(in), std::move(out), options);
    stream->start(recorder);
  }
  void open_pipes() { open_pipes(FrameStream::Options{}); }

  /// Runs the loop until it is so.
  template <class Predicate>
  bool run_until(Predicate predicate) {
    const auto deadline = Clock::now() + kDeadline;
    while (!predicate()) {
      io.restart();
      if (io.run_one_until(deadline) == 0) return predicate();
    }
    return true;
  }
  /// Runs what is ready now, and what that makes ready.
  void settle() {
    do io.restart();
    while (io.poll() > 0);
  }

  void write_to(const UniqueFd& fd, std::string_view bytes) {
    ASSERT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  void write(std::string_view bytes) { write_to(peer_out ? peer_out : peer, bytes); }
  /// What there is to read for the peer now.
  std::string read_now(std::size_t most = 1u << 22) {
    std::string bytes(most, '\0');
    ::fcntl(peer.get(), F_SETFL, O_NONBLOCK);
    const auto n = ::read(peer.get(), bytes.data(), bytes.size());
    bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return bytes;
  }
  /// Runs the loop and reads until that many bytes have come to the peer.
  std::string read_bytes(std::size_t count) {
    std::string bytes;
    run_until([&] {
      bytes += read_now(count - bytes.size());
      return bytes.size() >= count;
    });
    return bytes;
  }
  bool peer_at_end() {
    char byte = 0;
    ::fcntl(peer.get(), F_SETFL, O_NONBLOCK);
    const auto n = ::read(peer.get(), &byte, 1);
    return n == 0 || (n < 0 && errno == ECONNRESET);  // so it is told if it had written something that was not read
  }
  void send(const std::string& body) { stream->send(OutFrame::of(body)); }

  asio::io_context io{1};
  Recorder recorder;
  UniqueFd peer;
  UniqueFd peer_out;
  std::shared_ptr<FrameStream> stream;
};

}  // namespace pons
