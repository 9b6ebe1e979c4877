// Random sequences of events against what Staff promises, with an account of workers as simple as possible.
// A failure prints its seed: PONS_TEST_SEED=n runs that one alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>

#include "pool/staff.h"
#include "tests/sanitized.h"

namespace pons {
namespace {

constexpr unsigned kSeeds = kSanitized ? 200 : 2'000;
constexpr int kEvents = 150;

enum class State { starting, serving, retiring, stopping };
struct Worker {
  State state = State::starting;
  std::size_t in_flight = 0, held = 0;
  std::uint64_t requests = 0;
  TimePoint since{};  // ready, or retiring
  TimePoint last_used{};
};

class Sequence {
 public:
  explicit Sequence(unsigned seed)
      : random_(seed), options_(draw()), staff_(options_, [this] { return static_cast<double>(below(1'000)) / 1'000; }) {}

  std::string play() {
    for (int i = 0; i < kEvents && problem_.empty(); ++i) {
      now_ += Millis(below(400));
      step();
      review();
    }
    if (problem_.empty()) settle();
    return problem_.empty() ? problem_ : problem_ + " (after " + last_ + ")";
  }

 private:
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }
  bool chance(std::size_t percent) { return below(100) < percent; }
  void require(bool holds, const std::string& what) {
    if (!holds && problem_.empty()) problem_ = what;
  }

  PoolOptions draw() {
    PoolOptions options;
    options.size = 1 + below(4);
    options.overflow = below(3);
    options.start_concurrency = 1 + below(3);
    options.restart.max = static_cast<int>(below(4));
    options.recycle.max_requests = below(2) * 20;
    options.recycle.max_age = Millis(below(2) * 3'000);
    options.recycle.idle_timeout = Millis(below(2) * 2'000);
    options.recycle.max_drain = Millis(1'000);
    options.overflow_linger = Millis(1'000);
    options.restart.trial = Millis(5'000);
    return options;
  }

  std::optional<WorkerKey> some(State state) {
    std::vector<WorkerKey> keys;
    for (const auto& [key, worker] : workers_) {
      if (worker.state == state) keys.push_back(key);
    }
    if (keys.empty()) return std::nullopt;
    return keys[below(keys.size())];
  }
  std::size_t count(State state) const {
    return static_cast<std::size_t>(
        std::count_if(workers_.begin(), workers_.end(), [&](const auto& entry) { return entry.second.state == state; }));
  }

  void step() {
    const auto dice = below(100);
    if (dice < 30) {
      if (const auto key = some(State::starting)) become_ready(*key);
    } else if (dice < 40) {
      if (const auto key = some(State::starting)) die(*key);
    } else if (dice < 46) {
      if (const auto key = some(State::serving)) die(*key);
    } else if (dice < 48) {
      if (const auto key = some(State::retiring)) die(*key);
    } else if (dice < 60) {
      if (const auto key = some(State::stopping)) go(*key);
    } else if (dice < 85) {
      use();
    } else if (dice < 90) {
      waiting_since_ = waiting_since_ ? std::nullopt : std::optional(now_);
      last_ = "waiting";
    } else if (dice < 93) {
      scale();
    } else if (dice < 96) {
      staff_.restart_all();
      last_ = "restart_all";
    } else {
      staff_.open();
      was_failed_ = false;
      opened_ = true;
      last_ = "open";
    }
  }

  void become_ready(WorkerKey key) {
    auto& worker = workers_.at(key);
    worker.state = State::serving;
    worker.since = worker.last_used = now_;
    staff_.ready(key, now_);
    was_failed_ = false;
    last_ = "ready " + worker_id("w", key);
  }
  void die(WorkerKey key) {
    const auto& worker = workers_.at(key);
    const bool was_ready = worker.state != State::starting;
    const RestartPolicy::Exit exit{was_ready, worker.requests > 0,
                                   was_ready ? std::chrono::duration_cast<Millis>(now_ - worker.since) : Millis(0), chance(5) ? 78 : 1};
    workers_.erase(key);
    const auto rolling = staff_.rolling();
    const bool failed = staff_.died(key, exit, now_);
    if (key.slot >= options_.size && !was_failed_) {
      require(!failed, "a worker beyond the size has failed the pool");
      require(staff_.rolling() == rolling, "a worker beyond the size has failed a restart");
    }
    if (failed) failed_at_ = now_;
    was_failed_ = was_failed_ || failed;
    last_ = "death of " + worker_id("w", key);
  }
  void go(WorkerKey key) {
    workers_.erase(key);
    staff_.gone(key);
    last_ = "end of " + worker_id("w", key);
  }
  void use() {
    for (auto& [key, worker] : workers_) {
      if (worker.state != State::serving && worker.state != State::retiring) continue;
      if (worker.in_flight > 0 && chance(50)) {
        --worker.in_flight;
        ++worker.requests;
        worker.last_used = now_;
      } else if (worker.state == State::serving && chance(40)) {
        ++worker.in_flight;
      }
      if (worker.held > 0 && chance(30)) --worker.held;
      if (worker.state == State::serving && chance(10)) ++worker.held;
    }
    last_ = "use";
  }
  void scale() {
    options_.size = 1 + below(4);
    staff_.configure(options_);
    last_ = "scale " + std::to_string(options_.size);
  }

  void review() {
    std::vector<Staff::Load> loads;
    for (const auto& [key, worker] : workers_) {
      if (worker.state == State::serving || worker.state == State::retiring) {
        loads.push_back({key, worker.in_flight, worker.held, worker.requests, 0});
      }
    }
    Staff::Actions actions;
    staff_.review(now_, loads, waiting_since_, actions);
    std::size_t trials = 0;
    for (const auto& action : actions) {
      check(action);
      trials += action.kind == Staff::Action::Kind::start ? 1 : 0;
    }
    if (was_failed_) require(trials <= 1, "a failed pool started more than one");
    check_account();
    Staff::Actions again;
    staff_.review(now_, loads_now(), waiting_since_, again);
    require(again.empty(), "a second look at the same found more to do");
    require(staff_.next_review() > now_, "next_review() has passed");
  }
  std::vector<Staff::Load> loads_now() const {
    std::vector<Staff::Load> loads;
    for (const auto& [key, worker] : workers_) {
      if (worker.state == State::serving || worker.state == State::retiring) {
        loads.push_back({key, worker.in_flight, worker.held, worker.requests, 0});
      }
    }
    return loads;
  }

  void check(const Staff::Action& action) {
    const auto found = workers_.find(action.worker);
    if (action.kind == Staff::Action::Kind::start) return check_start(action.worker);
    if (found == workers_.end()) return require(false, "told to end a worker that is not there");
    auto& worker = found->second;
    switch (action.kind) {
      case Staff::Action::Kind::start:
        return;
      case Staff::Action::Kind::retire: {
        require(worker.state == State::serving, "retired a worker that does not serve");
        worker.state = State::retiring;
        worker.since = now_;
        if (action.worker.slot >= options_.size) return;
        const bool replaced = std::any_of(workers_.begin(), workers_.end(), [&](const auto& entry) {
          return entry.first.slot == action.worker.slot && entry.second.state == State::serving;
        });
        return require(replaced, "retired a worker before its successor was ready");
      }
      case Staff::Action::Kind::close:
        return require(worker.state == State::retiring && now_ - worker.since >= options_.recycle.max_drain, "closed too early");
      case Staff::Action::Kind::stop: {
        require(worker.state == State::retiring, "stopped a worker that was not retired");
        require(worker.in_flight == 0, "stopped a worker that runs something");
        require(worker.held == 0 || now_ - worker.since >= options_.recycle.max_drain, "stopped a worker that holds something");
        worker.state = State::stopping;
        return;
      }
    }
  }

  void check_start(WorkerKey key) {
    require(opened_, "started before it was opened");
    require(key.slot < options_.size + options_.overflow, "started beyond the size");
    require(key.incarnation > incarnations_[key.slot], "an incarnation was used twice");
    incarnations_[key.slot] = key.incarnation;
    std::size_t serving = 0;
    for (const auto& [other, worker] : workers_) {
      if (other.slot != key.slot) continue;
      require(worker.state != State::starting, "two start in one slot");
      serving += worker.state == State::serving ? 1 : 0;
    }
    require(serving <= 1, "a third in a slot");
    if (key.slot >= options_.size) {
      require(waiting_since_ && now_ - *waiting_since_ >= options_.overflow_after, "an overflow worker that nobody waited for");
      require(serving == 0, "an overflow worker with a successor");
      require(count(State::serving) > 0, "an overflow worker before the first serves");
    }
    if (was_failed_) require(now_ - failed_at_ >= options_.restart.trial, "a failed pool tried again too early");
    workers_[key];
    require(count(State::starting) <= options_.start_concurrency, "more than start_concurrency");
  }

  void check_account() {
    require(staff_.members() == workers_.size(), "members() is wrong");
    require(staff_.starting() == count(State::starting), "starting() is wrong");
    require(staff_.serving() == count(State::serving), "serving() is wrong");
    require(staff_.failed() == was_failed_, "failed() is wrong");
  }

  /// Left alone, with workers that start and requests that end, the pool becomes whole, and stays so.
  void settle() {
    staff_.open();
    was_failed_ = false;
    opened_ = true;
    waiting_since_.reset();
    options_.recycle = RecycleOptions{.max_drain = Millis(1'000)};
    staff_.configure(options_);
    for (int i = 0; i < 200 && problem_.empty(); ++i) {
      for (auto& [key, worker] : workers_) worker.in_flight = worker.held = 0;
      while (const auto key = some(State::stopping)) go(*key);
      review();
      while (const auto key = some(State::starting)) become_ready(*key);
      review();
      if (i > 100) {
        while (const auto key = some(State::stopping)) go(*key);
        review();
      }
      now_ = std::min(now_ + Millis(500), std::max(now_, staff_.next_review()));
    }
    last_ = "settling";
    require(staff_.complete(), "it does not become whole");
    require(count(State::serving) == options_.size, "it has not the size that it should have");
    require(staff_.rolling() != Staff::Rolling::running, "a restart does not end");
  }

  std::mt19937 random_;
  PoolOptions options_;
  Staff staff_;
  std::map<WorkerKey, Worker> workers_;
  std::map<std::uint32_t, std::uint32_t> incarnations_;
  std::optional<TimePoint> waiting_since_;
  TimePoint now_{std::chrono::hours(1)};
  TimePoint failed_at_{};
  bool was_failed_ = false;
  bool opened_ = false;
  std::string last_;
  std::string problem_;
};

TEST(StaffRandom, KeepsItsPromises) {
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
