#include "pool/group_table.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace pons {

namespace {

constexpr std::size_t kBytes = GroupTable::kMost * sizeof(GroupTable::Slot);
static_assert(GroupTable::Slot::is_always_lock_free && sizeof(GroupTable::Slot) == sizeof(pid_t));

}  // namespace

Result<GroupTable> GroupTable::make() {
  void* const memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return Error{ErrorCode::internal, std::string("mmap: ") + std::strerror(errno)};
  return GroupTable(static_cast<Slot*>(memory));  // all zero
}

GroupTable::~GroupTable() {
  if (slots_ != nullptr) ::munmap(slots_, kBytes);
}

GroupTable::Entry GroupTable::add(pid_t group) {
  for (std::size_t i = 0; i < kMost; ++i) {
    if (slots_[i] != 0) continue;
    slots_[i] = group;
    return Entry(&slots_[i]);
  }
  return {};
}

bool GroupTable::contains(const Slot* slots, pid_t group) {
  for (std::size_t i = 0; slots != nullptr && group > 0 && i < kMost; ++i) {
    if (slots[i] == group) return true;
  }
  return false;
}

}  // namespace pons
