// What a pool tells about itself: for the log, for events, for metrics. Called on the loop's thread; must not call back into the pool.
#pragma once

#include <string>
#include <string_view>

#include "pool/worker_process.h"

namespace pons {

enum class PoolState : std::uint8_t {
  idle,      ///< lazy, not started
  starting,  ///< fewer than min_ready workers yet
  ready,
  degraded,  ///< some workers are missing
  failed,    ///< it gave up restarting, until the next trial
  draining,
  stopped,
};

std::string_view to_string(PoolState state);

class PoolObserver {
 public:
  virtual ~PoolObserver() = default;
  virtual void worker_started(const std::string& adapter, const WorkerProcess& worker) = 0;
  virtual void worker_ready(const std::string& adapter, const WorkerProcess& worker) = 0;
  /// `what` is the whole story in one sentence.
  virtual void worker_exited(const std::string& adapter, const WorkerProcess& worker, const WorkerProcess::Exit& exit,
                             const std::string& what) = 0;
  /// It is well, and goes: `reason` is max_requests, max_age, max_memory, idle_timeout, overflow_linger, restart or scale.
  virtual void worker_recycled(const std::string& adapter, const WorkerProcess& worker, std::string_view reason) = 0;
  /// An idempotent request whose run `attempt` on `worker` ended with that worker's death runs again.
  virtual void request_retried(const std::string& adapter, int attempt, const std::string& worker) = 0;
  /// `cut`: only a part of what the worker wrote as one line.
  virtual void worker_line(const std::string& adapter, const WorkerProcess& worker, std::string_view stream, const std::string& line,
                           bool cut) = 0;
  /// Something that went wrong and that nobody asked about.
  virtual void warning(const std::string& adapter, const std::string& text) = 0;
  virtual void pool_state(const std::string& adapter, PoolState state, const std::string& reason) = 0;
  /// `event`: bound, lost, restored, ended. `worker` is empty where none holds it.
  virtual void session(const std::string& adapter, std::string_view event, const std::string& session, const std::string& worker) = 0;
};

}  // namespace pons
