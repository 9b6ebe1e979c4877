#include "host/cli/stop_signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

namespace pons::cli {

StopSignals::StopSignals() {
  sigset_t wanted;
  ::sigemptyset(&wanted);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&wanted, signal);
  ::pthread_sigmask(SIG_BLOCK, &wanted, &before_);
  fd_.reset(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
}

StopSignals::~StopSignals() {
  signalfd_siginfo info{};
  while (::read(fd_.get(), &info, sizeof info) > 0) {  // what has been acted on shall not end us now
  }
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

int StopSignals::exit_status() const {
  signalfd_siginfo info{};
  return ::read(fd_.get(), &info, sizeof info) == sizeof info ? 128 + static_cast<int>(info.ssi_signo) : 0;
}

}  // namespace pons::cli
