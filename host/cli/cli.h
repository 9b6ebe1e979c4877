// The command line. docs/cli.md says what users see; here is the way in.
//
// Results go to the descriptor `out`, all else to `err`. run() does not end the process, so that tests can call it.
#pragma once

#include <string>
#include <vector>

#include "host/config/config.h"

namespace pons::cli {

/// What the command line takes from the process. Descriptors are borrowed.
struct Surroundings {
  EnvLookup env;
  int in = 0;
  int out = 1;
  int err = 2;

  static Surroundings of_process();
};

/// Does what the arguments (without the program's name) say; the exit status (host/cli/fault.h).
int run(const std::vector<std::string>& arguments, const Surroundings& surroundings);

/// Opens /dev/null for each of the descriptors 0 to 2 that is closed, the wrong way round: otherwise the first socket would get its
/// number, and the result would be written to the host.
void keep_standard_descriptors();

}  // namespace pons::cli
