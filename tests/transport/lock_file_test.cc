#include "protocol/transport/lock_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace pons {
namespace {

namespace fs = std::filesystem;

class LockFiles : public testing::Test {
 protected:
  LockFiles() {
    std::string name = testing::TempDir() + "pons-lock-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = name;
    path_ = name + "/lock";
  }
  ~LockFiles() override { fs::remove_all(folder_); }

  fs::path folder_;
  std::string path_;
};

TEST_F(LockFiles, SaysWhoHoldsItAndIsGoneAfterwards) {
  {
    const auto lock = LockFile::take(path_);
    ASSERT_TRUE(lock) << lock.error().message;
    const auto second = LockFile::take(path_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().message, "a host is already running there (pid " + std::to_string(::getpid()) + ")");
    EXPECT_EQ(second.error().details["pid"], ::getpid());
  }
  EXPECT_TRUE(fs::is_empty(folder_));
  EXPECT_TRUE(LockFile::take(path_));
}

TEST_F(LockFiles, MovesWithItsHolder) {
  auto first = LockFile::take(path_);
  LockFile second = std::move(*first);
  EXPECT_FALSE(LockFile::take(path_));
  second = LockFile();
  EXPECT_TRUE(LockFile::take(path_));
}

TEST_F(LockFiles, WhatADeadHolderLeftIsTakenOver) {
  std::ofstream(path_) << "999999999\n";
  const auto lock = LockFile::take(path_);
  ASSERT_TRUE(lock);
  EXPECT_EQ(LockFile::take(path_).error().details["pid"], ::getpid());
}

TEST_F(LockFiles, NoLinkIsFollowed) {
  fs::create_symlink(folder_ / "elsewhere", path_);
  const auto lock = LockFile::take(path_);
  ASSERT_FALSE(lock);
  EXPECT_NE(lock.error().message.find("cannot open " + path_), std::string::npos);
  EXPECT_FALSE(fs::exists(folder_ / "elsewhere"));
}

}  // namespace
}  // namespace pons
