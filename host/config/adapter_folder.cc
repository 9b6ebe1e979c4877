#include "host/config/adapter_folder.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <system_error>

#include "host/config/layers.h"
#include "host/config/option_schema.h"
#include "host/nearest.h"
#include "protocol/limits.h"

namespace pons {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view kFileName = "adapter.yaml";

Error unusable(std::string message) { return {ErrorCode::invalid_configuration, std::move(message)}; }

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

std::string joined(const std::vector<fs::path>& folders) {
  std::string out;
  for (const fs::path& folder : folders) out += (out.empty() ? "" : ", ") + folder.string();
  return out.empty() ? "nowhere" : out;
}

// What only one key may say is said by that key.
void check_places(const Document& document, std::vector<ConfigIssue>& issues) {
  const auto has = [&](const char* key) { return find_at(document.value, {key}) != nullptr; };
  for (const char* key : {"adapter", "command", "required_env", "required_packages", "errors"}) {
    const ConfigPath path{"defaults", key};
    if (find_at(document.value, path) == nullptr) continue;
    const bool own = path[1] != "adapter";
    issues.push_back(document.key_issue(path, own ? "does not belong here: an adapter.yaml says its `" + path[1] + "` beside `defaults`"
                                                  : "does not belong here: an adapter.yaml says what it runs by `command` or `python`"));
  }
  if (!document.value.is_object()) return;
  if (!has("command") && !has("python")) issues.push_back(document.key_issue({}, "expected the key \"command\" or \"python\""));
  if (has("command") && has("python")) issues.push_back(document.key_issue({"python"}, "expected `command` or `python`, not both"));
  if (has("requirements") && !has("python")) {
    issues.push_back(document.key_issue({"requirements"}, "expected `python` too: an environment is made for workers in Python"));
  }
}

// The files that it names, and that ship with it, are there.
void check_files(const AdapterFolder& adapter, std::vector<ConfigIssue>& issues) {
  for (const char* key : {"python", "requirements"}) {
    const json* const said = find_at(adapter.document.value, {key});
    if (said == nullptr) continue;
    const std::string text = *said;
    if (key == std::string_view("python") && !text.ends_with(".py")) continue;  // a module, which may come from its environment
    const fs::path file = absolute_from(adapter.folder, text);
    if (!is_file(file)) issues.push_back(adapter.document.value_issue({key}, "expected a file, but there is no file " + file.string()));
  }
}

ModelFile model_file(const json& said) {
  ModelFile model;
  model.name = said.value("name", "");
  model.description = said.value("description", "");
  model.package = said.value("package", "");
  model.version = said.value("version", "");
  model.file = said.value("file", "");
  model.sha256 = said.value("sha256", "");
  if (said.contains("size")) model.size = said["size"].get<std::uintmax_t>();
  model.optional = said.value("optional", false);
  return model;
}

}  // namespace

Result<AdapterTarget> adapter_target(const fs::path& path) {
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  if (status.type() == fs::file_type::not_found || status.type() == fs::file_type::none) {
    const std::string why = status.type() == fs::file_type::none ? failed.message() : "no such file or folder";
    return unusable(path.string() + ": " + why + "; expected a Python file, a program or an adapter's folder");
  }
  if (fs::is_directory(status)) {
    if (!is_file(path / kFileName)) return unusable(path.string() + ": expected an adapter's folder, but there is no adapter.yaml in it");
    return AdapterTarget{path};
  }
  if (path.filename() == kFileName) return AdapterTarget{path.parent_path()};
  if (path.extension() == ".py") return AdapterTarget{{}, {"python3", path.string()}};
  if (::access(path.c_str(), X_OK) != 0) {
    return unusable(path.string() + ": expected a Python file (.py), a program or an adapter's folder; this file is not executable");
  }
  return AdapterTarget{{}, {path.string()}};
}

std::vector<std::pair<std::string, fs::path>> list_adapters(const std::vector<fs::path>& search) {
  std::map<std::string, fs::path> found;
  for (const fs::path& folder : search) {
    std::error_code failed;
    fs::directory_iterator entry(folder, fs::directory_options::skip_permission_denied, failed);
    for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
      if (is_file(entry->path() / kFileName)) found.try_emplace(entry->path().filename().string(), entry->path());
    }
  }
  return {found.begin(), found.end()};
}

Result<fs::path> find_adapter(const std::string& name, const std::vector<fs::path>& search) {
  for (const fs::path& folder : search) {
    if (is_file(folder / name / kFileName)) return folder / name;
  }
  std::vector<std::string> known;
  for (const auto& [other, folder] : list_adapters(search)) known.push_back(other);
  return unusable("no adapter of the name \"" + name + "\"" + did_you_mean(name, known) + " (looked for " + name + "/adapter.yaml in " +
                  joined(search) + ")");
}

AdapterFolder read_adapter_folder(const fs::path& folder, const SchemaCheck& check) {
  AdapterFolder out;
  out.folder = folder;
  out.document = read_document(folder / kFileName);
  std::vector<ConfigIssue> issues = check.check(out.document, DocumentKind::adapter_file);
  check_places(out.document, issues);
  if (issues.empty()) issues = check_option_schema(out.document);
  if (issues.empty()) check_files(out, issues);
  if (!issues.empty()) throw ConfigError(std::move(issues));
  const json& said = out.document.value;
  out.name = said.value("name", namespace_from(folder.filename().string()));
  out.description = said.value("description", "");
  out.version = said.value("version", "");
  out.licence = said.value("licence", "");
  out.python = said.value("python", "");
  if (said.contains("requirements")) out.requirements = absolute_from(folder, std::string(said["requirements"]));
  out.options = said.value("options", json());
  for (const json& model : said.value("models", json::array())) out.models.push_back(model_file(model));
  return out;
}

std::string namespace_from(std::string_view name) {
  std::string out(name.substr(0, kMaxNamespaceBytes - 1));
  for (char& c : out) {
    const bool good = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '-';
    if (!good) c = '_';
  }
  if (out.empty() || out == "host" || out == "common") out += '_';
  return out;
}

}  // namespace pons
