#include "pool/watcher_keeper.h"

#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "pool/process.h"

namespace pons {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstDelay{100};  // before the second restart in a row; the first is at once
constexpr milliseconds kLongestDelay{30'000};
constexpr milliseconds kSoundAfter{60'000};  // a watcher that lived so long was no part of a series

}  // namespace

class WatcherKeeper::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Executor executor, Watcher& watcher, Callbacks callbacks)
      : watcher_(watcher), callbacks_(std::move(callbacks)), end_(executor), timer_(executor) {}

  void observe() {
    const int fd = static_cast<int>(::syscall(SYS_pidfd_open, watcher_.pid(), 0));
    if (fd < 0) return try_again(std::string("pidfd_open: ") + std::strerror(errno));
    end_.assign(fd);
    born_ = Clock::now();
    await_end();
  }

  void stop() {
    error_code ignored;
    end_.close(ignored);
    timer_.cancel();
    callbacks_ = {};
  }

 private:
  void await_end() {
    end_.async_wait(Descriptor::wait_read, [weak = weak_from_this()](error_code ec) {
      const auto self = weak.lock();
      if (ec || !self) return;
      if (!has_ended(self->end_.native_handle())) return self->await_end();
      self->end_.close();
      if (Clock::now() - self->born_ >= kSoundAfter) self->delay_ = milliseconds{0};
      self->restart_after_delay();
    });
  }

  void restart_after_delay() {
    timer_.expires_after(delay_);
    delay_ = std::clamp(delay_ * 2, kFirstDelay, kLongestDelay);
    timer_.async_wait([weak = weak_from_this()](error_code ec) {
      const auto self = weak.lock();
      if (!ec && self) self->restart();
    });
  }

  void restart() {
    if (const auto restarted = watcher_.restart(); !restarted) return try_again(restarted.error().message);
    if (const auto on_restart = callbacks_.on_restart) on_restart(watcher_.pid());
    observe();
  }

  void try_again(const std::string& reason) {
    restart_after_delay();
    if (const auto on_failed = callbacks_.on_failed) on_failed(reason);
  }

  Watcher& watcher_;
  Callbacks callbacks_;
  Descriptor end_;
  Timer timer_;
  TimePoint born_{};
  milliseconds delay_{0};
};

WatcherKeeper::WatcherKeeper(Executor executor, Watcher& watcher, Callbacks callbacks)
    : impl_(std::make_shared<Impl>(executor, watcher, std::move(callbacks))) {
  impl_->observe();
}

WatcherKeeper::~WatcherKeeper() { impl_->stop(); }

}  // namespace pons
