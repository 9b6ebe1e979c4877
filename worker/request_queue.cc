#include "worker/request_queue.h"

#include <algorithm>

namespace pons {

void RequestQueue::push(IncomingPtr request) { waiting_.push_back(std::move(request)); }

IncomingPtr RequestQueue::begin_front() {
  IncomingPtr request = std::move(waiting_.front());
  waiting_.pop_front();
  begun_.push_back(request);
  return request;
}

void RequestQueue::finish(const Incoming& request) {
  const auto at = std::find_if(begun_.begin(), begun_.end(), [&](const IncomingPtr& one) { return one.get() == &request; });
  if (at == begun_.end()) return;
  *at = std::move(begun_.back());
  begun_.pop_back();
}

RequestQueue::Cancelled RequestQueue::cancel(const RequestId& id) {
  if (id == RequestId{std::uint64_t{0}}) return {};
  const auto has_id = [&](const IncomingPtr& request) { return request->envelope.id == id; };
  if (const auto at = std::find_if(begun_.begin(), begun_.end(), has_id); at != begun_.end()) return {.begun = *at};
  const auto at = std::find_if(waiting_.begin(), waiting_.end(), has_id);
  if (at == waiting_.end()) return {};
  Cancelled result{.not_begun = std::move(*at)};
  waiting_.erase(at);
  return result;
}

}  // namespace pons
