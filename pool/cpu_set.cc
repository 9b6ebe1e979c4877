#include "pool/cpu_set.h"

#include <charconv>
#include <fstream>
#include <optional>

namespace pons {

namespace {

constexpr char kOnline[] = "/sys/devices/system/cpu/online";

Error no_set(std::string_view text, const std::string& why) {
  return Error{ErrorCode::invalid_configuration, "limits.cpu_affinity: \"" + std::string(text) + "\" " + why};
}

/// Takes a number off the front of `text`.
std::optional<int> take_number(std::string_view& text) {
  int number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (ec != std::errc() || number < 0 || text.front() == '-') return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

}  // namespace

Result<CpuSet> CpuSet::parse(std::string_view text) {
  CpuSet set;
  auto rest = text;
  for (bool more = true; more;) {
    const auto first = rest.empty() ? std::nullopt : take_number(rest);
    auto last = first;
    if (first && rest.starts_with('-')) {
      rest.remove_prefix(1);
      last = rest.empty() ? std::nullopt : take_number(rest);
    }
    if (!first || !last || *last < *first) return no_set(text, "is no set of CPUs, like 0-3,5");
    if (*last >= CPU_SETSIZE) return no_set(text, "names CPU " + std::to_string(*last) + ", above the highest number that there can be");
    for (int cpu = *first; cpu <= *last; ++cpu) set.insert(cpu);
    more = rest.starts_with(',');
    if (more) rest.remove_prefix(1);
  }
  if (!rest.empty()) return no_set(text, "is no set of CPUs, like 0-3,5");
  return set;
}

Result<CpuSet> CpuSet::online() {
  std::ifstream file(kOnline);
  std::string text;
  if (!std::getline(file, text)) {
    return Error{ErrorCode::invalid_configuration, std::string("limits.cpu_affinity: ") + kOnline + " cannot be read"};
  }
  return parse(text);
}

std::string CpuSet::to_string() const {
  std::string text;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!contains(cpu)) continue;
    const int first = cpu;
    while (contains(cpu + 1)) ++cpu;
    if (!text.empty()) text += ',';
    text += std::to_string(first);
    if (cpu > first) text += '-' + std::to_string(cpu);
  }
  return text;
}

Result<CpuSet> available_cpus(std::string_view text) {
  auto wanted = CpuSet::parse(text);
  if (!wanted) return wanted;
  const auto online = CpuSet::online();
  if (!online) return online.error();
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (wanted->contains(cpu) && !online->contains(cpu)) {
      return no_set(text, "names CPU " + std::to_string(cpu) + ", which this machine does not have (it has " + online->to_string() + ")");
    }
  }
  return wanted;
}

}  // namespace pons
