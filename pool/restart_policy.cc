#include "pool/restart_policy.h"

#include <algorithm>

namespace pons {

namespace {

constexpr Millis kLongest = std::chrono::hours(24);  // where backoff_max sets no bound

}  // namespace

RestartPolicy::Decision RestartPolicy::on_exit(std::uint32_t slot, const Exit& exit, TimePoint now) {
  auto& restarts = restarts_[slot];
  if (exit.was_ready && exit.uptime >= options_.reset_after) restarts = 0;
  if (exit.spare) return {false, now + delay(restarts++)};
  const auto& fatal = options_.no_restart_on;
  bool give_up = exit.hopeless || (exit.status >= 0 && std::find(fatal.begin(), fatal.end(), exit.status) != fatal.end());
  if (!exit.was_ready || (exit.uptime < options_.min_uptime && !exit.answered)) {
    while (!failed_starts_.empty() && now - failed_starts_.front() > options_.window) failed_starts_.pop_front();
    failed_starts_.push_back(now);
    give_up = give_up || (options_.max > 0 && failed_starts_.size() > static_cast<std::size_t>(options_.max));
  }
  if (give_up) {
    reset();
    return {true, now};
  }
  return {false, now + delay(restarts++)};
}

void RestartPolicy::reset() {
  failed_starts_.clear();
  restarts_.clear();
}

Millis RestartPolicy::delay(int restarts) {
  if (restarts == 0) return Millis{0};
  const auto most = options_.backoff_max.count() > 0 ? options_.backoff_max : kLongest;
  auto longest = options_.backoff;
  for (int i = 1; i < restarts && longest < most; ++i) longest *= 2;
  return Millis(static_cast<std::int64_t>(random_() * static_cast<double>(std::min(longest, most).count())));
}

}  // namespace pons
