// Decides which workers a pool has: starting them, a few at a time; restarts after deaths; overflow workers when requests wait;
// replacing those that are to be recycled or restarted, the new one ready before the old one goes; scaling. Entirely passive: what
// happens to workers, their loads and the time go in, what is to be done comes out.
//
//   starting --ready--> serving --retire--> retiring --vacant--> stopping --exited--> gone
//
// Promises, tested against random sequences of events:
// - never more than `start_concurrency` workers are starting, and never more than one in a slot beside the one it replaces;
// - a worker that is well is retired only once its successor is ready, unless it is beyond the size of the pool;
// - one beyond the size is started only beside one that serves, and its death neither fails the pool nor a rolling restart;
// - a retiring worker is stopped when it holds nothing any more, or has nothing to run after `max_drain`;
// - a failed pool starts one worker each `trial`, in another slot each time; a closed one none.
//
// Object lifetimes: one per pool, owned by it. Thread safety: none.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pool/options.h"
#include "pool/restart_policy.h"
#include "pool/worker_key.h"
#include "protocol/transport/task.h"

namespace pons {

class Staff {
 public:
  struct Action {
    enum class Kind : std::uint8_t {
      start,   ///< start a process for `worker`
      retire,  ///< `worker` takes nothing new; it is to go, for `reason`
      close,   ///< `worker` takes nothing at all any more
      stop,    ///< end `worker`'s process, in order
    };
    Kind kind = Kind::start;
    WorkerKey worker{};
    const char* reason = "";  ///< max_requests, max_age, max_memory, idle_timeout, overflow_linger, restart, scale
  };
  using Actions = std::vector<Action>;

  /// What a worker has to do, at the time of a review.
  struct Load {
    WorkerKey worker;
    std::size_t in_flight = 0;
    std::size_t held = 0;        ///< sessions and resources
    std::uint64_t requests = 0;  ///< served since it was ready
    std::size_t memory = 0;      ///< bytes resident, 0 if not looked at
  };
  enum class Phase : std::uint8_t { idle, open, closed };
  enum class Rolling : std::uint8_t { none, running, done, failed };

  Staff(const PoolOptions& options, std::function<double()> random);
  /// Other numbers from now on; workers beyond a smaller size are retired.
  void configure(const PoolOptions& options);

  /// Starts workers; forgets earlier failures.
  void open();
  /// Starts none any more; what there is stays until it is told to go.
  void close() { phase_ = Phase::closed; }
  /// Replaces every worker there is, one after the other.
  void restart_all();

  /// Replaces that one.
  void replace(WorkerKey key);

  void ready(WorkerKey key, TimePoint now);
  /// Without having been asked to. True: with that the pool has failed.
  bool died(WorkerKey key, RestartPolicy::Exit exit, TimePoint now);
  /// After a stop.
  void gone(WorkerKey key);

  /// What is to be done now. Call it after every event above and when next_review() has come.
  void review(TimePoint now, const std::vector<Load>& loads, std::optional<TimePoint> waiting_since, Actions& out);
  /// As of the last review; TimePoint::max(): only after an event.
  [[nodiscard]] TimePoint next_review() const { return next_; }
  /// Whether what requests do may change what is to be done: a review after each of them, then.
  [[nodiscard]] bool watches_load() const;
  [[nodiscard]] bool watches_memory() const { return recycle_.max_memory > 0; }

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] TimePoint trial_at() const { return trial_at_; }
  [[nodiscard]] std::size_t starting() const;
  [[nodiscard]] std::size_t serving() const;  ///< ready ones, not retiring
  [[nodiscard]] std::size_t members() const { return members_.size(); }
  /// All that the size asks for are serving, and no others are left.
  [[nodiscard]] bool complete() const;
  /// A slot has lost its worker, and has none again yet.
  [[nodiscard]] bool degraded() const;
  /// None serves, and in every slot the last one to start has died.
  [[nodiscard]] bool hopeless() const;
  [[nodiscard]] Rolling rolling() const { return rolling_; }
  [[nodiscard]] bool retiring(WorkerKey key) const;

 private:
  enum class State : std::uint8_t { starting, serving, retiring, stopping };
  struct Member {
    WorkerKey key;
    State state = State::starting;
    bool closed = false;
    TimePoint since{};       ///< ready, or retiring
    TimePoint idle_since{};  ///< since when nothing has been seen to run there
    std::uint64_t requests = 0;
    std::uint64_t max_requests = 0;  ///< with its jitter; 0: none
    TimePoint max_age = TimePoint::max();
    const char* to_go = nullptr;  ///< why it is to be replaced
  };
  struct Slot {
    std::uint32_t incarnation = 0;
    TimePoint start_at{};  ///< not before
    bool failed = false;   ///< its last worker died, and none has been ready since
  };

  Member* find(WorkerKey key);
  [[nodiscard]] const Member* occupant(std::uint32_t slot, State state) const;
  void limit_life(Member& member);
  void start(std::uint32_t slot, Actions& out);
  void retire(Member& member, const char* reason, TimePoint now, Actions& out);
  void note_loads(TimePoint now, const std::vector<Load>& loads);
  void choose_leavers(TimePoint now, const std::vector<Load>& loads, Actions& out);
  [[nodiscard]] const char* reason_to_recycle(const Member& member, std::size_t memory, TimePoint now);
  void retire_replaced(TimePoint now, Actions& out);
  void stop_vacant(TimePoint now, const std::vector<Load>& loads, Actions& out);
  void start_missing(TimePoint now, Actions& out);
  void start_overflow(TimePoint now, std::optional<TimePoint> waiting_since, Actions& out);
  void roll();
  void at(TimePoint when, TimePoint now) {
    if (when > now && when < next_) next_ = when;
  }
  std::uint64_t jittered(std::uint64_t value);

  std::size_t size_ = 1, overflow_ = 0, start_concurrency_ = 1;
  Millis overflow_after_{0}, overflow_linger_{0}, trial_interval_{0};
  RecycleOptions recycle_;
  RestartPolicy restart_;
  std::function<double()> random_;
  std::vector<Slot> slots_;
  std::vector<Member> members_;
  Phase phase_ = Phase::idle;
  bool failed_ = false;
  bool trial_ = false;  ///< the one worker of a failed pool is being tried
  TimePoint trial_at_{};
  std::size_t trial_slot_ = 0;  ///< the next to be tried
  Rolling rolling_ = Rolling::none;
  std::vector<WorkerKey> to_restart_;  ///< the first is being replaced
  TimePoint next_ = TimePoint::max();
};

}  // namespace pons
