#include "host/config/changes.h"

#include "host/config/loader.h"
#include "protocol/document.h"

namespace pons {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kFixedHostKeys[] = {"name", "socket", "state_dir", "log", "max_frame"};

fs::path folder_of(const Config& config, const ConfigContext& context) {
  return config.file.empty() ? context.current_dir : fs::path(config.file).parent_path();
}

// Without places, as it is no file; pointers begin at the entry.
[[noreturn]] void fail_at_entry(const std::string& name, std::vector<ConfigIssue> issues) {
  const std::string entry = "/adapters/" + name;
  const std::string prefix = "adapters." + name;
  for (ConfigIssue& issue : issues) {
    if (!issue.file.empty()) continue;  // an adapter.yaml's
    issue.line = issue.column = 0;
    if (issue.pointer.starts_with(entry)) issue.pointer.erase(0, entry.size());
    if (issue.path.starts_with(prefix)) issue.path.erase(0, prefix.size() + (issue.path.size() > prefix.size() ? 1 : 0));
  }
  throw ConfigError(std::move(issues));
}

// The document passes the bounds of a file, and is what JSON can say.
Document document_of(const json& value) {
  constexpr const char* kAsJson = ".json";
  std::string text;
  if (const auto encoded = encode(Codec::json, value, text); !encoded)
    throw ConfigError({ConfigIssue{{}, 0, 0, {}, encoded.error().message}});
  try {
    Document document = parse_document(text, kAsJson);
    document.file.clear();
    document.marks.clear();
    return document;
  } catch (const ConfigError& e) {
    std::vector<ConfigIssue> issues = e.issues();
    for (ConfigIssue& issue : issues) issue.file.clear();
    throw ConfigError(std::move(issues));
  }
}

AdapterConfig load(const Config& config, const std::string& name, const json& document, const fs::path& folder, ConfigContext context,
                   ConfigLoader::Below below) {
  try {
    const SchemaCheck check;
    const Document checked = document_of(document);
    context.adapter_path.insert(context.adapter_path.begin(), folder_of(config, context));
    return ConfigLoader(context, check, checked, folder).load_one(name, config.host, below);
  } catch (const ConfigError& e) {
    fail_at_entry(name, e.issues());
  }
}

}  // namespace

AdapterConfig added_adapter(const Config& config, const std::string& name, const json& entry, const fs::path& folder,
                            const ConfigContext& context) {
  const json document{{"defaults", config.defaults}, {"adapters", {{name, entry}}}};
  return load(config, name, document, folder, context, ConfigLoader::Below::defaults);
}

AdapterConfig patched_adapter(const Config& config, const AdapterConfig& adapter, const json& patch, const ConfigContext& context) {
  const auto refuse = [](std::string pointer, std::string message) {
    throw ConfigError({ConfigIssue{{}, 0, 0, pointer.empty() ? "" : pointer.substr(1), std::move(message), pointer}});
  };
  if (!patch.is_object()) refuse("", "expected a map of the keys that change");
  if (patch.contains("adapter") && patch["adapter"] != adapter.written.value("adapter", json())) {
    refuse("/adapter", "another adapter needs an entry of its own: register it, or change the file and reload");
  }
  json entry = adapter.written;
  entry.merge_patch(patch);
  const std::string& name = adapter.pool.adapter;
  AdapterConfig patched =
      load(config, name, {{"adapters", {{name, entry}}}}, folder_of(config, context), context, ConfigLoader::Below::nothing);
  patched.source = adapter.source;
  return patched;
}

bool same_settings(const AdapterConfig& a, const AdapterConfig& b) {
  return to_json(a) == to_json(b) && a.pool.launch.env == b.pool.launch.env && a.framework == b.framework && a.description == b.description;
}

std::vector<std::string> fixed_host_keys_changed(const HostConfig& from, const HostConfig& to) {
  const auto printed = [](const HostConfig& host) {
    Config config;
    config.host = host;
    return to_json(config)["host"];
  };
  const json before = printed(from);
  const json after = printed(to);
  std::vector<std::string> changed;
  for (const char* key : kFixedHostKeys) {
    if (before[key] != after[key]) changed.emplace_back(key);
  }
  return changed;
}

}  // namespace pons
