#include "pool/cgroup_cleanup.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string_view>

namespace pons {

namespace {

constexpr int kRounds = 100;
constexpr int kRoundMillis = 10;

void write_to(int folder, const char* file, std::string_view text) {
  const UniqueFd fd(::openat(folder, file, O_WRONLY | O_CLOEXEC));
  if (fd) [[maybe_unused]]
    const auto n = ::write(fd.get(), text.data(), text.size());
}

/// Removes the folders in `folder`; false: one is still there.
bool remove_folders_in(int folder) {
  bool all = true;
  alignas(8) std::array<char, 4096> entries;
  for (ssize_t n = 0; (n = ::getdents64(folder, entries.data(), entries.size())) > 0;) {
    for (std::size_t at = 0; at < static_cast<std::size_t>(n);) {
      dirent64 head;
      std::memcpy(&head, entries.data() + at, offsetof(dirent64, d_name));
      const char* const name = entries.data() + at + offsetof(dirent64, d_name);
      at += head.d_reclen;
      if (head.d_type == DT_DIR && name[0] != '.') all = ::unlinkat(folder, name, AT_REMOVEDIR) == 0 && all;
    }
  }
  return all;
}

}  // namespace

void kill_cgroups(int parent, const char* name) {
  const UniqueFd folder(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) write_to(folder.get(), "cgroup.kill", "1");
}

void remove_cgroups(int parent, const char* name, const char* leaf) {
  for (int round = 0; round < kRounds; ++round) {
    const UniqueFd folder(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder || (remove_folders_in(folder.get()) && ::unlinkat(parent, name, AT_REMOVEDIR) == 0)) break;
    ::poll(nullptr, 0, kRoundMillis);
  }
  if (leaf == nullptr || *leaf == '\0') return;
  // A cgroup that hands controllers down holds no processes: first it stops doing so.
  for (const std::string_view controller : {"-memory", "-cpu", "-pids"}) write_to(parent, "cgroup.subtree_control", controller);
  write_to(parent, "cgroup.procs", "0");
  ::unlinkat(parent, leaf, AT_REMOVEDIR);
}

}  // namespace pons
