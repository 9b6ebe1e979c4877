#include "host/environment/lock.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace pons {
namespace {

constexpr int kLookMillis = 50;

pid_t holder_of(int fd) {
  std::array<char, 32> text{};
  const ssize_t n = ::pread(fd, text.data(), text.size() - 1, 0);
  return n > 0 ? static_cast<pid_t>(std::strtol(text.data(), nullptr, 10)) : 0;
}

}  // namespace

Result<UniqueFd> wait_for_lock(const std::filesystem::path& path, int stop_fd, const std::function<void(pid_t)>& waits_for) {
  const auto failed = [&](const char* what) {
    return Error{ErrorCode::invalid_configuration, std::string(what) + " " + path.string() + ": " + std::strerror(errno)};
  };
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return failed("cannot open");
  bool said = false;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return failed("cannot lock");
    if (!std::exchange(said, true)) waits_for(holder_of(fd.get()));
    pollfd stop{stop_fd, POLLIN, 0};  // flock cannot be waited for together with anything else
    if (::poll(&stop, 1, kLookMillis) > 0) return Error{ErrorCode::cancelled, "interrupted while it waited for another"};
  }
  const auto pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) return failed("cannot write");
  return fd;
}

}  // namespace pons
