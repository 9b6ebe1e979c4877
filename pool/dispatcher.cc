// Requests and their placing. Workers and resources are in dispatcher_workers.cc, sessions in dispatcher_sessions.cc, what is special
// about reverse requests in dispatcher_calls.cc.
#include "pool/dispatcher.h"

#include <algorithm>
#include <limits>

namespace pons {

namespace {

constexpr double kServiceWeight = 0.1;  // of the newest sample in the moving average

std::int64_t to_millis(Clock::duration time) { return std::chrono::duration_cast<Millis>(time).count(); }

}  // namespace

void Dispatcher::configure(const PoolOptions& options) {
  in_flight_ = options.in_flight;
  most_workers_ = options.size + options.overflow;
  queue_ = options.queue;
  queue_bytes_ = options.queue_bytes;
  selection_ = options.selection;
  session_options_ = options.sessions;
  max_attempts_ = options.retry.max_attempts;
  cancel_grace_ = options.timeouts.cancel_grace;
  own_timeout_ = options.timeouts.request;
}

// ---- Requests ----------------------------------------------------------------------------------------------------------------------

void Dispatcher::submit(Job job, TimePoint now, Actions& out) {
  now_ = now;
  const auto key = job.key;
  auto& request = requests_[key];
  request.job = std::move(job);
  request.order = (request.job.reverse ? 0 : kRoots) + ++arrivals_;
  request.submitted = now;
  count_waiting(request, true);
  if (auto admitted = admit(request, out); !admitted) refuse(request, admitted.error(), out);
}

Result<void> Dispatcher::admit(Request& request, Actions& out) {
  const auto& job = request.job;
  if (job.deadline <= now_) return timed_out();
  if (job.only_on) {
    request.worker = *job.only_on;
    if (find(request.worker) == nullptr) return Error{ErrorCode::worker_crashed, "The worker is gone"};
  } else {
    if (auto bound = admit_resource(request); !bound) return bound;
    if (auto bound = admit_session(request, out); !bound) return bound;
  }
  if (auto possible = check_cycle(request); !possible) return possible;
  if (request.state != Request::State::behind_session) {
    Worker* worker = request.worker ? find(request.worker) : choose(request);
    if (worker != nullptr && free(*worker) && !held_by_ancestors(*worker, request)) {
      dispatch(request, *worker, out);
      return {};
    }
  }
  if (!job.only_on) {
    if (queued() > queue_) return overloaded(false);
    if (queue_bytes_ > 0 && waiting_bytes_ > queue_bytes_) return overloaded(true);
  }
  set_deadline(request, std::min(job.deadline, job.queue_deadline));
  if (request.state != Request::State::behind_session) enqueue(request);
  return {};
}

Result<void> Dispatcher::room_for_shares(const std::vector<WorkerKey>& targets, std::size_t bytes) const {
  const auto wait = static_cast<std::size_t>(std::count_if(targets.begin(), targets.end(), [this](WorkerKey key) {
    const Worker* worker = find(key);
    return worker != nullptr && !free(*worker);
  }));
  if (wait == 0) return {};
  if (queued() >= queue_) return overloaded(false);
  if (queue_bytes_ > 0 && waiting_bytes_ + wait * bytes > queue_bytes_) return overloaded(true);
  return {};
}

Result<void> Dispatcher::admit_resource(Request& request) {
  request.worker = WorkerKey{};
  if (!request.job.resource) return {};
  const auto found = resources_.find(*request.job.resource);
  if (found == resources_.end()) return {};  // the worker knows better
  if (found->second.lost) return resource_lost(found->first);
  request.worker = found->second.worker;
  return {};
}

Result<void> Dispatcher::admit_session(Request& request, Actions& out) {
  if (!request.job.session) return {};
  const auto& id = *request.job.session;
  auto found = sessions_.find(id);
  Session* session = nullptr;
  if (found != sessions_.end()) {
    session = &found->second;
  } else {
    auto made = new_session(id, out);
    if (!made) return made.error();
    session = *made;
  }
  if (session->lost) return session_lost(*session);
  // Which worker it will be is known only when all that came before has run: advance() checks the others.
  const Worker* worker = find(session->worker);
  const bool held = worker != nullptr && awaits_keeping(*session, *worker);
  if (session->active != 0 || !session->behind.empty() || session->must_import || held) {
    request.session = session;
    request.state = Request::State::behind_session;
    session->behind.push_back(request.job.key);
    set_busy(*session);
    if (session->active == 0 && session->must_import) start_import(*session, out);
    return {};
  }
  if (auto placed = place_in_session(request, *session); !placed) {
    if (!session->worker) erase_session(*session);
    return placed;
  }
  request.session = session;
  session->active = request.job.key;
  set_busy(*session);
  return {};
}

/// Where its session and its resource say that it runs: both must mean the same worker.
Result<void> Dispatcher::place_in_session(Request& request, const Session& session) {
  if (!session.worker) {
    if (!request.worker || takes_session(*find(request.worker))) return {};
    return session_limit_per_worker();
  }
  if (request.worker && session.worker != request.worker) {
    return Error{ErrorCode::bad_request,
                 "The session \"" + session.id + "\" and the resource \"" + *request.job.resource + "\" live on different workers"};
  }
  request.worker = session.worker;
  return {};
}

Result<Dispatcher::Session*> Dispatcher::new_session(const std::string& id, Actions& out) {
  if (session_options_.max > 0 && sessions_.size() >= session_options_.max && !evict_lost_session(out)) {
    return Error{ErrorCode::session_limit,
                 "No more sessions fit into " + adapter_ + ": there are " + std::to_string(sessions_.size()) + " (sessions.max)"};
  }
  if (!workers_.empty() && std::none_of(workers_.begin(), workers_.end(), [this](const Worker& w) { return takes_session(w); })) {
    return session_limit_per_worker();
  }
  auto& session = sessions_[id];
  session.id = id;
  session.last_used = now_;
  return &session;
}

Error Dispatcher::session_limit_per_worker() const {
  return Error{ErrorCode::session_limit, "No more sessions fit into " + adapter_ + ": its workers hold " +
                                             std::to_string(session_options_.max_per_worker) + " each (sessions.max_per_worker)"};
}

void Dispatcher::answered(RequestKey key, TimePoint now, Actions& out) {
  now_ = now;
  const auto found = requests_.find(key);
  if (found == requests_.end() || found->second.dispatched == TimePoint{}) return;
  auto& request = found->second;
  const auto took = std::chrono::duration<double, std::milli>(now - request.dispatched).count();
  service_ms_ += kServiceWeight * (took - service_ms_);
  spoke(key, now, out);
  if (request.session != nullptr) ++request.session->answered;
  let_go(request, out);
}

void Dispatcher::not_sent(RequestKey key, TimePoint now, Actions& out) {
  now_ = now;
  const auto found = requests_.find(key);
  if (found != requests_.end()) let_go(found->second, out);
}

bool Dispatcher::may_have_begun(const Worker& worker, const Request& request) {
  return !worker.traits.in_order || worker.running.front() == request.job.key;
}

/// It is the first of its worker now, or may have begun beside it: what it has of time only for itself begins.
void Dispatcher::begin_turn(Request& request) {
  if (request.deadline != TimePoint{} || request.overdue) return;
  if (request.state == Request::State::abandoned) {
    set_deadline(request, request.disconnected ? std::max(request.job.deadline, now_ + cancel_grace_) : now_ + cancel_grace_);
  } else if (request.role != Request::Role::callers) {
    set_deadline(request, now_ + own_timeout_);
  }
}

void Dispatcher::spoke(RequestKey key, TimePoint now, Actions& out) {
  now_ = now;
  const auto found = requests_.find(key);
  if (found == requests_.end() || found->second.state != Request::State::running) return;
  Worker* worker = find(found->second.worker);
  if (worker == nullptr || !worker->traits.in_order || worker->running.front() == key) return;
  worker->traits.in_order = false;
  for (const auto other : worker->running) begin_turn(requests_.at(other));  // no turn will come for those behind the first
  if (waiting_count_ > 0) feed_all(out);                                     // what would have had to wait behind its own ancestor
}

/// Its worker has let go of it; it is over.
void Dispatcher::let_go(Request& request, Actions& out) {
  const auto worker_key = request.worker;
  if (Worker* worker = find(worker_key)) {
    worker->running.remove(request.job.key);
    if (request.overdue) --worker->overdue;
    if (worker->traits.in_order && !worker->running.empty()) begin_turn(requests_.at(worker->running.front()));
  }
  leave_session(request, out);
  erase(request);
  if (Worker* worker = find(worker_key)) give_up_if_alone(*worker, out);
  if (waiting_count_ + own_count_ > 0) feed_all(out);
}

bool Dispatcher::cancel(RequestKey key, CancelBy by, TimePoint now, Actions& out) {
  now_ = now;
  const auto found = requests_.find(key);
  if (found == requests_.end()) return false;
  auto& request = found->second;
  const Error error{ErrorCode::cancelled, by == CancelBy::caller ? "Cancelled by the caller" : "The caller is gone"};
  switch (request.state) {
    case Request::State::behind_session:
    case Request::State::waiting:
      refuse(request, error, out);
      feed_all(out);
      return true;
    case Request::State::running:
      request.state = Request::State::abandoned;
      request.disconnected = by == CancelBy::disconnection;
      set_deadline(request, by == CancelBy::caller ? now + cancel_grace_ : std::max(request.job.deadline, now + cancel_grace_));
      out.push_back({.kind = Action::Kind::expire, .request = key, .worker = request.worker, .error = error});
      give_up_if_alone(*find(request.worker), out);
      return true;
    case Request::State::abandoned:
      return false;
  }
  return false;
}

void Dispatcher::tick(TimePoint now, Actions& out) {
  now_ = now;
  bool changed = false;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    auto& request = requests_.at(deadlines_.begin()->second);
    switch (request.state) {
      case Request::State::behind_session:
      case Request::State::waiting:
        refuse(request, timed_out(), out);
        changed = true;
        break;
      case Request::State::running:
        expire(request, out);
        break;
      case Request::State::abandoned:
        set_deadline(request, TimePoint::max());
        auto& worker = *find(request.worker);
        if (!may_have_begun(worker, request)) break;  // it gets its grace when its turn comes
        request.overdue = true;
        ++worker.overdue;
        give_up_if_alone(worker, out);
        break;
    }
  }
  save_unsaved(out);
  while (session_options_.ttl.count() > 0 && !idle_sessions_.empty() && idle_sessions_.front()->last_used + session_options_.ttl <= now) {
    auto& session = *idle_sessions_.front();
    unbind(session, out);
    erase_session(session);
    changed = true;
  }
  if (changed) feed_all(out);
}

/// Its caller is answered; its worker gets the grace to let go of it.
void Dispatcher::expire(Request& request, Actions& out) {
  request.state = Request::State::abandoned;
  set_deadline(request, now_ + cancel_grace_);
  if (request.role == Request::Role::callers) {
    Error error{ErrorCode::deadline_exceeded,
                "Out of time after " + std::to_string(to_millis(now_ - request.dispatched)) + " ms of running"};
    out.push_back({.kind = Action::Kind::expire, .request = request.job.key, .worker = request.worker, .error = std::move(error)});
  }
  give_up_if_alone(*find(request.worker), out);
}

/// A worker that does not let go of a request must die; but not before the others that have begun there had their time.
void Dispatcher::give_up_if_alone(Worker& worker, Actions& out) {
  if (worker.overdue == 0 || worker.given_up) return;
  RequestKey cause = 0;
  for (const auto key : worker.running) {
    const auto& request = requests_.at(key);
    if (request.overdue && cause == 0) cause = key;
    if (!may_have_begun(worker, request) || request.overdue) continue;
    if (request.state == Request::State::running || request.disconnected) return;
  }
  worker.given_up = true;
  out.push_back({.kind = Action::Kind::abandon, .request = cause, .worker = worker.key});
}

TimePoint Dispatcher::next_deadline() const {
  auto next = deadlines_.empty() ? TimePoint::max() : deadlines_.begin()->first;
  if (session_options_.ttl.count() > 0 && !idle_sessions_.empty()) {
    next = std::min(next, idle_sessions_.front()->last_used + session_options_.ttl);
  }
  if (session_options_.snapshot.after.count() > 0 && !unsaved_sessions_.empty()) {
    next = std::min(next, unsaved_sessions_.front()->last_used + session_options_.snapshot.after);
  }
  return next;
}

void Dispatcher::refuse_all(const Error& error, Actions& out) {
  std::vector<std::pair<std::uint64_t, RequestKey>> waiting;
  for (const auto& [key, request] : requests_) {
    if (request.role == Request::Role::callers && request.dispatched == TimePoint{}) waiting.emplace_back(request.order, key);
  }
  std::sort(waiting.begin(), waiting.end());
  for (const auto& [order, key] : waiting) {
    const auto found = requests_.find(key);
    if (found != requests_.end()) refuse(found->second, error, out);
  }
}

bool Dispatcher::is_running(RequestKey key) const {
  const auto found = requests_.find(key);
  return found != requests_.end() && found->second.state == Request::State::running;
}

// ---- Placing -----------------------------------------------------------------------------------------------------------------------

bool Dispatcher::takes_session(const Worker& worker) const {
  return session_options_.max_per_worker == 0 || worker.sessions < session_options_.max_per_worker;
}

bool Dispatcher::free(const Worker& worker) const {
  return !worker.draining && !worker.given_up && worker.overdue == 0 && worker.running.size() < in_flight_;
}

/// Whether a request that is bound to no worker may run there.
bool Dispatcher::suits(const Worker& worker, const Request& request) const {
  if (worker.retiring || held_by_ancestors(worker, request)) return false;
  if (request.role == Request::Role::session_import) return worker.traits.can_snapshot && takes_session(worker);
  return request.session == nullptr || takes_session(worker);
}

Dispatcher::Worker* Dispatcher::choose(const Request& request) {
  Worker* best = nullptr;
  const auto better = [this](const Worker& a, const Worker& b) {
    if (selection_ == Selection::lifo) return a.last_used > b.last_used;
    if (a.running.size() != b.running.size()) return a.running.size() < b.running.size();
    return a.last_used < b.last_used;  // take turns among equals
  };
  for (auto& worker : workers_) {
    if (!free(worker) || !suits(worker, request)) continue;
    if (best == nullptr || better(worker, *best)) best = &worker;
  }
  return best;
}

void Dispatcher::dispatch(Request& request, Worker& worker, Actions& out) {
  count_waiting(request, false);
  request.state = Request::State::running;
  request.worker = worker.key;
  request.dispatched = now_;
  ++request.attempts;
  worker.running.push_back(request.job.key);
  worker.last_used = ++uses_;
  auto kind = Action::Kind::dispatch;
  switch (request.role) {
    case Request::Role::callers:
      set_deadline(request, request.job.deadline);
      break;
    case Request::Role::session_export:
      kind = Action::Kind::export_session;
      break;
    case Request::Role::session_import:
      kind = Action::Kind::import_session;
      ++request.session->imports;
      break;
  }
  if (request.role != Request::Role::callers) {
    set_deadline(request, may_have_begun(worker, request) ? now_ + own_timeout_ : TimePoint::max());
  }
  if (request.session != nullptr) {
    auto& session = *request.session;
    if (request.role == Request::Role::callers) ++session.requests;
    if (!session.worker) {
      session.worker = worker.key;
      ++worker.sessions;
      if (!session.must_import) {
        out.push_back({.kind = Action::Kind::session_event, .worker = worker.key, .session = session.id, .event = "bound"});
      }
    }
  }
  Action action{.kind = kind, .request = request.job.key, .worker = worker.key};
  if (kind != Action::Kind::dispatch) action.session = request.session->id;
  out.push_back(std::move(action));
}

Dispatcher::Request* Dispatcher::next_for(Worker& worker) {
  const auto shared =
      std::find_if(shared_.begin(), shared_.end(), [&](const auto& entry) { return suits(worker, requests_.at(entry.second)); });
  // What waits for this worker only may still be the first of its session, for which there must be room.
  const auto pinned = std::find_if(worker.pinned.begin(), worker.pinned.end(), [&](const auto& entry) {
    const auto& request = requests_.at(entry.second);
    if (held_by_ancestors(worker, request)) return false;
    return request.session == nullptr || request.session->worker || takes_session(worker);
  });
  if (pinned == worker.pinned.end() && shared == shared_.end()) return nullptr;
  const bool take_pinned = shared == shared_.end() || (pinned != worker.pinned.end() && pinned->first < shared->first);
  return &requests_.at(take_pinned ? pinned->second : shared->second);
}

void Dispatcher::feed(Worker& worker, Actions& out) {
  while (free(worker)) {
    Request* request = next_for(worker);
    if (request == nullptr) return;
    dequeue(*request);
    dispatch(*request, worker, out);
  }
}

/// An expired waiter never costs a worker anything, even if the tick of this moment is still to come.
void Dispatcher::refuse_overdue(Actions& out) {
  const auto waits = [this](const auto& entry) {
    const auto state = requests_.at(entry.second).state;
    return state == Request::State::waiting || state == Request::State::behind_session;
  };
  for (;;) {
    const auto end = deadlines_.upper_bound({now_, std::numeric_limits<RequestKey>::max()});
    const auto overdue = std::find_if(deadlines_.begin(), end, waits);
    if (overdue == end) return;
    refuse(requests_.at(overdue->second), timed_out(), out);
  }
}

void Dispatcher::feed_all(Actions& out) {
  refuse_overdue(out);
  while (!shared_.empty()) {
    auto& request = requests_.at(shared_.begin()->second);
    Worker* worker = choose(request);
    if (worker == nullptr) break;
    feed(*worker, out);
  }
  for (auto& worker : workers_) feed(worker, out);
}

void Dispatcher::enqueue(Request& request) {
  request.state = Request::State::waiting;
  Worker* worker = request.worker ? find(request.worker) : nullptr;
  (worker != nullptr ? worker->pinned : shared_).emplace(request.order, request.job.key);
}

void Dispatcher::dequeue(Request& request) {
  Worker* worker = request.worker ? find(request.worker) : nullptr;
  (worker != nullptr ? worker->pinned : shared_).erase(request.order);
}

void Dispatcher::count_waiting(const Request& request, bool more) {
  if (request.role != Request::Role::callers) return;
  waiting_count_ += more ? 1 : std::size_t(-1);
  waiting_bytes_ += more ? request.job.bytes : std::size_t(0) - request.job.bytes;
  if (!request.job.only_on) return;
  waiting_shares_ += more ? 1 : std::size_t(-1);
  auto& shares = waiting_whole_[request.job.gathered];
  shares += more ? 1 : std::size_t(-1);
  if (shares == 0) waiting_whole_.erase(request.job.gathered);
}

/// As `queue` bounds it.
std::size_t Dispatcher::queued() const { return waiting_count_ - waiting_shares_ + waiting_whole_.size(); }

void Dispatcher::refuse(Request& request, Error error, Actions& out) {
  count_waiting(request, false);
  if (request.state == Request::State::waiting) dequeue(request);
  out.push_back({.kind = Action::Kind::refuse, .request = request.job.key, .error = std::move(error)});
  leave_session(request, out);
  erase(request);
}

void Dispatcher::erase(Request& request) {
  set_deadline(request, TimePoint::max());
  if (request.role != Request::Role::callers) --own_count_;
  requests_.erase(request.job.key);
}

void Dispatcher::set_deadline(Request& request, TimePoint when) {
  if (request.deadline != TimePoint{}) deadlines_.erase({request.deadline, request.job.key});
  request.deadline = when == TimePoint::max() ? TimePoint{} : when;
  if (request.deadline != TimePoint{}) deadlines_.emplace(when, request.job.key);
}

std::int64_t Dispatcher::retry_after_ms() const {
  const auto lanes = static_cast<double>(std::max<std::size_t>(1, workers_.size() * in_flight_));
  return std::max<std::int64_t>(10, static_cast<std::int64_t>(service_ms_ * static_cast<double>(waiting_count_) / lanes));
}

Error Dispatcher::overloaded(bool by_bytes) const {
  const auto limit = by_bytes ? "pool.queue_bytes: " + std::to_string(queue_bytes_) : "pool.queue: " + std::to_string(queue_);
  Error error{ErrorCode::overloaded, adapter_ + " has no free worker and its queue is full (" + limit + ")"};
  error.details = {{"retry_after_ms", retry_after_ms()}};
  return error;
}

std::optional<TimePoint> Dispatcher::waiting_since() const {
  std::optional<TimePoint> since;
  for (const auto first : {shared_.begin(), shared_.lower_bound(kRoots)}) {
    if (first == shared_.end()) continue;
    const auto submitted = requests_.at(first->second).submitted;
    since = since ? std::min(*since, submitted) : submitted;
  }
  return since;
}

Error Dispatcher::timed_out() const {
  Error error{ErrorCode::queue_timeout, "No worker of " + adapter_ + " was free in time"};
  error.details = {{"retry_after_ms", retry_after_ms()}};
  return error;
}

}  // namespace pons
