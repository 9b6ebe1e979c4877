// Cgroups of this machine, where a process may make them; else these tests are skipped, and say so.
#include <sys/wait.h>

#include "pool/cgroup.h"
#include "pool/watcher.h"
#include "tests/pool/process_fixture.h"

namespace pons {
namespace {

class RealCgroupTest : public ProcessTest {
 protected:
  void SetUp() override {
    ProcessTest::SetUp();
    tree = CgroupTree::prepare(random_token(), files);
    report = tree->report();
    if (!report.cgroup.enforced) GTEST_SKIP() << "no cgroups here: " << report.cgroup.reason;
  }
  void TearDown() override {
    ProcessTest::TearDown();
    const auto folder = tree->for_watcher();
    if (folder.parent) remove_cgroups(folder.parent.get(), folder.name.c_str(), folder.leaf.c_str());
  }
  Result<WorkerCgroup> make(std::size_t memory, std::size_t most) {
    LimitOptions limits;
    limits.memory = memory;
    limits.processes = most;
    return tree->make("probe#0.1", limits);
  }
  static std::string cgroup_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cgroup");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("0::")) return line.substr(3);
    }
    return {};
  }

  SystemCgroupFiles files;
  std::unique_ptr<CgroupTree> tree;
  LimitsReport report;
};

TEST_F(RealCgroupTest, AWorkerIsKilledWithAllThatHasLeftIt) {
  std::optional<WorkerCgroup> cgroup = std::move(*make(0, 0));
  auto spec = probe({"wait_with_nameless_child", "session"});
  spec.cgroup = cgroup->procs();
  auto& process = spawn(spec);
  const auto child = static_cast<pid_t>(std::stol(read_line(process.out.get())));
  const auto child_fd = pidfd_of(child);
  EXPECT_TRUE(cgroup_of(process.pid).ends_with("/probe#0.1")) << cgroup_of(process.pid);
  EXPECT_EQ(cgroup_of(child), cgroup_of(process.pid));
  send_signal(process.pidfd.get(), SIGKILL);
  ASSERT_TRUE(wait_for(process.pidfd.get()));
  EXPECT_FALSE(ended(child_fd.get())) << "neither group nor environment tells whose it is";
  cgroup.reset();
  EXPECT_TRUE(wait_for(child_fd.get()));
}

TEST_F(RealCgroupTest, TheWatcherKillsWhatIsInThemAndRemovesThem) {
  const auto path = [this] {
    const auto folder = tree->for_watcher();
    return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(folder.parent.get())) / folder.name;
  }();
  ASSERT_TRUE(std::filesystem::exists(path));
  auto watcher = Watcher::start(random_token(), tree->for_watcher());
  ASSERT_TRUE(watcher);
  auto cgroup = make(0, 0);
  ASSERT_TRUE(cgroup);
  auto spec = probe({"wait_with_nameless_child", "session"});
  spec.cgroup = cgroup->procs();
  auto& process = spawn(spec);
  const auto child_fd = pidfd_of(static_cast<pid_t>(std::stol(read_line(process.out.get()))));
  watcher->finish();
  EXPECT_TRUE(wait_for(child_fd.get()));
  EXPECT_TRUE(wait_for(process.pidfd.get()));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(RealCgroupTest, MemoryAboveTheLimitIsAnEndThatSaysSo) {
  if (report.memory.how != "cgroup") GTEST_SKIP() << "no memory controller: " << report.memory.reason;
  auto cgroup = make(32 << 20, 0);
  ASSERT_TRUE(cgroup) << cgroup.error().message;
  auto spec = probe({"memory", "256"});
  spec.cgroup = cgroup->procs();
  auto& process = spawn(spec);
  auto status = finish(process);
  status.over_memory = cgroup->over_memory();
  EXPECT_EQ(status.words(), "was killed by SIGKILL (killed by the kernel, out of memory: limits.memory)");
}

TEST_F(RealCgroupTest, MoreProcessesThanTheLimitCannotBeStarted) {
  if (!report.processes.enforced) GTEST_SKIP() << "no pids controller: " << report.processes.reason;
  auto cgroup = make(0, 1);
  ASSERT_TRUE(cgroup) << cgroup.error().message;
  SpawnSpec spec;
  spec.command = {"/bin/sh", "-c", "/bin/true; /bin/true"};
  spec.cgroup = cgroup->procs();
  EXPECT_NE(finish(spawn(spec)).status, 0);
}

}  // namespace
}  // namespace pons
