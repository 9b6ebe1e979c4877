#include "worker/stack_report.h"

#include <execinfo.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string_view>

namespace pons {
namespace {

constexpr int kSignalAboveMin = 4;
constexpr int kMaxFrames = 128;
constexpr int kOwnFrames = 2;  // on_signal and write_stack: everybody's first lines would be the same

// A signal handler reaches nothing but what is static.
std::atomic<int> report_fd{-1};
std::atomic<pid_t> serving_thread{0};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<pid_t>::is_always_lock_free);

[[gnu::noinline]] void write_stack(int fd) {
  void* frames[kMaxFrames];
  const int count = backtrace(frames, kMaxFrames);
  const int own = std::min(kOwnFrames, count);
  constexpr std::string_view kTitle = "Stack of the thread that serves, the innermost call first:\n";
  static_cast<void>(!write(fd, kTitle.data(), kTitle.size()));
  backtrace_symbols_fd(frames + own, count - own, fd);
}

/// Nothing but async-signal-safe calls (backtrace() is one after its first call). The kernel may have chosen any thread of the process.
void on_signal(int signal) {
  const int saved = errno;
  const pid_t serving = serving_thread.load();
  if (gettid() == serving) {
    write_stack(report_fd.load());
  } else {
    tgkill(getpid(), serving, signal);
  }
  errno = saved;
}

bool is_free(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL;
}

}  // namespace

int claim_dump() {
  const char* named = std::getenv("PONS_DUMP_FD");
  if (named == nullptr) return -1;
  const std::string_view text = named;
  int fd = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
  const bool is_number = error == std::errc{} && end == text.data() + text.size() && fd >= 0;
  const int flags = is_number ? fcntl(fd, F_GETFL) : -1;
  if (flags < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
    std::cerr << "PONS_DUMP_FD=" << text << " names no open descriptor: there will be no report of hangs\n";
    fd = -1;
  }
  unsetenv("PONS_DUMP_FD");  // a worker started from here has no part in it
  return fd;
}

StackReport::StackReport(int fd) {
  const int signal = SIGRTMIN + kSignalAboveMin;
  if (fd < 0 || !is_free(signal)) return;
  void* frame = nullptr;
  backtrace(&frame, 1);  // the first call loads a library
  report_fd.store(fd);
  serving_thread.store(gettid());
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // what the thread waits for is not disturbed
  sigemptyset(&action.sa_mask);
  if (sigaction(signal, &action, nullptr) == 0) signal_ = signal;
}

StackReport::~StackReport() {
  if (signal_ == 0) return;
  struct sigaction action {};
  action.sa_handler = SIG_IGN;  // one that is on its way must not end the process
  sigaction(signal_, &action, nullptr);
}

}  // namespace pons
