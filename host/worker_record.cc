#include "host/worker_record.h"

#include <algorithm>
#include <array>

#include "protocol/utf8.h"

namespace pons {

using nlohmann::json;

namespace {

struct LevelName {
  std::string_view name;
  LogLevel level;
};
constexpr std::array kLevels{LevelName{"trace", LogLevel::trace},   LevelName{"debug", LogLevel::debug},
                             LevelName{"info", LogLevel::info},     LevelName{"warn", LogLevel::warn},
                             LevelName{"warning", LogLevel::warn},  LevelName{"error", LogLevel::error},
                             LevelName{"critical", LogLevel::error}};
constexpr std::array<std::string_view, 6> kKnown{"logger", "exception", "request", "command", "correlation_id", "session"};
constexpr std::array<std::string_view, 5> kOwn{"time", "adapter", "worker", "pid", "stream"};
constexpr std::string_view kBlank = " \t\r\n";

std::optional<LogLevel> level_of(const json& record) {
  const auto said = record.find("level");
  if (said == record.end() || !said->is_string()) return std::nullopt;
  const auto& name = said->get_ref<const std::string&>();
  const auto* const found = std::find_if(kLevels.begin(), kLevels.end(), [&](const LevelName& row) { return row.name == name; });
  if (found == kLevels.end()) return std::nullopt;
  return found->level;
}

bool is_known(std::string_view name) { return std::find(kKnown.begin(), kKnown.end(), name) != kKnown.end(); }

/// What can stand before `=` in a line of text without being taken for something else.
bool is_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
  };
  return !name.empty() && name.size() <= WorkerRecord::kLongestName && std::all_of(name.begin(), name.end(), allowed);
}

json shortened(const json& value) {
  if (!value.is_string() || value.get_ref<const std::string&>().size() <= WorkerRecord::kLongestText) return value;
  return repaired_utf8(value.get_ref<const std::string&>().substr(0, WorkerRecord::kLongestText)) + "...";
}

}  // namespace

std::optional<WorkerRecord> parse_worker_record(std::string_view line) {
  const auto first = line.find_first_not_of(kBlank);
  if (first == std::string_view::npos || line[first] != '{' || line[line.find_last_not_of(kBlank)] != '}') return std::nullopt;
  const json document = json::parse(line, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  const auto level = level_of(document);
  const auto message = document.find("message");
  if (!level || message == document.end() || !message->is_string()) return std::nullopt;

  WorkerRecord record{*level, *message, {}};
  for (const auto name : kKnown) {
    const auto at = document.find(name);
    if (at != document.end() && at->is_primitive()) record.fields.emplace_back(name, *at);
  }
  std::size_t others = 0;
  for (const auto& [name, value] : document.items()) {
    if (name == "level" || name == "message" || is_known(name) || !is_name(name) || !value.is_primitive()) continue;
    if (++others > WorkerRecord::kMostFields) break;
    const bool own = std::find(kOwn.begin(), kOwn.end(), name) != kOwn.end();
    record.fields.emplace_back(own ? name + "_" : name, shortened(value));
  }
  return record;
}

}  // namespace pons
