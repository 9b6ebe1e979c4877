#include "host/config/loader.h"

#include <algorithm>
#include <utility>

#include "host/config/option_schema.h"
#include "host/config/python_worker.h"
#include "host/config/settings.h"
#include "host/environment/place.h"
#include "host/nearest.h"

namespace pons {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

bool looks_like_path(const std::string& text) { return text.find('/') != std::string::npos || text == "." || text.ends_with(".py"); }

void append(std::vector<ConfigIssue>& to, std::vector<ConfigIssue> from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

ConfigLoader::ConfigLoader(const ConfigContext& context, const SchemaCheck& check, const Document& document, fs::path folder)
    : context_(context), check_(check), document_(document), folder_(std::move(folder)), search_(context.adapter_path) {
  if (!document.file.empty()) search_.insert(search_.begin(), folder_);
}

Config ConfigLoader::load() {
  issues_ = check_.check(document_, DocumentKind::config);
  config_.host = host_settings(document_, folder_, issues_);
  const json* const entries = find_at(document_.value, {"adapters"});
  if (is_broken({})) throw ConfigError(std::move(issues_));
  if (entries == nullptr || entries->is_null()) {
    load_bundled();
  } else {
    load_entries(*entries);
  }
  if (const json* const defaults = find_at(document_.value, {"defaults"}); defaults != nullptr && defaults->is_object()) {
    Layers layers;
    layers.add(document_, {"defaults"}, *defaults, folder_);
    config_.defaults = layers.merged();
    const auto adapter = config_.defaults.find("adapter");
    if (adapter != config_.defaults.end() && looks_like_path(*adapter)) *adapter = absolute_from(folder_, std::string(*adapter)).string();
  }
  choose_default();
  if (!issues_.empty()) throw ConfigError(std::move(issues_));
  return std::move(config_);
}

AdapterConfig ConfigLoader::load_one(const std::string& name, const HostConfig& host, Below below) {
  issues_ = check_.check(document_, DocumentKind::config);
  if (!issues_.empty()) throw ConfigError(std::move(issues_));
  config_.host = host;
  auto adapter = load_entry(name, document_.value["adapters"][name], issues_, below);
  if (!issues_.empty()) throw ConfigError(std::move(issues_));
  return std::move(*adapter);
}

// Whether the schema has something against the value at `path` or anything inside it; of the root, against the root itself.
bool ConfigLoader::is_broken(const ConfigPath& path) const {
  const std::string name = to_string(path);
  return std::any_of(issues_.begin(), issues_.end(), [&](const ConfigIssue& issue) {
    if (path.empty()) return issue.path.empty();
    return issue.path == name || issue.path.starts_with(name + ".") || issue.path.starts_with(name + "[");
  });
}

void ConfigLoader::load_entries(const json& entries) {
  if (!entries.is_object() || is_broken({"defaults"})) return;
  std::vector<std::string> sound;
  std::vector<ConfigIssue> wrong_targets;
  for (const auto& [name, entry] : entries.items()) {
    if (!is_broken({"adapters", name})) {
      sound.push_back(name);
    } else if (find_at(entry, {"adapter"}) != nullptr && !is_broken({"adapters", name, "adapter"})) {
      target_of(name, entry, wrong_targets);  // the rest is not read, but this can be said at the same time
    }
  }
  append(issues_, std::move(wrong_targets));
  for (const std::string& name : sound) {
    if (auto adapter = load_entry(name, entries[name], issues_)) config_.adapters.push_back(std::move(*adapter));
  }
}

void ConfigLoader::load_bundled() {
  if (is_broken({"defaults"})) return;
  for (const auto& [folder_name, folder] : list_adapters(context_.adapter_path)) {
    std::vector<ConfigIssue> issues;
    std::string name = folder_name;
    try {
      name = read_adapter_folder(folder, check_).name;
      auto adapter = load_entry(name, folder.string(), issues);
      const bool taken = config_.find(name) != nullptr;
      if (taken) issues.push_back({(folder / "adapter.yaml").string(), 0, 0, "name", "the name \"" + name + "\" is taken already"});
      if (adapter) adapter->named = false;
      if (adapter && issues.empty()) config_.adapters.push_back(std::move(*adapter));
    } catch (const ConfigError& e) {
      issues = e.issues();
    }
    for (ConfigIssue& issue : issues) issue.message += " (the adapter " + name + " is left out)";
    append(config_.warnings, std::move(issues));
  }
  std::sort(config_.adapters.begin(), config_.adapters.end(),
            [](const AdapterConfig& a, const AdapterConfig& b) { return a.pool.adapter < b.pool.adapter; });
}

std::optional<AdapterTarget> ConfigLoader::resolve(const std::string& text, const ConfigPath& at, std::vector<ConfigIssue>& issues) const {
  Result<AdapterTarget> target = AdapterTarget{};
  if (looks_like_path(text)) {
    target = adapter_target(absolute_from(folder_, text));
  } else {
    const Result<fs::path> folder = find_adapter(text, search_);
    if (!folder) {
      issues.push_back(document_.value_issue(at, folder.error().message));
      return std::nullopt;
    }
    target = AdapterTarget{*folder, {}};
  }
  if (target) return *target;
  issues.push_back(document_.value_issue(at, target.error().message));
  return std::nullopt;
}

// What the entry, else `defaults`, else its own name, says to run. Nothing with an issue: it cannot be found.
std::optional<AdapterTarget> ConfigLoader::target_of(const std::string& name, const json& entry, std::vector<ConfigIssue>& issues) const {
  const ConfigPath at{"adapters", name};
  if (entry.is_string()) return resolve(entry.get<std::string>(), at, issues);
  for (const auto& [part, where] : {std::pair(find_at(entry, {"adapter"}), ConfigPath{"adapters", name, "adapter"}),
                                    std::pair(find_at(document_.value, {"defaults", "adapter"}), ConfigPath{"defaults", "adapter"})}) {
    if (part != nullptr && part->is_string()) return resolve(part->get<std::string>(), where, issues);
  }
  const bool has_command = find_at(entry, {"command"}) != nullptr || find_at(document_.value, {"defaults", "command"}) != nullptr;
  if (has_command) return AdapterTarget{};
  const Result<fs::path> own = find_adapter(name, search_);
  if (own) return AdapterTarget{*own, {}};
  issues.push_back(document_.key_issue(at, "expected `command` or `adapter`; there is " + own.error().message));
  return std::nullopt;
}

std::optional<AdapterConfig> ConfigLoader::load_entry(const std::string& name, const json& said, std::vector<ConfigIssue>& issues,
                                                      Below below) {
  const std::optional<AdapterTarget> target = target_of(name, said, issues);
  if (!target) return std::nullopt;
  Layers layers;
  AdapterFolder adapter;
  json own_command;
  std::optional<EnvironmentPlace> place;
  if (target->folder) {
    try {
      adapter = read_adapter_folder(*target->folder, check_);
    } catch (const ConfigError& e) {
      append(issues, e.issues());
      return std::nullopt;
    }
    if (!adapter.requirements.empty()) place.emplace(adapter.name, adapter.folder, context_.env);
    own_command = adapter.document.value.value("command", json());
    if (!adapter.python.empty()) own_command = python_command(adapter, place ? place->interpreter().string() : "python3");
    json own{{"command", own_command}};
    if (below == Below::defaults) {
      for (const char* key : {"required_env", "required_packages", "errors"}) {
        if (const json* const value = find_at(adapter.document.value, {key})) own[key] = *value;
      }
      layers.add(adapter.document, {}, std::move(own), adapter.folder);
      layers.add(adapter.document, {"defaults"}, adapter.document.value.value("defaults", json::object()), adapter.folder);
    } else {
      layers.add(adapter.document, {}, std::move(own), adapter.folder);
    }
  }
  const json* const defaults = find_at(document_.value, {"defaults"});
  if (defaults != nullptr && below == Below::defaults) layers.add(document_, {"defaults"}, *defaults, folder_);
  json entry = said.is_object() ? said : json::object();
  if (!target->command.empty()) entry["command"] = target->command;
  layers.add(document_, {"adapters", name}, entry, folder_);

  const bool in_environment = place && layers.at({"command"}) == own_command;
  AdapterConfig out =
      adapter_settings(name, layers, config_.host, context_.env, in_environment ? place->interpreter() : fs::path(), issues);
  if (target->folder) {
    const json options = with_option_defaults(adapter.options, out.pool.launch.options);
    check_options(adapter.options, options, layers, issues);
    out.pool.launch.options = options;
  }
  if (in_environment) {
    out.environment = place->folder().string();
    out.requirements = adapter.requirements.string();
    out.places["requirements"] = adapter.document.value_issue({"requirements"}, {});
  }
  out.places["command"] = layers.issue({"command"}, {});
  out.models = adapter.models;
  out.places["models"] = adapter.document.value_issue({"models"}, {});
  out.reference = reference_of(adapter.folder);
  set_python_path(out, target->folder && layers.at({"command"}) == own_command ? &adapter : nullptr);
  out.framework = target->folder ? adapter.name : name;
  out.description = adapter.description;
  out.version = adapter.version;
  out.folder = adapter.folder.string();
  out.source = config_.file;
  out.written = layers.merged();
  out.written.erase("adapter");
  if (target->folder) out.written["adapter"] = out.folder;
  out.written["working_dir"] = out.pool.launch.working_dir;
  return out;
}

// The name by which everybody finds the adapter in that folder; else the folder.
std::string ConfigLoader::reference_of(const fs::path& folder) const {
  const std::string name = folder.filename().string();
  const Result<fs::path> found = find_adapter(name, context_.adapter_path);
  return found && *found == folder ? name : folder.string();
}

// `adapter`: whose own command it is; null: another's.
void ConfigLoader::set_python_path(AdapterConfig& config, const AdapterFolder* adapter) const {
  LaunchOptions& launch = config.pool.launch;
  if (launch.command.empty() || !is_python(launch.command.front())) return;
  std::vector<fs::path> folders;
  const fs::path environment = environment_of(launch.command.front());
  const bool has_sdk = !environment.empty() && has_own_sdk(environment);
  if (!has_sdk && !context_.python_sdk.empty()) {
    folders.push_back(context_.python_sdk);
    config.python_sdk = context_.python_sdk.string();
  }
  const bool is_module = adapter != nullptr && !adapter->python.empty() && !adapter->python.ends_with(".py");
  if (is_module) folders.push_back(adapter->folder);  // wherever it runs
  prepend_python_path(launch.env, folders);
}

void ConfigLoader::choose_default() {
  const json* const said = find_at(document_.value, {"default"});
  if (said == nullptr || !said->is_string()) {
    if (config_.adapters.size() == 1) config_.default_adapter = config_.adapters.front().pool.adapter;
    return;
  }
  config_.default_adapter = said->get<std::string>();
  std::vector<std::string> names;
  const json* const entries = find_at(document_.value, {"adapters"});
  if (entries != nullptr && entries->is_object()) {
    for (const auto& [name, entry] : entries->items()) names.push_back(name);
  }
  for (const AdapterConfig& adapter : config_.adapters) names.push_back(adapter.pool.adapter);
  if (std::find(names.begin(), names.end(), *config_.default_adapter) != names.end()) return;
  issues_.push_back(document_.value_issue({"default"}, "expected one of the adapters, got \"" + *config_.default_adapter + "\"" +
                                                           did_you_mean(*config_.default_adapter, names)));
}

}  // namespace pons
