// Turns checked documents into the plain structs of config.h and pool/options.h.
#pragma once

#include <string>
#include <vector>

#include "host/config/config.h"
#include "host/config/layers.h"

namespace pons {

/// What `host` says in `document`; `folder` is where its relative paths count from. Values of a wrong type count as not said: the
/// schema has reported them. Adds to `issues` what only now turns out to be wrong.
HostConfig host_settings(const Document& document, const std::filesystem::path& folder, std::vector<ConfigIssue>& issues);

/// One adapter, complete but for framework, description, folder and source. Same rules.
/// `made` is the interpreter of an environment that may still have to be made; empty: there is none.
AdapterConfig adapter_settings(const std::string& name, const Layers& layers, const HostConfig& host, const EnvLookup& env,
                               const std::filesystem::path& made, std::vector<ConfigIssue>& issues);

}  // namespace pons
