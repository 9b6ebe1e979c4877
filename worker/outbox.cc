#include "worker/outbox.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <utility>
#include <vector>

#include "protocol/frame_decoder.h"

namespace pons {
namespace {

constexpr std::size_t kGatherBytes = 64u << 10;  // written without waiting for more; longer bodies are not copied at all

bool is_socket(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

/// What write() returns, but EAGAIN instead of blocking.
ssize_t write_now(int fd, bool socket, std::string_view bytes) {
  if (socket) return send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  pollfd writable{fd, POLLOUT, 0};
  if (poll(&writable, 1, 0) == 0) {
    errno = EAGAIN;
    return -1;
  }
  return write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));  // a pipe that is writable has room for so much
}

std::string_view text_of(const FrameHeader& header) { return {header.bytes, sizeof header.bytes}; }

}  // namespace

Outbox::Outbox(int fd) : fd_(fd), is_socket_(is_socket(fd)) {}

void Outbox::append(std::string_view body) {
  const FrameHeader header = frame_header(static_cast<std::uint32_t>(body.size()));
  const std::lock_guard lock(mutex_);
  gathered_.append(text_of(header)).append(body);
}

std::size_t Outbox::pending() const {
  const std::lock_guard lock(mutex_);
  return gathered_.size() - written_;
}

void Outbox::send(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (const auto part : parts) size += part.size();
  const FrameHeader header = frame_header(static_cast<std::uint32_t>(size));
  std::unique_lock lock(mutex_);
  gathered_.append(text_of(header));
  if (size > kGatherBytes) return write_all(lock, parts);
  for (const auto part : parts) gathered_.append(part);
  if (gathered_.size() > kGatherBytes) write_all(lock, {});
}

void Outbox::flush() {
  std::unique_lock lock(mutex_);
  if (!gathered_.empty()) write_all(lock, {});
}

bool Outbox::flush_some() {
  const std::lock_guard lock(mutex_);
  if (is_writing_) return false;
  while (written_ < gathered_.size() && !is_broken()) {
    const ssize_t count = write_now(fd_, is_socket_, std::string_view(gathered_).substr(written_));
    if (count >= 0) {
      written_ += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      return true;
    } else if (errno != EINTR) {
      is_broken_.store(true);
    }
  }
  gathered_.clear();
  written_ = 0;
  return false;
}

/// What is gathered, then `parts`, which end its last frame; then what the other thread has gathered meanwhile.
void Outbox::write_all(std::unique_lock<std::mutex>& lock, std::initializer_list<std::string_view> parts) {
  is_writing_ = true;
  while (!gathered_.empty()) {
    batch_.swap(gathered_);
    const std::size_t from = std::exchange(written_, 0);
    lock.unlock();
    write_blocking(std::string_view(batch_).substr(from), std::exchange(parts, {}));
    batch_.clear();
    lock.lock();
  }
  is_writing_ = false;
}

void Outbox::write_blocking(std::string_view first, std::initializer_list<std::string_view> parts) {
  std::vector<iovec> pieces;
  pieces.reserve(parts.size() + 1);
  pieces.push_back({const_cast<char*>(first.data()), first.size()});
  for (const auto part : parts) pieces.push_back({const_cast<char*>(part.data()), part.size()});

  std::size_t done = 0;
  while (done < pieces.size() && !is_broken()) {
    const ssize_t count = writev(fd_, &pieces[done], static_cast<int>(pieces.size() - done));
    if (count < 0 && errno == EAGAIN) {
      pollfd writable{fd_, POLLOUT, 0};
      poll(&writable, 1, -1);
    } else if (count < 0 && errno != EINTR) {
      is_broken_.store(true);
    }
    auto written = static_cast<std::size_t>(count > 0 ? count : 0);
    while (done < pieces.size() && written >= pieces[done].iov_len) written -= pieces[done++].iov_len;
    if (done < pieces.size()) {
      pieces[done].iov_base = static_cast<char*>(pieces[done].iov_base) + written;
      pieces[done].iov_len -= written;
    }
  }
}

}  // namespace pons
