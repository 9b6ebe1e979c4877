// `pons doctor`: what is wrong with this machine, the configuration, the adapters, and what mends it.
#pragma once

#include "host/cli/cli.h"
#include "host/cli/commands.h"
#include "host/cli/options.h"

namespace pons::cli {

/// The exit status: failed if there is a problem.
int run_doctor(const Options& options, const Surroundings& surroundings, Outputs outputs);

}  // namespace pons::cli
