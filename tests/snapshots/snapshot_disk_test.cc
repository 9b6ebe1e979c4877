// The store on disks that are full, read-only or gone, and in hosts that are killed.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <random>

#include "tests/snapshots/store_fixture.h"

namespace pons {
namespace {

class SnapshotDiskTest : public StoreTest {
 protected:
  enum Outcome : int { good, bad, cannot };
  /// Runs `body` in a process of its own, which may change its limits, its user and its mounts; it returns an Outcome.
  template <class Body>
  static int in_child(Body body) {
    const pid_t child = ::fork();
    if (child == 0) {
      const int outcome = body();
      ::_exit(outcome == good && HasFailure() ? bad : outcome);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : bad;
  }
  /// The save fails with that reason, and the one before it is still there, now and in the next run.
  void keeps_the_old_one(const std::string& large, const std::string& reason) {
    const auto failed = save("s", 2, large);
    EXPECT_FALSE(failed);
    if (!failed) {
      EXPECT_NE(failed.error().message.find(reason), std::string::npos) << failed.error().message;
    }
    EXPECT_EQ(store->find("s")->covers, 1u);
    EXPECT_EQ(store->find("s")->answered, 2u);
    EXPECT_EQ(load("s")->state, "old");
    EXPECT_EQ(files().size(), 1u) << "nothing half-written";
  }
};

TEST_F(SnapshotDiskTest, AFileThatMayNotGrowFailsTheOneSave) {
  const int outcome = in_child([&] {
    open();
    EXPECT_TRUE(save("s", 1, "old"));
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{500'000, 500'000};  // less than that, and the counts could not be there
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    keeps_the_old_one(std::string(600'000, 'x'), "File too large");
    EXPECT_TRUE(save("s", 3, "fits"));
    EXPECT_EQ(load("s")->state, "fits");
    return good;
  });
  EXPECT_EQ(outcome, good);
}

TEST_F(SnapshotDiskTest, AFullDiskFailsTheOneSave) {
  const int outcome = in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=600k") != 0) {
      return cannot;
    }
    open();
    EXPECT_TRUE(save("s", 1, "old"));
    keeps_the_old_one(std::string(500'000, 'x'), "No space left on device");
    EXPECT_TRUE(save("s", 3, "fits"));
    // The counts need more room than there is, too: they stay in memory, and nobody is killed for it.
    for (int i = 0; i < 3'000; ++i) store->note_answered(std::to_string(i), 7);
    EXPECT_TRUE(until([&] { return !warnings.empty(); }));
    EXPECT_NE(warnings.at(0).find("cannot grow: No space left on device"), std::string::npos) << warnings[0];
    EXPECT_EQ(store->find("2999")->answered, 7u);
    store.reset();
    open();
    EXPECT_EQ(store->find("0")->answered, 7u);
    EXPECT_EQ(load("s")->state, "fits");
    return good;
  });
  if (outcome == cannot) GTEST_SKIP() << "no small file system can be mounted";
  EXPECT_EQ(outcome, good);
}

TEST_F(SnapshotDiskTest, AFolderThatCannotBeWrittenIsAnErrorAtTheStart) {
  const int outcome = in_child([&] {
    std::filesystem::create_directory(files_folder());
    ::chmod(files_folder().c_str(), 0500);
    ::chmod(folder.c_str(), 0755);
    if (::geteuid() == 0 && (::chown(files_folder().c_str(), 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0)) return cannot;
    const auto opened = try_open(folder);
    EXPECT_FALSE(opened);
    if (!opened) {
      EXPECT_EQ(opened.error().message, files_folder() + ": Permission denied");
    }
    return good;
  });
  EXPECT_EQ(outcome, good);
  const auto below_a_file = folder + "/file";
  ASSERT_GE(::close(::open(below_a_file.c_str(), O_CREAT | O_WRONLY, 0600)), 0);
  const auto opened = try_open(below_a_file);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("Not a directory"), std::string::npos) << opened.error().message;
}

TEST_F(SnapshotDiskTest, AFolderThatBecomesReadOnlyFailsEachSave) {
  const int outcome = in_child([&] {
    ::chmod(folder.c_str(), 0777);
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) return cannot;
    open();
    EXPECT_TRUE(save("s", 1, "old"));
    ::chmod(files_folder().c_str(), 0500);
    keeps_the_old_one("new", "Permission denied");
    store->note_answered("s", 9);
    ::chmod(files_folder().c_str(), 0700);
    EXPECT_TRUE(save("s", 3, "again"));
    EXPECT_EQ(load("s")->state, "again");
    return good;
  });
  EXPECT_EQ(outcome, good);
}

TEST_F(SnapshotDiskTest, AFolderThatWasRemovedIsMadeAgain) {
  open();
  ASSERT_TRUE(save("a", 1, "of a"));
  ASSERT_TRUE(save("b", 1, "of b"));
  std::filesystem::remove_all(folder);
  const auto gone = load("a");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::resource_not_found) << gone.error().message;
  settle();
  EXPECT_EQ(given_up, std::vector<std::string>{"a"});
  store->note_answered("b", 5);
  ASSERT_TRUE(save("b", 5, "newer"));
  EXPECT_EQ(load("b")->state, "newer");
  store.reset();
  open();
  EXPECT_EQ(load("b")->state, "newer");
  EXPECT_FALSE(store->find("b")->certain) << "its count went with the old folder";
}

TEST_F(SnapshotDiskTest, WhatWasToldAsSavedSurvivesAKill) {
  const char* const given = std::getenv("PONS_TEST_SEED");
  const auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("PONS_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20; ++round) {
    int pipe_fds[2];
    ASSERT_EQ(::pipe(pipe_fds), 0);
    struct Promise {
      std::uint64_t covers;
      std::uint64_t answered;
    };
    const auto kill_after = 1 + random() % 60;
    const pid_t child = ::fork();
    if (child == 0) {
      // Saves as fast as it can, and promises what it has been told. With a loop of its own: the other's belongs to two processes now.
      asio::io_context loop(1);
      const auto opened = SnapshotStore::open(loop.get_executor(), folder, "echo", options, {});
      if (!opened) ::_exit(1);
      auto& own = **opened;
      std::uint64_t answered = 0;
      std::function<void()> more = [&] {
        own.note_answered("s", ++answered);
        own.save("s", {"f", std::string(random() % 50'000, 'x'), answered}, [&, covers = answered](const Result<void>& saved) {
          if (!saved) ::_exit(1);
          const Promise promise{covers, answered};
          if (::write(pipe_fds[1], &promise, sizeof promise) != static_cast<ssize_t>(sizeof promise)) ::_exit(1);
          more();
        });
      };
      more();
      loop.run();
      ::_exit(1);
    }
    ::close(pipe_fds[1]);
    Promise promise{};
    for (std::uint64_t n = 0; n < kill_after; ++n) {
      ASSERT_EQ(::read(pipe_fds[0], &promise, sizeof promise), static_cast<ssize_t>(sizeof promise));
    }
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    for (Promise last{}; ::read(pipe_fds[0], &last, sizeof last) == static_cast<ssize_t>(sizeof last);) promise = last;
    ::close(pipe_fds[0]);

    open();
    const auto found = store->find("s");
    ASSERT_TRUE(found && found->has_snapshot);
    EXPECT_GE(found->covers, promise.covers);
    EXPECT_GE(found->answered, promise.answered);
    EXPECT_LE(found->covers, found->answered);
    EXPECT_TRUE(found->certain);
    const auto loaded = load("s");
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->covers, found->covers);
    EXPECT_EQ(files().size(), 1u) << "what was being written has been cleared away";
    store->forget("s");
    close();
  }
}

}  // namespace
}  // namespace pons
