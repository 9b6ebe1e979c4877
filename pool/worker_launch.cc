#include "pool/worker_launch.h"

#include <algorithm>
#include <array>
#include <thread>

namespace pons {

namespace {

constexpr std::array kThreadVariables{"OMP_NUM_THREADS",        "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                                      "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS",  "NUMEXPR_MAX_THREADS"};

}  // namespace

std::vector<std::pair<std::string, std::string>> worker_env(const PoolOptions& options, WorkerKey key, const std::string& instance) {
  auto env = options.launch.env;
  const auto has = [&](std::string_view name) {
    return std::any_of(env.begin(), env.end(), [&](const auto& entry) { return entry.first == name; });
  };
  const auto cores = std::max<std::size_t>(1, std::thread::hardware_concurrency());
  const auto threads = std::to_string(std::max<std::size_t>(1, cores / options.size));
  for (const auto* variable : kThreadVariables) {
    if (!has(variable)) env.emplace_back(variable, threads);
  }
  const auto& launch = options.launch;
  if (!launch.device_variable.empty() && !launch.device_values.empty()) {
    env.emplace_back(launch.device_variable, launch.device_values[key.slot % launch.device_values.size()]);
  }
  env.emplace_back("PONS_ADAPTER", options.adapter);
  env.emplace_back("PONS_WORKER_ID", worker_id(options.adapter, key));
  env.emplace_back("PONS_INSTANCE", instance);
  return env;
}

SpawnSpec worker_spawn_spec(const PoolOptions& options, WorkerKey key, const std::string& instance) {
  const auto& limits = options.limits;
  SpawnSpec spec{options.launch.command, options.launch.working_dir, worker_env(options, key, instance), options.launch.channel};
  spec.limits = {limits.open_files, limits.core, limits.nice, {}};
  if (!limits.cpu_affinity.empty()) spec.limits.cpus = limits.cpu_affinity[key.slot % limits.cpu_affinity.size()];
  return spec;
}

nlohmann::json handshake_args(const PoolOptions& options, std::string_view worker_id) {
  return {{"initialization", true},         {"worker_id", worker_id},     {"protocol", {{"min", 1}, {"max", 1}}},
          {"max_frame", options.max_frame}, {"adapter", options.adapter}, {"options", options.launch.options}};
}

}  // namespace pons
