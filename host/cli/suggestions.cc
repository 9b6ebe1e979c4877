#include "host/cli/suggestions.h"

#include "host/nearest.h"

namespace pons::cli {

using nlohmann::json;

namespace {

constexpr const char* kHost = "host";
constexpr std::size_t kMostListed = 10;
constexpr std::chrono::milliseconds kPatience{5'000};  // for an answer that only makes an error friendlier

/// The `name` of each member of a list of objects.
std::vector<std::string> names_in(const Result<json>& result, const char* list) {
  std::vector<std::string> names;
  if (!result || !result->is_object() || !result->contains(list) || !(*result)[list].is_array()) return names;
  for (const auto& entry : (*result)[list]) {
    if (entry.is_object() && entry.contains("name") && entry["name"].is_string()) names.push_back(entry["name"].get<std::string>());
  }
  return names;
}

Result<json> ask(HostLink& link, const std::string& command) {
  CallOptions options;
  options.timeout = kPatience;
  return link.call(command, nullptr, options);
}

}  // namespace

std::vector<std::string> suggest_commands(HostLink& link, const std::string& command, const Error& error) {
  const auto colon = command.find(':');
  const auto space = colon == std::string::npos ? std::string() : command.substr(0, colon);
  const auto name = colon == std::string::npos ? command : command.substr(colon + 1);
  const auto there = [&name](const std::string& other) { return other + ":" + name; };
  std::vector<std::string> meant;
  if (error.code == ErrorCode::unknown_namespace && space == kHost) {
    meant = nearest_adapters(error);  // one of its arguments
  } else if (error.code == ErrorCode::unknown_namespace) {
    auto spaces = names_in(ask(link, "host:list_frameworks"), "frameworks");
    spaces.emplace_back(kHost);
    for (const auto& near : nearest_names(space, spaces)) meant.push_back(there(near));
  } else if (error.code == ErrorCode::unknown_command) {
    const auto prefix = space.empty() ? std::string() : space + ":";
    std::vector<std::string> names;
    for (auto& known : names_in(ask(link, prefix + "get_info"), "commands")) {
      names.push_back(!prefix.empty() && known.starts_with(prefix) ? known.substr(prefix.size()) : std::move(known));
    }
    for (const auto& near : nearest_names(name, names)) meant.push_back(prefix + near);
  }
  std::erase(meant, command);
  return meant;
}

std::vector<std::string> nearest_adapters(const Error& error) {
  std::vector<std::string> near;
  if (!error.details.is_object() || !error.details.contains("nearest")) return near;
  for (const auto& name : error.details["nearest"]) {
    if (name.is_string() && name != kHost) near.push_back(name.get<std::string>());
  }
  return near;
}

std::string known_adapters(HostLink& link) {
  const auto names = names_in(ask(link, "host:list_frameworks"), "frameworks");
  if (names.empty() || names.size() > kMostListed) return "  Try: pons list\n";
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return "  adapters: " + text + "\n";
}

}  // namespace pons::cli
