// The process groups of the host's workers, where the watcher can read them after the host has been killed.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <utility>

#include "protocol/error.h"

namespace pons {

/// Memory shared with the watcher, also with one that is forked later. A group stands in it from the start of its leader until that is
/// reaped, so as long as its number is surely its own; kMost at a time, more are not entered. Thread safety: the host's thread writes.
class GroupTable {
 public:
  static constexpr std::size_t kMost = 4096;
  using Slot = std::atomic<pid_t>;  ///< 0: free

  /// A group's place in the table, which outlives it.
  class Entry {
   public:
    Entry() = default;
    explicit Entry(Slot* slot) : slot_(slot) {}
    Entry(Entry&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
    Entry& operator=(Entry&& other) noexcept {
      std::swap(slot_, other.slot_);
      return *this;
    }
    ~Entry() { reset(); }
    void reset() {
      if (slot_ != nullptr) *std::exchange(slot_, nullptr) = 0;
    }

   private:
    Slot* slot_ = nullptr;
  };

  static Result<GroupTable> make();
  GroupTable(GroupTable&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}
  GroupTable& operator=(GroupTable&& other) noexcept {
    std::swap(slots_, other.slots_);
    return *this;
  }
  ~GroupTable();

  [[nodiscard]] Entry add(pid_t group);

  /// The shared memory itself, for a child that gives the rest of its memory back.
  [[nodiscard]] const Slot* slots() const { return slots_; }
  /// Async-signal-safe. `slots` may be null.
  static bool contains(const Slot* slots, pid_t group);

 private:
  explicit GroupTable(Slot* slots) : slots_(slots) {}
  Slot* slots_;  // kMost of them
};

}  // namespace pons
