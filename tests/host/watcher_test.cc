// The watcher of a real host: it is started again, and does its work for a host that was killed.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

#include <fstream>

#include "tests/host/host_under_test.h"

namespace pons::test {
namespace {

/// The watcher of that host, 0 if there is none at the moment.
pid_t watcher_of(pid_t host) {
  const auto process = "/proc/" + std::to_string(host) + "/task/" + std::to_string(host) + "/children";
  std::ifstream children(process);
  for (pid_t child = 0; children >> child;) {
    std::ifstream file("/proc/" + std::to_string(child) + "/comm");
    std::string name;
    std::getline(file, name);
    if (name == "pons-watcher") return child;
  }
  return 0;
}

/// Waits for a watcher that is not `old`.
pid_t await_watcher(pid_t host, pid_t old) {
  const auto deadline = std::chrono::steady_clock::now() + kLimit;
  while (std::chrono::steady_clock::now() < deadline) {
    const auto now = watcher_of(host);
    if (now != 0 && now != old) return now;
    ::poll(nullptr, 0, 1);
  }
  return 0;
}

void kill_process(pid_t pid) {
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  ASSERT_TRUE(pidfd);
  ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
}

TEST(WatcherOfAHost, IsStartedAgainAndDoesItsWork) {
  HostUnderTest host(bad_config("grandchild, own-session"));
  auto client = host.connect();
  EXPECT_TRUE(client.call("bad:work")["success"].get<bool>());
  auto watcher = await_watcher(host.pid(), 0);
  for (int i = 0; i < 3; ++i) {
    ASSERT_NE(watcher, 0);
    kill_process(watcher);
    watcher = await_watcher(host.pid(), watcher);
  }
  ASSERT_NE(watcher, 0);
  EXPECT_NE(host.log().find("the watcher had ended"), std::string::npos) << host.log();
  auto processes = host.instance_processes();
  EXPECT_GE(processes.size(), 2u);
  processes.push_back(watcher);
  host.signal(SIGKILL);
  host.wait();
  EXPECT_TRUE(HostUnderTest::await_gone(processes));
}

TEST(WatcherOfAHost, MayDieWhileTheHostStops) {
  HostUnderTest host(bad_config("grandchild, own-session"));
  auto client = host.connect();
  EXPECT_TRUE(client.call("bad:work")["success"].get<bool>());
  const auto processes = host.instance_processes();
  kill_process(await_watcher(host.pid(), 0));
  client.call("host:shutdown");
  EXPECT_EQ(host.wait(), 0);
  EXPECT_TRUE(HostUnderTest::await_gone(processes));
}

TEST(WatcherOfAHost, IsNotEndedByTheSignalsThatEndTheHost) {
  HostUnderTest host(bad_config("grandchild, own-session"));
  auto client = host.connect();
  EXPECT_TRUE(client.call("bad:work")["success"].get<bool>());
  const auto watcher = await_watcher(host.pid(), 0);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) ::kill(watcher, signal);
  auto processes = host.instance_processes();
  host.signal(SIGKILL);
  host.wait();
  processes.push_back(watcher);
  EXPECT_TRUE(HostUnderTest::await_gone(processes));
  EXPECT_EQ(host.log().find("the watcher had ended"), std::string::npos);
}

}  // namespace
}  // namespace pons::test
