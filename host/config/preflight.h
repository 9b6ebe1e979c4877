// Whether what an adapter's workers need is there: before one is started, and whenever somebody asks.
#pragma once

#include <vector>

#include "host/config/config.h"
#include "host/config/finding.h"
#include "host/environment/interpreter.h"
#include "pool/options.h"

namespace pons {

/// Everything that is missing: required_env, the environment, its interpreter, required_packages, model files. Reads the disk; an
/// interpreter that belongs to no environment is asked by a child, at most once (`interpreters`). May take seconds: not for a loop.
std::vector<Finding> preflight(const AdapterConfig& adapter, Interpreters& interpreters);

/// How a worker of it is started now: by the environment that is the current one, which stays the same for the worker's whole life, and
/// without our SDK in front of the environment's own.
LaunchOptions resolved_launch(const AdapterConfig& adapter);

/// Whether there is anything to be looked at, or resolved, before a worker starts.
bool needs_preflight(const AdapterConfig& adapter);

}  // namespace pons
