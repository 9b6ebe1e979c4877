// Results of host commands (docs/cli.md) as tables for people. A member that is missing leaves its cell empty.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace pons::cli {

std::string list_text(const nlohmann::json& result);      ///< of host:list_frameworks
std::string workers_text(const nlohmann::json& result);   ///< of host:workers
std::string sessions_text(const nlohmann::json& result);  ///< of host:sessions
std::string stats_text(const nlohmann::json& result);     ///< of host:get_stats

/// "0.4s", "12s", "3m05s", "2h10m", "4d01h".
std::string short_time(double seconds);
/// "812 B", "1.5 MiB".
std::string short_size(double bytes);

}  // namespace pons::cli
