#include "worker/command_table.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "protocol/envelope.h"
#include "protocol/limits.h"

namespace pons {
namespace {

constexpr std::string_view kCommon = "common";

bool valid_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == ':' || c == '-';
  };
  if (name.empty() || name.size() > kMaxNameBytes || !std::all_of(name.begin(), name.end(), allowed)) return false;
  const auto colon = name.find(':');  // the name travels without its namespace, and what stands before a colon must look like one
  return colon == std::string_view::npos || valid_namespace(name.substr(0, colon));
}

/// What stands before the first colon, and what after it.
std::pair<std::string_view, std::string_view> split(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return {{}, text};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace

void CommandTable::add(std::string name, Command command) {
  if (!valid_name(name)) {
    throw std::invalid_argument("\"" + name +
                                "\" is no command name: 1 to 128 letters, digits and _ . : - are allowed, and no . before a :");
  }
  const auto [at, added] = commands_.try_emplace(std::move(name), std::move(command));
  if (!added) throw std::invalid_argument("Command " + at->first + " is declared twice");
}

void CommandTable::add_by_adapter(std::string name, Command command) {
  const auto at = commands_.find(name);
  if (name.starts_with("common:") || (at != commands_.end() && at->second.common)) {
    throw std::invalid_argument("Command " + name + " is answered by every worker and cannot be declared");
  }
  add(std::move(name), std::move(command));
}

Command* CommandTable::look_up(std::string_view text, std::initializer_list<std::string_view> own) {
  // The host has stripped the namespace, and a name may hold colons itself: the whole of it counts first.
  if (const auto at = commands_.find(text); at != commands_.end()) return &at->second;
  const auto [name_space, name] = split(text);
  const bool common_only = name_space == kCommon;
  if (!name_space.empty() && !common_only && std::find(own.begin(), own.end(), name_space) == own.end()) return nullptr;
  const auto at = commands_.find(name);
  const bool known = at != commands_.end() && (!common_only || at->second.common) && !name.starts_with("common:");
  return known ? &at->second : nullptr;
}

Command& CommandTable::find(std::string_view text, std::initializer_list<std::string_view> own) {
  if (Command* command = look_up(text, own); command != nullptr) return *command;
  const auto [name_space, name] = split(text);
  if (!name_space.empty() && name_space != kCommon && std::find(own.begin(), own.end(), name_space) == own.end()) {
    throw Exception(ErrorCode::unknown_namespace, "Unknown namespace: " + std::string(name_space));
  }
  throw Exception(ErrorCode::unknown_command, "Unknown command: " + std::string(name));
}

std::string_view CommandTable::any_polled() const {
  const auto at = std::find_if(commands_.begin(), commands_.end(), [](const auto& entry) { return entry.second.is_polled(); });
  return at != commands_.end() ? std::string_view(at->first) : std::string_view();
}

nlohmann::json CommandTable::describe() const {
  nlohmann::json all = nlohmann::json::array();
  for (const auto& [name, command] : commands_) {
    if (command.common) continue;
    nlohmann::json entry{{"name", name}, {"description", command.options.description}, {"idempotent", command.options.idempotent}};
    if (!command.options.args_schema.is_null()) entry["args_schema"] = command.options.args_schema;
    all.push_back(std::move(entry));
  }
  return all;
}

}  // namespace pons
