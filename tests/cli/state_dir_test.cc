// The folder for what outlives a host: whose it is, who holds it, and what is wrong with it.
#include "host/state_dir.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace pons::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr uid_t kNobody = 65534;

class StateFolder : public testing::Test {
 protected:
  StateFolder() {
    std::string name = (fs::temp_directory_path() / "pons-state-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    root_ = fs::canonical(name);
    fs::permissions(root_,
                    fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec | fs::perms::others_read | fs::perms::others_exec);
  }
  ~StateFolder() override { fs::remove_all(root_); }

  /// Why it cannot be opened; empty if it can.
  static std::string failure(const fs::path& path) {
    const auto opened = StateDir::open(path.string());
    if (opened) return {};
    EXPECT_EQ(opened.error().code, ErrorCode::invalid_configuration);
    EXPECT_TRUE(opened.error().message.starts_with("state directory " + path.string() + ": ")) << opened.error().message;
    return opened.error().message;
  }

  /// What `text` says in a child process, which may change what it is.
  static std::string in_child(const std::function<std::string()>& text) {
    std::array<int, 2> fds{};
    if (::pipe(fds.data()) != 0) throw std::runtime_error("pipe");
    const pid_t pid = ::fork();
    if (pid == 0) {
      const auto said = text();
      ::_exit(::write(fds[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
    }
    ::close(fds[1]);
    std::string said;
    std::array<char, 4096> buffer{};
    for (ssize_t n = 0; (n = ::read(fds[0], buffer.data(), buffer.size())) > 0;) said.append(buffer.data(), static_cast<std::size_t>(n));
    ::close(fds[0]);
    ::waitpid(pid, nullptr, 0);
    return said;
  }

  fs::path root_;
};

TEST_F(StateFolder, IsMadeForUsAloneAndGoesIfNothingIsLeftInIt) {
  const auto path = root_ / "above" / "lab";
  {
    const auto state = StateDir::open(path.string());
    ASSERT_TRUE(state) << state.error().message;
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
    EXPECT_EQ(fs::status(path.parent_path()).permissions(), fs::perms::owner_all);
    EXPECT_EQ(state->path(), path.string());
    EXPECT_EQ(state->snapshots(), (path / "snapshots").string());
    fs::create_directories(state->snapshots());
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(StateFolder, StaysWithWhatIsInIt) {
  const auto path = root_ / "lab";
  {
    const auto state = StateDir::open(path.string());
    fs::create_directories(state->snapshots());
    std::ofstream(state->snapshots() + "/s") << "snapshot";
  }
  EXPECT_TRUE(fs::exists(path / "snapshots/s"));
  EXPECT_FALSE(fs::exists(path / "lock"));
  EXPECT_EQ(failure(path), "");
}

TEST_F(StateFolder, StaysIfItWasThereBefore) {
  fs::create_directory(root_ / "mine");
  fs::permissions(root_ / "mine", fs::perms::owner_all | fs::perms::group_read);
  EXPECT_EQ(failure(root_ / "mine"), "");
  EXPECT_TRUE(fs::is_empty(root_ / "mine"));
}

TEST_F(StateFolder, IsHeldByOneAtATimeWhoIsNamed) {
  const auto path = root_ / "lab";
  auto first = StateDir::open(path.string());
  ASSERT_TRUE(first);
  EXPECT_TRUE(contains(failure(path), "a host is already running there (pid " + std::to_string(::getpid()) + ")"));
  const StateDir moved = std::move(*first);
  EXPECT_FALSE(StateDir::open(path.string())) << "given back by being moved";
}

TEST_F(StateFolder, OfAKilledHolderIsFree) {
  const auto path = root_ / "lab";
  in_child([&] {
    const auto state = StateDir::open(path.string());
    ::raise(SIGKILL);
    return std::string();
  });
  EXPECT_TRUE(fs::exists(path / "lock"));
  EXPECT_EQ(failure(path), "");
}

TEST_F(StateFolder, MustNotBeWritableByOthers) {
  const auto path = root_ / "lab";
  fs::create_directory(path);
  for (const auto mode : {0770, 0707, 0777, 01777}) {
    ASSERT_EQ(::chmod(path.c_str(), static_cast<mode_t>(mode)), 0);
    EXPECT_TRUE(contains(failure(path), "others can write to the directory " + path.string())) << std::oct << mode;
  }
  ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
  EXPECT_EQ(failure(path), "");
}

TEST_F(StateFolder, MustNotLieWhereOthersCanReplaceIt) {
  ASSERT_EQ(::chmod(root_.c_str(), 0777), 0);
  EXPECT_TRUE(contains(failure(root_ / "above/lab"), "others can write to the directory " + root_.string()));
  EXPECT_FALSE(fs::exists(root_ / "above"));
  ASSERT_EQ(::chmod(root_.c_str(), 01777), 0);
  EXPECT_EQ(failure(root_ / "above/lab"), "");
}

TEST_F(StateFolder, SaysWhyItCannotBeMade) {
  std::ofstream(root_ / "file") << "";
  EXPECT_TRUE(contains(failure(root_ / "file"), "is no directory"));
  EXPECT_TRUE(contains(failure(root_ / "file/lab"), "cannot make the directory " + (root_ / "file/lab").string() + ": Not a directory"));
  EXPECT_TRUE(contains(failure("/proc/lab"), "cannot make the directory /proc/lab"));
}

TEST_F(StateFolder, OfSomebodyElseIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  fs::create_directory(root_ / "theirs");
  ASSERT_EQ(::chown((root_ / "theirs").c_str(), kNobody, kNobody), 0);
  EXPECT_TRUE(contains(failure(root_ / "theirs"), "others can write to the directory"));
  const auto as_nobody = [&](const fs::path& path) {
    return in_child([&] { return ::setresuid(kNobody, kNobody, kNobody) == 0 ? failure(path) : "setresuid failed"; });
  };
  EXPECT_TRUE(contains(as_nobody(root_ / "lab"), "cannot make the directory " + (root_ / "lab").string() + ": Permission denied"));
  fs::create_directory(root_ / "roots");
  EXPECT_TRUE(contains(as_nobody(root_ / "roots"), "cannot open " + (root_ / "roots/lock").string() + ": Permission denied"));
  EXPECT_EQ(as_nobody(root_ / "theirs"), "");
}

TEST_F(StateFolder, OnAFullDiskIsRefused) {
  fs::create_directory(root_ / "disk");
  constexpr std::string_view kNotHere = "no file system of our own here";
  const auto said = in_child([&] {
    const bool mounted = ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount("full", (root_ / "disk").c_str(), "tmpfs", 0, "size=4k,nr_inodes=3,mode=0755") == 0;
    if (!mounted) return std::string(kNotHere);
    std::ofstream(root_ / "disk/filler") << std::string(4096, 'x') << std::flush;
    const auto no_space = failure(root_ / "disk/lab");
    std::ofstream(root_ / "disk/second") << "";
    return no_space + "\n" + failure(root_ / "disk/lab");
  });
  if (said == kNotHere) GTEST_SKIP() << said;
  EXPECT_TRUE(contains(said, "No space left on device\n")) << said;
  EXPECT_TRUE(said.ends_with("No space left on device")) << said;
}

// ---- Of the program ----------------------------------------------------------------------------------------------------------------

TEST(StateOfAHost, IsHeldUnderItsNameWhateverItsSocket) {
  Sandbox sandbox;
  const auto host = sandbox.serve({"--name", "lab"});
  const auto second = sandbox.run({"serve", "--name", "lab", "--socket", (sandbox.folder() / "other.sock").string()});
  EXPECT_EQ(second.status, 2);
  EXPECT_TRUE(contains(second.err, "state directory " + (sandbox.folder() / "state/pons/lab").string())) << second.err;
  EXPECT_TRUE(contains(second.err, "pid " + std::to_string(host))) << second.err;
  const auto info = json::parse(sandbox.run({"info", "--name", "lab", "--json"}).out);
  EXPECT_EQ(info.at("state_dir"), (sandbox.folder() / "state/pons/lab").string());
}

TEST(StateOfAHost, HostsAtSocketsOfTheirOwnDoNotMeet) {
  Sandbox sandbox;
  const auto a = (sandbox.folder() / "a.sock").string();
  const auto b = (sandbox.folder() / "b.sock").string();
  sandbox.serve({"--socket", a});
  sandbox.serve({"--socket", b});
  EXPECT_NE(json::parse(sandbox.run({"info", "--socket", a}).out).at("state_dir"),
            json::parse(sandbox.run({"info", "--socket", b}).out).at("state_dir"));
}

TEST(StateOfAHost, CanBeTakenAsSoonAsStopHasEnded) {
  Sandbox sandbox;
  for (int i = 0; i < 5; ++i) {
    const auto host = sandbox.serve();
    EXPECT_EQ(sandbox.run({"stop"}).status, 0);
    EXPECT_FALSE(fs::exists(sandbox.folder() / "state/pons/default"));
    EXPECT_EQ(sandbox.end(host).status, 0);
  }
}

TEST(StateOfAHost, OnStdioAloneIsNotKept) {
  Sandbox sandbox;
  EXPECT_EQ(sandbox.run({"serve", "--stdio"}).status, 0);
  EXPECT_FALSE(fs::exists(sandbox.folder() / "state"));
}

TEST(StateOfAHost, ThatCannotBeUsedIsAnErrorBeforeAnythingStarts) {
  Sandbox sandbox;
  const auto file = sandbox.write_file("pons.yaml", "host: {state_dir: ./shared}\nadapters: {}\n");
  fs::create_directory(sandbox.folder() / "shared");
  fs::permissions(sandbox.folder() / "shared", fs::perms::all);
  const auto ended = sandbox.run({"serve", "-c", file});
  EXPECT_EQ(ended.status, 2);
  EXPECT_TRUE(contains(ended.err, "others can write to the directory " + (sandbox.folder() / "shared").string())) << ended.err;
  EXPECT_TRUE(fs::is_empty(sandbox.folder() / "run"));
}

}  // namespace
}  // namespace pons::test
