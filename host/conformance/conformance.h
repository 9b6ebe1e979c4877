// Runs every rule of docs/protocol.md that concerns workers against one worker program.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "host/conformance/report.h"
#include "pool/options.h"
#include "pool/process.h"

namespace pons::conformance {

/// A request that takes long, for the rules about what happens meanwhile.
struct SlowRequest {
  std::string command;
  nlohmann::json args = nlohmann::json::object();
};

struct CheckOptions {
  Millis patience{10'000};            ///< for each reply; the handshake has timeouts.startup, the end timeouts.stop
  std::optional<SlowRequest> slow{};  ///< nothing: those rules are not tested
};

struct CheckResult {
  Report report;
  int level = 0;  ///< of the protocol, as the worker says
};

/// Starts workers one after the other, as a pool of these options does; `instance` marks all that they start, and when this returns none
/// of it lives. Blocks for as long as it takes. The caller ignores SIGPIPE.
CheckResult check_worker(const PoolOptions& pool, const std::string& instance, ProcessLauncher& launcher, const CheckOptions& options);

}  // namespace pons::conformance
