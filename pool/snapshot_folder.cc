#include "pool/snapshot_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "protocol/transport/unique_fd.h"

namespace pons {

namespace {

constexpr std::string_view kEnding = ".snapshot";
constexpr std::string_view kUnfinished = ".snapshot.new";
constexpr mode_t kFolderMode = 0700;
constexpr mode_t kFileMode = 0600;

Error failed(const std::string& path, ErrorCode code = ErrorCode::internal) { return Error{code, path + ": " + std::strerror(errno)}; }

/// As mkdir -p.
bool make_folders(const std::string& path) {
  if (::mkdir(path.c_str(), kFolderMode) == 0 || errno == EEXIST) return true;
  const auto slash = path.rfind('/');
  if (errno != ENOENT || slash == std::string::npos || slash == 0) return false;
  return make_folders(path.substr(0, slash)) && (::mkdir(path.c_str(), kFolderMode) == 0 || errno == EEXIST);
}

bool write_all(int fd, std::string_view first, std::string_view second) {
  while (!first.empty() || !second.empty()) {
    const std::array<iovec, 2> parts{{{const_cast<char*>(first.data()), first.size()}, {const_cast<char*>(second.data()), second.size()}}};
    const auto n = ::writev(fd, parts.data(), static_cast<int>(parts.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    const auto written = static_cast<std::size_t>(n);
    const auto of_first = std::min(written, first.size());
    first.remove_prefix(of_first);
    second.remove_prefix(written - of_first);
  }
  return true;
}

/// At most `most` bytes from its beginning.
Result<std::string> read_file(const std::string& path, std::size_t most, std::uint64_t* size = nullptr) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return failed(path, errno == ENOENT ? ErrorCode::resource_not_found : ErrorCode::internal);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return failed(path);
  if (!S_ISREG(info.st_mode)) return Error{ErrorCode::internal, path + ": is no file"};
  if (size != nullptr) *size = static_cast<std::uint64_t>(info.st_size);
  std::string bytes(std::min(most, static_cast<std::size_t>(info.st_size)), '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const auto n = ::read(file.get(), bytes.data() + have, bytes.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(path);
    if (n == 0) break;  // it has become shorter meanwhile
    have += static_cast<std::size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

}  // namespace

Result<SnapshotFolder> SnapshotFolder::open(std::string path) {
  if (!make_folders(path)) return failed(path);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return failed(path);
  if (!S_ISDIR(info.st_mode)) return Error{ErrorCode::internal, path + ": is no folder"};
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) return failed(path);
  if (info.st_uid == ::geteuid() && (info.st_mode & 077) != 0) ::chmod(path.c_str(), kFolderMode);
  return SnapshotFolder(std::move(path));
}

SnapshotFolder::Contents SnapshotFolder::list(std::string_view adapter) const {
  Contents contents;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path_.c_str()), ::closedir);
  if (!folder) {
    contents.warnings.push_back(failed(path_).message);
    return contents;
  }
  while (const auto* entry = ::readdir(folder.get())) {
    const std::string name = entry->d_name;
    if (name.ends_with(kUnfinished)) remove(name);  // nobody writes now
    if (!name.ends_with(kEnding)) continue;
    File file{name, {}, 0};
    const auto bytes = read_file(path_of(name), SnapshotHead::kLongest, &file.size);
    auto head = bytes ? SnapshotHead::parse(*bytes, file.size) : bytes.error();
    if (head && head->adapter != adapter) head = Error{ErrorCode::worker_error, "it is another adapter's (" + head->adapter + ")"};
    if (!head) {
      contents.warnings.push_back(bytes ? path_of(name) + ": " + head.error().message : head.error().message);
      continue;
    }
    file.head = std::move(*head);
    contents.files.push_back(std::move(file));
  }
  auto& files = contents.files;
  const auto older = [](const File& a, const File& b) { return std::pair(a.head.saved_at, a.name) < std::pair(b.head.saved_at, b.name); };
  std::sort(files.begin(), files.end(), older);
  return contents;
}

Result<void> SnapshotFolder::write(const std::string& name, SnapshotHead head, std::string_view state) const {
  head.state_crc = crc32_of(state);
  const auto unfinished = path_of(name.substr(0, name.size() - kEnding.size())) + std::string(kUnfinished);
  const auto create = [&] { return ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kFileMode); };
  UniqueFd file(create());
  if (!file && errno == ENOENT && make_folders(path_)) file.reset(create());
  if (!file) return failed(unfinished);
  bool written = write_all(file.get(), head.encode(), state);
  written = ::close(file.release()) == 0 && written;
  if (written && ::rename(unfinished.c_str(), path_of(name).c_str()) == 0) return {};
  const auto error = failed(path_of(name));
  ::unlink(unfinished.c_str());
  return error;
}

Result<std::string> SnapshotFolder::read(const std::string& name) const { return read_file(path_of(name), SIZE_MAX); }

void SnapshotFolder::remove(const std::string& name) const { ::unlink(path_of(name).c_str()); }

}  // namespace pons
