#include "host/event_bus.h"

#include <fnmatch.h>

#include <algorithm>

namespace pons {

const std::vector<std::string>& EventBus::names() {
  static const std::vector<std::string> all{"worker.started", "worker.ready", "worker.exited",    "worker.recycled", "pool.state",
                                            "session.bound",  "session.lost", "session.restored", "session.ended",   "request.retried"};
  return all;
}

bool EventBus::matches(const std::string& pattern, std::string_view event) {
  return ::fnmatch(pattern.c_str(), std::string(event).c_str(), 0) == 0;
}

std::uint64_t EventBus::subscribe(std::vector<std::string> patterns, Sink sink) {
  subscriptions_.push_back({++last_, std::move(patterns), std::move(sink)});
  return last_;
}

void EventBus::unsubscribe(std::uint64_t subscription) {
  std::erase_if(subscriptions_, [&](const auto& s) { return s.number == subscription; });
}

void EventBus::publish(std::string_view event, const nlohmann::json& data) const {
  for (const auto& subscription : subscriptions_) {
    const auto& patterns = subscription.patterns;
    const bool wanted = std::any_of(patterns.begin(), patterns.end(), [&](const auto& p) { return matches(p, event); });
    if (wanted) subscription.sink(event, data);
  }
}

}  // namespace pons
