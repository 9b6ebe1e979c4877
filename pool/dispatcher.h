// Decides which request of a pool runs where and when: the bounded queue, the choice of a worker, sessions and resources, deadlines,
// cancellation. Entirely passive: events and the time go in, actions come out; no I/O, no clock, no processes.
//
// Promises, tested against random sequences of events:
// - every submitted request gets exactly one of: a `refuse` action, or a `dispatch` followed by answered()/worker_down();
// - a session's requests are dispatched one at a time, in order of arrival, all to the worker that the first was sent to; a session whose
//   worker is gone is lost until it is ended or expires;
// - a worker never has more than `in_flight` requests; a request whose caller was answered early (deadline, cancel) still counts;
// - an expired waiter never costs a worker anything;
// - a worker is given up for a request that it does not let go of only when nothing else that has begun there may still finish in time;
// - a request whose worker died runs again only if it had not begun, or is idempotent, and then `retry.max_attempts` times at most;
// - reverse requests go before others in the queue; one that could only wait for its own ancestors is refused (call_cycle), and none is
//   written behind an ancestor to a worker that keeps the order.
//
// Snapshots: where workers can export sessions, the dispatcher puts exports and imports of its own into the sessions' order. A session
// whose worker is gone is imported by another before its next request, if its snapshot covers all that was answered, else it is lost.
//
// Object lifetimes: one per pool, owned by it. Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "pool/callee.h"
#include "pool/options.h"
#include "pool/worker_key.h"
#include "protocol/error.h"
#include "protocol/transport/task.h"

namespace pons {

struct Action {
  enum class Kind : std::uint8_t {
    dispatch,        ///< write `request` to `worker`
    refuse,          ///< answer `request` with `error`; it is over
    expire,          ///< answer `request` with `error` (deadline_exceeded or cancelled); `worker` is still busy with it: tell it to stop
    retry,           ///< `worker` died while it ran `request`, which will run again; this was run `attempt`
    abandon,         ///< `worker` did not let go of `request` in time: end that worker
    end_session,     ///< tell `worker` that it holds `session` no longer
    export_session,  ///< write an export of `session` to `worker`; then exported(`request`)
    import_session,  ///< write an import of `session`'s snapshot to `worker`; then imported(`request`)
    session_event    ///< what became of `session`: `event` says what
  };
  Kind kind = Kind::dispatch;
  RequestKey request = 0;
  WorkerKey worker{};
  std::string session{};
  const char* event = nullptr;  ///< "bound" | "lost" | "restored" | "ended"
  Error error{};
  int attempt = 0;
};
using Actions = std::vector<Action>;

class Dispatcher {
 public:
  struct Job {
    RequestKey key = 0;
    std::optional<std::string> session;
    std::optional<std::string> resource;
    std::optional<WorkerKey> only_on;     ///< one share of a request that goes to all workers; session and resource then do not count
    TimePoint deadline;                   ///< of the whole
    TimePoint queue_deadline;             ///< of the waiting
    std::size_t bytes = 0;                ///< that it holds while it waits
    RequestKey gathered = 0;              ///< of a share: the request that goes to all workers
    bool reverse = false;                 ///< a worker asked for it while it serves another request
    std::vector<RequestKey> ancestors{};  ///< of a reverse request: those of this pool that can only end after it
  };
  /// What a worker said of itself.
  struct Traits {
    bool in_order = true;       ///< serves one request after the other: what lies behind the first has not begun
    bool can_snapshot = false;  ///< exports and imports sessions
  };
  struct SessionInfo {
    std::string id;
    WorkerKey worker;
    bool lost = false;
    bool restoring = false;  ///< its state is in its snapshot only
    std::uint64_t requests = 0;
    std::uint64_t answered = 0, covers = 0;  ///< replies, and how many of them the snapshot knows of
    TimePoint last_used;
    TimePoint expires;
  };
  struct WorkerLoad {
    WorkerKey key;
    std::size_t in_flight = 0, sessions = 0, resources = 0;
    bool retiring = false, draining = false;
    bool cancelling = false;  ///< a request is to be let go of
  };
  /// A session went on from a snapshot that does not cover its last answers.
  struct Restored {
    std::uint64_t covers = 0, answered = 0;
  };
  using MayRerun = std::function<bool(RequestKey)>;

  explicit Dispatcher(const PoolOptions& options) : adapter_(options.adapter) { configure(options); }
  /// Other limits from now on; what waits or runs keeps its deadlines.
  void configure(const PoolOptions& options);

  void submit(Job job, TimePoint now, Actions& out);
  /// For a request that goes to all of `targets`, before its shares are submitted, which are not refused for a full queue: overloaded if
  /// some of them would have to wait and there is no room. While any of them waits it counts as one request, with the bytes of each.
  [[nodiscard]] Result<void> room_for_shares(const std::vector<WorkerKey>& targets, std::size_t bytes) const;
  /// The worker answered it (or its answer could not be taken).
  void answered(RequestKey key, TimePoint now, Actions& out);
  /// Its worker said something of it: so it has begun, and if others were written before it, its worker does not keep the order.
  void spoke(RequestKey key, TimePoint now, Actions& out);
  /// It could not be written to its worker; its caller has an answer.
  void not_sent(RequestKey key, TimePoint now, Actions& out);
  /// The caller does not want it any more. False: unknown, or its caller has had an answer already.
  /// A worker that does not let go is abandoned after `cancel_grace`; if the caller only went away, not before the request's deadline.
  bool cancel(RequestKey key, CancelBy by, TimePoint now, Actions& out);

  void worker_up(WorkerKey key, Traits traits, TimePoint now, Actions& out);
  /// It takes nothing more than what its sessions and resources need; sessions move away from it by snapshot where they can.
  void retire(WorkerKey key, TimePoint now, Actions& out);
  /// It takes nothing more.
  void worker_draining(WorkerKey key);
  /// It is dead. Returns what had begun on it and is not run again (to be answered by the pool, in order); the rest goes elsewhere.
  /// `may_rerun` says of a request whether it is idempotent and its caller has not seen a part of its answer.
  std::vector<RequestKey> worker_down(WorkerKey key, const MayRerun& may_rerun, TimePoint now, Actions& out);
  /// An export ended; `covers` is how many answers the snapshot knows of, none if there is no snapshot. Returns how many it counts as,
  /// no more than were given: so it is to be kept; none: it is of no use any more.
  std::optional<std::uint64_t> exported(RequestKey key, std::optional<std::uint64_t> covers, TimePoint now, Actions& out);
  /// The snapshot that counts as covering so many answers lies in the store: now the session may leave a worker that is to go.
  void snapshot_kept(const std::string& id, std::uint64_t covers, TimePoint now, Actions& out);
  /// An import ended: of a snapshot that covers so many answers; none: it failed, and the session is lost.
  void imported(RequestKey key, std::optional<std::uint64_t> covers, TimePoint now, Actions& out);
  /// Exports every session that has answers which no export was tried for: its worker is to go.
  void export_all(TimePoint now, Actions& out);
  /// Exports and imports that wait or run.
  [[nodiscard]] std::size_t own_requests() const { return own_count_; }
  /// A session of an earlier run of the host, which had `answered` replies; `covers`: of its snapshot, if there is one. False: nothing can
  /// be done with it, and it need not be remembered.
  bool adopt_session(const std::string& id, std::optional<std::uint64_t> covers, std::uint64_t answered, TimePoint now);
  /// What the latest snapshot that the store accepted covers, if it has one: not always the last that was exported.
  void set_snapshot(const std::string& id, std::optional<std::uint64_t> covers, TimePoint now, Actions& out);
  /// The number that the reply to `key` has among its session's, if its worker makes snapshots: to be remembered before it is sent.
  [[nodiscard]] std::optional<std::uint64_t> answer_number(RequestKey key) const;
  /// What the reply to `key`, a request of a session, has to say; once after each restoration.
  std::optional<Restored> take_restored(RequestKey key);
  /// Nobody will serve for now: refuses all that waits.
  void refuse_all(const Error& error, Actions& out);

  void tick(TimePoint now, Actions& out);
  /// When tick() has something to do; TimePoint::max() if never.
  [[nodiscard]] TimePoint next_deadline() const;

  /// Ends a session in the order of its requests. False: there is none, or it ends already.
  bool end_session(const std::string& id, TimePoint now, Actions& out);
  /// A successful create_* or load_* on `key`. False: another living worker holds that id.
  bool bind_resource(const std::string& id, WorkerKey key);
  void drop_resource(const std::string& id);
  /// After a successful `cleanup`, before its answered(): the worker has forgotten its resources and sessions. Sessions that have
  /// requests left begin anew there.
  void forget_worker_state(WorkerKey key, Actions& out);

  [[nodiscard]] std::size_t waiting() const { return waiting_count_; }
  [[nodiscard]] std::size_t running() const { return requests_.size() - waiting_count_ - own_count_; }
  /// Since when the first of those has waited that any worker could serve.
  [[nodiscard]] std::optional<TimePoint> waiting_since() const;
  [[nodiscard]] std::size_t session_count() const { return sessions_.size(); }
  [[nodiscard]] std::size_t resource_count() const;
  [[nodiscard]] std::vector<SessionInfo> sessions() const;
  [[nodiscard]] std::vector<WorkerLoad> workers() const;
  [[nodiscard]] bool is_running(RequestKey key) const;
  /// Requests that the worker has not let go of, whether their callers still wait or not.
  [[nodiscard]] std::size_t in_flight(WorkerKey key) const;
  /// Whether a request there is past its deadline and its grace, so that the others only may finish.
  [[nodiscard]] bool overdue(WorkerKey key) const;

 private:
  struct Session {
    std::string id;
    WorkerKey worker{};  ///< that holds it, or held it when it was lost; none: not bound
    bool lost = false;
    bool must_import = false;      ///< its state is in its snapshot; then it has no worker, or one that imports it
    RequestKey active = 0;         ///< the one that waits at the head or runs
    std::list<RequestKey> behind;  ///< in order of arrival; 0 marks an end of the session
    std::uint64_t requests = 0;
    std::uint64_t answered = 0;  ///< by its workers, also when the caller did not wait for it
    std::uint64_t covers = 0;    ///< of the answers, by its snapshot
    std::uint64_t tried = 0;     ///< answers at the last export, successful or not
    bool saved = false;          ///< there is a snapshot
    bool kept = false;           ///< it lies in the store
    int imports = 0;             ///< attempts since it was last held by a worker
    std::optional<Restored> restored;
    TimePoint last_used{};
    std::list<Session*>::iterator idle_position{}, unsaved_position{};
    std::optional<std::multimap<TimePoint, Session*>::iterator> lost_position{};
    bool idle = false, unsaved = false;
  };
  struct Request {
    enum class State : std::uint8_t { behind_session, waiting, running, abandoned };
    enum class Role : std::uint8_t { callers, session_export, session_import };
    Job job;
    State state = State::waiting;
    Role role = Role::callers;
    bool overdue = false;       ///< past the grace that follows its deadline
    bool disconnected = false;  ///< abandoned only because its caller went away
    int attempts = 0;           ///< runs that have, or may have, begun
    std::uint64_t order = 0;    ///< of arrival; reverse requests before all others
    Session* session = nullptr;
    WorkerKey worker{};    ///< while running; while waiting: the only one that will do, if any
    TimePoint deadline{};  ///< the next one, as it stands in deadlines_
    TimePoint submitted{}, dispatched{};
  };
  using WaitList = std::map<std::uint64_t, RequestKey>;            ///< by `order`
  static constexpr std::uint64_t kRoots = std::uint64_t{1} << 63;  ///< in the `order` of what is no reverse request
  struct Worker {
    WorkerKey key;
    Traits traits;
    std::list<RequestKey> running;  ///< in the order written
    WaitList pinned;                ///< waiting for this worker
    std::size_t sessions = 0;
    std::size_t resources = 0;
    std::size_t overdue = 0;      ///< of those running
    std::uint64_t last_used = 0;  ///< a counter, for lifo and for turns among equals
    bool retiring = false;
    bool draining = false;
    bool given_up = false;
  };
  struct Resource {
    WorkerKey worker;
    bool lost = false;
  };

  Result<void> admit(Request& request, Actions& out);
  Result<void> admit_resource(Request& request);
  [[nodiscard]] bool held_by_ancestors(const Worker& worker, const Request& request) const;
  [[nodiscard]] std::size_t ancestors_on(const Worker& worker, const Request& request) const;
  [[nodiscard]] Result<void> check_cycle(const Request& request) const;
  Result<void> admit_session(Request& request, Actions& out);
  Result<void> place_in_session(Request& request, const Session& session);
  Result<Session*> new_session(const std::string& id, Actions& out);
  [[nodiscard]] std::size_t queued() const;
  [[nodiscard]] Error overloaded(bool by_bytes) const;
  [[nodiscard]] Error timed_out() const;
  [[nodiscard]] Error session_limit_per_worker() const;
  [[nodiscard]] std::int64_t retry_after_ms() const;
  Worker* choose(const Request& request);
  [[nodiscard]] bool free(const Worker& worker) const;
  [[nodiscard]] bool suits(const Worker& worker, const Request& request) const;
  [[nodiscard]] bool takes_session(const Worker& worker) const;
  void dispatch(Request& request, Worker& worker, Actions& out);
  Request* next_for(Worker& worker);
  void feed(Worker& worker, Actions& out);
  void feed_all(Actions& out);
  void refuse_overdue(Actions& out);
  void expire(Request& request, Actions& out);
  void give_up_if_alone(Worker& worker, Actions& out);
  static bool may_have_begun(const Worker& worker, const Request& request);
  void begin_turn(Request& request);
  void count_waiting(const Request& request, bool more);
  void enqueue(Request& request);  ///< into the list it waits in
  void dequeue(Request& request);
  void requeue(Request& request, Actions& out);
  void refuse(Request& request, Error error, Actions& out);
  void let_go(Request& request, Actions& out);
  void leave_session(Request& request, Actions& out);
  void advance(Session& session, Actions& out);
  void take_turn(Session& session, Actions& out);
  void start_export(Session& session, Actions& out);
  void start_import(Session& session, Actions& out);
  Request& start_own(Session& session, Request::Role role);
  void place_own(Request& request, Actions& out);
  void drop_idle_import(Session& session);
  [[nodiscard]] bool export_due(const Session& session, const Worker& worker) const;
  [[nodiscard]] bool restorable(const Session& session) const;
  static bool awaits_keeping(const Session& session, const Worker& worker);
  void move_away(Session& session, Worker& worker, Actions& out);
  void lose(Session& session, Actions& out);
  void lose_for_good(Session& session, Actions& out);
  void lose_resources(WorkerKey key);
  void unbind(Session& session, Actions& out);
  void erase_session(Session& session);
  void set_idle(Session& session);
  void set_busy(Session& session);
  void note_idle_lost(Session& session);
  bool evict_lost_session(Actions& out);
  void lose_unrestorable(Actions& out);
  void save_unsaved(Actions& out);
  void set_deadline(Request& request, TimePoint when);
  void erase(Request& request);
  Worker* find(WorkerKey key);
  [[nodiscard]] const Worker* find(WorkerKey key) const;
  [[nodiscard]] Error session_lost(const Session& session) const;
  [[nodiscard]] Error resource_lost(const std::string& id) const;

  std::string adapter_;
  std::size_t in_flight_ = 1;
  std::size_t most_workers_ = 1;
  std::size_t queue_ = 0;
  std::size_t queue_bytes_ = 0;
  Selection selection_ = Selection::least_loaded;
  SessionOptions session_options_;
  int max_attempts_ = 1;
  Millis cancel_grace_{0};
  Millis own_timeout_{0};  ///< of exports and imports

  std::unordered_map<RequestKey, Request> requests_;
  WaitList shared_;                ///< waiting for any worker
  std::size_t waiting_count_ = 0;  ///< without the dispatcher's own
  std::size_t waiting_bytes_ = 0;
  std::size_t waiting_shares_ = 0;                             ///< of waiting_count_
  std::unordered_map<RequestKey, std::size_t> waiting_whole_;  ///< the requests to all workers that they belong to, and how many of each
  std::size_t own_count_ = 0;                                  ///< exports and imports
  std::vector<Worker> workers_;                                ///< living ones, few
  std::unordered_map<std::string, Session> sessions_;
  std::list<Session*> idle_sessions_;                 ///< longest unused first
  std::list<Session*> unsaved_sessions_;              ///< idle ones with answers that no export was tried for, longest unused first
  std::multimap<TimePoint, Session*> lost_sessions_;  ///< idle ones that are lost, by their last use
  std::unordered_map<std::string, Resource> resources_;
  std::list<std::string> lost_resources_;  ///< oldest first, bounded
  std::set<std::pair<TimePoint, RequestKey>> deadlines_;
  TimePoint now_{};  ///< of the event being handled
  std::uint64_t arrivals_ = 0;
  std::uint64_t uses_ = 0;
  std::uint64_t own_keys_ = 0;
  double service_ms_ = 0;  ///< moving average of the time that a worker takes for a request
};

}  // namespace pons
