// A line that a worker printed and that is a log record (docs/protocol.md, section 6): one JSON object with `level` and `message`. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/log.h"

namespace pons {

struct WorkerRecord {
  static constexpr std::size_t kMostFields = 24;  ///< beyond those with a meaning of their own
  static constexpr std::size_t kLongestName = 64;
  static constexpr std::size_t kLongestText = 1024;  ///< bytes of a field without such a meaning; what is longer is cut

  LogLevel level = LogLevel::info;
  std::string message;
  /// `logger`, `exception`, `request`, `command`, `correlation_id`, `session` first, where they are there, then others in the order of
  /// their names. Scalars only; a name that the host uses itself has an underscore behind it.
  std::vector<std::pair<std::string, nlohmann::json>> fields;
};

/// Nothing for any other line.
std::optional<WorkerRecord> parse_worker_record(std::string_view line);

}  // namespace pons
