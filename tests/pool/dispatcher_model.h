// What a dispatcher may say, written down a second time and as simply as possible: requests, workers and sessions as plain tables, every
// action checked against them, and after each event what must hold between events. Knows nothing of how the dispatcher decides.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pool/dispatcher.h"

namespace pons {

class DispatcherModel {
 public:
  enum class Event { submit, answered, cancel, tick, worker_up, worker_down, retire, draining, end_session, cleanup, refuse_all, other };
  enum class State { waiting, running, abandoned, done };
  struct Request {
    Dispatcher::Job job;
    State state = State::waiting;
    WorkerKey worker{};
    TimePoint due;         // of the waiting, the running, or the letting go
    bool overdue = false;  // its grace is over
    bool disconnected = false;
    bool idempotent = false;
    int attempts = 0;
    int resource_version = 0;
  };
  struct Worker {
    Dispatcher::Traits traits;
    std::deque<RequestKey> running;  // the dispatcher's own exports and imports among them
    bool retiring = false;
    bool draining = false;
    bool given_up = false;
  };
  struct Session {
    WorkerKey worker{};
    bool lost = false;
    bool restoring = false;  // its state is in its snapshot only; with a worker: which is importing it
    bool saved = false;
    bool kept = false;  // that snapshot lies in the store
    std::uint64_t answered = 0, covers = 0;
    int imports = 0;
    std::set<WorkerKey> holders{};  // of what the first of its requests named, while it waits to be imported
  };
  struct Own {  // an export or import that was sent
    bool is_import = false;
    std::string session;
    WorkerKey worker{};
    TimePoint due;
    bool late = false, overdue = false;  // past its time, and past the grace that followed
  };
  struct Resource {
    std::optional<WorkerKey> worker{};
    int version = 0;  // counts its changes
  };

  explicit DispatcherModel(PoolOptions limits) : limits_(std::move(limits)) {}

  // The event as it is told to the dispatcher, before its actions are checked.
  void submitted(const Dispatcher::Job& job, bool idempotent, TimePoint now);
  void was_answered(RequestKey key);
  void has_spoken(RequestKey key);
  void was_exported(RequestKey key, std::optional<std::uint64_t> covers);
  /// The latest snapshot is in the store, or (false) cannot be written, and no other is there.
  void was_kept(const std::string& session, bool success);
  [[nodiscard]] bool awaits_keeping(const std::string& session) const {
    return sessions_.contains(session) && sessions_.at(session).saved && !sessions_.at(session).kept;
  }
  void was_imported(RequestKey key, std::optional<std::uint64_t> covers);
  /// Before an event.
  void at(TimePoint now) { now_ = now; }
  void cancelled(RequestKey key, CancelBy by) { cancelled_ = key, cancelled_by_ = by; }
  void came_up(WorkerKey worker, Dispatcher::Traits traits);
  void retired(WorkerKey worker) { workers_.at(worker).retiring = true; }
  void draining(WorkerKey worker) { workers_.at(worker).draining = true; }
  void going_down(WorkerKey worker);
  void went_down(const std::vector<RequestKey>& begun);
  /// Whether a request to all of `targets` is to be refused.
  [[nodiscard]] bool overloaded(const std::vector<WorkerKey>& targets, std::size_t bytes) const;
  [[nodiscard]] bool may_rerun(RequestKey key) const { return requests_.at(key).idempotent; }
  [[nodiscard]] bool ends_already(const std::string& session) const;
  void end_asked(const std::string& session) { ends_[session].push_back(arrivals_); }
  void bound_resource(const std::string& id, WorkerKey worker, bool accepted);
  void dropped_resource(const std::string& id) { change(id, std::nullopt); }
  /// `key` is the cleanup that was answered.
  void forgot(WorkerKey worker, RequestKey key);

  /// Checks the actions of the event, then what must hold between events. What is wrong, empty if nothing.
  std::string check(Event event, const Actions& actions, const Dispatcher& dispatcher, TimePoint now);

  [[nodiscard]] const std::map<RequestKey, Request>& requests() const { return requests_; }
  [[nodiscard]] const std::map<WorkerKey, Worker>& workers() const { return workers_; }
  [[nodiscard]] const std::map<RequestKey, Own>& own() const { return own_; }
  [[nodiscard]] std::uint64_t covers_of(const std::string& session) const { return sessions_.at(session).covers; }
  [[nodiscard]] std::uint64_t answered_of(const std::string& session) const {
    return sessions_.contains(session) ? sessions_.at(session).answered : 0;
  }
  [[nodiscard]] bool resource_known(const std::string& id) const { return resources_.contains(id) && resources_.at(id).worker.has_value(); }
  [[nodiscard]] WorkerKey resource_worker(const std::string& id) const { return *resources_.at(id).worker; }

 private:
  void wrong(const std::string& what) {
    if (problem_.empty()) problem_ = what;
  }
  void require(bool holds, const std::string& what) {
    if (!holds) wrong(what);
  }
  void change(const std::string& id, std::optional<WorkerKey> worker);
  void check_action(const Action& action, const Action* next);
  void check_retry(const Action& action);
  void check_export(const Action& action);
  void check_import(const Action& action);
  void check_left(const Action& action, const Action* next);
  void check_session_quiet(const std::string& session);
  void lose(const std::string& id, Session& session);
  [[nodiscard]] bool restorable(const Session& session) const;
  void check_given_up();
  void check_dispatch(const Action& action);
  void check_session_turn(RequestKey key, const Request& request, WorkerKey worker);
  void check_refuse(const Action& action);
  void check_expire(const Action& action);
  void check_abandon(const Action& action);
  void check_session_event(const Action& action);
  void check_ended(const Action& action);
  void check_counts(const Dispatcher& dispatcher);
  void check_sessions(const Dispatcher& dispatcher);
  void check_nothing_idle();
  void check_imports_begin();
  void check_deadlines(const Dispatcher& dispatcher);
  [[nodiscard]] bool plain(const Request& request) const;
  [[nodiscard]] bool free(WorkerKey worker) const;
  [[nodiscard]] bool comes_before(RequestKey a, RequestKey b) const;
  [[nodiscard]] bool held_by_ancestors(WorkerKey worker, const Request& request) const;
  [[nodiscard]] bool waits_for_itself(const Request& request) const;
  [[nodiscard]] bool room(WorkerKey worker) const;
  [[nodiscard]] std::size_t count(State state) const;
  [[nodiscard]] std::size_t queued() const;
  [[nodiscard]] std::size_t waiting_bytes() const;
  void pass_graces();
  void left(WorkerKey worker, RequestKey key);
  void begin_turn(RequestKey key);
  [[nodiscard]] std::size_t sessions_of(WorkerKey worker) const;
  [[nodiscard]] static const std::string* session_of(const Request& request);  ///< nullptr: none
  [[nodiscard]] static bool is_of(const Request& request, const std::string& session);
  [[nodiscard]] std::optional<RequestKey> head(const std::string& session) const;
  [[nodiscard]] std::optional<WorkerKey> resource_of(const Request& request) const;

  PoolOptions limits_;
  std::map<RequestKey, Request> requests_;              // by order of arrival
  std::map<WorkerKey, Worker> workers_;                 // living ones
  std::map<std::string, Session> sessions_;             // bound or lost
  std::map<std::string, std::deque<RequestKey>> ends_;  // asked for, after so many arrivals
  std::map<std::string, Resource> resources_;
  RequestKey arrivals_ = 0;
  RequestKey cancelled_ = 0;
  CancelBy cancelled_by_ = CancelBy::caller;
  std::string cleaning_;             // the session of the cleanup that was answered
  std::set<std::string> forgotten_;  // sessions that its worker held, and that have not been told to have ended
  std::set<std::string> reborn_;     // and those that have, but have requests left
  WorkerKey down_{};
  std::vector<RequestKey> expected_begun_;
  std::set<RequestKey> expected_retries_;
  std::set<std::string> expected_lost_;
  std::map<RequestKey, Own> own_;
  Event event_ = Event::other;
  TimePoint now_{};
  std::string problem_;
};

}  // namespace pons
