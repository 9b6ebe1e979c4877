#include "pool/process_table.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <memory>

#include "protocol/transport/unique_fd.h"

namespace pons {

namespace {

// Counted from the field after the name, which is the state.
constexpr int kParent = 1;
constexpr int kGroup = 2;
constexpr int kStarted = 19;
constexpr int kResident = 21;

template <class T>
bool to_number(std::string_view text, T& number) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  return ec == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::optional<ProcessStat> ProcessStat::parse(std::string_view line) {
  // The name ends at the last parenthesis: nothing but letters and numbers stands after it.
  const auto open = line.find(" (");
  const auto close = line.rfind(") ");
  ProcessStat stat;
  if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2 || close + 2 >= line.size() ||
      !to_number(line.substr(0, open), stat.pid)) {
    return std::nullopt;
  }
  auto rest = line.substr(close + 2);
  stat.state = rest.front();
  for (int field = 0; field <= kResident; ++field) {
    const auto end = std::min(rest.find_first_of(" \n"), rest.size());
    const auto text = rest.substr(0, end);
    if (text.empty()) return std::nullopt;
    if (field == kParent && !to_number(text, stat.parent)) return std::nullopt;
    if (field == kStarted && !to_number(text, stat.started)) return std::nullopt;
    if (field == kGroup && !to_number(text, stat.group)) return std::nullopt;
    long long pages = 0;  // it may be below 0 for a moment
    if (field == kResident && !to_number(text, pages)) return std::nullopt;
    if (pages > 0) stat.resident_pages = static_cast<std::size_t>(pages);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return stat;
}

std::optional<ProcessStat> ProcessStat::read(int proc, const char* name) {
  std::array<char, 300> path{};
  const std::string_view folder(name);
  if (folder.size() + 6 > path.size()) return std::nullopt;
  folder.copy(path.data(), folder.size());
  std::string_view("/stat").copy(path.data() + folder.size(), 5);
  const UniqueFd file(::openat(proc, path.data(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::array<char, 1024> line{};  // 52 numbers and a name of at most 64 bytes
  const auto n = ::read(file.get(), line.data(), line.size());
  if (n <= 0) return std::nullopt;
  return parse({line.data(), static_cast<std::size_t>(n)});
}

std::optional<ProcessStat> ProcessStat::of(pid_t pid) {
  const auto path = "/proc/" + std::to_string(pid);
  return read(AT_FDCWD, path.c_str());
}

ProcessTable ProcessTable::read() {
  ProcessTable table;
  if (const long size = ::sysconf(_SC_PAGESIZE); size > 0) table.page_size_ = static_cast<std::size_t>(size);
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (!proc) return table;
  while (const auto* entry = ::readdir(proc.get())) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    if (const auto stat = ProcessStat::read(::dirfd(proc.get()), entry->d_name)) table.add(*stat);
  }
  return table;
}

void ProcessTable::add(const ProcessStat& process) {
  if (!process.alive()) return;
  auto& group = groups_[process.group];
  group.resident_pages += process.resident_pages;
  ++group.processes;
}

ProcessTable::Group ProcessTable::of(pid_t group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? Group{} : found->second;
}

bool is_stopped(pid_t pid) {
  const auto stat = ProcessStat::of(pid);
  return stat && stat->stopped();
}

}  // namespace pons
