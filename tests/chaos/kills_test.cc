// Workers are killed at random moments while clients keep them busy.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/chaos/trouble.h"

namespace pons::chaos {
namespace {

constexpr int kKills = rounds(300);

TEST(KilledWorkers, CostNoRequestItsReply) {
  Random random(test_seed());
  Arena arena;
  const auto before = arena.holdings();
  Load load(arena.connector(), arena.load_options(), random);
  ASSERT_TRUE(kill_workers(arena, load, random, kKills, 100)) << "nothing is answered any more";
  const auto history = arena.history(load.stop());
  EXPECT_EQ(history.faults(), std::vector<std::string>());
  EXPECT_GT(history.codes()["worker_crashed"], 0) << "no worker was killed at work";
  arena.await_quiet();
  EXPECT_TRUE(same_handles(arena.await_holdings(before), before));
  std::printf("%s; %d were begun again\n", describe(history.codes()).c_str(), history.run_again());
}

/// A worker that has started a process, in its own process group or in a session of its own, is killed.
void expect_nothing_of_it_survives(const std::string& mode) {
  test::HostUnderTest host(test::bad_config(mode));
  auto client = host.connect();
  client.call("host:subscribe", {{"events", {"worker.exited"}}});
  const auto pids = test::result_of(client.call("bad:work"));
  const test::ProcessHandle worker(pids["pid"].get<pid_t>());
  const test::ProcessHandle grandchild(pids["grandchild"].get<pid_t>());
  EXPECT_TRUE(worker.signal(SIGKILL));
  EXPECT_TRUE(grandchild.await_end(test::kLimit)) << mode;
  client.await_event("worker.exited");
  const auto next = test::result_of(client.call("bad:work"));
  EXPECT_NE(next["pid"], pids["pid"]);
  EXPECT_EQ(test::holdings_of(host.pid()).zombies, 0u);
}

TEST(AKilledWorker, TakesWhatItStartedWithIt) {
  for (const auto* mode : {"grandchild", "grandchild, own-session"}) expect_nothing_of_it_survives(mode);
}

}  // namespace
}  // namespace pons::chaos
