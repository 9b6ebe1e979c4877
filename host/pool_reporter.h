// Turns what pools observe into log lines and events.
#pragma once

#include <functional>

#include "host/event_bus.h"
#include "host/log.h"
#include "pool/observer.h"

namespace pons {

class PoolReporter final : public PoolObserver {
 public:
  PoolReporter(Log& log, EventBus& events) : log_(log), events_(events) {}

  std::function<void()> on_worker_gone;  ///< may be empty

  void worker_started(const std::string& adapter, const WorkerProcess& worker) override;
  void worker_ready(const std::string& adapter, const WorkerProcess& worker) override;
  void worker_exited(const std::string& adapter, const WorkerProcess& worker, const WorkerProcess::Exit& exit,
                     const std::string& what) override;
  void worker_recycled(const std::string& adapter, const WorkerProcess& worker, std::string_view reason) override;
  void request_retried(const std::string& adapter, int attempt, const std::string& worker) override;
  void worker_line(const std::string& adapter, const WorkerProcess& worker, std::string_view stream, const std::string& line,
                   bool cut) override;
  void warning(const std::string& adapter, const std::string& text) override;
  void pool_state(const std::string& adapter, PoolState state, const std::string& reason) override;
  void session(const std::string& adapter, std::string_view event, const std::string& session, const std::string& worker) override;

 private:
  Log& log_;
  EventBus& events_;
};

}  // namespace pons
