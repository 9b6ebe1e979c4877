#include "tests/pool/dispatcher_model.h"

#include <algorithm>

namespace pons {

// ---- Events ------------------------------------------------------------------------------------------------------------------------

void DispatcherModel::submitted(const Dispatcher::Job& job, bool idempotent, TimePoint now) {
  arrivals_ = job.key;
  auto& request = requests_[job.key];
  request.job = job;
  request.idempotent = idempotent;
  request.due = std::min(job.deadline, job.queue_deadline);
  if (job.deadline <= now) request.due = job.deadline;
  if (job.resource) request.resource_version = resources_[*job.resource].version;
}

void DispatcherModel::was_answered(RequestKey key) {
  const auto found = requests_.find(key);
  if (found == requests_.end()) return;
  auto& request = found->second;
  if (request.state != State::running && request.state != State::abandoned) return;
  has_spoken(key);
  left(request.worker, key);
  request.state = State::done;
  if (const auto* id = session_of(request)) ++sessions_.at(*id).answered;
}

/// If others were written before it, its worker does not keep the order, and all of them may have begun.
void DispatcherModel::has_spoken(RequestKey key) {
  const auto found = requests_.find(key);
  if (found == requests_.end() || found->second.state != State::running) return;
  auto& worker = workers_.at(found->second.worker);
  if (!worker.traits.in_order || key == worker.running.front()) return;
  worker.traits.in_order = false;
  for (const auto other : worker.running) begin_turn(other);
}

/// Whoever comes first behind it in an orderly worker has time of its own from now on.
void DispatcherModel::left(WorkerKey worker_key, RequestKey key) {
  auto& worker = workers_.at(worker_key);
  std::erase(worker.running, key);
  if (worker.traits.in_order && !worker.running.empty()) begin_turn(worker.running.front());
}

void DispatcherModel::begin_turn(RequestKey key) {
  if (const auto own = own_.find(key); own != own_.end()) {
    if (own->second.due == TimePoint::max() && !own->second.overdue) {
      own->second.due = now_ + (own->second.late ? limits_.timeouts.cancel_grace : limits_.timeouts.request);
    }
    return;
  }
  auto& request = requests_.at(key);
  if (request.state != State::abandoned || request.due != TimePoint::max() || request.overdue) return;
  request.due = now_ + limits_.timeouts.cancel_grace;
  if (request.disconnected) request.due = std::max(request.due, request.job.deadline);
}

void DispatcherModel::was_exported(RequestKey key, std::optional<std::uint64_t> covers) {
  const auto found = own_.find(key);
  left(found->second.worker, key);
  auto& session = sessions_.at(found->second.session);
  if (covers) session.covers = std::min(*covers, session.answered);
  session.saved = session.saved || covers;
  session.kept = session.kept && !covers;
  own_.erase(found);
}

void DispatcherModel::was_kept(const std::string& id, bool success) {
  auto& session = sessions_.at(id);
  session.saved = session.kept = success;
  if (!success) session.covers = 0;
}

void DispatcherModel::was_imported(RequestKey key, std::optional<std::uint64_t> covers) {
  const auto found = own_.find(key);
  left(found->second.worker, key);
  const auto id = found->second.session;
  auto& session = sessions_.at(id);
  if (covers) session.covers = *covers;
  if (covers && (*covers == session.answered || limits_.sessions.snapshot.stale == Stale::allow)) {
    session.answered = session.covers;
    session.restoring = false;
    session.imports = 0;
  } else {
    lose(id, session);
  }
  own_.erase(found);
}

bool DispatcherModel::restorable(const Session& session) const {
  if (session.restoring) return session.imports < limits_.retry.max_attempts;
  return session.saved && (session.covers == session.answered || limits_.sessions.snapshot.stale == Stale::allow);
}

bool DispatcherModel::ends_already(const std::string& session) const {
  const auto ends = ends_.find(session);
  if (ends == ends_.end() || ends->second.empty()) return false;
  return std::none_of(requests_.begin(), requests_.end(), [&](const auto& entry) {
    return entry.first > ends->second.back() && is_of(entry.second, session) && entry.second.state == State::waiting;
  });
}

/// It must be said to be lost in this event.
void DispatcherModel::lose(const std::string& id, Session& session) {
  expected_lost_.insert(id);
  session.restoring = false;
}

void DispatcherModel::came_up(WorkerKey key, Dispatcher::Traits traits) {
  workers_[key].traits = traits;
  if (std::any_of(workers_.begin(), workers_.end(), [](const auto& entry) { return entry.second.traits.can_snapshot; })) return;
  for (auto& [id, session] : sessions_) {
    if (session.restoring) lose(id, session);
  }
}

/// What must become of everything on that worker; before the dispatcher is told.
void DispatcherModel::going_down(WorkerKey worker_key) {
  down_ = worker_key;
  for (auto& [id, resource] : resources_) {
    if (resource.worker == worker_key) change(id, std::nullopt);
  }
  for (auto& [id, session] : sessions_) {
    if (session.worker != worker_key || session.lost) continue;
    if (restorable(session)) {
      session.restoring = true;
      session.worker = {};
    } else {
      lose(id, session);
    }
  }
  const auto worker = workers_.at(worker_key);
  for (const auto key : worker.running) {
    if (own_.erase(key) > 0) continue;
    auto& request = requests_.at(key);
    const auto* id = session_of(request);
    const bool lost = id != nullptr && expected_lost_.contains(*id) && limits_.sessions.on_loss == OnLoss::fail;
    const bool begun = !worker.traits.in_order || key == worker.running.front();
    const bool again = request.idempotent && request.attempts < limits_.retry.max_attempts && !request.job.only_on && !lost;
    if (request.state == State::abandoned) {
      request.state = State::done;
    } else if (begun && !again) {
      expected_begun_.push_back(key);
      request.state = State::done;
    } else {
      if (begun) expected_retries_.insert(key);
      if (!begun) --request.attempts;
      request.state = State::waiting;
      request.due = request.job.deadline;
      if (request.job.resource) request.resource_version = resources_[*request.job.resource].version;
    }
  }
  workers_.erase(worker_key);
}

void DispatcherModel::went_down(const std::vector<RequestKey>& begun) {
  require(begun == expected_begun_, "worker_down did not return what had begun");
  expected_begun_.clear();
}

void DispatcherModel::change(const std::string& id, std::optional<WorkerKey> worker) {
  auto& resource = resources_[id];
  resource.worker = worker;
  ++resource.version;
}

void DispatcherModel::bound_resource(const std::string& id, WorkerKey worker, bool accepted) {
  const auto& holder = resources_[id].worker;
  require(accepted == (!holder || *holder == worker), "bind_resource of " + id);
  if (accepted && holder != worker) change(id, worker);
}

void DispatcherModel::forgot(WorkerKey worker, RequestKey key) {
  const std::string* session = session_of(requests_.at(key));
  cleaning_ = session != nullptr ? *session : std::string();
  for (const auto& [id, held] : sessions_) {
    if (held.worker == worker && !held.lost && !held.restoring) forgotten_.insert(id);
  }
  for (auto& [id, resource] : resources_) {
    if (resource.worker == worker) change(id, std::nullopt);
  }
}

// ---- Actions -----------------------------------------------------------------------------------------------------------------------

/// A tick of the dispatcher: who is past the grace that followed its deadline.
void DispatcherModel::pass_graces() {
  const auto has_begun = [this](WorkerKey key, RequestKey request) {
    const auto& worker = workers_.at(key);
    return !worker.traits.in_order || worker.running.front() == request;
  };
  for (auto& [key, request] : requests_) {
    if (request.state != State::abandoned || request.overdue || request.due > now_) continue;
    request.overdue = has_begun(request.worker, key);
    if (!request.overdue) request.due = TimePoint::max();
  }
  for (auto& [key, own] : own_) {
    if (own.overdue || own.due > now_) continue;
    own.overdue = own.late && has_begun(own.worker, key);
    own.due = own.late ? TimePoint::max() : now_ + limits_.timeouts.cancel_grace;
    own.late = true;
  }
}

std::string DispatcherModel::check(Event event, const Actions& actions, const Dispatcher& dispatcher, TimePoint now) {
  event_ = event;
  now_ = now;
  if (event == Event::tick) pass_graces();
  for (std::size_t i = 0; i < actions.size(); ++i) check_action(actions[i], i + 1 < actions.size() ? &actions[i + 1] : nullptr);
  require(expected_retries_.empty(), "a request that may run again was not retried");
  require(expected_lost_.empty(), "a session that is lost was not said to be");
  require(forgotten_.empty() && reborn_.empty(), "a session that its worker has forgotten goes on");
  check_given_up();
  check_counts(dispatcher);
  check_sessions(dispatcher);
  check_nothing_idle();
  check_deadlines(dispatcher);
  std::erase_if(requests_, [](const auto& entry) { return entry.second.state == State::done; });
  cancelled_ = 0;
  down_ = {};
  expected_retries_.clear();
  expected_lost_.clear();
  return problem_;
}

void DispatcherModel::check_action(const Action& action, const Action* next) {
  switch (action.kind) {
    case Action::Kind::dispatch:
      return check_dispatch(action);
    case Action::Kind::refuse:
      return check_refuse(action);
    case Action::Kind::expire:
      return check_expire(action);
    case Action::Kind::abandon:
      return check_abandon(action);
    case Action::Kind::retry:
      return check_retry(action);
    case Action::Kind::export_session:
      return check_export(action);
    case Action::Kind::import_session:
      return check_import(action);
    case Action::Kind::end_session:
      return check_left(action, next);
    case Action::Kind::session_event:
      return check_session_event(action);
  }
}

void DispatcherModel::check_retry(const Action& action) {
  require(action.worker == down_ && expected_retries_.erase(action.request) == 1, "a retry of a request that may not run again");
}

/// Nothing of the session runs.
void DispatcherModel::check_session_quiet(const std::string& session) {
  for (const auto& [key, request] : requests_) {
    const bool runs = request.state == State::running || request.state == State::abandoned;
    require(!runs || !is_of(request, session), "a request of the session runs");
  }
  for (const auto& [key, own] : own_) require(own.session != session, "an export or import of the session runs");
}

void DispatcherModel::check_export(const Action& action) {
  const auto session = sessions_.find(action.session);
  if (session == sessions_.end()) return wrong("an export of a session that is not bound");
  const auto worker = workers_.find(action.worker);
  if (worker == workers_.end() || session->second.worker != action.worker) return wrong("an export by a worker that does not hold it");
  require(!session->second.lost && !session->second.restoring && worker->second.traits.can_snapshot, "an export that cannot be");
  check_session_quiet(action.session);
  const bool first = !worker->second.traits.in_order || worker->second.running.empty();
  own_[action.request] = Own{false, action.session, action.worker, first ? now_ + limits_.timeouts.request : TimePoint::max()};
  worker->second.running.push_back(action.request);
}

void DispatcherModel::check_import(const Action& action) {
  const auto session = sessions_.find(action.session);
  if (session == sessions_.end()) return wrong("an import of an unknown session");
  const auto worker = workers_.find(action.worker);
  if (worker == workers_.end()) return wrong("an import by a worker that is not there");
  require(session->second.restoring && !session->second.worker, "an import of a session that is held");
  require(worker->second.traits.can_snapshot && room(action.worker) && !worker->second.retiring, "an import that does not fit");
  check_session_quiet(action.session);
  session->second.worker = action.worker;
  ++session->second.imports;
  const bool first = !worker->second.traits.in_order || worker->second.running.empty();
  own_[action.request] = Own{true, action.session, action.worker, first ? now_ + limits_.timeouts.request : TimePoint::max()};
  worker->second.running.push_back(action.request);
}

/// A worker is told that it holds a session no longer: it ended, or it moves away.
void DispatcherModel::check_left(const Action& action, const Action* next) {
  const auto found = sessions_.find(action.session);
  require(workers_.contains(action.worker), "end_session for a worker that is not there");
  if (found == sessions_.end() || found->second.worker != action.worker || found->second.lost) {
    return wrong("end_session of a session that its worker does not hold");
  }
  if (next != nullptr && next->kind == Action::Kind::session_event && next->session == action.session && next->worker == action.worker &&
      std::string_view(next->event) == "ended") {
    return;
  }
  auto& session = found->second;
  if (expected_lost_.contains(action.session)) return;  // an import that failed may have left a part of it
  const auto& worker = workers_.at(action.worker);
  require(worker.retiring && worker.traits.can_snapshot, "moved away from a worker that stays");
  require(session.answered == 0 || (session.kept && session.covers == session.answered), "moved without its state");
  check_session_quiet(action.session);
  session.worker = {};
  session.restoring = true;
  if (session.answered == 0) sessions_.erase(found);
}

/// A worker is given up as soon as, and not before, nothing else there may still finish in time.
void DispatcherModel::check_given_up() {
  for (const auto& [worker_key, worker] : workers_) {
    bool overdue = false;
    bool held = false;
    for (const auto key : worker.running) {
      const bool begun = !worker.traits.in_order || key == worker.running.front();
      if (const auto own = own_.find(key); own != own_.end()) {
        overdue = overdue || own->second.overdue;
        held = held || (begun && !own->second.late);
        continue;
      }
      const auto& request = requests_.at(key);
      overdue = overdue || request.overdue;
      if (!begun || request.overdue) continue;
      held = held || request.state == State::running || request.disconnected;
    }
    if (worker.given_up || event_ != Event::tick) continue;
    require(!overdue || held, "a worker is not given up though nothing holds it");
  }
}

void DispatcherModel::check_dispatch(const Action& action) {
  const auto found = requests_.find(action.request);
  if (found == requests_.end()) return wrong("dispatch of an unknown request");
  auto& request = found->second;
  require(request.state == State::waiting, "dispatch of a request that does not wait");
  require(request.due > now_, "dispatch of an expired waiter");
  if (!free(action.worker)) return wrong("dispatch to a worker that is gone, draining or full");
  if (request.job.only_on) require(*request.job.only_on == action.worker, "a share on another worker");
  if (const auto holder = resource_of(request)) require(*holder == action.worker, "not where its resource is");
  check_session_turn(found->first, request, action.worker);
  require(!held_by_ancestors(action.worker, request), "a reverse request behind one that waits for it");
  for (const auto& [key, other] : requests_) {
    if (!comes_before(key, found->first) || held_by_ancestors(action.worker, other)) continue;
    require(!(plain(request) && plain(other) && other.state == State::waiting), "an unpinned request overtook another");
  }
  if (plain(request)) require(!workers_.at(action.worker).retiring, "a plain request to a worker that retires");
  request.state = State::running;
  request.worker = action.worker;
  request.due = request.job.deadline;
  ++request.attempts;
  workers_.at(action.worker).running.push_back(found->first);
}

void DispatcherModel::check_session_turn(RequestKey key, const Request& request, WorkerKey worker) {
  const auto* id = session_of(request);
  if (id == nullptr) return;
  for (const auto& [other_key, other] : requests_) {
    if (!is_of(other, *id)) continue;
    require(other.state != State::running && other.state != State::abandoned, "two requests of a session at a time");
    require(other_key >= key || other.state != State::waiting, "a session's requests out of order");
  }
  const auto session = sessions_.find(*id);
  if (session == sessions_.end()) return wrong("dispatch of a session's request before the session was bound");
  require(!session->second.lost, "dispatch in a lost session");
  require(!session->second.restoring, "dispatch before the session was restored");
  require(session->second.worker == worker, "a session's request on another worker");
  auto& ends = ends_[*id];
  require(ends.empty() || ends.front() >= key, "dispatch beyond an end of the session that did not take place");
}

void DispatcherModel::check_refuse(const Action& action) {
  const auto found = requests_.find(action.request);
  if (found == requests_.end()) return wrong("refusal of an unknown request");
  auto& request = found->second;
  require(request.state == State::waiting, "refusal of a request that does not wait");
  const auto* id = session_of(request);
  const bool new_here = event_ == Event::submit && action.request == arrivals_;
  switch (action.error.code) {
    case ErrorCode::overloaded:
      require(new_here && !request.job.only_on && (queued() > limits_.queue || waiting_bytes() > limits_.queue_bytes),
              "overloaded without need");
      break;
    case ErrorCode::queue_timeout:
      require(request.due <= now_, "queue_timeout too early");
      break;
    case ErrorCode::cancelled:
      require(event_ == Event::cancel && cancelled_ == action.request, "cancelled by nobody");
      break;
    case ErrorCode::pool_failed:
      require(event_ == Event::refuse_all, "refused without being asked");
      break;
    case ErrorCode::call_cycle:
      require(new_here && waits_for_itself(request), "call_cycle of a request that may run");
      break;
    case ErrorCode::worker_crashed:
      require(request.job.only_on && !workers_.contains(*request.job.only_on), "a share of a living worker");
      break;
    case ErrorCode::session_lost:
      require(id != nullptr && sessions_.contains(*id) && sessions_.at(*id).lost, "session_lost of a session that is not");
      break;
    case ErrorCode::session_limit:
      require(id != nullptr && (limits_.sessions.max > 0 || limits_.sessions.max_per_worker > 0), "session_limit without a limit");
      break;
    case ErrorCode::resource_not_found:
      require(request.job.resource && !resource_known(*request.job.resource), "the resource lives");
      break;
    case ErrorCode::bad_request:
      require(id != nullptr && request.job.resource && resource_known(*request.job.resource) && sessions_.contains(*id) &&
                  sessions_.at(*id).worker != resource_worker(*request.job.resource),
              "session and resource do not contradict each other");
      break;
    default:
      wrong("an error that a dispatcher does not give");
  }
  request.state = State::done;
}

void DispatcherModel::check_expire(const Action& action) {
  const auto found = requests_.find(action.request);
  if (found == requests_.end()) return wrong("expiry of an unknown request");
  auto& request = found->second;
  require(request.state == State::running && request.worker == action.worker, "expiry of a request that does not run there");
  request.state = State::abandoned;
  if (action.error.code == ErrorCode::deadline_exceeded) {
    require(event_ == Event::tick && request.due <= now_, "deadline_exceeded too early");
    request.due = now_ + limits_.timeouts.cancel_grace;
  } else {
    request.disconnected = cancelled_by_ == CancelBy::disconnection;
    require(action.error.code == ErrorCode::cancelled && event_ == Event::cancel && cancelled_ == action.request, "expired by nobody");
    const auto grace = now_ + limits_.timeouts.cancel_grace;
    request.due = cancelled_by_ == CancelBy::caller ? grace : std::max(grace, request.job.deadline);
  }
}

void DispatcherModel::check_abandon(const Action& action) {
  const auto worker = workers_.find(action.worker);
  if (worker == workers_.end()) return wrong("a worker that is not there is given up");
  require(!worker->second.given_up, "a worker given up twice");
  worker->second.given_up = true;
  if (const auto own = own_.find(action.request); own != own_.end()) {
    return require(own->second.worker == action.worker && own->second.overdue, "given up for an export or import in time");
  }
  const auto found = requests_.find(action.request);
  if (found == requests_.end()) return wrong("abandon of an unknown request");
  const auto& request = found->second;
  require(request.state == State::abandoned && request.worker == action.worker, "abandon of a request that its worker does not hold");
  require(request.overdue, "abandoned too early");
  for (const auto key : worker->second.running) {
    if (worker->second.traits.in_order && key != worker->second.running.front()) break;
    const auto other = requests_.find(key);
    require(other == requests_.end() || other->second.state != State::running, "given up while another may finish");
  }
}

void DispatcherModel::check_session_event(const Action& action) {
  const std::string event = action.event;
  const auto found = sessions_.find(action.session);
  if (event == "bound") {
    require(found == sessions_.end(), "bound twice");
    require(workers_.contains(action.worker), "bound to a worker that is not there");
    sessions_[action.session].worker = action.worker;
    if (reborn_.erase(action.session) == 1) {  // it begins anew, with the requests that it had
      sessions_[action.session].answered = action.session == cleaning_ ? 1 : 0;
      return;
    }
    const auto first = head(action.session);
    while (first && !ends_[action.session].empty() && ends_[action.session].front() < *first) ends_[action.session].pop_front();
    return;
  }
  if (found == sessions_.end() || found->second.worker != action.worker) return wrong(event + " of a session that is not bound there");
  if (event == "restored") return require(!found->second.restoring, "restored before it was imported");
  if (event == "lost") {
    require(!found->second.lost && expected_lost_.erase(action.session) == 1, "lost without need");
    found->second.lost = true;
    if (limits_.sessions.on_loss == OnLoss::restart) sessions_.erase(found);
    return;
  }
  require(event == "ended", "an unknown event");
  check_ended(action);
  sessions_.erase(found);
}

void DispatcherModel::check_ended(const Action& action) {
  auto& ends = ends_[action.session];
  const auto first = head(action.session);
  if (forgotten_.erase(action.session) == 1) {  // whatever is under way
    const bool has_requests = std::any_of(requests_.begin(), requests_.end(), [&](const auto& entry) {
      return entry.second.state != State::done && is_of(entry.second, action.session);
    });
    const bool moves = std::any_of(own_.begin(), own_.end(), [&](const auto& entry) { return entry.second.session == action.session; });
    if (has_requests || moves || !ends.empty() || action.session == cleaning_) reborn_.insert(action.session);
    return;
  }
  for (const auto& [key, request] : requests_) {
    if (!is_of(request, action.session)) continue;
    require(request.state != State::running && request.state != State::abandoned, "ended while a request runs");
  }
  if (ends.empty()) {
    const bool made_room = event_ == Event::submit && limits_.sessions.max > 0 && sessions_.at(action.session).lost;
    require(event_ == Event::tick || made_room, "ended though nobody asked for it");
    require(!first, "expired while a request waits");
    return;
  }
  require(!first || *first > ends.front(), "ended before a request that came first");
  ends.pop_front();
}

// ---- Between events ----------------------------------------------------------------------------------------------------------------

void DispatcherModel::check_counts(const Dispatcher& dispatcher) {
  require(dispatcher.waiting() == count(State::waiting), "waiting() is wrong");
  require(dispatcher.running() == count(State::running) + count(State::abandoned), "running() is wrong");
  for (const auto& [key, request] : requests_) {
    require(dispatcher.is_running(key) == (request.state == State::running), "is_running() is wrong");
  }
  const auto loads = dispatcher.workers();
  require(loads.size() == workers_.size(), "workers() lists others than are there");
  std::size_t living = 0;
  for (const auto& [id, resource] : resources_) living += resource.worker ? 1u : 0u;
  require(dispatcher.resource_count() == living, "resource_count() is wrong");
  for (const auto& load : loads) {
    const auto found = workers_.find(load.key);
    if (found == workers_.end()) return wrong("workers() lists one that is not there");
    const auto held = std::count_if(resources_.begin(), resources_.end(), [&](const auto& r) { return r.second.worker == load.key; });
    require(load.in_flight == found->second.running.size() && load.in_flight <= limits_.in_flight, "in_flight is wrong");
    require(load.retiring == found->second.retiring, "retiring is wrong");
    require(load.sessions == sessions_of(load.key), "a worker's count of sessions is wrong");
    require(load.resources == static_cast<std::size_t>(held), "a worker's count of resources is wrong");
    require(load.draining == found->second.draining, "draining is wrong");
    const auto most = limits_.sessions.max_per_worker;
    require(most == 0 || load.sessions <= most, "more sessions than max_per_worker");
  }
  if (event_ != Event::submit) return;
  const auto& last = requests_.at(arrivals_);  // what ended in this event is still there
  if (last.state != State::waiting) return;
  require(!waits_for_itself(last), "a request waits that could only wait for itself");
  require(queued() <= limits_.queue, "the queue is above its bound");
  require(limits_.queue_bytes == 0 || waiting_bytes() <= limits_.queue_bytes, "the queue holds too many bytes");
}

void DispatcherModel::check_sessions(const Dispatcher& dispatcher) {
  const auto list = dispatcher.sessions();
  require(list.size() == dispatcher.session_count(), "session_count() is wrong");
  const auto most = limits_.sessions.max;
  require(most == 0 || list.size() <= most, "more sessions than max");
  std::set<std::string> listed;
  for (const auto& info : list) {
    listed.insert(info.id);
    const auto found = sessions_.find(info.id);
    if (!info.worker && !info.restoring && !info.lost) {
      require(found == sessions_.end() && head(info.id), "a session without a worker and without a request");
    } else {
      if (found == sessions_.end()) return wrong("a session that nobody knows");
      const auto& session = found->second;
      require(session.worker == info.worker && session.lost == info.lost && session.restoring == info.restoring, "a session is wrong");
      require(session.answered == info.answered && (!session.saved || session.covers == info.covers), "a session's counts are wrong");
    }
  }
  std::erase_if(sessions_, [&](const auto& entry) {
    if (listed.contains(entry.first)) return false;
    wrong("a session vanished without an event");
    return true;
  });
  std::erase_if(ends_, [&](const auto& entry) { return !listed.contains(entry.first); });
  for (const auto& [id, session] : sessions_) {
    require(session.lost || workers_.contains(session.worker) || session.restoring, "a session outlived its worker");
  }
}

/// No request waits that could run.
void DispatcherModel::check_nothing_idle() {
  for (const auto& [worker_key, worker] : workers_) {
    if (!free(worker_key)) continue;
    for (const auto& [key, request] : requests_) {
      if (request.state != State::waiting) continue;
      if (request.job.only_on && *request.job.only_on != worker_key) continue;
      if (const auto holder = resource_of(request); holder && *holder != worker_key) continue;
      if (request.job.resource && !resource_of(request)) continue;  // where it is bound to is not known here
      const auto* id = session_of(request);
      const auto* where = id != nullptr && sessions_.contains(*id) ? &sessions_.at(*id) : nullptr;
      if (where != nullptr && (where->restoring || worker.traits.can_snapshot)) continue;  // an export or import may have to go first
      if (worker.retiring && !request.job.only_on && !resource_of(request) && where == nullptr) continue;
      if (held_by_ancestors(worker_key, request)) continue;
      if (id != nullptr) {
        if (head(*id) != key) continue;
        const bool busy = std::any_of(requests_.begin(), requests_.end(), [&](const auto& other) {
          return is_of(other.second, *id) && (other.second.state == State::running || other.second.state == State::abandoned);
        });
        const auto session = sessions_.find(*id);
        if (busy || (session != sessions_.end() ? session->second.worker != worker_key : !room(worker_key))) continue;
      }
      wrong("request " + std::to_string(key) + " waits though a worker is free");
    }
  }
  check_imports_begin();
}

/// No session waits to be imported while a worker could do it, but for those that hold what its requests named.
void DispatcherModel::check_imports_begin() {
  const bool suits = std::any_of(workers_.begin(), workers_.end(), [this](const auto& entry) {
    return entry.second.traits.can_snapshot && !entry.second.retiring && free(entry.first) && room(entry.first);
  });
  for (auto& [id, session] : sessions_) {
    const auto first = head(id);
    if (!session.restoring || session.worker || !first) {
      session.holders.clear();
      continue;
    }
    const auto& resource = requests_.at(*first).job.resource;
    if (resource && resource_known(*resource)) session.holders.insert(resource_worker(*resource));
    const bool awaited = std::any_of(session.holders.begin(), session.holders.end(),
                                     [this](WorkerKey holder) { return workers_.contains(holder) && !free(holder); });
    require(!suits || awaited, "the session " + id + " waits though it could be imported");
  }
}

void DispatcherModel::check_deadlines(const Dispatcher& dispatcher) {
  auto earliest = TimePoint::max();
  std::string what;
  const auto due = [&](TimePoint when, const std::string& of) {
    if (when < earliest) what = of;
    earliest = std::min(earliest, when);
  };
  for (const auto& [key, request] : requests_) {
    if (request.state == State::done || request.overdue) continue;
    due(request.due, "request " + std::to_string(key));
  }
  if (limits_.sessions.ttl.count() > 0) {
    for (const auto& info : dispatcher.sessions()) {
      bool used = std::any_of(requests_.begin(), requests_.end(),
                              [&](const auto& entry) { return is_of(entry.second, info.id) && entry.second.state != State::done; });
      // It may also wait to be exported, of which nothing is known here.
      used = used || (info.worker && workers_.contains(info.worker) && workers_.at(info.worker).traits.can_snapshot);
      if (!used) due(info.expires, "session " + info.id);
    }
  }
  require(dispatcher.next_deadline() <= earliest, "next_deadline() is later than the deadline of " + what);
  if (event_ == Event::tick) require(dispatcher.next_deadline() > now_, "a tick left something undone");
}

// ---- Reverse requests --------------------------------------------------------------------------------------------------------------

bool DispatcherModel::comes_before(RequestKey a, RequestKey b) const {
  const bool a_reverse = requests_.at(a).job.reverse;
  return a_reverse != requests_.at(b).job.reverse ? a_reverse : a < b;
}

bool DispatcherModel::held_by_ancestors(WorkerKey worker_key, const Request& request) const {
  const auto& worker = workers_.at(worker_key);
  std::size_t held = 0;
  for (const auto key : request.job.ancestors) held += std::count(worker.running.begin(), worker.running.end(), key) > 0 ? 1u : 0u;
  return held > 0 && (worker.traits.in_order || held == limits_.in_flight);
}

/// As the protocol says it, section 6.
bool DispatcherModel::waits_for_itself(const Request& request) const {
  const auto* id = session_of(request);
  for (const auto key : request.job.ancestors) {
    if (id != nullptr && requests_.contains(key) && is_of(requests_.at(key), *id)) return true;
  }
  if (request.job.ancestors.empty()) return false;
  std::optional<WorkerKey> only = request.job.only_on;
  if (id != nullptr && sessions_.contains(*id) && workers_.contains(sessions_.at(*id).worker)) only = sessions_.at(*id).worker;
  if (const auto holder = resource_of(request)) only = *holder;  // if they contradict each other it is refused anyway
  if (only) return workers_.contains(*only) && held_by_ancestors(*only, request);
  std::size_t held = 0;
  for (const auto& [key, worker] : workers_) {
    if (worker.retiring || worker.draining || worker.given_up) continue;
    if (!held_by_ancestors(key, request)) return false;
    ++held;
  }
  return held >= limits_.size + limits_.overflow;
}

// ---- Helpers -----------------------------------------------------------------------------------------------------------------------

const std::string* DispatcherModel::session_of(const Request& request) {
  return request.job.only_on || !request.job.session ? nullptr : &*request.job.session;
}

bool DispatcherModel::is_of(const Request& request, const std::string& session) {
  const auto* id = session_of(request);
  return id != nullptr && *id == session;
}

/// The first that waits.
std::optional<RequestKey> DispatcherModel::head(const std::string& session) const {
  for (const auto& [key, request] : requests_) {
    if (request.state == State::waiting && is_of(request, session)) return key;
  }
  return std::nullopt;
}

/// Where its resource is, if that has not changed since it came.
std::optional<WorkerKey> DispatcherModel::resource_of(const Request& request) const {
  if (!request.job.resource || request.job.only_on) return std::nullopt;
  const auto found = resources_.find(*request.job.resource);
  return found != resources_.end() && found->second.version == request.resource_version ? found->second.worker : std::nullopt;
}

bool DispatcherModel::plain(const Request& request) const { return !request.job.session && !request.job.resource && !request.job.only_on; }

bool DispatcherModel::free(WorkerKey key) const {
  const auto found = workers_.find(key);
  if (found == workers_.end()) return false;
  const auto& worker = found->second;
  const bool overdue = std::any_of(worker.running.begin(), worker.running.end(), [&](RequestKey running) {
    const auto own = own_.find(running);
    return own != own_.end() ? own->second.overdue : requests_.at(running).overdue;
  });
  return !worker.draining && !worker.given_up && !overdue && worker.running.size() < limits_.in_flight;
}

/// Of a request to all workers those shares that wait count as one.
std::size_t DispatcherModel::queued() const {
  std::set<RequestKey> gathered;
  for (const auto& [key, request] : requests_) {
    if (request.state == State::waiting) gathered.insert(request.job.only_on ? request.job.gathered : key);
  }
  return gathered.size();
}

bool DispatcherModel::overloaded(const std::vector<WorkerKey>& targets, std::size_t bytes) const {
  std::size_t wait = 0;
  for (const auto target : targets) wait += workers_.contains(target) && !free(target) ? 1u : 0u;
  if (wait == 0) return false;
  return queued() >= limits_.queue || (limits_.queue_bytes > 0 && waiting_bytes() + wait * bytes > limits_.queue_bytes);
}

std::size_t DispatcherModel::waiting_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [key, request] : requests_) bytes += request.state == State::waiting ? request.job.bytes : 0;
  return bytes;
}

bool DispatcherModel::room(WorkerKey worker) const {
  const auto most = limits_.sessions.max_per_worker;
  return most == 0 || sessions_of(worker) < most;
}

std::size_t DispatcherModel::count(State state) const {
  std::size_t n = 0;
  for (const auto& [key, request] : requests_) n += request.state == state ? 1u : 0u;
  return n;
}

std::size_t DispatcherModel::sessions_of(WorkerKey worker) const {
  std::size_t n = 0;
  for (const auto& [id, session] : sessions_) n += session.worker == worker && !session.lost ? 1u : 0u;
  return n;
}

}  // namespace pons
