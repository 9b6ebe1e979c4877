#include "host/cli/interrupts.h"

#include <signal.h>

namespace pons::cli {

Interrupts::Interrupts(boost::asio::io_context& io) : signals_(io, SIGINT, SIGTERM) { wait(); }

void Interrupts::wait() {
  signals_.async_wait([this](const boost::system::error_code& ec, int signal) {
    if (ec) return;
    if (count_++ == 0) first_ = signal;
    wait();
    if (callback_) callback_(count_);
  });
}

}  // namespace pons::cli
