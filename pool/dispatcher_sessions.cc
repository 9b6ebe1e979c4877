// Sessions and their snapshots. Requests are in dispatcher.cc, workers and resources in dispatcher_workers.cc.
#include <algorithm>

#include "pool/dispatcher.h"

namespace pons {

namespace {

constexpr RequestKey kOwn = RequestKey{1} << 63;  // in the keys of exports and imports

}  // namespace

Error Dispatcher::session_lost(const Session& session) const {
  Error error{ErrorCode::session_lost, "The worker that held the session \"" + session.id + "\" is gone, and its state with it"};
  if (session.worker) error.details["worker"] = worker_id(adapter_, session.worker);
  if (session.saved) {
    error.message = "The worker that held the session \"" + session.id + "\" is gone, and its snapshot covers " +
                    std::to_string(session.covers) + " of " + std::to_string(session.answered) + " answers";
    error.details["covers"] = session.covers;
    error.details["answered"] = session.answered;
  }
  return error;
}

void Dispatcher::leave_session(Request& request, Actions& out) {
  if (request.session == nullptr) return;
  auto& session = *request.session;
  request.session = nullptr;
  if (request.role == Request::Role::callers) session.last_used = now_;
  if (session.active == request.job.key) {
    session.active = 0;
  } else {
    session.behind.remove(request.job.key);
    drop_idle_import(session);
  }
  if (session.active == 0) advance(session, out);
}

/// The next of the session may run: puts it into its worker's queue. The caller feeds the workers.
void Dispatcher::advance(Session& session, Actions& out) {
  take_turn(session, out);
  if (session.active != 0 || !session.behind.empty()) return;
  if (session.worker || session.must_import || session.lost) {
    set_idle(session);
  } else {
    erase_session(session);
  }
}

void Dispatcher::take_turn(Session& session, Actions& out) {
  while (session.active == 0) {
    if (Worker* worker = session.lost ? nullptr : find(session.worker); worker != nullptr && !worker->draining) {
      if (export_due(session, *worker)) return start_export(session, out);
      if (awaits_keeping(session, *worker) && !session.behind.empty() && session.behind.front() != 0) return set_busy(session);
      if (worker->retiring) move_away(session, *worker, out);
    }
    if (session.behind.empty()) return;
    const auto key = session.behind.front();
    if (key != 0 && session.must_import) return start_import(session, out);
    session.behind.pop_front();
    if (key == 0) {
      unbind(session, out);
      continue;
    }
    auto& request = requests_.at(key);
    auto placed = session.lost ? Result<void>(session_lost(session)) : admit_resource(request);
    if (placed) placed = place_in_session(request, session);
    if (!placed) {
      request.session = nullptr;
      refuse(request, placed.error(), out);
      continue;
    }
    session.active = key;
    set_busy(session);
    enqueue(request);
  }
}

// ---- Loss --------------------------------------------------------------------------------------------------------------------------

bool Dispatcher::restorable(const Session& session) const {
  if (session.must_import) return session.imports < max_attempts_;
  if (!session.saved) return false;
  return session.covers == session.answered || session_options_.snapshot.stale == Stale::allow;
}

/// Its worker is dying. Whoever calls this sees to the requests.
void Dispatcher::lose(Session& session, Actions& out) {
  if (!session.idle) session.last_used = now_;
  if (session.unsaved) unsaved_sessions_.erase(session.unsaved_position);
  session.unsaved = false;
  if (restorable(session)) {
    session.must_import = true;
    session.worker = WorkerKey{};
    return;
  }
  lose_for_good(session, out);
}

void Dispatcher::lose_for_good(Session& session, Actions& out) {
  out.push_back({.kind = Action::Kind::session_event, .worker = session.worker, .session = session.id, .event = "lost"});
  session.must_import = false;
  if (session_options_.on_loss == OnLoss::fail) {
    session.lost = true;
    note_idle_lost(session);
    return;
  }
  session.worker = WorkerKey{};
  session.answered = session.covers = session.tried = 0;
  session.saved = session.kept = false;
  session.imports = 0;
}

/// No worker can read snapshots any more: the adapter has changed.
void Dispatcher::lose_unrestorable(Actions& out) {
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    auto& session = (it++)->second;  // advance() may erase it
    if (!session.must_import) continue;
    if (session.active != 0) {
      auto& import = requests_.at(session.active);
      dequeue(import);
      session.active = 0;
      erase(import);
    }
    lose_for_good(session, out);
    advance(session, out);
  }
}

/// The session is over for its worker; what comes next under its id is a new one.
void Dispatcher::unbind(Session& session, Actions& out) {
  if (session.worker || session.must_import || session.lost) {
    Worker* worker = session.lost ? nullptr : find(session.worker);
    if (worker != nullptr) {
      --worker->sessions;
      out.push_back({.kind = Action::Kind::end_session, .worker = session.worker, .session = session.id});
    }
    out.push_back({.kind = Action::Kind::session_event, .worker = session.worker, .session = session.id, .event = "ended"});
  }
  session.worker = WorkerKey{};
  session.lost = session.must_import = session.saved = session.kept = false;
  session.requests = session.answered = session.covers = session.tried = 0;
  session.imports = 0;
  session.restored.reset();
}

bool Dispatcher::end_session(const std::string& id, TimePoint now, Actions& out) {
  now_ = now;
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return false;
  auto& session = found->second;
  if (!session.behind.empty() && session.behind.back() == 0) return false;  // it ends already
  if (session.active != 0 || !session.behind.empty()) {
    session.behind.push_back(0);
    return true;
  }
  unbind(session, out);
  erase_session(session);
  feed_all(out);
  return true;
}

void Dispatcher::note_idle_lost(Session& session) {
  if (session.idle && session.lost && !session.lost_position) session.lost_position = lost_sessions_.emplace(session.last_used, &session);
}

/// The longest unused.
bool Dispatcher::evict_lost_session(Actions& out) {
  if (lost_sessions_.empty()) return false;
  auto& session = *lost_sessions_.begin()->second;
  unbind(session, out);
  erase_session(session);
  return true;
}

void Dispatcher::erase_session(Session& session) {
  set_busy(session);
  sessions_.erase(std::string(session.id));
}

void Dispatcher::set_idle(Session& session) {
  if (session.idle) return;
  const auto insert = [&](std::list<Session*>& list) {
    auto position = list.end();  // an export does not count as use: it may have to go before others
    while (position != list.begin() && (*std::prev(position))->last_used > session.last_used) --position;
    return list.insert(position, &session);
  };
  session.idle = true;
  session.idle_position = insert(idle_sessions_);
  note_idle_lost(session);
  const Worker* worker = session.lost ? nullptr : find(session.worker);
  if (worker == nullptr || !worker->traits.can_snapshot || session.answered == session.tried) return;
  session.unsaved = true;
  session.unsaved_position = insert(unsaved_sessions_);
}

void Dispatcher::set_busy(Session& session) {
  if (session.idle) idle_sessions_.erase(session.idle_position);
  if (session.unsaved) unsaved_sessions_.erase(session.unsaved_position);
  if (session.lost_position) lost_sessions_.erase(*session.lost_position);
  session.lost_position.reset();
  session.idle = session.unsaved = false;
}

// ---- Snapshots ---------------------------------------------------------------------------------------------------------------------

bool Dispatcher::export_due(const Session& session, const Worker& worker) const {
  if (!worker.traits.can_snapshot || session.must_import || session.answered == session.tried) return false;
  const auto every = session_options_.snapshot.every;
  return worker.retiring || (every > 0 && session.answered - session.tried >= static_cast<std::uint64_t>(every));
}

/// Those that have been unused for long enough.
void Dispatcher::save_unsaved(Actions& out) {
  const auto after = session_options_.snapshot.after;
  while (after.count() > 0 && !unsaved_sessions_.empty() && unsaved_sessions_.front()->last_used + after <= now_) {
    start_export(*unsaved_sessions_.front(), out);
  }
}

Dispatcher::Request& Dispatcher::start_own(Session& session, Request::Role role) {
  const auto key = kOwn | ++own_keys_;
  auto& request = requests_[key];
  ++own_count_;
  request.job.key = key;
  request.role = role;
  request.order = ++arrivals_;
  request.submitted = now_;
  request.session = &session;
  session.active = key;
  set_busy(session);
  return request;
}

void Dispatcher::place_own(Request& request, Actions& out) {
  Worker* worker = request.worker ? find(request.worker) : choose(request);
  if (worker != nullptr && free(*worker)) {
    dispatch(request, *worker, out);
  } else {
    enqueue(request);
  }
}

void Dispatcher::start_export(Session& session, Actions& out) {
  session.tried = session.answered;
  auto& request = start_own(session, Request::Role::session_export);
  request.worker = session.worker;
  place_own(request, out);
}

/// Its first request waits behind this.
void Dispatcher::start_import(Session& session, Actions& out) {
  auto& request = start_own(session, Request::Role::session_import);
  if (!session.behind.empty() && session.behind.front() != 0) {
    const auto& job = requests_.at(session.behind.front()).job;
    const auto resource = job.resource ? resources_.find(*job.resource) : resources_.end();
    const Worker* holder = resource != resources_.end() && !resource->second.lost ? find(resource->second.worker) : nullptr;
    if (holder != nullptr && suits(*holder, request)) request.worker = holder->key;
  }
  place_own(request, out);
}

/// Nobody waits for it any more, and it has not been sent.
void Dispatcher::drop_idle_import(Session& session) {
  const bool wanted = std::any_of(session.behind.begin(), session.behind.end(), [](RequestKey key) { return key != 0; });
  if (session.active == 0 || wanted) return;
  auto& request = requests_.at(session.active);
  if (request.role != Request::Role::session_import || request.state != Request::State::waiting) return;
  dequeue(request);
  session.active = 0;
  erase(request);
}

std::optional<std::uint64_t> Dispatcher::exported(RequestKey key, std::optional<std::uint64_t> covers, TimePoint now, Actions& out) {
  now_ = now;
  const auto found = requests_.find(key);
  if (found == requests_.end()) return std::nullopt;
  auto& request = found->second;
  if (request.session == nullptr) covers.reset();
  if (covers) {
    covers = std::min(*covers, request.session->answered);
    request.session->covers = *covers;
    request.session->saved = true;
    request.session->kept = false;
  }
  let_go(request, out);
  return covers;
}

void Dispatcher::snapshot_kept(const std::string& id, std::uint64_t covers, TimePoint now, Actions& out) {
  now_ = now;
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  auto& session = found->second;
  if (!session.saved || session.covers != covers) return;  // there is a newer one, or none
  session.kept = true;
  if (session.active != 0) return;
  advance(session, out);
  feed_all(out);
}

void Dispatcher::imported(RequestKey key, std::optional<std::uint64_t> covers, TimePoint now, Actions& out) {
  now_ = now;
  const auto found = requests_.find(key);
  if (found == requests_.end()) return;
  auto& request = found->second;
  auto& session = *request.session;
  session.covers = covers.value_or(session.covers);
  const bool stale = session.covers != session.answered;  // the newest snapshot may not have reached the store
  if (covers && (!stale || session_options_.snapshot.stale == Stale::allow)) {
    session.must_import = false;
    session.imports = 0;
    if (stale) session.restored = Restored{session.covers, session.answered};
    session.answered = session.tried = session.covers;
    out.push_back({.kind = Action::Kind::session_event, .worker = request.worker, .session = session.id, .event = "restored"});
  } else {
    if (Worker* worker = find(session.worker)) {
      --worker->sessions;
      out.push_back({.kind = Action::Kind::end_session, .worker = worker->key, .session = session.id});  // it may hold a part of it
    }
    lose_for_good(session, out);
  }
  let_go(request, out);
}

void Dispatcher::export_all(TimePoint now, Actions& out) {
  now_ = now;
  while (!unsaved_sessions_.empty()) start_export(*unsaved_sessions_.front(), out);
}

/// Its worker is to go, and its snapshot is being written: it may be able to leave at once. Until then no request runs there, after which
/// it would have to be exported once more.
bool Dispatcher::awaits_keeping(const Session& session, const Worker& worker) {
  return worker.retiring && session.saved && !session.kept && session.covers == session.answered;
}

/// Its state is in its snapshot: the worker may go.
void Dispatcher::move_away(Session& session, Worker& worker, Actions& out) {
  if (!worker.traits.can_snapshot || (session.answered > 0 && (!session.kept || session.covers != session.answered))) return;
  out.push_back({.kind = Action::Kind::end_session, .worker = worker.key, .session = session.id});
  --worker.sessions;
  session.worker = WorkerKey{};
  session.must_import = session.answered > 0;
}

bool Dispatcher::adopt_session(const std::string& id, std::optional<std::uint64_t> covers, std::uint64_t answered, TimePoint now) {
  now_ = now;
  Session session;
  session.id = id;
  session.saved = session.kept = covers.has_value();
  session.covers = covers.value_or(0);
  session.answered = std::max(session.covers, answered);
  session.last_used = now;
  session.must_import = restorable(session);
  session.lost = !session.must_import;
  if ((session.lost && session_options_.on_loss == OnLoss::restart) || sessions_.contains(id)) return false;
  set_idle(sessions_.emplace(id, std::move(session)).first->second);
  return true;
}

void Dispatcher::set_snapshot(const std::string& id, std::optional<std::uint64_t> covers, TimePoint now, Actions& out) {
  now_ = now;
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  auto& session = found->second;
  session.saved = covers.has_value();
  session.kept = false;
  session.covers = covers.value_or(0);
  if (session.active != 0) return;
  advance(session, out);
  feed_all(out);
}

std::optional<std::uint64_t> Dispatcher::answer_number(RequestKey key) const {
  const auto found = requests_.find(key);
  if (found == requests_.end() || found->second.session == nullptr) return std::nullopt;
  const Worker* worker = find(found->second.worker);
  return worker != nullptr && worker->traits.can_snapshot ? std::optional(found->second.session->answered + 1) : std::nullopt;
}

std::optional<Dispatcher::Restored> Dispatcher::take_restored(RequestKey key) {
  const auto found = requests_.find(key);
  if (found == requests_.end() || found->second.session == nullptr) return std::nullopt;
  return std::exchange(found->second.session->restored, std::nullopt);
}

std::vector<Dispatcher::SessionInfo> Dispatcher::sessions() const {
  std::vector<SessionInfo> list;
  list.reserve(sessions_.size());
  for (const auto& [id, session] : sessions_) {
    list.push_back({id, session.worker, session.lost, session.must_import, session.requests, session.answered, session.covers,
                    session.last_used, session.last_used + session_options_.ttl});
  }
  return list;
}

}  // namespace pons
