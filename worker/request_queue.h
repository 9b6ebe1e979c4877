// The requests of a channel that have no reply yet: those that wait for their turn, in the order in which they came, and those that
// have begun. Entirely passive. It has no bound of its own: the host sends no more than the adapter's `in_flight`, and what waits must
// not keep a cancellation from being read.
//
// Not thread-safe; its owner locks.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "worker/incoming.h"

namespace pons {

class RequestQueue {
 public:
  /// What is to be cancelled; neither if there is no such request.
  struct Cancelled {
    IncomingPtr begun{};      ///< to be marked
    IncomingPtr not_begun{};  ///< it waits no more: to be answered
  };

  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  [[nodiscard]] std::size_t begun() const { return begun_.size(); }

  void push(IncomingPtr request);
  /// The one whose turn it is; nullptr if none waits.
  [[nodiscard]] const Incoming* front() const { return waiting_.empty() ? nullptr : waiting_.front().get(); }
  /// The front has begun. One must wait.
  IncomingPtr begin_front();
  /// One that had begun has its reply. Any other is ignored.
  void finish(const Incoming& request);
  /// Finds the request with this id, and takes it out if it waits. Id 0 may be used by several at once and is never found.
  Cancelled cancel(const RequestId& id);

 private:
  std::deque<IncomingPtr> waiting_;
  std::vector<IncomingPtr> begun_;
};

}  // namespace pons
