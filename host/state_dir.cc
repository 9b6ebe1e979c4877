#include "host/state_dir.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "protocol/transport/private_directory.h"

namespace pons {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSnapshots = "snapshots";
constexpr std::string_view kLock = "lock";
constexpr int kTries = 10;

Error unusable(const std::string& path, const Error& why) {
  return Error{ErrorCode::invalid_configuration, "state directory " + path + ": " + why.message, why.details};
}

/// Whoever can rename or remove a folder above ours can put another in its place.
Result<void> refuse_replaceable(const fs::path& path) {
  for (fs::path above = path.parent_path();; above = above.parent_path()) {
    struct stat info {};
    const bool there = ::stat(above.c_str(), &info) == 0;
    const bool trusted = info.st_uid == 0 || info.st_uid == ::geteuid();
    const bool kept = trusted && (info.st_mode & S_ISVTX) != 0;  // everybody only his own, as in /tmp
    if (there && (info.st_mode & S_IWOTH) != 0 && !kept) {
      return Error{ErrorCode::invalid_configuration, "others can write to the directory " + above.string() + ", in which it lies"};
    }
    if (above == above.parent_path()) return {};
  }
}

/// Removes folders in which nothing is left.
void remove_empty(const fs::path& folder) {
  std::error_code ignored;
  std::vector<fs::path> inner;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) inner.push_back(entry.path());
  for (const auto& path : inner) ::rmdir(path.c_str());
  ::rmdir(folder.c_str());
}

}  // namespace

Result<StateDir> StateDir::open(const std::string& path) {
  std::error_code ignored;
  if (auto safe = refuse_replaceable(path); !safe) return unusable(path, safe.error());
  for (int tries = kTries;; --tries) {
    const bool made = !fs::exists(path, ignored);
    if (auto ready = make_private_directory(path, Sharing::none); !ready) return unusable(path, ready.error());
    auto lock = LockFile::take((fs::path(path) / kLock).string());
    if (lock) return StateDir(path, std::move(*lock), made);
    if (tries > 0 && !fs::exists(path, ignored)) continue;  // a host that ended has just removed it
    if (made) ::rmdir(path.c_str());
    return unusable(path, lock.error());
  }
}

StateDir::~StateDir() {
  if (path_.empty()) return;
  remove_empty(fs::path(path_) / kSnapshots);
  lock_.release();
  if (made_) ::rmdir(path_.c_str());
}

std::string StateDir::snapshots() const { return (fs::path(path_) / kSnapshots).string(); }

}  // namespace pons
