#include "worker/stop_signal.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <system_error>

namespace pons {
namespace {

// A signal handler reaches nothing but what is static.
std::atomic<int> wake_fd{-1};
std::atomic<bool> stop_requested{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void on_term(int /*signal*/) {
  const int saved = errno;
  stop_requested.store(true);
  const std::uint64_t one = 1;
  if (const int fd = wake_fd.load(); fd >= 0) static_cast<void>(!write(fd, &one, sizeof one));
  errno = saved;
}

void on_nothing(int /*signal*/) {}

void handle(int signal, void (*handler)(int), struct sigaction& old) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;  // an adapter's own system calls are not disturbed
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, &old);
}

}  // namespace

StopSignal::StopSignal() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  stop_requested.store(false);
  wake_fd.store(fd_);
  handle(SIGTERM, on_term, old_term_);
  handle(SIGINT, on_nothing, old_int_);
  handle(SIGPIPE, on_nothing, old_pipe_);
}

StopSignal::~StopSignal() {
  sigaction(SIGTERM, &old_term_, nullptr);
  sigaction(SIGINT, &old_int_, nullptr);
  sigaction(SIGPIPE, &old_pipe_, nullptr);
  wake_fd.store(-1);
  close(fd_);
}

bool StopSignal::requested() const { return stop_requested.load(std::memory_order_relaxed); }

}  // namespace pons
