// How the workers of a pool come and go. The way of requests is in pool.cc, what operators ask for in pool_control.cc.
#include <algorithm>

#include "pool/pool.h"
#include "pool/worker_launch.h"

namespace pons {

std::string_view to_string(PoolState state) {
  switch (state) {
    case PoolState::idle:
      return "idle";
    case PoolState::starting:
      return "starting";
    case PoolState::ready:
      return "ready";
    case PoolState::degraded:
      return "degraded";
    case PoolState::failed:
      return "failed";
    case PoolState::draining:
      return "draining";
    case PoolState::stopped:
      return "stopped";
  }
  return "stopped";
}

WorkerProcess* Pool::find(WorkerKey key) {
  const auto found = members_.find(key);
  return found != members_.end() ? found->second.process.get() : nullptr;
}

// ---- What the staff machine said ---------------------------------------------------------------------------------------------------

void Pool::review(TimePoint now) {
  review_again_ = true;
  if (reviewing_) return;
  reviewing_ = true;
  while (std::exchange(review_again_, false)) {
    std::vector<Staff::Load> loads;
    for (const auto& load : dispatcher_.workers()) {
      const auto& member = members_.at(load.key);
      loads.push_back({load.key, load.in_flight, load.sessions + load.resources, member.answered, member.memory});
    }
    Staff::Actions todo;
    staff_.review(now, loads, dispatcher_.waiting_since(), todo);
    for (const auto& action : todo) perform(action, now);
    if (!actions_.empty()) apply(now);
    continue_closing(now);
    update_state();
    if (!actions_.empty()) apply(now);  // a pool that has failed refuses what waits
    check_operation(now);
  }
  reviewing_ = false;
  arm_timer();
}

void Pool::perform(const Staff::Action& action, TimePoint now) {
  switch (action.kind) {
    case Staff::Action::Kind::start:
      return launch(action.worker);
    case Staff::Action::Kind::retire:
      observer_.worker_recycled(options_.adapter, *find(action.worker), action.reason);
      return dispatcher_.retire(action.worker, now, actions_);
    case Staff::Action::Kind::close:
      return dispatcher_.worker_draining(action.worker);
    case Staff::Action::Kind::stop:
      dispatcher_.worker_draining(action.worker);
      return find(action.worker)->finish();
  }
}

void Pool::launch(WorkerKey key) {
  if (slots_.size() <= key.slot) slots_.resize(key.slot + 1);
  auto process = std::make_shared<WorkerProcess>(executor_, options_, key, worker_id(options_.adapter, key),
                                                 static_cast<WorkerProcess::Owner&>(*this));
  auto& member = members_.emplace(key, Member{process, Health({.interval = Millis{0}}, Clock::now())}).first->second;
  member.generation = generation_;
  if (!prepare_) return start(*process, options_.launch);
  prepare_([this, weak = std::weak_ptr(process)](Result<LaunchOptions> launch) {
    if (const auto worker = weak.lock()) start(*worker, std::move(launch));
  });
}

/// Now that it is known how. `launch` may also say why not.
void Pool::start(WorkerProcess& worker, Result<LaunchOptions> launch) {
  auto& member = members_.at(worker.key());
  if (!launch) member.unfit = launch.error();
  if (worker.state() != WorkerLife::State::starting) launch = Error{ErrorCode::shutting_down, "it was stopped before it was started"};
  if (!launch) return worker.start(launcher_, launch.error());
  worker.start(launcher_, spawn_spec(worker.key(), member, *launch));
  observer_.worker_started(options_.adapter, worker);
}

/// Whether what was missing is there now: those who wait are served then, or hear what is missing.
void Pool::look_again() {
  if (std::exchange(looking_, true)) return;
  prepare_([this, alive = std::weak_ptr(alive_)](const Result<LaunchOptions>& launch) {
    if (alive.expired()) return;
    looking_ = false;
    if (!unfit_ || state_ != PoolState::failed) return;
    if (launch) {
      unfit_ = false;
      staff_.open();
    } else {
      failure_ = launch.error();
      failure_.code = ErrorCode::pool_failed;
      dispatcher_.refuse_all(failed_error(), actions_);
      apply();
    }
    review();
  });
}

Result<SpawnSpec> Pool::spawn_spec(WorkerKey key, Member& member, const LaunchOptions& launch) {
  auto options = options_;
  options.launch = launch;
  auto spec = worker_spawn_spec(options, key, instance_);
  if (cgroups_ != nullptr) {
    auto cgroup = cgroups_->make(worker_id(options_.adapter, key), options_.limits);
    if (!cgroup) return cgroup.error();
    member.cgroup = std::move(*cgroup);
    spec.cgroup = member.cgroup.procs();
  }
  return spec;
}

// ---- What workers tell -------------------------------------------------------------------------------------------------------------

void Pool::on_worker_ready(WorkerProcess& worker) {
  const auto now = Clock::now();
  members_.at(worker.key()).health = Health(options_.health, now);
  last_info_ = worker.info().info;
  if (worker.info().can_snapshot) open_snapshots();
  staff_.ready(worker.key(), now);
  observer_.worker_ready(options_.adapter, worker);
  dispatcher_.worker_up(worker.key(), {worker.info().in_order, worker.info().can_snapshot && snapshots_ != nullptr}, now, actions_);
  apply(now);
  review(now);
}

void Pool::on_worker_leaving(WorkerProcess& worker) {
  dispatcher_.worker_draining(worker.key());
  worker.channel().pause(false);  // what it said before its end is read, however slow its caller
}

void Pool::on_worker_line(WorkerProcess& worker, std::string_view stream, std::string line, bool cut) {
  observer_.worker_line(options_.adapter, worker, stream, line, cut);
}

void Pool::on_late_reply(WorkerProcess&) { ++late_replies_; }

std::string Pool::describe_exit(const WorkerProcess& worker, const WorkerProcess::Exit& exit) const {
  const bool ran = exit.status.signal != 0 || exit.status.status >= 0;
  std::string text = exit.reason;
  if (ran) text = (text.empty() ? "it " : text + "; it ") + exit.status.words();
  if (exit.was_ready || worker.pid() == 0 || !exit.reason.empty() || exit.status.status < 0) return text;
  text += " before it was ready";
  if (!exit.stderr_tail.empty()) text += ": " + exit.stderr_tail.back();  // what went wrong is mostly said last
  if (options_.launch.channel == ChannelKind::fd && (exit.stderr_tail.empty() || exit.status.status == 0)) {
    text += " (one that speaks on stdin and stdout is configured as " + options_.adapter + ": {command: [";
    for (const auto& word : options_.launch.command) text += (&word == &options_.launch.command.front() ? "" : ", ") + word;
    text += "], channel: stdio})";
  }
  return text;
}

Error Pool::crash_error(const WorkerProcess& worker, const WorkerProcess::Exit& exit, bool neighbour) const {
  Error error{ErrorCode::worker_crashed, "The worker " + worker.id() + " died while it ran this: " + describe_exit(worker, exit)};
  error.details = {{"worker", worker.id()}};
  if (exit.status.status >= 0) error.details["exit_status"] = exit.status.status;
  if (exit.status.signal != 0) error.details["signal"] = exit.status.signal;
  if (!exit.stderr_tail.empty()) error.details["stderr_tail"] = exit.stderr_tail;
  if (neighbour) {
    error.details["reason"] = "neighbour";  // another request there was past its time
  } else if (!exit.cause.empty()) {
    error.details["reason"] = exit.cause;
  }
  return error;
}

void Pool::on_worker_exited(WorkerProcess& worker, WorkerProcess::Exit exit) {
  const auto now = Clock::now();
  const auto key = worker.key();
  const auto node = members_.extract(key);
  exit.status.over_memory = node.mapped().cgroup.over_memory();
  if (exit.status.over_memory && exit.cause.empty()) exit.cause = "memory";
  auto& slot = slots_[key.slot];
  slot.last_exit = describe_exit(worker, exit);
  if (!node.mapped().unfit) observer_.worker_exited(options_.adapter, worker, exit, slot.last_exit);
  const bool neighbour = dispatcher_.overdue(key);
  const auto& declared = worker.info().idempotent;
  const auto begun = dispatcher_.worker_down(
      key, [&](RequestKey request) { return may_rerun(request, declared); }, now, actions_);
  take_exit(worker, exit, node.mapped(), now);  // before anybody is told: who is may ask for more at once
  for (const auto request : begun) {
    auto pending = requests_.extract(request);
    if (!pending || pending.mapped().answered) continue;
    ++slots_[key.slot].errors;
    answer(pending.mapped(), crash_error(worker, exit, neighbour));
  }
  std::erase_if(requests_, [&](const auto& entry) { return entry.second.answered && entry.second.worker == key; });
  if (reverse_ != nullptr) reverse_->worker_gone(*this, key);
  apply(now);
  review(now);
}

/// What its end means for the pool.
void Pool::take_exit(WorkerProcess& worker, const WorkerProcess::Exit& exit, const Member& member, TimePoint now) {
  const auto key = worker.key();
  if (exit.asked || mode_ == Mode::closing || mode_ == Mode::closed) return staff_.gone(key);
  auto& slot = slots_[key.slot];
  ++slot.restarts;
  ++restarts_total_;
  const auto what = "The worker " + worker.id() + (exit.was_ready ? " died: " : " did not start: ") + slot.last_exit;
  RestartPolicy::Exit end{exit.was_ready, member.answered > 0, exit.uptime, exit.status.status};
  end.hopeless = member.unfit.has_value();
  const bool failed = staff_.died(key, end, now);
  Error error = member.unfit.value_or(Error{ErrorCode::worker_start_failed, what, {{"worker", worker.id()}}});
  if (exit.status.status >= 0) error.details["exit_status"] = exit.status.status;
  if (!exit.stderr_tail.empty()) error.details["stderr_tail"] = exit.stderr_tail;
  if (failed) {
    failure_ = error;
    failure_.code = ErrorCode::pool_failed;
    unfit_ = member.unfit.has_value();
    update_state(member.unfit ? error.message : what);
  } else if (!exit.was_ready && staff_.hopeless()) {
    // It may start at the next attempt; who waits now should hear what is wrong rather than wait for that.
    dispatcher_.refuse_all(error, actions_);
  }
  if (failed || !exit.was_ready) fail_operation(key, failed ? failure_ : error);
}

/// What requests to a failed pool are refused with.
Error Pool::failed_error() const {
  auto error = failure_;
  if (unfit_) return error;  // it is looked at again at once
  error.details["retry_after_ms"] = std::max<std::int64_t>(0, std::chrono::duration_cast<Millis>(staff_.trial_at() - Clock::now()).count());
  return error;
}

void Pool::update_state(const std::string& reason) {
  auto next = PoolState::ready;
  if (mode_ == Mode::closed) {
    next = PoolState::stopped;
  } else if (mode_ != Mode::serving) {
    next = PoolState::draining;
  } else if (staff_.phase() == Staff::Phase::idle) {
    next = PoolState::idle;
  } else if (staff_.failed() && staff_.serving() == 0) {
    next = PoolState::failed;
  } else if (staff_.degraded() && staff_.serving() < options_.size) {
    next = PoolState::degraded;
  } else if (staff_.serving() < std::min(options_.min_ready, options_.size)) {
    next = PoolState::starting;
  }
  if (next == state_) return;
  state_ = next;
  observer_.pool_state(options_.adapter, state_, state_ == PoolState::failed && reason.empty() ? failure_.message : reason);
  if (state_ == PoolState::failed) dispatcher_.refuse_all(failed_error(), actions_);
}

// ---- Time --------------------------------------------------------------------------------------------------------------------------

TimePoint Pool::next_event() const {
  auto next = std::min(dispatcher_.next_deadline(), staff_.next_review());
  if (operation_) next = std::min(next, operation_->deadline);
  if (mode_ == Mode::closing || mode_ == Mode::closed) return next;
  for (const auto& [key, member] : members_) {
    if (member.process->state() == WorkerLife::State::ready) next = std::min(next, member.health.next());
  }
  if (samples_memory()) next = std::min(next, memory_at_);
  return next;
}

/// An early wake-up only looks and arms again: so a later deadline never touches the timer.
void Pool::arm_timer() {
  const auto next = next_event();
  if (next >= armed_) return;
  armed_ = next;
  timer_.expires_at(next);
  timer_.async_wait([this](error_code ec) {
    if (!ec) on_timer();
  });
}

void Pool::on_timer() {
  armed_ = TimePoint::max();
  const auto now = Clock::now();
  dispatcher_.tick(now, actions_);
  apply(now);
  check_health(now);
  sample_memory(now);
  review(now);
}

void Pool::check_health(TimePoint now) {
  if (mode_ == Mode::closing || mode_ == Mode::closed) return;
  std::vector<WorkerKey> keys;  // a verdict may end one
  for (const auto& [key, member] : members_) keys.push_back(key);
  for (const auto key : keys) {
    const auto found = members_.find(key);
    if (found == members_.end() || found->second.process->state() != WorkerLife::State::ready) continue;
    auto& worker = *found->second.process;
    const bool busy = dispatcher_.in_flight(key) > 0;
    switch (found->second.health.look(now, busy, [&] { return is_stopped(worker.pid()); })) {
      case Health::Verdict::well:
        break;
      case Health::Verdict::ping:
        send_own(worker, "ping", nlohmann::json::object(), [this, key](const Result<Message>&) {
          if (const auto member = members_.find(key); member != members_.end()) member->second.health.answered(Clock::now());
        });
        break;
      case Health::Verdict::unanswered:
        worker.give_up("unresponsive", "it did not answer " + std::to_string(options_.health.misses) + " pings");
        break;
      case Health::Verdict::stopped:
        worker.kill("stopped", "it was stopped (state T) while it had requests to run");
        break;
    }
  }
}

/// Whether somebody is there whose memory is looked at; where a cgroup holds the limit nobody needs to.
bool Pool::samples_memory() const {
  return std::any_of(members_.begin(), members_.end(), [this](const auto& entry) {
    return staff_.watches_memory() || (options_.limits.memory > 0 && !entry.second.cgroup.limits_memory());
  });
}

void Pool::sample_memory(TimePoint now) {
  if (!samples_memory() || now < memory_at_) return;
  const auto& table = sampler_.look(now);
  memory_at_ = sampler_.next();
  const auto limit = options_.limits.memory;
  for (auto& [key, member] : members_) {
    member.memory = table.resident_bytes(member.process->pid());
    if (limit == 0 || member.memory <= limit || member.cgroup.limits_memory()) continue;
    if (member.process->state() == WorkerLife::State::settling) continue;
    member.process->kill("memory", "it and what it started took " + std::to_string(member.memory >> 20) +
                                       " MiB, more than limits.memory (" + std::to_string(limit >> 20) + " MiB)");
  }
}

}  // namespace pons
