// Cgroups in memory, with the rules of the kernel that matter: who may write where, that a cgroup which hands down controllers holds no
// processes, and that one with processes or children cannot be removed.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <map>
#include <set>
#include <string>

#include "pool/cgroup_files.h"

namespace pons {

class FakeCgroupFiles final : public CgroupFiles {
 public:
  struct Folder {
    std::set<std::string> controllers;  ///< that it has from above
    std::set<std::string> handed_down;
    std::set<std::string> processes;
    std::map<std::string, std::string> limits;  ///< file -> what was written last
    bool writable = true;
    bool delegated = false;
    bool machine_root = false;
    int kills = 0;
  };

  static constexpr const char* kMount = "/cg";

  FakeCgroupFiles() : own_(std::to_string(::getpid())) {}
  /// Makes the cgroup in which the host is: "/" or "/user/x".
  Folder& host_in(const std::string& own, std::set<std::string> controllers) {
    proc_cgroup = "1:name=x:/\n0::" + own + "\n";
    auto& folder = folders[path_of(own)];
    folder.controllers = std::move(controllers);
    folder.processes.insert(own_);
    return folder;
  }
  static std::string path_of(const std::string& own) { return kMount + (own == "/" ? "" : own); }

  Result<std::string> read(const std::string& path) const override {
    if (path == "/proc/self/cgroup") return proc_cgroup;
    if (path == "/proc/self/mountinfo") return mountinfo;
    const auto [folder, file] = find(path);
    if (folder == nullptr) return error(path, "No such file or directory");
    if (file == "cgroup.controllers") return joined(folder->controllers, ' ');
    if (file == "cgroup.subtree_control") return joined(folder->handed_down, ' ');
    if (file == "cgroup.procs") return joined(folder->processes, '\n');
    if (file == "cgroup.type" && !folder->machine_root) return type;
    if (const auto limit = folder->limits.find(file); limit != folder->limits.end()) return limit->second;
    return error(path, "No such file or directory");
  }

  Result<void> write(const std::string& path, const std::string& text) override {
    const auto [folder, file] = find(path);
    if (folder == nullptr || (file == "cgroup.kill" && !has_kill)) return error(path, "No such file or directory");
    if (!folder->writable) return error(path, "Permission denied");
    if (file == "cgroup.procs") {
      if (!folder->handed_down.empty() && !folder->machine_root) return error(path, "Device or resource busy");
      for (auto& [name, other] : folders) other.processes.erase(own_);
      folder->processes.insert(own_);
    } else if (file == "cgroup.subtree_control") {
      if (busy_control || (!folder->processes.empty() && !folder->machine_root)) return error(path, "Device or resource busy");
      if (!folder->controllers.contains(text.substr(1))) return error(path, "No such file or directory");
      folder->handed_down.insert(text.substr(1));
      const auto own_path = path.substr(0, path.rfind('/'));
      for (auto& [name, child] : folders) {
        if (name.substr(0, name.rfind('/')) == own_path) child.controllers.insert(text.substr(1));
      }
    } else if (file == "cgroup.kill") {
      folder->processes.clear();
      ++folder->kills;
    } else {
      const auto controller = file.substr(0, file.find('.'));
      if (!folder->controllers.contains(controller) || file == missing_file) return error(path, "No such file or directory");
      if (text == "0" && file != "memory.swap.max") return error(path, "Invalid argument");
      folder->limits[file] = text;
    }
    return {};
  }

  Result<void> make_folder(const std::string& path) override {
    const auto parent = folders.find(path.substr(0, path.rfind('/')));
    if (parent == folders.end()) return error(path, "No such file or directory");
    if (!parent->second.writable) return error(path, "Permission denied");
    if (folders.contains(path)) return error(path, "File exists");
    folders[path].controllers = parent->second.handed_down;
    return {};
  }

  bool remove_folder(const std::string& path) override {
    const auto found = folders.find(path);
    if (found == folders.end()) return true;
    const auto next = std::next(found);
    if (!found->second.processes.empty() || (next != folders.end() && next->first.starts_with(path + '/'))) return false;
    folders.erase(found);
    return true;
  }

  Result<UniqueFd> open_for_writing(const std::string& path) override {
    const auto [folder, file] = find(path);
    if (folder == nullptr || (file == "cgroup.kill" && !has_kill)) return error(path, "No such file or directory");
    if (!folder->writable) return error(path, "Permission denied");
    return UniqueFd(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  }
  Result<UniqueFd> open_folder(const std::string& path) override {
    if (!folders.contains(path)) return error(path, "No such file or directory");
    return UniqueFd(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  [[nodiscard]] bool is_delegated(const std::string& path) const override { return folders.at(path).delegated; }
  [[nodiscard]] bool is_root() const override { return root; }

  std::map<std::string, Folder> folders;
  std::string proc_cgroup;
  std::string mountinfo = "30 1 0:26 / /cg rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
  std::string type = "domain\n";
  std::string missing_file;  ///< of each cgroup
  bool root = false;
  bool has_kill = true;
  bool busy_control = false;  ///< controllers cannot be handed down, whatever the rules say

 private:
  static Error error(const std::string& path, const std::string& why) { return Error{ErrorCode::worker_start_failed, path + ": " + why}; }
  static std::string joined(const std::set<std::string>& names, char separator) {
    std::string text;
    for (const auto& name : names) text += name + separator;
    return text;
  }
  template <class Self>
  static auto find_in(Self& self, const std::string& path) {
    const auto slash = path.rfind('/');
    const auto found = self.folders.find(path.substr(0, slash));
    return std::pair(found == self.folders.end() ? nullptr : &found->second, path.substr(slash + 1));
  }
  [[nodiscard]] std::pair<const Folder*, std::string> find(const std::string& path) const { return find_in(*this, path); }
  std::pair<Folder*, std::string> find(const std::string& path) { return find_in(*this, path); }

  std::string own_;
};

}  // namespace pons
