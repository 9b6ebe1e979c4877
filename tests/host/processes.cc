#include "tests/host/processes.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>

namespace pons::test {

namespace {

namespace fs = std::filesystem;

std::string folder_of(pid_t pid) { return "/proc/" + std::to_string(pid); }

struct Stat {
  char state = 0;
  pid_t parent = 0;
};

std::optional<Stat> stat_of(pid_t pid) {
  std::ifstream file(folder_of(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  const auto behind = text.rfind(')');  // the name before it may hold anything
  if (behind == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(behind + 1));
  Stat stat;
  fields >> stat.state >> stat.parent;
  return stat;
}

std::vector<pid_t> processes_if(const std::function<bool(pid_t)>& wanted) {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto pid = static_cast<pid_t>(std::atoi(entry.path().filename().c_str()));
    if (pid > 0 && wanted(pid)) found.push_back(pid);
  }
  return found;
}

std::size_t entries_of(const std::string& folder) {
  std::error_code gone;
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder, gone), fs::directory_iterator()));
}

std::size_t resident_kib_of(pid_t pid) {
  std::ifstream file(folder_of(pid) + "/status");
  constexpr std::string_view kName = "VmRSS:";
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kName)) return std::stoul(line.substr(kName.size()));
  }
  return 0;
}

}  // namespace

ProcessHandle::ProcessHandle(pid_t pid) : pid_(pid), pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}

bool ProcessHandle::signal(int number) const { return pidfd_ && ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0) == 0; }

bool ProcessHandle::await_end(std::chrono::milliseconds limit) const {
  pollfd ended{pidfd_.get(), POLLIN, 0};
  return !pidfd_ || ::poll(&ended, 1, static_cast<int>(limit.count())) > 0;
}

std::string environment_value(pid_t pid, std::string_view name) {
  std::ifstream file(folder_of(pid) + "/environ");
  const auto start = std::string(name) + "=";
  for (std::string entry; std::getline(file, entry, '\0');) {
    if (entry.starts_with(start)) return entry.substr(start.size());
  }
  return {};
}

std::vector<pid_t> processes_with(std::string_view name, std::string_view value) {
  return processes_if([&](pid_t pid) { return environment_value(pid, name) == value; });
}

std::vector<pid_t> children_of(pid_t pid) {
  return processes_if([&](pid_t other) { return stat_of(other).value_or(Stat{}).parent == pid; });
}

std::vector<pid_t> descendants_of(pid_t pid) {
  auto found = children_of(pid);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto next = children_of(found[i]);
    found.insert(found.end(), next.begin(), next.end());
  }
  return found;
}

std::optional<char> state_of(pid_t pid) {
  const auto stat = stat_of(pid);
  return stat ? std::optional(stat->state) : std::nullopt;
}

Holdings holdings_of(pid_t pid) {
  const auto children = children_of(pid);
  const auto zombies = std::count_if(children.begin(), children.end(), [](pid_t child) { return state_of(child) == 'Z'; });
  return {entries_of(folder_of(pid) + "/fd"), entries_of(folder_of(pid) + "/task"), static_cast<std::size_t>(zombies),
          resident_kib_of(pid)};
}

}  // namespace pons::test
