// Reverse requests: those that a worker makes while it serves another. They must never wait for what can only end after them.
#include <algorithm>

#include "pool/dispatcher.h"

namespace pons {

std::size_t Dispatcher::ancestors_on(const Worker& worker, const Request& request) const {
  const auto& ancestors = request.job.ancestors;
  return static_cast<std::size_t>(std::count_if(ancestors.begin(), ancestors.end(), [&](RequestKey key) {
    const auto found = requests_.find(key);
    return found != requests_.end() && found->second.dispatched != TimePoint{} && found->second.worker == worker.key;
  }));
}

/// Whether it would have to wait there for its own ancestors: for their slots, or for their turn in a worker that keeps the order.
bool Dispatcher::held_by_ancestors(const Worker& worker, const Request& request) const {
  if (request.job.ancestors.empty()) return false;
  const auto held = ancestors_on(worker, request);
  return held > 0 && (worker.traits.in_order || held >= in_flight_);
}

/// `request` has been bound to where its resource and its session are.
Result<void> Dispatcher::check_cycle(const Request& request) const {
  if (request.job.ancestors.empty()) return {};
  const auto cycle = [this](const std::string& what) {
    return Error{ErrorCode::call_cycle, "This call of " + adapter_ + " could only wait for itself: " + what};
  };
  if (request.session != nullptr) {
    for (const auto key : request.job.ancestors) {
      const auto found = requests_.find(key);
      if (found == requests_.end() || found->second.session != request.session) continue;
      return cycle("the session \"" + request.session->id + "\" is held by a request that waits for it");
    }
  }
  const Worker* only = find(request.worker ? request.worker : request.session != nullptr ? request.session->worker : WorkerKey{});
  if (only != nullptr) {
    return held_by_ancestors(*only, request) ? Result<void>(cycle("the worker that it needs is held by a request that waits for it"))
                                             : Result<void>();
  }
  // A worker that is to go has one to follow it, and one that is not there yet may come.
  std::size_t held = 0;
  for (const auto& worker : workers_) {
    if (worker.retiring || worker.draining || worker.given_up) continue;
    if (!held_by_ancestors(worker, request)) return {};
    ++held;
  }
  if (held < most_workers_) return {};
  return cycle("every worker is held by a request that waits for it");
}

}  // namespace pons
