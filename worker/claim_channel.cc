#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>

#include "worker/worker.h"

namespace pons {
namespace {

[[noreturn]] void fail(int error, const std::string& what) { throw std::system_error(error, std::generic_category(), what); }

/// A copy above the three standard descriptors, closed in the programs that an adapter starts.
int private_copy(int fd) {
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) fail(errno, "descriptor " + std::to_string(fd) + " cannot be the channel");
  return copy;
}

void replace(int fd, int with) {
  if (dup2(with, fd) < 0) fail(errno, "descriptor " + std::to_string(fd) + " cannot be replaced");
}

ChannelFds claim_named(std::string_view text) {
  int fd = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
  const bool number = error == std::errc{} && end == text.data() + text.size() && fd >= 0;
  if (!number || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) fail(EBADF, "PONS_FD=" + std::string(text) + " names no open descriptor");
  unsetenv("PONS_FD");  // a worker started from here is not on this channel
  return {fd, fd};
}

ChannelFds claim_stdio() {
  const ChannelFds channel{private_copy(STDIN_FILENO), private_copy(STDOUT_FILENO)};
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) fail(errno, "/dev/null");
  replace(STDIN_FILENO, null);
  const bool has_stderr = fcntl(STDERR_FILENO, F_GETFD) >= 0;
  replace(STDOUT_FILENO, has_stderr ? STDERR_FILENO : null);
  if (null > STDERR_FILENO) close(null);
  return channel;
}

}  // namespace

ChannelFds claim_channel() {
  if (const char* named = std::getenv("PONS_FD"); named != nullptr) return claim_named(named);
  if (isatty(STDIN_FILENO) == 1) return {};
  return claim_stdio();
}

}  // namespace pons
