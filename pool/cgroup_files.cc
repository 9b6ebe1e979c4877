#include "pool/cgroup_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace pons {

namespace {

Error refusal(const std::string& path) { return Error{ErrorCode::worker_start_failed, path + ": " + std::strerror(errno)}; }

bool has_mark(const std::string& path, const char* name) {
  char value = 0;
  return ::getxattr(path.c_str(), name, &value, 1) == 1 && value == '1';
}

/// Takes the text up to the next `separator` off the front.
std::string_view take(std::string_view& text, char separator) {
  const auto end = std::min(text.find(separator), text.size());
  const auto taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

/// A path of mountinfo, in which white space and backslashes are written \ooo.
std::string unescaped(std::string_view text) {
  std::string path;
  const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '7'; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      path.push_back(static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0')));
      i += 3;
    } else {
      path.push_back(text[i]);
    }
  }
  return path;
}

struct Mount {
  std::string root;
  std::string point;
};

/// Where that line of mountinfo mounts a cgroup v2.
bool parse_cgroup2(std::string_view line, Mount& mount) {
  for (int field = 0; field < 3; ++field) take(line, ' ');
  mount.root = unescaped(take(line, ' '));
  mount.point = unescaped(take(line, ' '));
  const auto separator = line.find(" - ");
  if (separator == std::string_view::npos) return false;
  line.remove_prefix(separator + 3);
  return take(line, ' ') == "cgroup2";
}

Error none(const std::string& why) { return Error{ErrorCode::invalid_configuration, why}; }

}  // namespace

Result<std::string> SystemCgroupFiles::read(const std::string& path) const {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return refusal(path);
  std::string text;
  std::array<char, 4096> buffer;
  while (true) {
    const auto n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0) return refusal(path);
    if (n == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

Result<void> SystemCgroupFiles::write(const std::string& path, const std::string& text) {
  const auto file = open_for_writing(path);
  if (!file) return file.error();
  if (::write(file->get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return refusal(path);
  return {};
}

Result<void> SystemCgroupFiles::make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0) return refusal(path);
  return {};
}

bool SystemCgroupFiles::remove_folder(const std::string& path) { return ::rmdir(path.c_str()) == 0 || errno == ENOENT; }

Result<UniqueFd> SystemCgroupFiles::open_for_writing(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return refusal(path);
  return file;
}

Result<UniqueFd> SystemCgroupFiles::open_folder(const std::string& path) {
  UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return refusal(path);
  return folder;
}

bool SystemCgroupFiles::is_delegated(const std::string& path) const {
  return has_mark(path, "user.delegate") || has_mark(path, "trusted.delegate");
}

bool SystemCgroupFiles::is_root() const { return ::geteuid() == 0; }

Result<OwnCgroup> find_own_cgroup(std::string_view proc_cgroup, std::string_view mountinfo) {
  std::string own;
  while (!proc_cgroup.empty() && own.empty()) {
    auto line = take(proc_cgroup, '\n');
    if (line.starts_with("0::/")) own = line.substr(3);
  }
  if (own.empty()) return none("this process is in no cgroup v2");
  if (own.ends_with(" (deleted)")) return none("the cgroup of this process has been removed");
  if ((own + '/').find("/../") != std::string::npos) return none("the cgroup of this process lies outside of what it can see");
  while (!mountinfo.empty()) {
    Mount mount;
    if (!parse_cgroup2(take(mountinfo, '\n'), mount)) continue;
    if (mount.root == "/") mount.root.clear();
    const std::string_view rest = own == "/" ? "" : std::string_view(own);
    if (!rest.starts_with(mount.root) || (rest.size() > mount.root.size() && rest[mount.root.size()] != '/')) continue;
    const auto below = rest.substr(mount.root.size());
    return OwnCgroup{mount.point + std::string(below), below.empty()};
  }
  return none("no cgroup v2 is mounted in which this process is");
}

}  // namespace pons
