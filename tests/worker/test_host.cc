#include "tests/worker/test_host.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <system_error>

namespace pons::test {
namespace {

constexpr int kDeadlineMs = 30'000;

void wait_readable(int fd) {
  pollfd readable{fd, POLLIN, 0};
  const int ready = poll(&readable, 1, kDeadlineMs);
  if (ready <= 0) throw std::runtime_error("nothing came within the deadline");
}

std::pair<int, int> socket_pair() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) throw std::system_error(errno, std::generic_category(), "socketpair");
  return {fds[0], fds[1]};
}

}  // namespace

Child Child::fork(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid != 0) return Child(pid);
  int status = 125;
  try {
    status = body();
  } catch (const std::exception& exception) {
    fprintf(stderr, "child: %s\n", exception.what());
  }
  _exit(status);
}

Child::~Child() {
  if (status_) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Child::signal(int number) const { kill(pid_, number); }

int Child::wait() {
  if (status_) return *status_;
  const int watch = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  wait_readable(watch);
  ::close(watch);
  int status = 0;
  waitpid(pid_, &status, 0);
  status_ = status;
  return status;
}

int Child::exit_status() {
  const int status = wait();
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TestHost::~TestHost() { close(); }

void TestHost::close() {
  if (in_ >= 0) ::close(in_);
  if (out_ >= 0 && out_ != in_) ::close(out_);
  in_ = out_ = -1;
}

std::string TestHost::framed(std::string_view body) {
  const auto size = static_cast<std::uint32_t>(body.size());
  std::string frame;
  for (const int shift : {24, 16, 8, 0}) frame += static_cast<char>(size >> shift);
  return frame.append(body);
}

std::string TestHost::encoded(const json& document, Codec codec) {
  if (codec == Codec::json) return document.dump();
  std::string bytes;
  json::to_msgpack(document, bytes);
  return bytes;
}

void TestHost::send_bytes(std::string_view bytes) const {
  while (!bytes.empty()) {
    ssize_t count = ::send(out_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == ENOTSOCK) count = write(out_, bytes.data(), bytes.size());
    if (count < 0) throw std::system_error(errno, std::generic_category(), "send");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

bool TestHost::fill() {
  char bytes[1 << 16];
  wait_readable(in_);
  const ssize_t count = read(in_, bytes, sizeof bytes);
  if (count > 0) buffer_.append(bytes, static_cast<std::size_t>(count));
  return count > 0;
}

std::string TestHost::receive_body() {
  for (;;) {
    if (buffer_.size() >= 4) {
      std::size_t size = 0;
      for (std::size_t i = 0; i < 4; ++i) size = size << 8 | static_cast<unsigned char>(buffer_[i]);
      if (buffer_.size() >= 4 + size) {
        std::string body = buffer_.substr(4, size);
        buffer_.erase(0, 4 + size);
        return body;
      }
    }
    if (!fill()) throw std::runtime_error("the stream ended");
  }
}

json TestHost::receive(Codec codec) {
  const std::string body = receive_body();
  return codec == Codec::json ? json::parse(body) : json::from_msgpack(body);
}

json TestHost::call(const std::string& command, json args, Codec codec, json more) {
  const std::uint64_t id = ++last_id_;
  more["id"] = id;
  more["command"] = command;
  more["args"] = std::move(args);
  send(more, codec);
  partials_.clear();
  for (;;) {
    json reply = receive(codec);
    if (reply.at("id") != id) throw std::runtime_error("a reply to something else: " + reply.dump());
    if (!reply.contains("partial")) return reply;
    partials_.push_back(std::move(reply));
  }
}

json TestHost::result(const std::string& command, json args, Codec codec) {
  json reply = call(command, std::move(args), codec);
  if (!reply.at("success").get<bool>()) throw std::runtime_error("it failed: " + reply.dump());
  return reply.at("result");
}

void TestHost::expect_end() {
  while (fill()) {
    if (!buffer_.empty()) throw std::runtime_error("something came instead of the end: " + buffer_.substr(0, 200));
  }
}

Served::Served(const std::function<int(int fd)>& body)
    : fds(socket_pair()),
      child(Child::fork([this, &body] {
        ::close(fds.first);
        return body(fds.second);
      })),
      host(fds.first, fds.first) {
  ::close(fds.second);
}

}  // namespace pons::test
