// What cgroups need of the file system: the seam for tests on machines that have none.
#pragma once

#include <string>
#include <string_view>

#include "protocol/error.h"
#include "protocol/transport/unique_fd.h"

namespace pons {

/// Errors hold "PATH: reason".
class CgroupFiles {
 public:
  virtual ~CgroupFiles() = default;
  virtual Result<std::string> read(const std::string& path) const = 0;
  /// Into a file that exists.
  virtual Result<void> write(const std::string& path, const std::string& text) = 0;
  virtual Result<void> make_folder(const std::string& path) = 0;
  /// False: there is something in it.
  virtual bool remove_folder(const std::string& path) = 0;
  virtual Result<UniqueFd> open_for_writing(const std::string& path) = 0;
  virtual Result<UniqueFd> open_folder(const std::string& path) = 0;
  /// Whether root is meant to make cgroups in that one: marked by systemd.
  [[nodiscard]] virtual bool is_delegated(const std::string& path) const = 0;
  [[nodiscard]] virtual bool is_root() const = 0;
};

/// The real ones.
class SystemCgroupFiles final : public CgroupFiles {
 public:
  Result<std::string> read(const std::string& path) const override;
  Result<void> write(const std::string& path, const std::string& text) override;
  Result<void> make_folder(const std::string& path) override;
  bool remove_folder(const std::string& path) override;
  Result<UniqueFd> open_for_writing(const std::string& path) override;
  Result<UniqueFd> open_folder(const std::string& path) override;
  [[nodiscard]] bool is_delegated(const std::string& path) const override;
  [[nodiscard]] bool is_root() const override;
};

/// The folder of the cgroup v2 of a process, from the texts of its /proc/PID/cgroup and /proc/PID/mountinfo; an error that says why there
/// is none.
struct OwnCgroup {
  std::string path{};         ///< in the file system
  bool top_of_mount = false;  ///< it is all that can be seen: the root of the machine or of a container
};
Result<OwnCgroup> find_own_cgroup(std::string_view proc_cgroup, std::string_view mountinfo);

}  // namespace pons
