#include "host/cli/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pons::cli {

Output::Output(int fd, bool no_colour) : fd_(fd), terminal_(::isatty(fd) == 1), colour_(terminal_ && !no_colour) {}

void Output::write(std::string_view text) {
  while (!text.empty() && error_ == 0) {
    const ssize_t n = ::write(fd_, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      // Somebody who shares the descriptor has made it non-blocking.
      pollfd ready{fd_, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
}

bool Output::reader_gone() const { return error_ == EPIPE; }
std::string Output::failure() const { return error_ == 0 || reader_gone() ? std::string() : std::strerror(error_); }

}  // namespace pons::cli
