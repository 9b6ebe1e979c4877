// `pons adapter install | list | info | new`: adapters as packages.
#pragma once

#include "host/cli/cli.h"
#include "host/cli/commands.h"
#include "host/cli/options.h"

namespace pons::cli {

/// Exit statuses. They throw Fault and ConfigError where a command cannot be begun.
int run_adapter_install(const Options& options, const Surroundings& surroundings, Outputs outputs);
int run_adapter_list(const Options& options, const Surroundings& surroundings, Outputs outputs);
int run_adapter_info(const Options& options, const Surroundings& surroundings, Outputs outputs);
int run_adapter_new(const Options& options, Outputs outputs);

}  // namespace pons::cli
