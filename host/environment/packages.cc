#include "host/environment/packages.h"

#include <fstream>
#include <system_error>

#include "host/environment/pep440.h"

namespace pons {
namespace {

namespace fs = std::filesystem;

// "Foo_Bar" of Foo_Bar-1.0.dist-info, Foo_Bar-1.0-py3.11.egg-info or Foo_Bar.egg-info.
std::string package_of(const std::string& name) {
  for (const std::string_view ending : {".dist-info", ".egg-info"}) {
    if (!name.ends_with(ending)) continue;
    const std::string stem = name.substr(0, name.size() - ending.size());
    return normal_package_name(stem.substr(0, stem.find('-')));
  }
  return {};
}

// The value of a header; the headers end at the first empty line.
std::string header(const fs::path& file, std::string_view name) {
  std::ifstream in(file, std::ios::binary);
  std::string line;
  while (std::getline(in, line) && !line.empty() && line != "\r") {
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ':') continue;
    const auto begin = line.find_first_not_of(" \t", name.size() + 1);
    if (begin == std::string::npos) return {};
    return line.substr(begin, line.find_last_not_of(" \t\r") - begin + 1);
  }
  return {};
}

}  // namespace

std::optional<std::string> installed_version(const std::vector<fs::path>& folders, std::string_view package) {
  for (const fs::path& folder : folders) {
    std::error_code failed;
    fs::directory_iterator entry(folder, fs::directory_options::skip_permission_denied, failed);
    for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
      if (package_of(entry->path().filename().string()) != package) continue;
      for (const fs::path& file : {entry->path() / "METADATA", entry->path() / "PKG-INFO", entry->path()}) {
        std::error_code ignored;
        if (!fs::is_regular_file(file, ignored)) continue;
        const std::string version = header(file, "Version");
        if (!version.empty()) return version;
      }
    }
  }
  return std::nullopt;
}

}  // namespace pons
