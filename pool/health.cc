#include "pool/health.h"

namespace pons {

void Health::answered(TimePoint now) {
  if (!enabled()) return;
  pinged_ = false;
  misses_ = stops_ = 0;
  next_ = now + options_.interval;
}

Health::Verdict Health::look_at_busy(TimePoint now, bool stopped) {
  misses_ = 0;  // a ping that waits behind a request says nothing
  stops_ = stopped ? stops_ + 1 : 0;
  next_ = now + options_.timeout;
  if (stops_ <= options_.misses) return Verdict::well;  // the first look only starts the count
  next_ = TimePoint::max();
  return Verdict::stopped;
}

Health::Verdict Health::look_at_idle(TimePoint now) {
  stops_ = 0;
  if (pinged_ && ++misses_ >= options_.misses) {
    next_ = TimePoint::max();
    return Verdict::unanswered;
  }
  pinged_ = true;
  next_ = now + options_.timeout;
  return Verdict::ping;
}

}  // namespace pons
