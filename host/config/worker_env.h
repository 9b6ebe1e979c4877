// The environment of a worker: a small base of the host's own, what is handed on by name, and what the configuration sets.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/config/config.h"

namespace pons {

using Environment = std::vector<std::pair<std::string, std::string>>;

/// PATH HOME LANG LC_ALL TZ TMPDIR, proxy and CA variables where they are set, then `passthrough` where they are set, then `own`; in
/// the order of their names, each once. The pool adds PONS_* and, unless they are here, OMP_NUM_THREADS and its kin.
Environment worker_environment(const EnvLookup& host, const std::vector<std::string>& passthrough, const Environment& own);

/// Whether only the host may set that variable (it carries the channel, or who the worker is).
bool is_reserved_variable(std::string_view name);

}  // namespace pons
