#include "host/environment/interpreter.h"

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "host/environment/child.h"

namespace pons {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::chrono::seconds kPatience{10};
constexpr std::size_t kMostOutput = 1u << 20;
constexpr std::string_view kMark = "\npons:";

// The mark keeps apart what a sitecustomize prints.
constexpr const char* kQuestion = R"(
import json, platform, site, sys
user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
print("\npons:" + json.dumps([platform.python_version(), [p for p in sys.path if p] + user]))
)";

std::string key_of(const fs::path& program, const Interpreters::Environment& env) {
  struct stat info {};
  ::stat(program.c_str(), &info);
  std::string key = program.string() + '\0' + std::to_string(info.st_ino) + '\0' + std::to_string(info.st_mtim.tv_sec) + '.' +
                    std::to_string(info.st_mtim.tv_nsec);
  for (const auto& [name, value] : env) {
    if (name.starts_with("PYTHON") || name == "HOME") key.append(1, '\0').append(name).append("=").append(value);
  }
  return key;
}

}  // namespace

Result<Interpreters::About> Interpreters::ask(const fs::path& program, const Environment& env) {
  const std::string key = key_of(program, env);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
  }
  std::string output;
  const ChildSpec spec{{program.string(), "-c", kQuestion}, env, "/", kPatience};
  const auto ended = run_child(
      spec, stop_fd_, [&](std::string_view text) { output += text.substr(0, kMostOutput - std::min(kMostOutput, output.size())); });
  if (!ended) return ended.error();
  const auto problem = [&](const std::string& what) {
    return Error{ErrorCode::worker_start_failed, program.string() + " " + what + (output.empty() ? "" : ": " + output.substr(0, 1000))};
  };
  if (ended->interrupted) return problem("was not asked to the end");
  if (ended->timed_out) return problem("did not say within 10 s where it looks for packages");
  const auto mark = output.rfind(kMark);
  const json answer = mark == std::string::npos
                          ? json()
                          : json::parse(output.begin() + static_cast<std::ptrdiff_t>(mark + kMark.size()), output.end(), nullptr, false);
  if (!answer.is_array() || answer.size() != 2 || !answer[0].is_string() || !answer[1].is_array()) {
    return problem("did not say where it looks for packages");
  }
  About about{answer[0], {}};
  for (const json& folder : answer[1]) {
    if (folder.is_string()) about.path.emplace_back(std::string(folder));
  }
  const std::lock_guard lock(mutex_);
  return known_[key] = std::move(about);
}

}  // namespace pons
