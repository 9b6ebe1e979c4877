// What each command does once its options are known.
#pragma once

#include "host/cli/cli.h"
#include "host/cli/options.h"
#include "host/cli/output.h"

namespace pons::cli {

/// The two streams that a command writes to.
struct Outputs {
  Output& out;
  Output& err;
};

/// The exit status of a command that was done: `failed`, and said on `err`, if its result could not be written.
int written(Outputs outputs);

/// The exit status. Throws Fault and ConfigError where the command cannot be begun.
int run_command(const Options& options, const Surroundings& surroundings, Outputs outputs);

/// `pons check` and `pons serve`: the two that talk to no host.
int run_check(const Options& options, const Surroundings& surroundings, Outputs outputs);
int run_serve(const Options& options, const Surroundings& surroundings);

}  // namespace pons::cli
