// How a worker is started and greeted: the same for a pool and for whoever looks at one worker by itself.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pool/options.h"
#include "pool/process.h"
#include "pool/worker_key.h"

namespace pons {

/// The whole environment of the worker `key`: what `options` say, threads and devices by slot, and who it is (PONS_*). `instance` is the
/// token by which the processes of a host are known.
std::vector<std::pair<std::string, std::string>> worker_env(const PoolOptions& options, WorkerKey key, const std::string& instance);

/// Everything but its cgroup.
SpawnSpec worker_spawn_spec(const PoolOptions& options, WorkerKey key, const std::string& instance);

/// The args of the first `ping` (docs/protocol.md, section 6).
nlohmann::json handshake_args(const PoolOptions& options, std::string_view worker_id);

}  // namespace pons
