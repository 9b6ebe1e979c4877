// The identity of a worker: a slot of its pool and the how-manieth process in it. Never reused, unlike a pid.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace pons {

struct WorkerKey {
  std::uint32_t slot = 0;
  std::uint32_t incarnation = 0;  ///< counts from 1; 0: no worker
  auto operator<=>(const WorkerKey&) const = default;
  explicit operator bool() const { return incarnation != 0; }
};

/// `adapter#slot.incarnation`
inline std::string worker_id(const std::string& adapter, WorkerKey key) {
  return adapter + '#' + std::to_string(key.slot) + '.' + std::to_string(key.incarnation);
}

}  // namespace pons
