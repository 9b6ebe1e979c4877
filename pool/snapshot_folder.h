// The folder with the snapshots of one adapter: blocking file operations, called from one thread at a time.
//
// A file is written beside its place, then renamed: at any moment the old or the new one is there, whole. It is not forced to the disk:
// nothing is lost when the host or any other program is killed. When the machine goes down, what was written in the last half minute may
// be missing or torn: that is noticed (snapshot_file.h), and the session counts as without snapshot.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pool/snapshot_file.h"
#include "protocol/error.h"

namespace pons {

class SnapshotFolder {
 public:
  /// Makes the folder (0700), with those above it. internal, "PATH: reason", if that cannot be, or nothing can be written there.
  static Result<SnapshotFolder> open(std::string path);

  struct File {
    std::string name;
    SnapshotHead head;
    std::uint64_t size = 0;
  };
  struct Contents {
    std::vector<File> files;            ///< the oldest first
    std::vector<std::string> warnings;  ///< files that are not what they should be: they are left alone
  };
  /// Looks at the heads of all files. Removes what an unfinished write has left.
  [[nodiscard]] Contents list(std::string_view adapter) const;

  /// `name` as snapshot_file_name gives it; the sum over the state is reckoned here. 0600. On an error the old file is as it was. A folder
  /// that was removed is made again.
  Result<void> write(const std::string& name, SnapshotHead head, std::string_view state) const;
  /// resource_not_found: there is no such file.
  [[nodiscard]] Result<std::string> read(const std::string& name) const;
  void remove(const std::string& name) const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit SnapshotFolder(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] std::string path_of(const std::string& name) const { return path_ + '/' + name; }
  std::string path_;
};

}  // namespace pons
