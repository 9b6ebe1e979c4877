// What a pool tells of itself when asked.
#include <algorithm>

#include "pool/pool.h"
#include "pool/process_table.h"

namespace pons {

namespace {

/// Of a worker that has nothing to do.
std::string_view state_name(WorkerLife::State state) {
  switch (state) {
    case WorkerLife::State::starting:
      return "starting";
    case WorkerLife::State::ready:
      return "idle";
    case WorkerLife::State::stopping:
    case WorkerLife::State::settling:
      return "stopping";
    case WorkerLife::State::dead:
      return "dead";
  }
  return "dead";
}

}  // namespace

std::vector<Pool::WorkerStatus> Pool::workers() const {
  const auto loads = dispatcher_.workers();
  const auto table = ProcessTable::read();
  std::vector<WorkerStatus> list;
  for (const auto& [key, member] : members_) {
    const auto& worker = *member.process;
    const auto& slot = slots_[key.slot];
    WorkerStatus status;
    status.id = worker.id();
    status.key = key;
    status.pid = worker.pid();
    status.level = worker.info().level;
    status.requests = slot.requests;
    status.errors = slot.errors;
    status.restarts = slot.restarts;
    status.last_exit = slot.last_exit;
    status.memory_rss_bytes = table.resident_bytes(worker.pid());
    status.state = state_name(worker.state());
    for (const auto& load : loads) {
      if (load.key != key) continue;
      status.in_flight = load.in_flight;
      status.sessions = load.sessions;
      status.resources = load.resources;
      if (worker.state() != WorkerLife::State::ready) continue;
      if (load.in_flight > 0) status.state = "busy";
      if (load.retiring) status.state = "draining";
      if (load.cancelling) status.state = "cancelling";
    }
    if (worker.state() == WorkerLife::State::ready) {
      status.uptime_s = std::chrono::duration<double>(Clock::now() - worker.ready_since()).count();
    }
    list.push_back(std::move(status));
  }
  return list;
}

bool Pool::owns(pid_t pid) const {
  return std::any_of(members_.begin(), members_.end(), [&](const auto& entry) { return entry.second.process->pid() == pid; });
}

bool Pool::has_worker(std::string_view id) const {
  return std::any_of(members_.begin(), members_.end(), [&](const auto& entry) { return entry.second.process->id() == id; });
}

Pool::Stats Pool::stats() const {
  Stats stats;
  stats.workers = members_.size();
  for (const auto& [key, member] : members_) {
    if (member.process->state() == WorkerLife::State::ready) ++stats.ready;
  }
  for (const auto& load : dispatcher_.workers()) {
    if (load.in_flight > 0) ++stats.busy;
  }
  stats.live = state_ != PoolState::failed;
  stats.takes = mode_ == Mode::serving && staff_.serving() >= std::min(options_.min_ready, options_.size);
  stats.queued = dispatcher_.waiting();
  stats.sessions = dispatcher_.session_count();
  stats.resources = dispatcher_.resource_count();
  stats.requests = requests_total_;
  stats.restarts = restarts_total_;
  stats.retries = retries_total_;
  stats.late_replies = late_replies_;
  stats.errors = errors_;
  stats.latency = latency_.summary();
  return stats;
}

}  // namespace pons
