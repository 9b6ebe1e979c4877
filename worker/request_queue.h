// The requests of a channel that have no reply yet: those that wait for their turn, in the order in which they came, and those that
// have begun. Entirely passive.
//
// Not thread-safe; its owner locks.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "protocol/limits.h"
#include "worker/incoming.h"

namespace pons {

class RequestQueue {
 public:
  /// What is to be cancelled; neither if there is no such request.
  struct Cancelled {
    IncomingPtr begun{};      ///< to be marked
    IncomingPtr not_begun{};  ///< it waits no more: to be answered
  };

  explicit RequestQueue(std::size_t max_requests = 1024, std::size_t max_bytes = kDefaultMaxFrame)
      : max_requests_(max_requests), max_bytes_(max_bytes) {}

  /// As much waits as may, in number or in bytes: whoever reads stops, so that the host's writes pause. Stays true until no more than
  /// half of that waits: reading is not taken up again for every request.
  [[nodiscard]] bool is_full() const { return is_full_; }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  [[nodiscard]] std::size_t begun() const { return begun_.size(); }

  /// Accepts it even when full: the bound is kept by not reading.
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
  void count_out(const Incoming& request);

  std::size_t max_requests_;
  std::size_t max_bytes_;
  std::deque<IncomingPtr> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool is_full_ = false;
  std::vector<IncomingPtr> begun_;
};

}  // namespace pons
