#include "host/config/python_worker.h"

#include <algorithm>
#include <fstream>
#include <system_error>

#include "host/config/layers.h"

namespace pons {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

}  // namespace

bool is_python(std::string_view program) {
  constexpr std::string_view kName = "python";
  const std::string name = fs::path(program).filename().string();
  return name.starts_with(kName) && name.find_first_not_of("0123456789.", kName.size()) == std::string::npos;
}

std::vector<std::string> python_command(const AdapterFolder& adapter, const std::string& interpreter) {
  if (!adapter.python.ends_with(".py")) return {interpreter, "-m", adapter.python};
  return {interpreter, absolute_from(adapter.folder, adapter.python).string()};
}

fs::path environment_of(const fs::path& interpreter) {
  if (!interpreter.is_absolute()) return {};
  fs::path folder = interpreter.parent_path().parent_path();
  std::error_code ignored;
  return fs::is_regular_file(folder / "pyvenv.cfg", ignored) ? folder : fs::path();
}

std::vector<fs::path> site_packages(const fs::path& environment) {
  std::vector<fs::path> out;
  for (const char* lib : {"lib", "lib64"}) {
    std::error_code failed;
    if (fs::is_symlink(environment / lib, failed)) continue;  // lib64 is a link to lib
    for (fs::directory_iterator entry(environment / lib, failed); !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
      fs::path folder = entry->path() / "site-packages";
      if (entry->path().filename().string().starts_with("python") && is_folder(folder)) out.push_back(std::move(folder));
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool has_own_sdk(const fs::path& environment) {
  for (const fs::path& folder : site_packages(environment)) {
    std::error_code failed;
    if (fs::exists(folder / "pons" / "__init__.py", failed)) return true;
    for (fs::directory_iterator entry(folder, failed); !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
      const std::string name = entry->path().filename().string();
      if (name.starts_with("pons-") && name.ends_with(".dist-info")) return true;  // also where it is installed as editable
    }
  }
  return false;
}

bool sees_system_packages(const fs::path& environment) {
  std::ifstream file(environment / "pyvenv.cfg");
  std::string line;
  while (std::getline(file, line)) {
    line.erase(std::remove_if(line.begin(), line.end(), [](char c) { return c == ' ' || c == '\t' || c == '\r'; }), line.end());
    if (line == "include-system-site-packages=true") return true;
  }
  return false;
}

std::optional<fs::path> find_model_file(const ModelFile& model, const fs::path& adapter_folder, const std::vector<fs::path>& python_path) {
  for (const fs::path& folder : model.package.empty() ? std::vector<fs::path>{adapter_folder} : python_path) {
    std::error_code ignored;
    if (fs::path file = folder / model.file; fs::is_regular_file(file, ignored)) return file;
  }
  return std::nullopt;
}

void prepend_python_path(Environment& env, const std::vector<fs::path>& folders) {
  std::string path;
  for (const fs::path& folder : folders) path += (path.empty() ? "" : ":") + folder.string();
  if (path.empty()) return;
  constexpr const char* kName = "PYTHONPATH";
  const auto place =
      std::lower_bound(env.begin(), env.end(), kName, [](const auto& entry, const char* name) { return entry.first < name; });
  if (place == env.end() || place->first != kName) {
    env.insert(place, {kName, path});
  } else {
    place->second = place->second.empty() ? path : path + ":" + place->second;
  }
}

fs::path find_python_sdk(const fs::path& program) {
  std::error_code ignored;
  const fs::path folder = fs::weakly_canonical(program, ignored).parent_path();
  for (const char* place : {"../share/pons/python", "../python", "python"}) {
    fs::path candidate = absolute_from(folder, place);
    if (is_folder(candidate / "pons")) return candidate;
  }
  return {};
}

}  // namespace pons
