#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <limits>

#include "host/config/adapter_folder.h"
#include "host/config/preflight.h"
#include "host/doctor/gather.h"
#include "host/state_dir.h"
#include "protocol/transport/unix_listener.h"

namespace pons::doctor {

namespace {

namespace fs = std::filesystem;

AdapterFacts facts_of(const AdapterConfig& adapter, bool configured, Interpreters& interpreters) {
  AdapterFacts facts;
  facts.name = adapter.pool.adapter;
  facts.folder = adapter.folder;
  facts.configured = configured;
  facts.wants_cpu_limit = adapter.pool.limits.cpu > 0;
  facts.wants_process_limit = adapter.pool.limits.processes > 0;
  for (const auto& finding : preflight(adapter, interpreters)) facts.missing.push_back({finding.message, finding.remedy});
  return facts;
}

fs::path nearest_folder(fs::path path) {
  std::error_code ignored;
  while (!fs::exists(path, ignored) && path != path.parent_path()) path = path.parent_path();
  return path;
}

/// The process that the lock file names, if it lives.
pid_t living_holder(const fs::path& lock) {
  pid_t pid = 0;
  std::ifstream(lock) >> pid;
  return pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM) ? pid : 0;
}

void count_snapshots(StateDirFacts& facts) {
  std::error_code ec;
  for (const auto& entry :
       fs::recursive_directory_iterator(fs::path(facts.path) / "snapshots", fs::directory_options::skip_permission_denied, ec)) {
    std::error_code gone;
    if (!entry.is_regular_file(gone)) continue;
    ++facts.sessions;
    if (const auto size = entry.file_size(gone); !gone) facts.bytes += size;
  }
}

SocketFacts look_at_socket(const std::string& path) {
  const auto connected = connect_unix(path);
  if (connected) return {path, SocketFacts::State::alive, {}};
  const auto& error = connected.error();
  const int why = error.details.is_object() ? error.details.value("errno", 0) : 0;
  if (why == ECONNREFUSED || why == ENOENT) return {path, SocketFacts::State::dead, {}};
  return {path, SocketFacts::State::unreachable, error.message};
}

}  // namespace

std::vector<AdapterFacts> look_at_adapters(const Config& config, const ConfigContext& context) {
  std::vector<AdapterFacts> all;
  Interpreters interpreters;
  for (const auto& adapter : config.adapters) all.push_back(facts_of(adapter, adapter.named, interpreters));
  for (const auto& shipped : list_adapters(context.adapter_path)) {
    const auto& folder = shipped.second;
    const auto same = [&](const AdapterFacts& facts) { return facts.folder == folder.string(); };
    if (std::any_of(all.begin(), all.end(), same)) continue;
    try {
      all.push_back(facts_of(adapter_from_path(folder, context), false, interpreters));
    } catch (const ConfigError& error) {
      AdapterFacts broken;
      broken.name = shipped.first;
      broken.folder = folder.string();
      broken.faults = error.issues();
      all.push_back(std::move(broken));
    }
  }
  return all;
}

std::vector<SocketFacts> look_at_sockets(const std::vector<fs::path>& folders) {
  std::vector<std::string> paths;
  for (const auto& folder : folders) {
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(folder, ec)) {
      std::error_code gone;
      if (entry.path().extension() == ".sock" && entry.is_socket(gone)) paths.push_back(entry.path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  std::vector<SocketFacts> sockets;
  for (const auto& path : paths) sockets.push_back(look_at_socket(path));
  return sockets;
}

StateDirFacts look_at_state(const std::string& path) {
  StateDirFacts facts;
  facts.path = path;
  if (path.empty()) return facts;
  const auto there = nearest_folder(path);
  std::error_code ec;
  const auto space = fs::space(there, ec);
  facts.free = ec ? std::numeric_limits<std::uint64_t>::max() : space.available;
  facts.holder = living_holder(fs::path(path) / "lock");
  if (facts.holder == 0 && there == fs::path(path)) {
    if (const auto opened = StateDir::open(path); !opened) facts.unusable = opened.error().message;
  } else if (facts.holder == 0 && ::access(there.c_str(), W_OK | X_OK) != 0) {
    facts.unusable = "it cannot be made in " + there.string() + ": " + std::strerror(errno);
  }
  count_snapshots(facts);
  return facts;
}

}  // namespace pons::doctor
