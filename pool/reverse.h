// Requests that a worker makes while it serves another (docs/protocol.md, section 6): what a pool and the host tell each other of them.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "pool/callee.h"
#include "pool/worker_process.h"

namespace pons {

class Pool;

/// Who waits for a reverse request: the request that its worker serves, the one that this was made for, and so on to a parent's.
struct Lineage {
  const Pool* pool = nullptr;
  RequestKey key = 0;
  std::size_t depth = 0;  ///< of reverse requests above it
  std::shared_ptr<const Lineage> parent;
};

/// Where a request comes from, if not from a parent.
struct ReverseOrigin {
  std::shared_ptr<const Lineage> lineage;  ///< its parent first
  TimePoint deadline = TimePoint::max();   ///< the parent's
  std::optional<std::string> session;      ///< the parent's
};

/// The host, which serves them.
class ReverseService {
 public:
  /// `request` has a parent that is still waited for. It is answered through worker.channel(), or by a refusal.
  virtual void serve_worker(Pool& pool, WorkerProcess& worker, Message&& request, const ReverseOrigin& origin) = 0;
  /// The caller of `parent`, which runs on that worker, has its terminal reply: nobody waits for what it has asked for.
  virtual void end_calls(const Pool& pool, WorkerKey worker, RequestKey parent, CancelBy by) = 0;
  virtual void worker_gone(const Pool& pool, WorkerKey worker) = 0;
  /// Bytes have left on the channel of a worker that has made requests.
  virtual void worker_written(const Pool& pool, WorkerKey worker, std::size_t unsent) = 0;

 protected:
  ~ReverseService() = default;
};

}  // namespace pons
