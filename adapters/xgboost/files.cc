#include "adapters/xgboost/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>
#include <utility>

#include "adapters/xgboost/arguments.h"
#include "protocol/error.h"

namespace pons::xgb {

namespace {

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void refuse(const std::string& argument, const char* what, const std::string& path, int error) {
  throw_invalid_args(argument, std::string("Cannot ") + what + " " + path + ": " + std::strerror(error));
}

[[noreturn]] void fail(const std::string& path, const std::string& temporary, int error) {
  ::unlink(temporary.c_str());
  throw Exception(ErrorCode::worker_error, "Cannot write " + path + ": " + std::strerror(error));
}

}  // namespace

std::filesystem::path data_folder() { return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "data"; }

std::string read_file(const std::string& path, const std::string& argument, std::uint64_t most) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a FIFO must not hang the worker
  struct stat status {};
  if (file.fd() < 0 || ::fstat(file.fd(), &status) != 0) refuse(argument, "read", path, errno);
  if (S_ISDIR(status.st_mode)) refuse(argument, "read", path, EISDIR);
  if (!S_ISREG(status.st_mode)) throw_invalid_args(argument, "Cannot read " + path + ": it is no regular file");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > most) {
    throw_invalid_args(argument, path + " has " + std::to_string(size) + " bytes; at most " + std::to_string(most) + " are read");
  }
  std::string bytes(size, '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t n = ::read(file.fd(), bytes.data() + got, bytes.size() - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) refuse(argument, "read", path, errno);
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  bytes.resize(got);
  return bytes;
}

void write_file(const std::string& path, const std::string& argument, std::string_view bytes) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    throw_invalid_args(argument, "Cannot write " + path + ": it exists and is no regular file");
  }
  const std::string temporary = path + "." + std::to_string(::getpid()) + "-" + std::to_string(std::random_device{}()) + ".tmp";
  const File file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.fd() < 0) refuse(argument, "write", path, errno);
  while (!bytes.empty()) {
    const ssize_t n = ::write(file.fd(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path, temporary, errno);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(file.fd()) != 0) fail(path, temporary, errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0) fail(path, temporary, errno);
}

}  // namespace pons::xgb
