#include "host/config/error.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace pons {
namespace {

std::string all_lines(const std::vector<ConfigIssue>& issues) {
  std::string out;
  for (const ConfigIssue& issue : issues) {
    if (!out.empty()) out += '\n';
    out += issue.to_string();
  }
  return out;
}

// File by file as they first come, each in its own order.
std::vector<ConfigIssue> sorted(std::vector<ConfigIssue> issues) {
  std::map<std::string, std::size_t> files;
  for (const ConfigIssue& issue : issues) files.try_emplace(issue.file, files.size());
  std::stable_sort(issues.begin(), issues.end(), [&](const ConfigIssue& a, const ConfigIssue& b) {
    return std::tuple(files[a.file], a.line, a.column) < std::tuple(files[b.file], b.line, b.column);
  });
  return issues;
}

}  // namespace

std::string ConfigIssue::to_string() const {
  std::string out = file;
  if (line > 0) out += ":" + std::to_string(line) + ":" + std::to_string(column);
  if (!path.empty()) out += (out.empty() ? "" : ": ") + path;
  return out + (out.empty() ? "" : ": ") + message;
}

nlohmann::json to_json(const std::vector<ConfigIssue>& issues) {
  auto out = nlohmann::json::array();
  for (const ConfigIssue& issue : issues) {
    out.push_back({{"file", issue.file}, {"line", issue.line}, {"column", issue.column}, {"path", issue.path}, {"message", issue.message}});
  }
  return out;
}

ConfigError::ConfigError(std::vector<ConfigIssue> issues) : ConfigError(Sorted{sorted(std::move(issues))}) {}

ConfigError::ConfigError(Sorted issues) : std::runtime_error(all_lines(issues.all)), issues_(std::move(issues.all)) {}

}  // namespace pons
