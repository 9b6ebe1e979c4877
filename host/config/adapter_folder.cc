#include "host/config/adapter_folder.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <system_error>

#include "host/config/layers.h"
#include "host/nearest.h"
#include "protocol/limits.h"

namespace pons {
namespace {

namespace fs = std::filesystem;

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
  for (const char* key : {"adapter", "command"}) {
    const ConfigPath path{"defaults", key};
    if (find_at(out.document.value, path) != nullptr) {
      issues.push_back(out.document.key_issue(path, "does not belong here: an adapter.yaml says its own `command`, beside `defaults`"));
    }
  }
  if (!issues.empty()) throw ConfigError(std::move(issues));
  out.name = out.document.value.value("name", namespace_from(folder.filename().string()));
  out.description = out.document.value.value("description", "");
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
