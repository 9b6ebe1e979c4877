// The commands that change what a running host serves: start, stop, restart, drain, scale, register, update, reload.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "host/cli/commands.h"
#include "host/cli/host_link.h"
#include "host/cli/options.h"

namespace pons::cli {

/// What is sent to the host.
struct ControlRequest {
  std::string command;
  nlohmann::json args = nlohmann::json::object();
};

/// Reads the files that `options` names; nothing for other verbs. Throws Fault (usage) and ConfigError.
std::optional<ControlRequest> read_control(const Options& options, int in);

/// Sends it and waits for the outcome, which is the exit status. On a terminal it tells meanwhile how far things are.
int run_control(const Options& options, const ControlRequest& request, HostLink& link, Outputs outputs, const EnvLookup& env);

/// `pool.size` to {"pool": {"size": ...}}, for every key of `flat` with a dot in it.
nlohmann::json nested(const nlohmann::json& flat);

}  // namespace pons::cli
