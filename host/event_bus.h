// Who hears of what: subscriptions of connections to events like "worker.exited" (docs/protocol.md, section 8).
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace pons {

class EventBus {
 public:
  using Sink = std::function<void(std::string_view event, const nlohmann::json& data)>;

  /// Events whose name matches one of `patterns` (`*` and `?` as in a shell) go to `sink`. The number ends it.
  std::uint64_t subscribe(std::vector<std::string> patterns, Sink sink);
  void unsubscribe(std::uint64_t subscription);
  void publish(std::string_view event, const nlohmann::json& data) const;
  /// Whether anybody listens to anything: to skip the work of putting events together.
  [[nodiscard]] bool empty() const { return subscriptions_.empty(); }

  /// The names of all events there are.
  static const std::vector<std::string>& names();
  static bool matches(const std::string& pattern, std::string_view event);

 private:
  struct Subscription {
    std::uint64_t number;
    std::vector<std::string> patterns;
    Sink sink;
  };
  std::vector<Subscription> subscriptions_;
  std::uint64_t last_ = 0;
};

}  // namespace pons
