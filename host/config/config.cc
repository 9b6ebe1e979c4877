#include "host/config/config.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include "host/config/adapter_folder.h"
#include "host/config/loader.h"
#include "host/config/python_worker.h"
#include "host/config/schema_check.h"
#include "host/config/settings.h"

namespace pons {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kMaxHostName = 64;

std::optional<std::string> process_variable(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

Config load_document(const Document& document, const fs::path& file, const SchemaCheck& check, const ConfigContext& context) {
  const fs::path absolute = absolute_from(context.current_dir, file);
  ConfigLoader loader(context, check, document, file.empty() ? context.current_dir : absolute.parent_path());
  Config config = loader.load();
  if (file.empty()) return config;
  config.file = absolute.string();
  for (AdapterConfig& adapter : config.adapters) adapter.source = config.file;
  return config;
}

}  // namespace

const AdapterConfig* Config::find(std::string_view adapter) const {
  const auto found =
      std::find_if(adapters.begin(), adapters.end(), [&](const AdapterConfig& each) { return each.pool.adapter == adapter; });
  return found == adapters.end() ? nullptr : &*found;
}

ConfigContext ConfigContext::of_process() {
  std::error_code ignored;
  ConfigContext context;
  context.env = process_variable;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  context.adapter_path = adapter_search_path(context.env, program);
  context.python_sdk = find_python_sdk(program);
  context.current_dir = fs::current_path(ignored);
  return context;
}

std::vector<fs::path> adapter_search_path(const EnvLookup& env, const fs::path& program) {
  std::vector<fs::path> out;
  std::error_code ignored;
  const std::string said = env("PONS_ADAPTER_PATH").value_or("");
  for (std::size_t begin = 0; begin <= said.size();) {
    const std::size_t end = std::min(said.find(':', begin), said.size());
    if (end > begin) out.push_back(absolute_from(fs::current_path(ignored), said.substr(begin, end - begin)));
    begin = end + 1;
  }
  const fs::path real = fs::weakly_canonical(program, ignored);
  if (real.empty()) return out;
  for (const char* place : {"../share/pons/adapters", "../adapters", "adapters"}) out.push_back(absolute_from(real.parent_path(), place));
  return out;
}

Config load_config(const fs::path& file, const ConfigContext& context) {
  return load_document(read_document(absolute_from(context.current_dir, file), file.string()), file, SchemaCheck(), context);
}

Config parse_config(std::string_view text, const fs::path& file, const ConfigContext& context) {
  return load_document(parse_document(text, file.string()), file, SchemaCheck(), context);
}

HostConfig load_host_address(const fs::path& file, const ConfigContext& context) {
  const fs::path absolute = absolute_from(context.current_dir, file);
  Document document = read_document(absolute, file.string());
  json address = json::object();
  for (const char* key : {"name", "socket"}) {
    if (const json* const said = find_at(document.value, {"host", key})) address[key] = *said;
  }
  document.value = {{"host", std::move(address)}};
  std::vector<ConfigIssue> issues = SchemaCheck().check(document, DocumentKind::config);
  if (!issues.empty()) throw ConfigError(std::move(issues));
  return host_settings(document, absolute.parent_path(), issues);
}

Config default_config(const ConfigContext& context) { return load_document(Document{}, {}, SchemaCheck(), context); }

AdapterConfig adapter_from_path(const fs::path& path, const ConfigContext& context, const std::string& name) {
  const SchemaCheck check;
  const fs::path absolute = absolute_from(context.current_dir, path);
  const Result<AdapterTarget> target = adapter_target(absolute);
  if (!target) throw ConfigError({ConfigIssue{{}, 0, 0, {}, target.error().message}});
  std::string wanted = name;
  if (wanted.empty()) wanted = target->folder ? read_adapter_folder(*target->folder, check).name : namespace_from(absolute.stem().string());
  Document document;
  document.value = {{"adapters", {{wanted, absolute.string()}}}};
  Config config = load_document(document, {}, check, context);
  return std::move(config.adapters.front());
}

Config config_of(std::vector<AdapterConfig> adapters) {
  Config config;
  config.adapters = std::move(adapters);
  if (config.adapters.size() == 1) config.default_adapter = config.adapters.front().pool.adapter;
  return config;
}

bool valid_host_name(std::string_view name) {
  const auto alphanumeric = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
  const auto allowed = [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= kMaxHostName && alphanumeric(name.front()) && std::all_of(name.begin(), name.end(), allowed);
}

std::string default_socket_path(const std::string& name, const EnvLookup& env) {
  const std::string runtime = env("XDG_RUNTIME_DIR").value_or("");
  // The XDG specification wants relative paths ignored.
  const std::string folder = runtime.starts_with('/') ? runtime + "/pons" : "/tmp/pons-" + std::to_string(::getuid());
  return folder + "/" + name + ".sock";
}

std::string default_state_dir(const std::string& name, const EnvLookup& env) {
  const std::string state = env("XDG_STATE_HOME").value_or("");
  if (state.starts_with('/')) return state + "/pons/" + name;
  const std::string home = env("HOME").value_or("");
  if (home.starts_with('/')) return home + "/.local/state/pons/" + name;
  return "/tmp/pons-" + std::to_string(::getuid()) + "/state/" + name;
}

}  // namespace pons
