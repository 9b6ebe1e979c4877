#include "pool/watcher.h"

#include <sys/wait.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cstring>
#include <deque>
#include <set>
#include <thread>

#include "pool/process_table.h"
#include "pool/watcher_keeper.h"
#include "tests/pool/process_fixture.h"
#include "tests/sanitized.h"

namespace pons {
namespace {

class WatcherTest : public ProcessTest {
 protected:
  /// A process that waits, with that in its environment, and a pidfd of it.
  UniqueFd bystander(const std::string& name, const std::string& value) {
    auto spec = probe({"wait"});
    spec.env = {{name, value}};
    auto& process = spawn(spec);
    read_line(process.out.get());  // it runs: its environment is its own
    return pidfd_of(process.pid);
  }
  /// One of the two carries the token in a session of its own.
  SpawnSpec carrier() const {
    auto spec = probe({"wait_with_child", "session"});
    spec.env = {{"PATH", "/bin"}, {"PONS_INSTANCE", token}, {"Z", "z"}};
    return spec;
  }

  static std::string file_of(pid_t pid, const std::string& name) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  /// Looks again and again until it is so.
  template <class Condition>
  static bool eventually(Condition condition) {
    for (int waited = 0; waited < kDeadline; ++waited) {
      if (condition()) return true;
      ::poll(nullptr, 0, 1);
    }
    return false;
  }
  /// Forks a host that has a watcher and one worker, and kills it. The pidfds of its watcher, its worker and what that started.
  struct Left {
    UniqueFd watcher;
    UniqueFd worker;
    UniqueFd grandchild;
    pid_t pids[3] = {};
  };
  Left kill_host_of(const SpawnSpec& worker, bool with_groups) {
    int pipe_fds[2];
    if (::pipe2(pipe_fds, O_CLOEXEC) != 0) return {};
    const UniqueFd report(pipe_fds[0]);
    const pid_t host = ::fork();
    if (host == 0) {
      auto watcher = Watcher::start(token);
      if (!watcher) ::_exit(1);
      const auto spawned = PosixLauncher(with_groups ? &watcher->groups() : nullptr).spawn(worker);
      if (!spawned) ::_exit(1);
      const pid_t pids[3] = {watcher->pid(), spawned->pid, static_cast<pid_t>(std::stol(read_line(spawned->out.get())))};
      [[maybe_unused]] const auto n = ::write(pipe_fds[1], pids, sizeof pids);
      for (;;) ::pause();
    }
    ::close(pipe_fds[1]);
    Left left;
    EXPECT_TRUE(wait_for(report.get()));
    EXPECT_EQ(::read(report.get(), left.pids, sizeof left.pids), static_cast<ssize_t>(sizeof left.pids));
    left.watcher = pidfd_of(left.pids[0]);
    left.worker = pidfd_of(left.pids[1]);
    left.grandchild = pidfd_of(left.pids[2]);
    EXPECT_FALSE(ended(left.watcher.get()) || ended(left.worker.get()) || ended(left.grandchild.get()));
    ::kill(host, SIGKILL);
    EXPECT_EQ(::waitpid(host, nullptr, 0), host);
    return left;
  }

  std::string token = random_token();
};

TEST_F(WatcherTest, TokensAre128RandomBits) {
  std::set<std::string> tokens;
  for (int i = 0; i < 100; ++i) {
    const auto one = random_token();
    EXPECT_EQ(one.size(), 32u);
    EXPECT_EQ(one.find_first_not_of("0123456789abcdef"), std::string::npos);
    tokens.insert(one);
  }
  EXPECT_EQ(tokens.size(), 100u);
}

TEST_F(WatcherTest, FindsWhatCarriesTheToken) {
  auto& process = spawn(carrier());
  const auto child = static_cast<pid_t>(std::stol(read_line(process.out.get())));
  auto found = find_instance(token);
  std::sort(found.begin(), found.end());
  auto expected = std::vector{process.pid, child};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(found, expected);
  EXPECT_TRUE(find_instance(random_token()).empty());
  kill_instance(token);
  EXPECT_TRUE(wait_for(pidfd_of(process.pid).get()));
}

TEST_F(WatcherTest, KillsTheCarriersAndNobodyElse) {
  auto& process = spawn(carrier());
  const auto child_fd = pidfd_of(static_cast<pid_t>(std::stol(read_line(process.out.get()))));
  const auto other = bystander("PONS_INSTANCE", random_token());
  const auto longer = bystander("PONS_INSTANCE", token + "0");
  const auto shorter = bystander("PONS_INSTANCE", token.substr(0, 31));
  const auto another_name = bystander("MY_PONS_INSTANCE", token);
  kill_instance(token);
  EXPECT_TRUE(find_instance(token).empty());
  EXPECT_TRUE(wait_for(process.pidfd.get()));
  EXPECT_TRUE(wait_for(child_fd.get()));
  for (const auto* fd : {&other, &longer, &shorter, &another_name}) EXPECT_FALSE(ended(fd->get()));
}

TEST_F(WatcherTest, CleansUpAfterAHostThatWasKilled) {
  const auto other = bystander("PONS_INSTANCE", random_token());
  const auto left = kill_host_of(carrier(), false);
  EXPECT_TRUE(wait_for(left.worker.get()));
  EXPECT_TRUE(wait_for(left.grandchild.get())) << "in a session of its own, but with the token";
  EXPECT_TRUE(wait_for(left.watcher.get())) << "and then it goes, too";
  EXPECT_FALSE(ended(other.get()));
}

TEST_F(WatcherTest, KnowsTheProcessGroupsOfWorkersToo) {
  auto spec = probe({"wait_with_nameless_child"});
  spec.env = {{"PONS_INSTANCE", token}};
  const auto left = kill_host_of(spec, true);
  EXPECT_TRUE(wait_for(left.worker.get()));
  EXPECT_TRUE(wait_for(left.grandchild.get())) << "it has cleared its environment";
  EXPECT_TRUE(wait_for(left.watcher.get()));
}

TEST_F(WatcherTest, LeavesAGroupAloneThatIsNoLongerAWorkers) {
  auto watcher = Watcher::start(token);
  ASSERT_TRUE(watcher);
  auto spawned = PosixLauncher(&watcher->groups()).spawn(probe({"wait"}));
  ASSERT_TRUE(spawned);
  auto& process = processes.emplace_back(std::move(*spawned));
  EXPECT_TRUE(GroupTable::contains(watcher->groups().slots(), process.pid));
  process.group.reset();
  EXPECT_FALSE(GroupTable::contains(watcher->groups().slots(), process.pid));
  watcher->finish();
  EXPECT_FALSE(ended(process.pidfd.get()));
}

TEST_F(WatcherTest, OutlivesSignalsThatEndItsHost) {
  int pipe_fds[2];
  ASSERT_EQ(::pipe(pipe_fds), 0);
  const UniqueFd ours(pipe_fds[0]);
  auto watcher = Watcher::start(token);
  ASSERT_TRUE(watcher);
  ::close(pipe_fds[1]);
  read_all(ours.get());  // it has closed our descriptors: it ignores signals by now
  const auto fd = pidfd_of(watcher->pid());
  for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) ::kill(watcher->pid(), signal);
  EXPECT_FALSE(ended(fd.get()));
  auto& process = spawn(carrier());
  read_line(process.out.get());
  watcher->finish();
  EXPECT_TRUE(wait_for(process.pidfd.get())) << "and it still does its work";
}

TEST_F(WatcherTest, HoldsNothingOfTheHostsButThePipe) {
  int pipe_fds[2];
  ASSERT_EQ(::pipe(pipe_fds), 0);
  const UniqueFd ours(pipe_fds[0]);
  auto watcher = Watcher::start(token);
  ASSERT_TRUE(watcher);
  ::close(pipe_fds[1]);
  EXPECT_EQ(read_all(ours.get()), "") << "end of file: nobody else holds the other end";
  watcher->finish();
}

TEST_F(WatcherTest, IsInASessionOfItsOwnWithoutEnvironment) {
  auto watcher = Watcher::start(token);
  ASSERT_TRUE(watcher);
  const auto pid = watcher->pid();
  EXPECT_TRUE(eventually([&] { return file_of(pid, "cmdline").starts_with("pons-watcher"); })) << file_of(pid, "cmdline");
  EXPECT_EQ(::getsid(pid), pid);
  EXPECT_EQ(file_of(pid, "comm"), "pons-watcher\n");
  EXPECT_EQ(file_of(pid, "environ").find_first_not_of('\0'), std::string::npos) << "no other host takes it for one of its own";
  EXPECT_NE(::getenv("PATH"), nullptr) << "our own is what it was";
  watcher->finish();
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // where it keeps its memory
TEST_F(WatcherTest, DoesNotHoldTheMemoryOfItsHost) {
  const std::string large(64u << 20, 'x');
  auto watcher = Watcher::start(token);
  ASSERT_TRUE(watcher);
  const auto resident = [&] { return ProcessStat::of(watcher->pid())->resident_pages * 4096; };
  EXPECT_TRUE(eventually([&] { return resident() < 16u << 20; })) << resident();
  EXPECT_EQ(large.find_first_not_of('x'), std::string::npos) << "which stays what it was";
  auto& process = spawn(carrier());
  read_line(process.out.get());
  watcher->finish();
  EXPECT_TRUE(wait_for(process.pidfd.get())) << "and it does its work without";
}
#endif

TEST_F(WatcherTest, MayBeForkedWhileThreadsAllocate) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&stop] {
      for (std::size_t size = 1; !stop; size = size % 100'000 + 1) std::string(size, 'x').append("y");
    });
  }
  for (int i = 0; i < (kSanitized ? 3 : 20); ++i) {
    auto watcher = Watcher::start(token);
    ASSERT_TRUE(watcher);
    auto& process = spawn(carrier());
    read_line(process.out.get());
    watcher->finish();
    EXPECT_TRUE(wait_for(process.pidfd.get()));
    reap(process.pidfd.get());
    processes.clear();
  }
  stop = true;
  for (auto& thread : threads) thread.join();
}

TEST_F(WatcherTest, AnotherOneTakesThePlaceOfOneThatHasEnded) {
  auto watcher = Watcher::start(token);
  ASSERT_TRUE(watcher);
  const auto first = watcher->pid();
  ASSERT_TRUE(watcher->restart());
  EXPECT_EQ(watcher->pid(), first) << "it runs";
  const auto fd = pidfd_of(first);
  ::kill(first, SIGKILL);
  ASSERT_TRUE(wait_for(fd.get()));
  ASSERT_TRUE(watcher->restart());
  EXPECT_NE(watcher->pid(), first);
  EXPECT_EQ(::waitpid(first, nullptr, WNOHANG), -1) << "it has been reaped";
  auto& process = spawn(carrier());
  read_line(process.out.get());
  watcher->finish();
  EXPECT_TRUE(wait_for(process.pidfd.get()));
}

TEST_F(WatcherTest, FinishDoesTheWorkOfOneThatWasKilled) {
  auto watcher = Watcher::start(token);
  ASSERT_TRUE(watcher);
  auto& process = spawn(carrier());
  read_line(process.out.get());
  ::kill(watcher->pid(), SIGKILL);
  watcher->finish();
  EXPECT_TRUE(wait_for(process.pidfd.get()));
  EXPECT_EQ(watcher->pid(), 0);
}

TEST_F(WatcherTest, FinishContinuesOneThatWasStopped) {
  auto watcher = Watcher::start(token);
  ASSERT_TRUE(watcher);
  auto& process = spawn(carrier());
  read_line(process.out.get());
  ::kill(watcher->pid(), SIGSTOP);
  ASSERT_EQ(::waitpid(watcher->pid(), nullptr, WUNTRACED), watcher->pid());
  watcher->finish();
  EXPECT_TRUE(wait_for(process.pidfd.get()));
}

class WatcherKeeperTest : public WatcherTest {
 protected:
  /// Runs the loop until there have been so many restarts.
  bool restarted(std::size_t times) {
    const auto deadline = Clock::now() + std::chrono::milliseconds(kDeadline);
    io.restart();
    while (pids.size() < times && Clock::now() < deadline) io.run_one_until(deadline);
    return pids.size() >= times;
  }
  WatcherKeeper::Callbacks callbacks() {
    return {[this](pid_t pid) { pids.push_back(pid); }, [this](const std::string& reason) { failures.push_back(reason); }};
  }

  asio::io_context io{1};
  std::vector<pid_t> pids;
  std::vector<std::string> failures;
};

TEST_F(WatcherKeeperTest, ReplacesAWatcherThatWasKilledEachTimeLater) {
  auto watcher = Watcher::start(token);
  ASSERT_TRUE(watcher);
  std::optional<WatcherKeeper> keeper(std::in_place, io.get_executor(), *watcher, callbacks());
  const auto begin = Clock::now();
  for (std::size_t i = 1; i <= 4; ++i) {
    ::kill(watcher->pid(), SIGKILL);
    ASSERT_TRUE(restarted(i));
    EXPECT_EQ(pids.back(), watcher->pid());
  }
  EXPECT_GE(Clock::now() - begin, std::chrono::milliseconds(0 + 100 + 200 + 400)) << "no storm of forks";
  EXPECT_EQ(std::set<pid_t>(pids.begin(), pids.end()).size(), 4u);
  EXPECT_TRUE(failures.empty());
  auto& process = spawn(carrier());
  read_line(process.out.get());
  keeper.reset();
  watcher->finish();
  EXPECT_TRUE(wait_for(process.pidfd.get()));
}

TEST_F(WatcherKeeperTest, TriesAgainWhereThereIsNone) {
  auto watcher = Watcher::start(token);
  ASSERT_TRUE(watcher);
  WatcherKeeper keeper(io.get_executor(), *watcher, callbacks());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{3, before.rlim_max};  // more than there are of standard input and output
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  ::kill(watcher->pid(), SIGKILL);
  const auto deadline = Clock::now() + std::chrono::milliseconds(kDeadline);
  while (failures.empty() && Clock::now() < deadline) io.run_one_until(deadline);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(failures.empty());
  EXPECT_NE(failures[0].find("Too many open files"), std::string::npos) << failures[0];
  EXPECT_TRUE(restarted(1));
  watcher->finish();
}

TEST_F(WatcherTest, FinishLetsItDoItsWorkAndWaits) {
  auto watcher = Watcher::start(token);
  ASSERT_TRUE(watcher);
  auto& process = spawn(carrier());
  const auto child_fd = pidfd_of(static_cast<pid_t>(std::stol(read_line(process.out.get()))));
  const auto pid = watcher->pid();
  watcher->finish();
  EXPECT_TRUE(find_instance(token).empty());
  EXPECT_TRUE(wait_for(child_fd.get()));
  EXPECT_EQ(::waitpid(pid, nullptr, WNOHANG), -1) << "it has been reaped";
}

}  // namespace
}  // namespace pons
