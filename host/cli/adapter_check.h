// `pons adapter check`: which rules of the protocol a worker program follows.
#pragma once

#include "host/cli/cli.h"
#include "host/cli/commands.h"
#include "host/cli/options.h"

namespace pons::cli {

/// The exit status: failed if a rule failed. Throws Fault and ConfigError where there is nothing to be checked.
int run_adapter_check(const Options& options, const Surroundings& surroundings, Outputs outputs);

}  // namespace pons::cli
