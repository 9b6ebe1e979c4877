#include "tests/bench/connection.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace pons::bench {
namespace {

constexpr std::size_t kHeader = 4;
constexpr std::size_t kInitialBuffer = 256 * 1024;
constexpr std::uint32_t kFirstNumber = 10'000'000;  // eight digits, so that every one takes the same place

std::string big_endian(std::size_t value) {
  return {static_cast<char>(value >> 24 & 0xff), static_cast<char>(value >> 16 & 0xff), static_cast<char>(value >> 8 & 0xff),
          static_cast<char>(value & 0xff)};
}

std::string framed(const std::string& body) { return big_endian(body.size()) + body; }

std::string packed_text(std::string_view text) { return std::string("\xd9") + static_cast<char>(text.size()) + std::string(text); }

bool contains(std::string_view body, std::string_view part) {
  return memmem(body.data(), body.size(), part.data(), part.size()) != nullptr;
}

[[noreturn]] void throw_refused(std::string_view body) {
  throw std::runtime_error("a request failed: " + std::string(body.substr(0, 300)));
}

}  // namespace

Request Request::json(const std::string& command, std::size_t body_size) {
  const std::string head = R"({"id":)";
  const std::string middle = R"(,"command":")" + command + R"(","args":{"text":")";
  const std::string tail = R"("}})";
  const std::string id = std::to_string(kFirstNumber);
  const std::size_t used = head.size() + id.size() + middle.size() + tail.size();
  if (used > body_size) throw std::runtime_error("a request of " + std::to_string(body_size) + " bytes has no room for " + command);
  Request request;
  request.frame_ = framed(head + id + middle + std::string(body_size - used, 'x') + tail);
  request.number_at_ = kHeader + head.size();
  return request;
}

Request Request::json_args(const std::string& command, const std::string& args) {
  const std::string head = R"({"id":)";
  Request request;
  request.frame_ = framed(head + std::to_string(kFirstNumber) + R"(,"command":")" + command + R"(","args":)" + args + "}");
  request.number_at_ = kHeader + head.size();
  return request;
}

Request Request::in_session(const std::string& command) {
  const std::string head = R"({"id":1,"command":")" + command + R"(","session_id":")";
  Request request;
  request.frame_ = framed(head + std::to_string(kFirstNumber) + R"("})");
  request.number_at_ = kHeader + head.size();
  return request;
}

Request Request::msgpack(const std::string& command, std::size_t data_size) {
  std::string data(data_size, '\0');
  for (std::size_t i = 0; i < data_size; ++i) data[i] = static_cast<char>(i * 31 + (i >> 8));
  Request request;
  request.frame_ = framed(std::string("\x83") + packed_text("id") + "\x01" + packed_text("command") + packed_text(command) +
                          packed_text("args") + "\x81" + packed_text("data") + "\xc6" + big_endian(data_size) + data);
  return request;
}

std::string_view Request::frame_with(std::uint32_t number) {
  std::uint32_t rest = kFirstNumber + number % kFirstNumber;
  for (std::size_t digit = 8; number_at_ != 0 && digit-- > 0; rest /= 10) frame_[number_at_ + digit] = static_cast<char>('0' + rest % 10);
  return frame_;
}

Connection::Connection(Descriptor socket) : socket_(std::move(socket)), buffer_(kInitialBuffer) {
  const timeval timeout{.tv_sec = 60, .tv_usec = 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

Connection Connection::to(const std::string& path, Process& server) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("the path of the socket is too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < deadline) {
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): what the socket interface asks for
    if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return Connection(std::move(socket));
    if (const auto status = server.wait(std::chrono::milliseconds(2))) {
      throw std::runtime_error("it ended with status " + std::to_string(*status) + " before it listened");
    }
  }
  throw std::runtime_error("nothing listens at " + path);
}

void Connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw std::system_error(errno, std::generic_category(), "writing a request");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string_view Connection::receive() {
  std::size_t size = whole_frame();
  while (size == 0 || size > end_ - begin_) {
    read_more(std::max(size, kHeader));
    size = whole_frame();
  }
  const std::string_view body(buffer_.data() + begin_ + kHeader, size - kHeader);
  begin_ += size;
  return body;
}

std::size_t Connection::receive_small() {
  std::size_t frames = 0;
  do {
    const std::string_view body = receive();
    if (contains(body, R"("success":false)")) throw_refused(body);
    ++frames;
  } while (whole_frame() != 0 && whole_frame() <= end_ - begin_);
  return frames;
}

std::string_view Connection::exchange_ok(std::string_view frame) {
  const std::string_view body = exchange(frame);
  require_success(body);
  return body;
}

/// The size with its header of the frame that begins at begin_, 0 if the header is not whole.
std::size_t Connection::whole_frame() const {
  if (end_ - begin_ < kHeader) return 0;
  std::size_t size = 0;
  for (std::size_t i = 0; i < kHeader; ++i) size = size << 8 | static_cast<unsigned char>(buffer_[begin_ + i]);
  return kHeader + size;
}

/// One read, after making room for a frame of `wanted` bytes.
void Connection::read_more(std::size_t wanted) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (begin_ + wanted > buffer_.size()) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    buffer_.resize(std::max(buffer_.size(), wanted));
  }
  const ssize_t n = recv(socket_.get(), buffer_.data() + end_, buffer_.size() - end_, 0);
  if (n == 0) throw std::runtime_error("the connection was closed");
  if (n < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "reading a reply");
  end_ += n > 0 ? static_cast<std::size_t>(n) : 0;
}

void require_success(std::string_view body) {
  if (!contains(body, R"("success":true)") && !contains(body, R"("success": true)") && !contains(body, "success\xc3")) {
    throw_refused(body);
  }
}

}  // namespace pons::bench
