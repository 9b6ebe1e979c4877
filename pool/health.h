// Whether one ready worker is well. An idle one is pinged through its handler loop; a busy one is judged by its requests' deadlines
// alone, but a process that stays stopped (by SIGSTOP, say) while it has work is as good as dead. Entirely passive.
#pragma once

#include "pool/options.h"
#include "protocol/transport/task.h"

namespace pons {

class Health {
 public:
  enum class Verdict : std::uint8_t {
    well,
    ping,        ///< send it a ping; say answered() when the reply comes
    unanswered,  ///< it has missed `misses` pings in a row
    stopped,     ///< it has been stopped for `timeout` x `misses` while it had requests
  };

  Health(HealthOptions options, TimePoint now) : options_(options), next_(enabled() ? now + options.interval : TimePoint::max()) {}

  /// A ping's reply came, or any other.
  void answered(TimePoint now);
  /// `stopped`: called if it matters whether the process is in state T.
  template <class Stopped>
  Verdict look(TimePoint now, bool busy, Stopped&& stopped) {
    if (now < next_) return Verdict::well;
    return busy ? look_at_busy(now, stopped()) : look_at_idle(now);
  }
  /// When look() has something to do.
  [[nodiscard]] TimePoint next() const { return next_; }

 private:
  /// Each of them switches the check off by 0.
  [[nodiscard]] bool enabled() const { return options_.interval.count() > 0 && options_.timeout.count() > 0 && options_.misses > 0; }
  Verdict look_at_busy(TimePoint now, bool stopped);
  Verdict look_at_idle(TimePoint now);

  HealthOptions options_;
  TimePoint next_;
  int misses_ = 0;       ///< pings without an answer
  int stops_ = 0;        ///< looks in a row that found it stopped
  bool pinged_ = false;  ///< one is on its way
};

}  // namespace pons
