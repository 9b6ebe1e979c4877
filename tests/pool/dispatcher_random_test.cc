// Random sequences of events against DispatcherModel. A failure prints its seed: PONS_TEST_SEED=n runs that one alone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "pool/dispatcher.h"
#include "tests/pool/dispatcher_model.h"
#include "tests/sanitized.h"

namespace pons {
namespace {

constexpr unsigned kSeeds = kSanitized ? 200 : 2'000;
constexpr int kEvents = 200;

class Sequence {
 public:
  explicit Sequence(unsigned seed) : random_(seed), limits_(draw_limits()), model_(limits_), dispatcher_(limits_) {}

  /// What went wrong, empty if nothing.
  std::string play() {
    for (int i = 0; i < kEvents && problem_.empty(); ++i) step();
    finish();
    return problem_.empty() ? problem_ : problem_ + " (event " + std::to_string(events_) + ": " + last_ + ")";
  }

 private:
  using Event = DispatcherModel::Event;
  using State = DispatcherModel::State;

  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }
  bool chance(std::size_t percent) { return below(100) < percent; }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[below(values.size())];
  }

  PoolOptions draw_limits() {
    PoolOptions options;
    options.adapter = "echo";
    options.in_flight = 1 + below(4);
    options.size = 1 + below(3);
    options.overflow = below(2);
    options.queue = one_of<std::size_t>({0, 1, 6, 30});
    options.queue_bytes = one_of<std::size_t>({0, 0, 2'000});
    options.selection = one_of({Selection::least_loaded, Selection::lifo});
    options.sessions.ttl = Millis(one_of({0, 300, 3'000}));
    options.sessions.max = one_of<std::size_t>({0, 2, 5});
    options.sessions.max_per_worker = one_of<std::size_t>({0, 0, 1, 2});
    options.sessions.on_loss = one_of({OnLoss::fail, OnLoss::fail, OnLoss::restart});
    options.sessions.snapshot.every = one_of({0, 1, 1, 3});
    options.sessions.snapshot.after = Millis(one_of({0, 200}));
    options.sessions.snapshot.stale = one_of({Stale::refuse, Stale::allow});
    options.retry.max_attempts = one_of({1, 2, 3});
    options.timeouts.cancel_grace = Millis(one_of({1, 150, 1'000}));
    options.timeouts.request = Millis(one_of({100, 2'000}));
    snapshots_ = chance(50);
    return options;
  }

  void after(Event event, const std::string& what) {
    ++events_;
    last_ = what;
    problem_ = model_.check(event, actions_, dispatcher_, now_);
    actions_.clear();
  }

  std::optional<WorkerKey> some_worker() {
    if (model_.workers().empty()) return std::nullopt;
    return std::next(model_.workers().begin(), static_cast<std::ptrdiff_t>(below(model_.workers().size())))->first;
  }
  RequestKey some_request(bool at_a_worker) {
    std::vector<RequestKey> keys;
    for (const auto& [key, request] : model_.requests()) {
      const bool there = request.state == State::running || request.state == State::abandoned;
      if (at_a_worker ? there : request.state != State::done) keys.push_back(key);
    }
    return keys.empty() || chance(2) ? last_key_ + 1'000 : keys[below(keys.size())];
  }
  std::string some_session() { return "s" + std::to_string(below(6)); }
  std::string some_resource() { return "r" + std::to_string(below(5)); }

  void step() {
    if (chance(40)) now_ += Millis(below(120));
    model_.at(now_);
    const auto dice = below(100);
    if (dice < 38) return submit();
    if (dice < 61) return chance(80) ? answer(some_request(true)) : finish_own();
    if (dice < 62) return speak(some_request(true));
    if (dice < 68) return cancel();
    if (dice < 76) return tick();
    if (dice < 82) return up();
    if (dice < 86) return down();
    if (dice < 87) return drain();
    if (dice < 88) return retire();
    if (dice < 92) return end_session(some_session());
    if (dice < 96) return bind();
    if (dice < 97) return chance(50) ? drop() : keep(some_session());
    if (dice < 99) return cleanup();
    refuse_all();
  }

  void submit() {
    if (chance(10)) return submit_to_all();
    Dispatcher::Job job;
    if (chance(40)) job.session = some_session();
    if (chance(20)) job.resource = some_resource();
    job.bytes = below(1'000);
    if (chance(30)) make_reverse(job);
    submit(job);
  }
  /// Of one that runs here or of another pool, and of those that wait for it.
  void make_reverse(Dispatcher::Job& job) {
    job.reverse = true;
    for (const auto& [key, request] : model_.requests()) {
      if (request.state == State::running && chance(40)) job.ancestors.push_back(key);
    }
  }
  void submit_to_all() {
    std::vector<WorkerKey> targets;
    for (const auto& [key, worker] : model_.workers()) targets.push_back(key);
    if (chance(20)) targets.push_back(WorkerKey{9, 9});
    Dispatcher::Job job;
    job.gathered = ++last_key_;
    job.bytes = below(500);
    if (chance(30)) make_reverse(job);
    const bool refused = !dispatcher_.room_for_shares(targets, job.bytes);
    if (refused != model_.overloaded(targets, job.bytes)) problem_ = "room_for_shares() said the wrong thing";
    if (refused) return;
    for (const auto target : targets) {
      job.only_on = target;
      if (problem_.empty()) submit(job);
    }
  }
  void submit(Dispatcher::Job job) {
    job.key = ++last_key_;
    job.deadline = chance(2) ? now_ : now_ + Millis(1 + below(3'000));
    job.queue_deadline = now_ + Millis(1 + below(1'000));
    model_.submitted(job, chance(30), now_);
    dispatcher_.submit(job, now_, actions_);
    after(Event::submit, "submit " + std::to_string(job.key));
  }
  void answer(RequestKey key) {
    model_.was_answered(key);
    dispatcher_.answered(key, now_, actions_);
    after(Event::answered, "answered " + std::to_string(key));
  }
  void speak(RequestKey key) {
    model_.has_spoken(key);
    dispatcher_.spoke(key, now_, actions_);
    after(Event::other, "a part of " + std::to_string(key));
  }
  void cancel() {
    const auto key = some_request(chance(50));
    const auto by = one_of({CancelBy::caller, CancelBy::disconnection});
    const auto found = model_.requests().find(key);
    const bool expected =
        found != model_.requests().end() && (found->second.state == State::waiting || found->second.state == State::running);
    model_.cancelled(key, by);
    const bool said = dispatcher_.cancel(key, by, now_, actions_);
    after(Event::cancel, "cancel " + std::to_string(key));
    if (problem_.empty() && said != expected) problem_ = "cancel() returned the wrong thing";
  }
  void tick() {
    dispatcher_.tick(now_, actions_);
    after(Event::tick, "tick");
  }
  void up() {
    if (model_.workers().size() >= 4) return;
    const WorkerKey worker{static_cast<std::uint32_t>(below(4)), ++incarnations_};
    const Dispatcher::Traits traits{chance(60), snapshots_ && chance(90)};
    model_.came_up(worker, traits);
    dispatcher_.worker_up(worker, traits, now_, actions_);
    after(Event::worker_up, "up " + worker_id("echo", worker));
  }
  void down() {
    if (const auto worker = some_worker()) take_down(*worker);
  }
  void take_down(WorkerKey worker) {
    model_.going_down(worker);
    model_.went_down(dispatcher_.worker_down(
        worker, [this](RequestKey key) { return model_.may_rerun(key); }, now_, actions_));
    after(Event::worker_down, "down " + worker_id("echo", worker));
  }
  void finish_own() {
    if (model_.own().empty()) return;
    const auto [key, own] = *std::next(model_.own().begin(), static_cast<std::ptrdiff_t>(below(model_.own().size())));
    if (own.is_import) {
      const auto kept = model_.covers_of(own.session);
      const auto covers = chance(80) ? std::optional(chance(90) || kept == 0 ? kept : kept - 1) : std::nullopt;
      model_.was_imported(key, covers);
      dispatcher_.imported(key, covers, now_, actions_);
    } else {
      const auto answered = model_.answered_of(own.session);
      const auto covers = chance(80) ? std::optional(chance(80) ? answered : answered - 1) : std::nullopt;
      model_.was_exported(key, covers);
      dispatcher_.exported(key, covers, now_, actions_);
    }
    after(Event::other, "end of own " + std::to_string(key) + " for " + own.session);
    if (problem_.empty() && !own.is_import && chance(60)) keep(own.session);
  }
  /// The store has written the latest snapshot of a session, or could not.
  void keep(const std::string& session) {
    if (!model_.awaits_keeping(session)) return;
    const bool success = chance(80);
    const auto covers = model_.covers_of(session);
    model_.was_kept(session, success);
    if (success) {
      dispatcher_.snapshot_kept(session, covers, now_, actions_);
    } else {
      dispatcher_.set_snapshot(session, std::nullopt, now_, actions_);
    }
    after(Event::other, "keeping " + session);
  }
  void retire() {
    const auto worker = some_worker();
    if (!worker) return;
    model_.retired(*worker);
    dispatcher_.retire(*worker, now_, actions_);
    after(Event::retire, "retire " + worker_id("echo", *worker));
  }
  void drain() {
    const auto worker = some_worker();
    if (!worker) return;
    model_.draining(*worker);
    dispatcher_.worker_draining(*worker);
    after(Event::draining, "draining " + worker_id("echo", *worker));
  }
  void end_session(const std::string& id) {
    const auto list = dispatcher_.sessions();
    const bool expected =
        std::any_of(list.begin(), list.end(), [&](const auto& info) { return info.id == id; }) && !model_.ends_already(id);
    if (expected) model_.end_asked(id);
    const bool said = dispatcher_.end_session(id, now_, actions_);
    after(Event::end_session, "end of " + id);
    if (problem_.empty() && said != expected) problem_ = "end_session() returned the wrong thing";
  }
  void bind() {
    const auto worker = some_worker();
    if (!worker) return;
    const auto id = some_resource();
    model_.bound_resource(id, *worker, dispatcher_.bind_resource(id, *worker));
    after(Event::other, "bind " + id);
  }
  void drop() {
    const auto id = some_resource();
    if (model_.resource_known(id)) model_.dropped_resource(id);
    dispatcher_.drop_resource(id);
    after(Event::other, "drop " + id);
  }
  void cleanup() {
    const auto key = some_request(true);
    const auto found = model_.requests().find(key);
    if (found == model_.requests().end()) return;
    const auto worker = found->second.worker;
    model_.forgot(worker, key);
    dispatcher_.forget_worker_state(worker, actions_);
    model_.was_answered(key);
    dispatcher_.answered(key, now_, actions_);
    after(Event::cleanup, "cleanup " + std::to_string(key));
  }
  void refuse_all() {
    dispatcher_.refuse_all(Error{ErrorCode::pool_failed, "No"}, actions_);
    after(Event::refuse_all, "refuse_all");
    if (problem_.empty() && dispatcher_.waiting() != 0) problem_ = "something waits after refuse_all";
  }

  /// Everything comes to its end, and nothing is left.
  void finish() {
    while (problem_.empty() && dispatcher_.running() + model_.own().size() > 0) {
      while (problem_.empty() && !model_.own().empty()) finish_own();
      for (const auto& [key, request] : std::map(model_.requests())) {
        if (request.state == State::running || request.state == State::abandoned) answer(key);
      }
    }
    while (problem_.empty() && dispatcher_.next_deadline() != TimePoint::max()) {
      now_ = std::max(now_, dispatcher_.next_deadline());
      model_.at(now_);
      tick();
      while (problem_.empty() && !model_.own().empty()) finish_own();
      for (const auto& [key, request] : std::map(model_.requests())) {
        if (problem_.empty() && (request.state == State::running || request.state == State::abandoned)) answer(key);
      }
    }
    while (problem_.empty() && !model_.workers().empty()) take_down(model_.workers().begin()->first);
    for (int i = 0; i < 6 && problem_.empty(); ++i) end_session("s" + std::to_string(i));
    if (!problem_.empty()) return;
    if (dispatcher_.waiting() + dispatcher_.running() + dispatcher_.session_count() + dispatcher_.resource_count() != 0) {
      problem_ = "something is left at the end";
    }
    if (dispatcher_.next_deadline() != TimePoint::max() || !dispatcher_.workers().empty()) problem_ = "something is left at the end";
  }

  std::mt19937 random_;
  bool snapshots_ = false;
  PoolOptions limits_;
  DispatcherModel model_;
  Dispatcher dispatcher_;
  Actions actions_;
  TimePoint now_{std::chrono::hours(1)};
  RequestKey last_key_ = 0;
  std::uint32_t incarnations_ = 0;
  int events_ = 0;
  std::string last_;
  std::string problem_;
};

TEST(DispatcherRandom, KeepsItsPromises) {
  if (const char* seed = std::getenv("PONS_TEST_SEED")) {
    EXPECT_EQ(Sequence(static_cast<unsigned>(std::strtoul(seed, nullptr, 10))).play(), "");
    return;
  }
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    ASSERT_EQ(Sequence(seed).play(), "") << "PONS_TEST_SEED=" << seed;
  }
}

}  // namespace
}  // namespace pons
