#include "pool/cgroup.h"

#include "tests/pool/fake_cgroup_files.h"
#include "tests/pool/process_fixture.h"

namespace pons {
namespace {

constexpr char kInstance[] = "0123456789abcdef";
constexpr char kName[] = "pons-0123456789ab";
const std::set<std::string> kAll{"cpu", "io", "memory", "pids"};

LimitOptions limits_of(std::size_t memory, double cpu, std::size_t processes) {
  LimitOptions limits;
  limits.memory = memory;
  limits.cpu = cpu;
  limits.processes = processes;
  return limits;
}

// ---- Where the host is

TEST(OwnCgroupTest, IsFoundBelowItsMount) {
  constexpr std::string_view mounts =
      "22 1 0:20 / /proc rw - proc proc rw\n"
      "30 1 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "31 1 0:27 / /sys/fs/cgroup\\040here rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
  const auto own = find_own_cgroup("4:memory:/x\n0::/user.slice/a\n", mounts);
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_EQ(own->path, "/sys/fs/cgroup here/user.slice/a");
  EXPECT_FALSE(own->top_of_mount);
  EXPECT_EQ(find_own_cgroup("0::/\n", mounts)->path, "/sys/fs/cgroup here");
  EXPECT_TRUE(find_own_cgroup("0::/\n", mounts)->top_of_mount);
}

TEST(OwnCgroupTest, MayBeAllThatIsMounted) {
  constexpr std::string_view mounts = "31 1 0:27 /pod/x /cg rw - cgroup2 cgroup2 rw\n";
  EXPECT_EQ(find_own_cgroup("0::/pod/x/y\n", mounts)->path, "/cg/y");
  EXPECT_EQ(find_own_cgroup("0::/pod/x", mounts)->path, "/cg");
  EXPECT_TRUE(find_own_cgroup("0::/pod/x", mounts)->top_of_mount);
  EXPECT_FALSE(find_own_cgroup("0::/pod/xy", mounts));
  EXPECT_FALSE(find_own_cgroup("0::/pod", mounts));
}

TEST(OwnCgroupTest, SaysWhyThereIsNone) {
  constexpr std::string_view mounts = "31 1 0:27 / /cg rw - cgroup2 cgroup2 rw\n";
  EXPECT_EQ(find_own_cgroup("4:memory:/x\n", mounts).error().message, "this process is in no cgroup v2");
  EXPECT_EQ(find_own_cgroup("0::/x\n", "").error().message, "no cgroup v2 is mounted in which this process is");
  EXPECT_EQ(find_own_cgroup("0::/x (deleted)\n", mounts).error().message, "the cgroup of this process has been removed");
  EXPECT_EQ(find_own_cgroup("0::/../x\n", mounts).error().message, "the cgroup of this process lies outside of what it can see");
  for (const std::string_view bad :
       {"\n\n", "31 1 0:27", "31 1 0:27 / /cg rw", "31 1 0:27 / /cg rw -", "31 1 0:27 / /cg rw - cgroup2x y"}) {
    EXPECT_FALSE(find_own_cgroup("0::/x\n", bad)) << bad;
  }
}

// ---- What can be made of it

class CgroupTreeTest : public testing::Test {
 protected:
  FakeCgroupFiles::Folder& folder(const std::string& below) {
    const auto path = FakeCgroupFiles::path_of("/svc") + below;
    EXPECT_TRUE(files.folders.contains(path)) << path;
    return files.folders[path];
  }
  [[nodiscard]] bool exists(const std::string& below) const { return files.folders.contains(FakeCgroupFiles::path_of("/svc") + below); }
  static nlohmann::json report_of(const CgroupTree& tree) { return tree.report().to_json(); }
  static std::string reason(const CgroupTree& tree, const char* limit) { return report_of(tree)["reasons"].value(limit, ""); }

  FakeCgroupFiles files;
};

TEST_F(CgroupTreeTest, OfItsOwnHasAllLimits) {
  files.host_in("/svc", kAll);
  const auto tree = CgroupTree::prepare(kInstance, files);
  ASSERT_TRUE(tree->available());
  const auto report = report_of(*tree);
  for (const char* const limit : {"cgroup", "memory", "cpu", "processes"}) {
    EXPECT_EQ(report[limit], "enforced");
    EXPECT_EQ(report["how"][limit], "cgroup");
    EXPECT_FALSE(report["reasons"].contains(limit));
  }
  EXPECT_TRUE(folder("").processes.empty()) << "the host has moved";
  EXPECT_TRUE(folder(std::string("/") + kName + "-host").processes.contains(std::to_string(::getpid())));
  EXPECT_EQ(folder("").handed_down, (std::set<std::string>{"cpu", "memory", "pids"})) << "and no more";
  const auto watched = tree->for_watcher();
  EXPECT_TRUE(watched.parent);
  EXPECT_EQ(watched.name, kName);
  EXPECT_EQ(watched.leaf, std::string(kName) + "-host");
}

TEST_F(CgroupTreeTest, AWorkerGetsItsLimits) {
  files.host_in("/svc", kAll);
  const auto tree = CgroupTree::prepare(kInstance, files);
  const auto path = std::string("/") + kName + "/echo#0.1";
  {
    const auto cgroup = tree->make("echo#0.1", limits_of(1 << 30, 1.5, 64));
    ASSERT_TRUE(cgroup) << cgroup.error().message;
    EXPECT_GE(cgroup->procs(), 0);
    EXPECT_TRUE(cgroup->limits_memory());
    EXPECT_EQ(folder(path).limits, (std::map<std::string, std::string>{{"memory.max", "1073741824"},
                                                                       {"memory.oom.group", "1"},
                                                                       {"memory.swap.max", "0"},
                                                                       {"cpu.max", "150000 100000"},
                                                                       {"pids.max", "64"}}));
    EXPECT_FALSE(cgroup->over_memory());
    folder(path).limits["memory.events"] = "low 0\nhigh 0\nmax 7\noom 1\noom_kill 0\noom_group_kill 0\n";
    EXPECT_FALSE(cgroup->over_memory());
    folder(path).limits["memory.events"] = "low 0\nhigh 0\nmax 7\noom 1\noom_kill 2\noom_group_kill 1\n";
    EXPECT_TRUE(cgroup->over_memory());
  }
  EXPECT_FALSE(exists(path)) << "it goes with the worker";
}

TEST_F(CgroupTreeTest, WithoutLimitsNoneAreSet) {
  files.host_in("/svc", kAll);
  const auto tree = CgroupTree::prepare(kInstance, files);
  const auto cgroup = tree->make("echo#0.1", {});
  ASSERT_TRUE(cgroup);
  EXPECT_TRUE(folder(std::string("/") + kName + "/echo#0.1").limits.empty());
}

TEST_F(CgroupTreeTest, TheLeastOfAProcessorIsWhatTheKernelTakes) {
  files.host_in("/svc", kAll);
  const auto tree = CgroupTree::prepare(kInstance, files);
  const auto cgroup = tree->make("echo#0.1", limits_of(0, 0.0001, 0));
  ASSERT_TRUE(cgroup);
  EXPECT_EQ(folder(std::string("/") + kName + "/echo#0.1").limits["cpu.max"], "1000 100000");
}

TEST_F(CgroupTreeTest, ALimitThatCannotBeSetIsAnErrorThatNamesIt) {
  files.host_in("/svc", kAll);
  const auto tree = CgroupTree::prepare(kInstance, files);
  const std::pair<LimitOptions, std::pair<const char*, const char*>> cases[] = {
      {limits_of(1, 0, 0), {"memory.max", "limits.memory"}},
      {limits_of(1, 0, 0), {"memory.oom.group", "limits.memory"}},
      {limits_of(0, 1, 0), {"cpu.max", "limits.cpu"}},
      {limits_of(0, 0, 1), {"pids.max", "limits.processes"}},
  };
  for (const auto& [limits, names] : cases) {
    files.missing_file = names.first;
    const auto cgroup = tree->make("echo#0.1", limits);
    ASSERT_FALSE(cgroup) << names.first;
    EXPECT_EQ(cgroup.error().code, ErrorCode::worker_start_failed);
    EXPECT_TRUE(cgroup.error().message.starts_with(names.second + std::string(": /cg/svc/"))) << cgroup.error().message;
    EXPECT_FALSE(exists(std::string("/") + kName + "/echo#0.1"));
  }
  files.missing_file = "memory.swap.max";
  EXPECT_TRUE(tree->make("echo#0.1", limits_of(1, 0, 0))) << "there is no swap";
}

TEST_F(CgroupTreeTest, WithOthersInItIsLeftAsItIs) {
  auto& own = files.host_in("/svc", kAll);
  own.processes.insert("1234");
  const auto tree = CgroupTree::prepare(kInstance, files);
  ASSERT_TRUE(tree->available()) << "workers are killed whole all the same";
  EXPECT_EQ(folder("").processes.size(), 2u);
  EXPECT_TRUE(folder("").handed_down.empty());
  EXPECT_FALSE(exists(std::string("/") + kName + "-host"));
  const auto report = report_of(*tree);
  EXPECT_EQ(report["cgroup"], "enforced");
  EXPECT_EQ(report["memory"], "enforced");
  EXPECT_EQ(report["how"]["memory"], "sampled");
  EXPECT_EQ(report["cpu"], "not_available");
  EXPECT_EQ(report["processes"], "not_available");
  EXPECT_NE(reason(*tree, "cpu").find("/cg/svc holds 1 other processes (one is 1234)"), std::string::npos) << reason(*tree, "cpu");
  EXPECT_TRUE(tree->for_watcher().leaf.empty());
  const auto cgroup = tree->make("echo#0.1", limits_of(5, 1, 5));
  ASSERT_TRUE(cgroup);
  EXPECT_FALSE(cgroup->limits_memory());
  EXPECT_TRUE(folder(std::string("/") + kName + "/echo#0.1").limits.empty());
}

TEST_F(CgroupTreeTest, WhoseControllersCannotBeHandedDownIsLeftAsItWas) {
  files.host_in("/svc", kAll);
  files.busy_control = true;
  const auto tree = CgroupTree::prepare(kInstance, files);
  EXPECT_TRUE(tree->available());
  EXPECT_TRUE(folder("").processes.contains(std::to_string(::getpid()))) << "the host is back";
  EXPECT_FALSE(exists(std::string("/") + kName + "-host"));
  EXPECT_EQ(reason(*tree, "processes"), "/cg/svc does not hand down: memory, cpu, pids");
}

TEST_F(CgroupTreeTest, SomeControllersAreBetterThanNone) {
  files.host_in("/svc", {"memory", "pids"});
  const auto tree = CgroupTree::prepare(kInstance, files);
  const auto report = report_of(*tree);
  EXPECT_EQ(report["how"]["memory"], "cgroup");
  EXPECT_EQ(report["processes"], "enforced");
  EXPECT_EQ(report["cpu"], "not_available");
  EXPECT_EQ(reason(*tree, "cpu"), "/cg/svc does not hand down: cpu");
}

TEST_F(CgroupTreeTest, OfAnotherUserIsNotAvailable) {
  files.host_in("/svc", kAll).writable = false;
  const auto tree = CgroupTree::prepare(kInstance, files);
  EXPECT_FALSE(tree->available());
  EXPECT_EQ(report_of(*tree)["cgroup"], "not_available");
  EXPECT_EQ(reason(*tree, "cgroup"), "/cg/svc/cgroup.procs: Permission denied");
  EXPECT_EQ(report_of(*tree)["how"]["memory"], "sampled");
  EXPECT_FALSE(tree->for_watcher().parent);
  auto cgroup = tree->make("echo#0.1", limits_of(5, 0, 0));
  ASSERT_TRUE(cgroup);
  EXPECT_EQ(cgroup->procs(), -1);
  EXPECT_FALSE(cgroup->kill());
  EXPECT_FALSE(cgroup->limits_memory());
}

TEST_F(CgroupTreeTest, RootTakesWhatIsDelegatedOnly) {
  files.root = true;
  auto& own = files.host_in("/svc", kAll);
  EXPECT_EQ(reason(*CgroupTree::prepare(kInstance, files), "cgroup"), "/cg/svc is not delegated to the host (Delegate=yes)");
  own.delegated = true;
  EXPECT_TRUE(CgroupTree::prepare(kInstance, files)->available());
}

TEST_F(CgroupTreeTest, RootTakesTheTopOfAContainer) {
  files.root = true;
  files.host_in("/", kAll);
  const auto tree = CgroupTree::prepare(kInstance, files);
  EXPECT_TRUE(tree->available());
  EXPECT_EQ(report_of(*tree)["how"]["memory"], "cgroup");
}

TEST_F(CgroupTreeTest, TheRootOfTheMachineIsNotChanged) {
  files.root = true;
  auto& own = files.host_in("/", kAll);
  own.machine_root = true;
  own.handed_down = {"memory"};
  own.processes.insert("1");
  const auto tree = CgroupTree::prepare(kInstance, files);
  EXPECT_TRUE(tree->available());
  EXPECT_EQ(own.handed_down, std::set<std::string>{"memory"});
  EXPECT_TRUE(own.processes.contains(std::to_string(::getpid())));
  EXPECT_EQ(report_of(*tree)["how"]["memory"], "cgroup");
  EXPECT_EQ(reason(*tree, "cpu"), "/cg does not hand down: cpu, pids");
}

TEST_F(CgroupTreeTest, AThreadedOneIsNotAvailable) {
  files.host_in("/svc", kAll);
  files.type = "threaded\n";
  EXPECT_EQ(reason(*CgroupTree::prepare(kInstance, files), "cgroup"), "/cg/svc is a threaded cgroup");
}

TEST_F(CgroupTreeTest, AnOldKernelCannotKillThemWhole) {
  files.host_in("/svc", kAll);
  files.has_kill = false;
  const auto tree = CgroupTree::prepare(kInstance, files);
  EXPECT_EQ(report_of(*tree)["cgroup"], "not_available");
  EXPECT_EQ(report_of(*tree)["how"]["memory"], "cgroup");
  EXPECT_FALSE(tree->make("echo#0.1", {})->kill());
}

TEST_F(CgroupTreeTest, WhatCannotBeRemovedYetIsRemovedLater) {
  files.host_in("/svc", kAll);
  files.has_kill = false;
  const auto tree = CgroupTree::prepare(kInstance, files);
  const auto path = std::string("/") + kName + "/echo#0.1";
  {
    const auto cgroup = tree->make("echo#0.1", {});
    folder(path).processes.insert("77");
  }
  EXPECT_TRUE(exists(path));
  const auto second = tree->make("echo#0.2", {});
  EXPECT_TRUE(exists(path)) << "it still runs";
  folder(path).processes.clear();
  const auto third = tree->make("echo#0.3", {});
  EXPECT_FALSE(exists(path));
}

TEST_F(CgroupTreeTest, TheReportSaysWhatResourceLimitsCanBe) {
  files.host_in("/svc", kAll);
  const auto report = report_of(*CgroupTree::prepare(kInstance, files));
  for (const char* const limit : {"open_files", "core"}) {
    EXPECT_EQ(report[limit], "enforced");
    EXPECT_EQ(report["how"][limit], "rlimit");
  }
  EXPECT_EQ(report["nice"], "enforced");
  EXPECT_EQ(report["cpu_affinity"], "enforced");
  rlimit own{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &own), 0);
  if (own.rlim_max != RLIM_INFINITY) {
    EXPECT_EQ(report["reasons"]["open_files"], "at most " + std::to_string(own.rlim_max) + ", the host's own hard limit");
  }
}

}  // namespace
}  // namespace pons
