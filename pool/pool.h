// A pool: the workers of one adapter, and the requests that wait for them.
//
// The hands of machines that decide: Dispatcher (which request runs where), Staff (which workers there are), Health (whether one is
// well), WorkerLife (one process). Every submitted request gets exactly one terminal reply, whatever dies when.
//
// Object lifetimes: owned by the host; observer, launcher and sampler outlive it. Destroy it only after stopped() was called, or when the
// process ends. Thread safety: none; the loop's thread. Reply callbacks may call submit() and cancel() of other requests, but not what
// operators ask for.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "pool/cgroup.h"
#include "pool/dispatcher.h"
#include "pool/gather.h"
#include "pool/health.h"
#include "pool/latency.h"
#include "pool/messages.h"
#include "pool/observer.h"
#include "pool/options.h"
#include "pool/process_sampler.h"
#include "pool/reverse.h"
#include "pool/snapshot_store.h"
#include "pool/staff.h"
#include "pool/worker_process.h"

namespace pons {

class Pool final : public Callee, private WorkerProcess::Owner {
 public:
  /// Partial replies (only of a request with `stream`) and then one terminal one, in the codec of the request, with an id that is not
  /// the caller's; or the Error that stands for it.
  using Reply = std::function<void(Result<Message>&&)>;
  using Translate = ErrorTranslation;

  /// How a worker is started now, or why none can be: then `details.missing` says what to mend. Asked before each start; calls back at
  /// once, or in a later turn of the loop. Empty: as the options say.
  using Prepare = std::function<void(std::function<void(Result<LaunchOptions>)> done)>;

  /// Called once with the outcome of what an operator asked for: at once, or in a later turn of the loop.
  using Done = std::function<void(Result<void>)>;

  struct WorkerStatus {
    std::string id;
    WorkerKey key;
    pid_t pid = 0;
    std::string state;
    int level = 0;
    std::size_t in_flight = 0, sessions = 0, resources = 0;
    std::uint64_t requests = 0, errors = 0, restarts = 0;  ///< of the slot
    double uptime_s = 0;
    std::size_t memory_rss_bytes = 0;
    std::string last_exit;  ///< of the process before it in the slot; empty: none
  };
  struct Stats {
    std::size_t workers = 0, ready = 0, busy = 0, queued = 0, sessions = 0, resources = 0;
    std::uint64_t requests = 0, restarts = 0, retries = 0, late_replies = 0;
    bool live = false;   ///< it can get well by itself: it has not failed
    bool takes = false;  ///< readiness: it takes requests, and as many workers serve as `min_ready` asks for
    std::map<std::string, std::uint64_t> errors;
    LatencyHistogram::Summary latency;
  };

  Pool(Executor executor, PoolOptions options, std::string instance, ProcessLauncher& launcher, ProcessSampler& sampler,
       PoolObserver& observer, Translate translate);
  ~Pool();

  // ---- Before the first request

  /// Snapshots of sessions are kept there, in a folder of the adapter's own; empty: in memory.
  void keep_snapshots(std::string folder);
  /// Each worker gets a cgroup, which outlives the pool.
  void use_cgroups(CgroupTree& cgroups) { cgroups_ = &cgroups; }
  /// Who serves what the workers ask for; it outlives the pool.
  void serve_workers_by(ReverseService& service) { reverse_ = &service; }
  void prepare_by(Prepare prepare) { prepare_ = std::move(prepare); }

  // ---- Requests

  RequestKey submit(Message&& request, Reply reply, TimePoint now = Clock::now(), const ReverseOrigin& origin = {});
  bool cancel(RequestKey key, CancelBy by) override;
  [[nodiscard]] bool is_running(RequestKey key) const override;
  /// False: the worker that runs it runs other requests too, which must not suffer.
  bool pause_stream(RequestKey key, bool paused) override;
  bool end_session(const std::string& id);

  // ---- What an operator asks for, one thing at a time (bad_request with details.reason "busy" for a second one)

  /// Takes requests (again), starts the workers; also a pool that has failed, drains or was closed. Done when `min_ready` are ready, or
  /// with what the first failed start said.
  void open(Done done);
  /// Refuses new requests. Done when none is left; deadline_exceeded after `timeout`, and it goes on refusing until open().
  void drain(std::optional<Millis> timeout, Done done);
  /// Drains for at most `timeout`, answers what is left with shutting_down, and stops all workers; what else was asked for ends here.
  void close(Millis timeout, Done done);
  /// Every worker is replaced, one after the other, the new one ready before the old one goes. If a new one does not start, the old
  /// ones stay, and `done` gets the reason. A pool that has failed, drains or was closed is opened.
  void restart(Done done);
  /// Done when so many workers serve, and the others are gone.
  void scale(std::size_t size, Done done);
  /// Other options; workers are restarted as by restart() if they are started otherwise. If that fails, the old options hold.
  void reconfigure(PoolOptions options, Translate translate, Prepare prepare, Done done);

  // ---- The host's end

  /// Requests still run, no new ones come. Then `stopped` once all workers are gone.
  void stop(std::function<void()> stopped);
  /// Answers all that is left with `error`, so that a stop() can go on.
  void abort(const Error& error);
  /// Does not wait for anything: SIGKILL.
  void kill();
  [[nodiscard]] std::size_t outstanding() const { return requests_.size(); }

  // ---- What it is

  [[nodiscard]] std::vector<Dispatcher::SessionInfo> sessions() const { return dispatcher_.sessions(); }
  /// When the snapshot of a session was made, if there is one.
  [[nodiscard]] std::optional<SnapshotStore::WallTime> snapshot_time(const std::string& session) const;
  [[nodiscard]] std::vector<WorkerStatus> workers() const;
  [[nodiscard]] Stats stats() const;
  /// Whether it is the process of one of the workers.
  [[nodiscard]] bool owns(pid_t pid) const;
  /// Whether there is a worker of that name, in whatever state.
  [[nodiscard]] bool has_worker(std::string_view id) const;
  [[nodiscard]] PoolState state() const { return state_; }
  /// What get_info of a ready worker said, null if none has been ready yet.
  [[nodiscard]] const nlohmann::json& info() const { return last_info_; }
  [[nodiscard]] const PoolOptions& options() const { return options_; }

 private:
  enum class Mode : std::uint8_t { serving, draining, closing, closed };
  struct Member {
    std::shared_ptr<WorkerProcess> process;
    Health health;
    std::uint64_t requests = 0;  ///< written to it
    std::uint64_t answered = 0;
    std::size_t memory = 0;  ///< bytes resident of its process group, as last sampled
    WorkerCgroup cgroup{};
    std::uint64_t generation = 0;  ///< of the options that it was started with
    std::optional<Error> unfit{};  ///< why it could not even be tried
  };
  struct SlotRecord {
    std::uint64_t requests = 0, errors = 0, restarts = 0;
    std::string last_exit;
  };
  struct Operation {
    enum class Kind : std::uint8_t { open, drain, close, restart, scale, reconfigure };
    Kind kind = Kind::open;
    Done done;
    TimePoint deadline = TimePoint::max();
    std::optional<PoolOptions> old_options{};  ///< of reconfigure and scale: what holds if it fails
    Translate old_translate{};
    Prepare old_prepare{};
  };
  struct Pending {
    Message message;
    Reply reply;
    TimePoint submitted;
    TimePoint deadline;
    std::shared_ptr<const Lineage> origin{};   ///< of a reverse request
    std::shared_ptr<const Lineage> lineage{};  ///< of those that it has made itself
    CancelBy ended_by = CancelBy::disconnection;
    WorkerKey worker{};
    std::uint64_t channel_id = 0;
    bool answered = false;     ///< the caller has its terminal reply; the worker is still busy with it
    bool partly_sent = false;  ///< the caller has seen a part of the answer
    bool share = false;        ///< of a gathered request: not counted
    bool stacks = false;       ///< its reply waits for what its worker says of its stacks
    bool finished = false;     ///< and meanwhile the worker has let go of it
  };
  struct GatheredRequest {
    Gather gather;
    Codec codec;
    Reply reply;
    TimePoint submitted;
    std::vector<RequestKey> shares;
  };

  // WorkerProcess::Owner
  void on_worker_ready(WorkerProcess& worker) override;
  void on_worker_leaving(WorkerProcess& worker) override;
  void on_worker_exited(WorkerProcess& worker, WorkerProcess::Exit exit) override;
  void on_worker_line(WorkerProcess& worker, std::string_view stream, std::string line, bool cut) override;
  void on_late_reply(WorkerProcess& worker) override;
  void on_worker_request(WorkerProcess& worker, Message&& request) override;
  void on_worker_written(WorkerProcess& worker, std::size_t unsent) override;

  // Requests (pool.cc)
  RequestKey submit_one(Message&& request, Reply reply, TimePoint now, const ReverseOrigin& origin, std::optional<WorkerKey> only_on = {},
                        RequestKey gathered = 0);
  [[nodiscard]] std::optional<Error> refusal(bool is_awaited = false) const;
  [[nodiscard]] bool goes_to_all(const Envelope& envelope) const;
  RequestKey submit_to_all(const Message& request, Reply reply, TimePoint now, const ReverseOrigin& origin);
  void finish_gathered(RequestKey key);
  void apply(TimePoint now = Clock::now());  ///< does what the dispatcher said
  void perform(Action& action, TimePoint now);
  void dispatch(RequestKey key, WorkerKey worker, TimePoint now);
  Result<OutFrame> outgoing(Pending& pending, const WorkerProcess& worker, TimePoint now);
  void expire(RequestKey key, WorkerKey worker, Error error);
  void log_stacks(WorkerKey worker, std::string_view stacks);
  void interrupt(RequestKey key, WorkerKey worker);
  std::uint64_t send_own(WorkerProcess& worker, std::string_view command, nlohmann::json args, Channel::OnReply on_reply = {});
  // and their replies (pool_replies.cc)
  void on_reply(RequestKey key, Result<Message>&& reply);
  void on_partial(Pending& pending, Result<Message>&& message);
  void adapt(const Pending& pending, Result<Message>& reply) const;
  void note_restored(RequestKey key, Result<Message>& reply);
  void note_reply(Pending& pending, const Message& message);
  void answer(Pending& pending, Result<Message>&& reply, TimePoint now = Clock::now());
  void count_answer(const Result<Message>& reply, Clock::duration took);
  [[nodiscard]] bool may_rerun(RequestKey key, const std::set<std::string>& declared) const;

  // Workers (pool_workers.cc)
  WorkerProcess* find(WorkerKey key);
  void review(TimePoint now = Clock::now());  ///< does what the staff machine said
  void perform(const Staff::Action& action, TimePoint now);
  void launch(WorkerKey key);
  void start(WorkerProcess& worker, Result<LaunchOptions> launch);
  void look_again();
  Result<SpawnSpec> spawn_spec(WorkerKey key, Member& member, const LaunchOptions& launch);
  void take_exit(WorkerProcess& worker, const WorkerProcess::Exit& exit, const Member& member, TimePoint now);
  [[nodiscard]] std::string describe_exit(const WorkerProcess& worker, const WorkerProcess::Exit& exit) const;
  [[nodiscard]] Error crash_error(const WorkerProcess& worker, const WorkerProcess::Exit& exit, bool neighbour) const;
  [[nodiscard]] Error failed_error() const;
  void update_state(const std::string& reason = {});
  void check_health(TimePoint now);
  void sample_memory(TimePoint now);
  [[nodiscard]] bool samples_memory() const;
  void arm_timer();
  void on_timer();
  [[nodiscard]] TimePoint next_event() const;

  // Operators (pool_control.cc)
  static std::string verb(Operation::Kind kind);
  bool begin(Operation operation);
  void finish(Result<void> outcome);
  void take_options();
  void check_operation(TimePoint now);
  void fail_operation(WorkerKey worker, const Error& error);
  void continue_closing(TimePoint now);
  void stop_workers();
  [[nodiscard]] std::vector<std::shared_ptr<WorkerProcess>> processes() const;  ///< as they are now; what is done to one may end it

  // Snapshots of sessions (pool_sessions.cc)
  void export_session(const Action& action);
  void import_session(const Action& action);
  void note_session_event(const Action& action);
  void open_snapshots();
  void note_saved(const std::string& session, std::uint64_t covers, const Result<void>& saved);
  void note_latest_snapshot(const std::string& session);
  void finish_import(RequestKey key, const std::string& session, std::optional<std::uint64_t> covers, const std::string& problem);

  Executor executor_;
  PoolOptions options_;
  std::string instance_;
  ProcessLauncher& launcher_;
  ProcessSampler& sampler_;
  PoolObserver& observer_;
  Translate translate_;
  Prepare prepare_;
  std::mt19937_64 random_;
  Dispatcher dispatcher_;
  Staff staff_;
  CgroupTree* cgroups_ = nullptr;
  ReverseService* reverse_ = nullptr;
  std::string snapshot_folder_;
  bool keeps_snapshots_ = false;
  std::unique_ptr<SnapshotStore> snapshots_;  ///< once a worker has something to keep, or an earlier run had
  std::map<WorkerKey, Member> members_;
  std::vector<SlotRecord> slots_;
  std::unordered_map<RequestKey, Pending> requests_;
  std::unordered_map<RequestKey, GatheredRequest> gathered_;
  Actions actions_;
  bool applying_ = false;
  bool reviewing_ = false, review_again_ = false;
  RequestKey last_key_ = 0;
  Timer timer_;
  TimePoint armed_ = TimePoint::max();
  TimePoint memory_at_{};  ///< of the next sample
  PoolState state_ = PoolState::idle;
  Mode mode_ = Mode::serving;
  std::optional<Operation> operation_;
  Error failure_;       ///< why a failed pool has failed: what requests are refused with
  bool unfit_ = false;  ///< it has failed as something is missing: its next request looks again
  bool looking_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  ///< for answers that come later than the pool's end
  std::function<void()> stopped_;
  bool final_ = false;                         ///< the host ends
  bool exported_all_ = false, hurry_ = false;  ///< while closing: sessions are being saved; there is no time for that
  std::uint64_t generation_ = 0;               ///< of the options, as far as workers are started by them
  nlohmann::json last_info_;
  // Statistics
  std::uint64_t requests_total_ = 0;
  std::uint64_t restarts_total_ = 0;
  std::uint64_t retries_total_ = 0;
  std::uint64_t late_replies_ = 0;
  std::map<std::string, std::uint64_t> errors_;
  LatencyHistogram latency_;
};

}  // namespace pons
