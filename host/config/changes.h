// Adapters that are added and changed while a host runs: checked by the code that reads its file, and merged as its entries are.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "host/config/config.h"

namespace pons {

/// An adapter for a host that runs with `config`: `entry` is what its file could say under `adapters`, its `defaults` are below it.
/// Relative paths count from `folder`, which is absolute. Throws ConfigError, with pointers that begin at the entry.
AdapterConfig added_adapter(const Config& config, const std::string& name, const nlohmann::json& entry, const std::filesystem::path& folder,
                            const ConfigContext& context);

/// `adapter` with a JSON merge patch (RFC 7396) over what was written of it: null takes a key away, and its built-in default counts.
/// Relative paths in the patch count from the folder of the configuration's file. Throws ConfigError, with pointers that begin at the
/// entry.
AdapterConfig patched_adapter(const Config& config, const AdapterConfig& adapter, const nlohmann::json& patch,
                              const ConfigContext& context);

/// Whether a host would treat both alike.
bool same_settings(const AdapterConfig& a, const AdapterConfig& b);

/// Keys of `host` that differ and that only a new start can change: "name", "socket", ...
std::vector<std::string> fixed_host_keys_changed(const HostConfig& from, const HostConfig& to);

}  // namespace pons
