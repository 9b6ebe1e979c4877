// What state the environment of an adapter is in: found on the disk, then judged.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "host/environment/place.h"

namespace pons {

/// Written last into a finished environment. Without it an environment is never used.
struct EnvironmentMarker {
  std::string requirements;  ///< SHA-256 of the file that it was made from
  std::string python;        ///< version of its interpreter
  std::string tool;          ///< uv or pip
  std::string made;          ///< when, in UTC: 2026-01-31T12:00:00Z
  std::uint64_t bytes = 0;   ///< on the disk

  [[nodiscard]] nlohmann::json to_json() const;
  /// Nothing if the text is none.
  static std::optional<EnvironmentMarker> parse(std::string_view text);
  static std::filesystem::path file_in(const std::filesystem::path& environment);
};

enum class EnvironmentState : std::uint8_t {
  missing,      ///< none was made yet
  incomplete,   ///< there is one, but without a marker: not made to its end
  broken,       ///< its interpreter is gone
  out_of_date,  ///< made from other requirements
  ready,
};
std::string_view to_string(EnvironmentState state);

/// What was found on the disk.
struct EnvironmentFound {
  bool there = false;  ///< something is at EnvironmentPlace::current()
  std::optional<EnvironmentMarker> marker{};
  bool interpreter = false;    ///< its interpreter can be run
  std::string requirements{};  ///< SHA-256 of the file as it is now
};

/// Pure.
EnvironmentState judge(const EnvironmentFound& found);

/// Looks. `folder` gets the environment itself, links resolved; empty: there is none.
EnvironmentFound look_at(const EnvironmentPlace& place, const std::filesystem::path& requirements, std::filesystem::path& folder);

}  // namespace pons
