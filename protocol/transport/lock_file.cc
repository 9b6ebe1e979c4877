#include "protocol/transport/lock_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace pons {

namespace {

constexpr int kTries = 100;
constexpr int kRetryMillis = 20;

Error no_lock(std::string why) { return Error{ErrorCode::invalid_configuration, std::move(why)}; }

/// Of the one that took it last; 0 if the file does not say.
pid_t holder_of(int fd) {
  char text[32] = {};
  const ssize_t n = ::pread(fd, text, sizeof text - 1, 0);
  return n > 0 ? static_cast<pid_t>(std::strtol(text, nullptr, 10)) : 0;
}

bool has_ended(pid_t pid) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return errno == ESRCH;
  pollfd ended{process.get(), POLLIN, 0};
  return ::poll(&ended, 1, 0) == 1;
}

/// Locks it. A child that a killed holder was just about to start has the lock, too, until it begins or is killed itself: that is waited
/// for, as its holder is no more.
bool lock(int fd) {
  for (int i = 0; i < kTries; ++i) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
    const auto holder = holder_of(fd);
    if (holder <= 0 || !has_ended(holder)) return false;
    ::poll(nullptr, 0, kRetryMillis);
  }
  return false;
}

/// Somebody else holds it.
Error held(int fd) {
  const auto pid = holder_of(fd);
  auto error = no_lock("a host is already running there (pid " + (pid > 0 ? std::to_string(pid) : std::string("unknown")) + ")");
  if (pid > 0) error.details = {{"pid", pid}};
  return error;
}

/// Its holder removes the file when it goes: what was locked must still be the file that is there.
bool is_at(int fd, const std::string& path) {
  struct stat held {};
  struct stat there {};
  return ::fstat(fd, &held) == 0 && ::lstat(path.c_str(), &there) == 0 && held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

}  // namespace

Result<LockFile> LockFile::take(const std::string& path) {
  for (int i = 0; i < kTries; ++i) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return no_lock("cannot open " + path + ": " + std::strerror(errno));
    if (!lock(fd.get())) return held(fd.get());
    if (!is_at(fd.get(), path)) continue;
    LockFile taken(path, std::move(fd));
    const auto pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(taken.fd_.get(), 0) != 0 || ::pwrite(taken.fd_.get(), pid.data(), pid.size(), 0) < 0) {
      return no_lock("cannot write " + path + ": " + std::strerror(errno));
    }
    return taken;
  }
  return no_lock("others start and stop there all the time");
}

LockFile& LockFile::operator=(LockFile&& other) noexcept {
  release();
  path_ = std::move(other.path_);
  fd_ = std::move(other.fd_);
  return *this;
}

void LockFile::release() {
  if (!fd_) return;
  ::unlink(path_.c_str());
  fd_.reset();
}

}  // namespace pons
