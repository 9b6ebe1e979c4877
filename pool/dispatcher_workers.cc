// The coming and going of workers, and their resources. Requests are in dispatcher.cc, sessions in dispatcher_sessions.cc.
#include <algorithm>

#include "pool/dispatcher.h"

namespace pons {

namespace {

constexpr std::size_t kLostResourcesKept = 10'000;

}  // namespace

// ---- Workers -----------------------------------------------------------------------------------------------------------------------

const Dispatcher::Worker* Dispatcher::find(WorkerKey key) const {
  const auto found = std::find_if(workers_.begin(), workers_.end(), [&](const Worker& worker) { return worker.key == key; });
  return found != workers_.end() ? &*found : nullptr;
}

Dispatcher::Worker* Dispatcher::find(WorkerKey key) { return const_cast<Worker*>(std::as_const(*this).find(key)); }

void Dispatcher::worker_up(WorkerKey key, Traits traits, TimePoint now, Actions& out) {
  now_ = now;
  auto& worker = workers_.emplace_back();
  worker.key = key;
  worker.traits = traits;
  if (std::none_of(workers_.begin(), workers_.end(), [](const Worker& w) { return w.traits.can_snapshot; })) lose_unrestorable(out);
  feed_all(out);
}

void Dispatcher::retire(WorkerKey key, TimePoint now, Actions& out) {
  now_ = now;
  Worker* worker = find(key);
  if (worker == nullptr) return;
  worker->retiring = true;
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    auto& session = (it++)->second;
    if (session.worker == key && !session.lost && session.active == 0) advance(session, out);
  }
  feed_all(out);
}

void Dispatcher::worker_draining(WorkerKey key) {
  if (Worker* worker = find(key)) worker->draining = true;
}

std::vector<RequestKey> Dispatcher::worker_down(WorkerKey key, const MayRerun& may_rerun, TimePoint now, Actions& out) {
  now_ = now;
  Worker* worker = find(key);
  if (worker == nullptr) return {};
  worker->draining = true;  // nothing is sent to it while its state is taken down
  lose_resources(key);
  // What its sessions are from now on, before any of their requests looks.
  std::vector<std::string> sessions;
  for (auto& [id, session] : sessions_) {
    if (session.worker != key || session.lost) continue;
    sessions.push_back(id);
    lose(session, out);
  }
  std::vector<RequestKey> begun;
  const auto running = std::move(worker->running);
  worker->running.clear();
  for (const auto request_key : running) {
    auto& request = requests_.at(request_key);
    const bool has_begun = !worker->traits.in_order || request_key == running.front();
    const bool owned = request.role == Request::Role::callers && request.state == Request::State::running;
    const bool placeable = !request.job.only_on && (request.session == nullptr || !request.session->lost);
    if (owned && has_begun && placeable && request.attempts < max_attempts_ && may_rerun(request_key)) {
      out.push_back({.kind = Action::Kind::retry, .request = request_key, .worker = key, .attempt = request.attempts});
      requeue(request, out);
    } else if (owned && !has_begun) {
      --request.attempts;
      requeue(request, out);
    } else {
      if (owned) begun.push_back(request_key);
      if (request.session != nullptr) {
        auto& session = *request.session;
        if (session.active == request_key) session.active = 0;
        if (request.role == Request::Role::callers) session.last_used = now_;
        request.session = nullptr;
      }
      erase(request);
    }
  }
  while (!worker->pinned.empty()) {
    auto& request = requests_.at(worker->pinned.begin()->second);
    dequeue(request);
    if (request.role == Request::Role::callers) {
      count_waiting(request, false);
      requeue(request, out);
    } else {
      request.session->active = 0;
      sessions.push_back(request.session->id);  // who waits for an import begins anew: its session was not yet held here
      erase(request);
    }
  }
  for (const auto& id : sessions) {
    const auto found = sessions_.find(id);
    if (found != sessions_.end() && found->second.active == 0) advance(found->second, out);
  }
  std::erase_if(workers_, [&](const Worker& w) { return w.key == key; });
  feed_all(out);
  return begun;
}

/// It is to be placed anew, in its old place: its worker is gone.
void Dispatcher::requeue(Request& request, Actions& out) {
  if (request.dispatched != TimePoint{}) set_deadline(request, request.job.deadline);  // it has waited enough
  request.dispatched = TimePoint{};
  request.worker = WorkerKey{};
  count_waiting(request, true);
  if (request.job.only_on) {
    request.state = Request::State::behind_session;  // in no list
    return refuse(request, Error{ErrorCode::worker_crashed, "The worker died before this was run"}, out);
  }
  if (request.session != nullptr) {
    auto& session = *request.session;
    request.state = Request::State::behind_session;
    if (session.active == request.job.key) session.active = 0;
    session.behind.push_front(request.job.key);
    if (session.active == 0) advance(session, out);
    return;
  }
  request.state = Request::State::behind_session;
  if (auto placed = admit_resource(request); !placed) return refuse(request, placed.error(), out);
  enqueue(request);
}

std::size_t Dispatcher::in_flight(WorkerKey key) const {
  const Worker* worker = find(key);
  return worker != nullptr ? worker->running.size() : 0;
}

bool Dispatcher::overdue(WorkerKey key) const {
  const Worker* worker = find(key);
  return worker != nullptr && worker->overdue > 0;
}

std::vector<Dispatcher::WorkerLoad> Dispatcher::workers() const {
  std::vector<WorkerLoad> list;
  for (const auto& worker : workers_) {
    const bool cancelling = std::any_of(worker.running.begin(), worker.running.end(),
                                        [this](RequestKey key) { return requests_.at(key).state == Request::State::abandoned; });
    list.push_back({worker.key, worker.running.size(), worker.sessions, worker.resources, worker.retiring, worker.draining, cancelling});
  }
  return list;
}

// ---- Resources ---------------------------------------------------------------------------------------------------------------------

Error Dispatcher::resource_lost(const std::string& id) const {
  Error error{ErrorCode::resource_not_found, "The resource \"" + id + "\" was lost with its worker"};
  error.details = {{"reason", "worker_lost"}};
  return error;
}

bool Dispatcher::bind_resource(const std::string& id, WorkerKey key) {
  const auto found = resources_.find(id);
  if (found != resources_.end() && !found->second.lost && found->second.worker != key && find(found->second.worker) != nullptr)
    return false;
  if (found != resources_.end() && !found->second.lost && found->second.worker == key) return true;
  Worker* worker = find(key);
  if (worker == nullptr) return true;  // it died meanwhile
  ++worker->resources;
  if (found != resources_.end() && found->second.lost) lost_resources_.remove(id);
  resources_[id] = Resource{key, false};
  return true;
}

void Dispatcher::drop_resource(const std::string& id) {
  const auto found = resources_.find(id);
  if (found == resources_.end() || found->second.lost) return;
  if (Worker* worker = find(found->second.worker)) --worker->resources;
  resources_.erase(found);
}

void Dispatcher::lose_resources(WorkerKey key) {
  for (auto& [id, resource] : resources_) {
    if (resource.worker != key || resource.lost) continue;
    resource.lost = true;
    lost_resources_.push_back(id);
  }
  while (lost_resources_.size() > kLostResourcesKept) {
    resources_.erase(lost_resources_.front());
    lost_resources_.pop_front();
  }
}

std::size_t Dispatcher::resource_count() const { return resources_.size() - lost_resources_.size(); }

void Dispatcher::forget_worker_state(WorkerKey key, Actions& out) {
  Worker* worker = find(key);
  if (worker == nullptr) return;
  std::erase_if(resources_, [&](const auto& entry) { return entry.second.worker == key && !entry.second.lost; });
  worker->resources = 0;
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    auto& session = (it++)->second;  // it may be erased
    if (session.worker != key || session.lost || session.must_import) continue;
    out.push_back({.kind = Action::Kind::session_event, .worker = key, .session = session.id, .event = "ended"});
    if (session.idle) {
      --worker->sessions;
      erase_session(session);
    } else {
      session.requests = session.answered = session.covers = session.tried = 0;
      session.saved = session.kept = false;
      session.restored.reset();
      out.push_back({.kind = Action::Kind::session_event, .worker = key, .session = session.id, .event = "bound"});
    }
  }
}

}  // namespace pons
