#include "pool/process_limits.h"

#include <pthread.h>
#include <sys/wait.h>

#include "tests/pool/process_fixture.h"

namespace pons {
namespace {

class ProcessLimitsTest : public ProcessTest {
 protected:
  static SpawnSpec limited(ProcessLimits limits) {
    auto spec = probe({"limits"});
    spec.limits = std::move(limits);
    return spec;
  }
  /// The line of what a process under these limits says that begins with `word`.
  std::string said(ProcessLimits limits, const std::string& word) {
    for (const auto& line : lines_of(output_of(limited(std::move(limits))))) {
      if (line.rfind(word, 0) == 0) return line;
    }
    return {};
  }
  static rlim_t hard(int resource) {
    rlimit own{};
    EXPECT_EQ(::getrlimit(static_cast<__rlimit_resource_t>(resource), &own), 0);
    return own.rlim_max;
  }
};

TEST_F(ProcessLimitsTest, WithoutAnyEverythingIsAsTheHosts) {
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  EXPECT_EQ(said({}, "files"), "files " + std::to_string(files.rlim_cur) + " " + std::to_string(files.rlim_max));
  EXPECT_EQ(said({}, "nice"), "nice " + std::to_string(::getpriority(PRIO_PROCESS, 0)));
}

TEST_F(ProcessLimitsTest, TheHostRaisesItsOwnOpenFilesAndNobodyElses) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{std::min<rlim_t>(before.rlim_max - 1, 300), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  raise_own_open_files();
  rlimit own{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &own), 0);
  EXPECT_EQ(own.rlim_cur, before.rlim_max);
  EXPECT_EQ(said({}, "files"), "files " + std::to_string(low.rlim_cur) + " " + std::to_string(low.rlim_max));
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(ProcessLimitsTest, OpenFilesSoftAndHard) { EXPECT_EQ(said({.open_files = 77}, "files"), "files 77 77"); }

TEST_F(ProcessLimitsTest, AboveTheHostsOwnHardLimitThatOneHolds) {
  const auto most = std::to_string(hard(RLIMIT_NOFILE));
  EXPECT_EQ(said({.open_files = std::size_t{1} << 40}, "files"), "files " + most + " " + most);
  EXPECT_EQ(within_hard_limit(RLIMIT_NOFILE, 5), 5u);
  EXPECT_EQ(within_hard_limit(RLIMIT_NOFILE, std::size_t{1} << 40), hard(RLIMIT_NOFILE));
}

TEST_F(ProcessLimitsTest, Core) {
  const auto most = std::min<rlim_t>(hard(RLIMIT_CORE), 4096);
  EXPECT_EQ(said({.core = 4096}, "core"), "core " + std::to_string(most) + " " + std::to_string(most));
}

TEST_F(ProcessLimitsTest, NiceIsAddedToTheHosts) {
  const int own = ::getpriority(PRIO_PROCESS, 0);
  EXPECT_EQ(said({.nice = 3}, "nice"), "nice " + std::to_string(std::min(own + 3, 19)));
  EXPECT_EQ(said({.nice = 100}, "nice"), "nice 19");
}

TEST_F(ProcessLimitsTest, ABetterPriorityThanTheHostsTakesThePrivilege) {
  if (::geteuid() == 0) {
    // As the host of an ordinary user does: in a child, so that the tests stay what they are.
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0) ::_exit(2);
      SpawnSpec spec;
      spec.command = {"/bin/true"};
      spec.limits.nice = -5;
      const auto why = exec_failure(spec);
      ::_exit(why && *why == "limits.nice: -5 cannot be set: Permission denied (below 0 takes the privilege to do so)" ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  } else {
    const auto why = exec_failure(limited({.nice = -5}));
    ASSERT_TRUE(why);
    EXPECT_NE(why->find("limits.nice: -5"), std::string::npos) << *why;
  }
}

TEST_F(ProcessLimitsTest, CpuAffinity) {
  const auto online = CpuSet::online();
  ASSERT_TRUE(online);
  int last = CPU_SETSIZE - 1;
  while (!online->contains(last)) --last;
  EXPECT_EQ(said({.cpus = std::to_string(last)}, "cpus"), "cpus " + std::to_string(last));
  EXPECT_EQ(said({.cpus = "0," + std::to_string(last)}, "cpus"), last == 0 ? "cpus 0" : "cpus 0 " + std::to_string(last));
}

TEST_F(ProcessLimitsTest, ACpuThatDoesNotExistIsNamedWithItsKey) {
  for (const char* const cpus : {"1000", "0-1000", "x"}) {
    const auto spawned = PosixLauncher().spawn(limited({.cpus = cpus}));
    ASSERT_FALSE(spawned) << cpus;
    EXPECT_EQ(spawned.error().code, ErrorCode::worker_start_failed);
    EXPECT_NE(spawned.error().message.find("limits.cpu_affinity: \"" + std::string(cpus)), std::string::npos) << spawned.error().message;
  }
}

TEST_F(ProcessLimitsTest, ACgroupThatCannotBeEnteredIsAFailureWithWords) {
  const auto file = write_file("cgroup.procs", "", 0644);
  const UniqueFd read_only(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  auto spec = limited({});
  spec.cgroup = read_only.get();
  EXPECT_EQ(exec_failure(spec), "the worker cannot enter its cgroup: Bad file descriptor");
}

TEST_F(ProcessLimitsTest, TheCgroupIsEnteredBeforeAnythingElse) {
  const auto file = write_file("cgroup.procs", "", 0644);
  const UniqueFd procs(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  auto spec = probe({"descriptors"});
  spec.cgroup = procs.get();
  EXPECT_EQ(output_of(spec), "0\n1\n2\n3\n4\n") << "and the worker does not have it";
  std::ifstream in(file);
  std::string text;
  std::getline(in, text);
  EXPECT_EQ(text, "0");
}

TEST_F(ProcessLimitsTest, FewerFilesThanItTakesIsTheProgramsOwnFailure) {
  auto spec = probe({"exit", "0"});
  spec.limits.open_files = 1;
  auto& process = spawn(spec);
  EXPECT_EQ(read_all(process.exec_status.get()), "") << "exec itself needs none";
  EXPECT_NE(finish(process).status, 0);
}

}  // namespace
}  // namespace pons
