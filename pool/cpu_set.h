// Sets of CPUs as the kernel writes them: "0-3,5".
#pragma once

#include <sched.h>

#include <string>
#include <string_view>

#include "protocol/error.h"

namespace pons {

/// Numbers from 0 to CPU_SETSIZE - 1.
class CpuSet {
 public:
  CpuSet() { CPU_ZERO(&set_); }
  /// invalid_configuration, naming limits.cpu_affinity, if `text` is no such set or an empty one.
  static Result<CpuSet> parse(std::string_view text);
  /// The CPUs that are switched on.
  static Result<CpuSet> online();

  void insert(int cpu) { CPU_SET(static_cast<std::size_t>(cpu), &set_); }
  [[nodiscard]] bool contains(int cpu) const { return cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET(static_cast<std::size_t>(cpu), &set_); }
  [[nodiscard]] int count() const { return CPU_COUNT(&set_); }
  /// "0-3,5"
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] const cpu_set_t& native() const { return set_; }
  friend bool operator==(const CpuSet& a, const CpuSet& b) { return CPU_EQUAL(&a.set_, &b.set_); }

 private:
  cpu_set_t set_;
};

/// The set that `text` names, if this machine has all of its CPUs; else invalid_configuration, which names limits.cpu_affinity.
Result<CpuSet> available_cpus(std::string_view text);

}  // namespace pons
