// The part of the command line's grammar that is about adapters as packages.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string_view>

#include "host/cli/options.h"

namespace pons::cli {

using AddVerb = std::function<CLI::App&(Verb verb, const char* name, const char* text, std::string_view examples)>;

/// install, list, info and new.
void add_adapter_packages(Options& options, const AddVerb& add_verb);

}  // namespace pons::cli
