// From facts to findings, each with what mends it. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "host/doctor/facts.h"

namespace pons::doctor {

enum class Severity : std::uint8_t {
  ok,
  note,     ///< worth knowing
  warning,  ///< something will not work, or not well, that may never be asked for
  problem,  ///< what was asked for will not work
};
std::string_view to_string(Severity severity);

struct Diagnosis {
  Severity severity = Severity::ok;
  std::string area;    ///< machine, config, adapter, socket or state
  std::string what;    ///< one sentence
  std::string remedy;  ///< a command, or what else to do; empty where there is nothing to mend
};

/// Below these much goes wrong that is hard to explain.
inline constexpr std::uint64_t kFewOpenFiles = 4096;
inline constexpr std::uint64_t kFewProcesses = 1024;
inline constexpr std::uint64_t kLittleMemory = 512u << 20;
inline constexpr std::uint64_t kLittleSpace = 1u << 30;
inline constexpr std::uint64_t kNoSpace = 64u << 20;

std::vector<Diagnosis> diagnose(const Facts& facts);
bool has_problem(const std::vector<Diagnosis>& findings);
nlohmann::json to_json(const std::vector<Diagnosis>& findings);

}  // namespace pons::doctor
