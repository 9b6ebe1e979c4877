// The program `pons`: everything it does is in host/cli.
#include "host/cli/cli.h"

int main(int argc, char** argv) {
  pons::cli::keep_standard_descriptors();
  return pons::cli::run({argv + 1, argv + argc}, pons::cli::Surroundings::of_process());
}
