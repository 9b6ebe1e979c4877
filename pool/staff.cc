#include "pool/staff.h"

#include <algorithm>

namespace pons {

namespace {

constexpr double kJitter = 0.1;  // of max_requests and max_age: workers that started together do not go together

const Staff::Load* find_load(const std::vector<Staff::Load>& loads, WorkerKey key) {
  const auto found = std::find_if(loads.begin(), loads.end(), [&](const Staff::Load& load) { return load.worker == key; });
  return found != loads.end() ? &*found : nullptr;
}

}  // namespace

Staff::Staff(const PoolOptions& options, std::function<double()> random) : restart_(options.restart, random), random_(std::move(random)) {
  configure(options);
}

void Staff::configure(const PoolOptions& options) {
  size_ = options.size;
  overflow_ = options.overflow;
  start_concurrency_ = std::max<std::size_t>(1, options.start_concurrency);
  overflow_after_ = options.overflow_after;
  overflow_linger_ = options.overflow_linger;
  const bool other_life = options.recycle.max_requests != recycle_.max_requests || options.recycle.max_age != recycle_.max_age;
  recycle_ = options.recycle;
  restart_.configure(options.restart);
  trial_interval_ = options.restart.trial;
  if (slots_.size() < size_ + overflow_) slots_.resize(size_ + overflow_);
  for (auto& member : members_) {
    if (member.key.slot >= size_) member.to_go = "scale";
    if (other_life && member.state == State::serving) limit_life(member);
  }
}

/// How long it may serve, since it was ready.
void Staff::limit_life(Member& member) {
  const auto max_age = recycle_.max_age.count();
  member.max_requests = recycle_.max_requests > 0 ? std::max<std::uint64_t>(1, jittered(recycle_.max_requests)) : 0;
  member.max_age =
      max_age > 0 ? member.since + Millis(static_cast<std::int64_t>(jittered(static_cast<std::uint64_t>(max_age)))) : TimePoint::max();
}

// ---- Events ------------------------------------------------------------------------------------------------------------------------

void Staff::open() {
  phase_ = Phase::open;
  failed_ = trial_ = false;
  restart_.reset();
  for (auto& slot : slots_) {
    slot.start_at = TimePoint{};
    slot.failed = false;
  }
}

void Staff::restart_all() {
  restart_.reset();
  for (auto& slot : slots_) slot.start_at = TimePoint{};
  to_restart_.clear();
  for (const auto& member : members_) {
    if (member.state == State::serving || member.state == State::starting) to_restart_.push_back(member.key);
  }
  rolling_ = Rolling::running;
}

void Staff::replace(WorkerKey key) {
  if (Member* member = find(key); member != nullptr && member->to_go == nullptr) member->to_go = "restart";
}

void Staff::ready(WorkerKey key, TimePoint now) {
  Member* member = find(key);
  if (member == nullptr || member->state != State::starting) return;
  member->state = State::serving;
  member->since = member->idle_since = now;
  limit_life(*member);
  slots_[key.slot].failed = false;
  failed_ = trial_ = false;
}

bool Staff::died(WorkerKey key, RestartPolicy::Exit exit, TimePoint now) {
  if (find(key) == nullptr) return false;
  const bool to_go = std::find(to_restart_.begin(), to_restart_.end(), key) != to_restart_.end();
  gone(key);
  if (phase_ == Phase::closed) return false;
  auto& slot = slots_[key.slot];
  slot.failed = occupant(key.slot, State::serving) == nullptr;
  exit.spare = key.slot >= size_;
  const auto decision = restart_.on_exit(key.slot, exit, now);
  slot.start_at = decision.when;
  const bool failed = decision.give_up || trial_;
  // New ones do not start: the old ones stay.
  if (((!exit.was_ready && !to_go && !exit.spare) || failed) && rolling_ == Rolling::running) {
    rolling_ = Rolling::failed;
    to_restart_.clear();
    for (auto& member : members_) {
      if (member.state == State::serving && member.key.slot < size_) member.to_go = nullptr;
    }
  }
  if (!failed) return false;
  failed_ = true;
  trial_ = false;
  trial_at_ = now + trial_interval_;
  return true;
}

void Staff::gone(WorkerKey key) {
  std::erase_if(members_, [&](const Member& member) { return member.key == key; });
}

// ---- Review ------------------------------------------------------------------------------------------------------------------------

void Staff::review(TimePoint now, const std::vector<Load>& loads, std::optional<TimePoint> waiting_since, Actions& out) {
  next_ = TimePoint::max();
  note_loads(now, loads);
  if (phase_ == Phase::open) {
    roll();
    choose_leavers(now, loads, out);
    retire_replaced(now, out);
    start_missing(now, out);
    start_overflow(now, waiting_since, out);
  }
  stop_vacant(now, loads, out);
}

void Staff::note_loads(TimePoint now, const std::vector<Load>& loads) {
  for (const auto& load : loads) {
    Member* member = find(load.worker);
    if (member == nullptr) continue;
    if (load.in_flight > 0 || load.requests != member->requests) member->idle_since = now;
    member->requests = load.requests;
  }
}

const char* Staff::reason_to_recycle(const Member& member, std::size_t memory, TimePoint now) {
  if (member.max_requests > 0 && member.requests >= member.max_requests) return "max_requests";
  if (now >= member.max_age) return "max_age";
  if (recycle_.max_memory > 0 && memory > recycle_.max_memory) return "max_memory";
  if (recycle_.idle_timeout.count() > 0 && now - member.idle_since >= recycle_.idle_timeout) return "idle_timeout";
  if (member.max_age != TimePoint::max()) at(member.max_age, now);
  if (recycle_.idle_timeout.count() > 0) at(member.idle_since + recycle_.idle_timeout, now);
  return nullptr;
}

void Staff::choose_leavers(TimePoint now, const std::vector<Load>& loads, Actions& out) {
  for (auto& member : members_) {
    if (member.state != State::serving) continue;
    if (member.to_go == nullptr) {
      const Load* load = find_load(loads, member.key);
      member.to_go = reason_to_recycle(member, load != nullptr ? load->memory : 0, now);
    }
    if (member.key.slot < size_) continue;  // its successor comes first
    if (member.to_go == nullptr && now - member.idle_since >= overflow_linger_) member.to_go = "overflow_linger";
    if (member.to_go != nullptr) {
      retire(member, member.to_go, now, out);
    } else {
      at(member.idle_since + overflow_linger_, now);
    }
  }
}

/// Goes on with a rolling restart.
void Staff::roll() {
  if (rolling_ != Rolling::running) return;
  while (!to_restart_.empty() && find(to_restart_.front()) == nullptr) to_restart_.erase(to_restart_.begin());
  if (to_restart_.empty()) {
    // Also those that take the place of workers that died meanwhile have to be there.
    if (complete()) rolling_ = Rolling::done;
    return;
  }
  Member& member = *find(to_restart_.front());
  if (member.to_go == nullptr && member.state == State::serving) member.to_go = "restart";
}

void Staff::retire_replaced(TimePoint now, Actions& out) {
  for (auto& member : members_) {
    if (member.state != State::serving || member.key.slot >= size_) continue;
    const bool replaced = std::any_of(members_.begin(), members_.end(), [&](const Member& other) {
      return other.key.slot == member.key.slot && other.key.incarnation > member.key.incarnation && other.state == State::serving;
    });
    if (replaced) retire(member, member.to_go != nullptr ? member.to_go : "restart", now, out);
  }
}

void Staff::start_missing(TimePoint now, Actions& out) {
  if (failed_) {
    if (trial_) return;
    if (now < trial_at_) return at(trial_at_, now);
  }
  // A successor beside a worker that is to go is less urgent than a worker that is missing.
  for (const bool successors : {false, true}) {
    for (std::uint32_t k = 0; k < size_; ++k) {
      const auto i = failed_ ? static_cast<std::uint32_t>((trial_slot_ + k) % size_) : k;  // each trial tries another one
      const Member* serving = occupant(i, State::serving);
      if (occupant(i, State::starting) != nullptr) continue;
      if (successors ? (serving == nullptr || serving->to_go == nullptr) : serving != nullptr) continue;
      if (successors && std::any_of(members_.begin(), members_.end(), [](const Member& m) { return m.state == State::starting; })) return;
      if (starting() >= start_concurrency_) return;
      if (!failed_ && now < slots_[i].start_at) {
        at(slots_[i].start_at, now);
        continue;
      }
      start(i, out);
      if (!failed_) continue;
      trial_ = true;
      trial_slot_ = i + 1;
      return;
    }
  }
}

void Staff::start_overflow(TimePoint now, std::optional<TimePoint> waiting_since, Actions& out) {
  if (overflow_ == 0 || !waiting_since || failed_) return;
  if (serving() == 0) return;  // they wait for the first to be ready: another would be no sooner
  if (now < *waiting_since + overflow_after_) return at(*waiting_since + overflow_after_, now);
  if (starting() >= start_concurrency_) return;
  for (auto i = static_cast<std::uint32_t>(size_); i < size_ + overflow_; ++i) {
    if (occupant(i, State::starting) != nullptr) return;  // it may be enough
    if (occupant(i, State::serving) != nullptr) continue;
    if (now >= slots_[i].start_at) return start(i, out);
    at(slots_[i].start_at, now);
  }
}

void Staff::stop_vacant(TimePoint now, const std::vector<Load>& loads, Actions& out) {
  for (auto& member : members_) {
    if (member.state != State::retiring) continue;
    const Load* load = find_load(loads, member.key);
    const bool drained = recycle_.max_drain.count() > 0 && now >= member.since + recycle_.max_drain;
    const bool busy = load != nullptr && load->in_flight > 0;
    const bool holds = load != nullptr && load->held > 0;
    if (drained && !member.closed) {
      member.closed = true;
      out.push_back({Action::Kind::close, member.key, "max_drain"});
    }
    if (!busy && (!holds || drained)) {
      member.state = State::stopping;
      out.push_back({Action::Kind::stop, member.key, ""});
    } else if (recycle_.max_drain.count() > 0) {
      at(member.since + recycle_.max_drain, now);
    }
  }
}

// ---- Members -----------------------------------------------------------------------------------------------------------------------

void Staff::start(std::uint32_t slot, Actions& out) {
  const WorkerKey key{slot, ++slots_[slot].incarnation};
  members_.emplace_back().key = key;
  out.push_back({Action::Kind::start, key, ""});
}

void Staff::retire(Member& member, const char* reason, TimePoint now, Actions& out) {
  member.state = State::retiring;
  member.since = now;
  out.push_back({Action::Kind::retire, member.key, reason});
}

Staff::Member* Staff::find(WorkerKey key) {
  const auto found = std::find_if(members_.begin(), members_.end(), [&](const Member& member) { return member.key == key; });
  return found != members_.end() ? &*found : nullptr;
}

/// The youngest there.
const Staff::Member* Staff::occupant(std::uint32_t slot, State state) const {
  const Member* youngest = nullptr;
  for (const auto& member : members_) {
    if (member.key.slot == slot && member.state == state && (youngest == nullptr || member.key > youngest->key)) youngest = &member;
  }
  return youngest;
}

bool Staff::watches_load() const {
  if (phase_ != Phase::idle && (overflow_ > 0 || recycle_.max_requests > 0)) return true;
  return std::any_of(members_.begin(), members_.end(), [](const Member& member) { return member.state == State::retiring; });
}

std::size_t Staff::starting() const {
  return static_cast<std::size_t>(
      std::count_if(members_.begin(), members_.end(), [](const Member& member) { return member.state == State::starting; }));
}

std::size_t Staff::serving() const {
  return static_cast<std::size_t>(
      std::count_if(members_.begin(), members_.end(), [](const Member& member) { return member.state == State::serving; }));
}

bool Staff::complete() const {
  for (std::uint32_t i = 0; i < size_; ++i) {
    const Member* serving = occupant(i, State::serving);
    if (serving == nullptr || serving->to_go != nullptr) return false;
  }
  return std::none_of(members_.begin(), members_.end(), [&](const Member& member) {
    return member.state == State::retiring || member.state == State::stopping || (member.to_go != nullptr && member.key.slot >= size_);
  });
}

bool Staff::hopeless() const {
  return serving() == 0 &&
         std::all_of(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(size_), [](const Slot& s) { return s.failed; });
}

bool Staff::degraded() const {
  return std::any_of(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(size_), [](const Slot& slot) { return slot.failed; });
}

bool Staff::retiring(WorkerKey key) const {
  const auto found = std::find_if(members_.begin(), members_.end(), [&](const Member& member) { return member.key == key; });
  return found != members_.end() && found->state == State::retiring;
}

std::uint64_t Staff::jittered(std::uint64_t value) {
  const auto factor = 1 - kJitter + 2 * kJitter * random_();
  return static_cast<std::uint64_t>(static_cast<double>(value) * factor);
}

}  // namespace pons
