#include "protocol/transport/private_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pons {

namespace {

Error unusable(std::string why) { return Error{ErrorCode::invalid_configuration, std::move(why)}; }

Result<void> make_all(const std::filesystem::path& directory) {
  std::filesystem::path made;
  for (const auto& part : directory) {
    made /= part;
    if (::mkdir(made.c_str(), 0700) == 0 || errno == EEXIST) continue;
    const int why = errno;  // on a file system that is only read, also for what is there
    struct stat info {};
    if (::stat(made.c_str(), &info) == 0) continue;
    return unusable("cannot make the directory " + made.string() + ": " + std::strerror(why));
  }
  return {};
}

}  // namespace

Result<void> make_private_directory(const std::filesystem::path& directory, Sharing sharing) {
  if (auto made = make_all(directory); !made) return made;
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) return unusable(directory.string() + ": " + std::strerror(errno));
  if (!S_ISDIR(info.st_mode)) return unusable(directory.string() + " is no directory");
  const bool sticky = (info.st_mode & S_ISVTX) != 0 && sharing == Sharing::sticky;
  const bool others_write = (info.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !sticky;
  if (others_write || (info.st_uid != ::geteuid() && info.st_uid != 0)) {
    return unusable("others can write to the directory " + directory.string());
  }
  return {};
}

}  // namespace pons
