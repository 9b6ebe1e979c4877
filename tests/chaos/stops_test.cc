// Workers are stopped (SIGSTOP), idle or at work: they are found out and replaced, and cost nobody else anything.
#include <gtest/gtest.h>

#include "tests/chaos/trouble.h"

namespace pons::chaos {
namespace {

constexpr int kStops = rounds(30);

/// Stopped workers are found out after half a second (those that were only starting: after three), and given no long time to end by
/// themselves, which they cannot.
Arena::Extra watchful() {
  return {.timeouts = ", startup: 3s, cancel_grace: 100ms, stop: 100ms",
          .defaults = "  health: {interval: 100ms, timeout: 200ms, misses: 2}\n"};
}

TEST(StoppedWorkers, AreReplacedWhileTheOthersGoOn) {
  Random random(test_seed());
  Arena arena(watchful());
  const auto before = arena.holdings();
  auto options = arena.load_options();
  options.deadline_ms = 1'000;  // what a stopped worker holds ends by its deadline, should nothing else end it
  Load load(arena.connector(), options, random);
  int stops = 0;
  while (stops < kStops) {
    ASSERT_TRUE(load.await_replies(random.below(100))) << "nothing is answered any more after " << stops << " stops";
    const auto stopped = stop_workers(arena, random);
    ASSERT_TRUE(stopped) << "a stopped worker is still there";
    stops += *stopped;
  }
  const auto history = arena.history(load.stop());
  EXPECT_EQ(history.faults(), std::vector<std::string>());
  arena.await_quiet();
  EXPECT_TRUE(same_handles(arena.await_holdings(before), before));
  std::printf("%s\n", describe(history.codes()).c_str());
}

TEST(StoppedWorkers, AreReplacedWhenNobodyAsksThemAnything) {
  Random random(test_seed());
  Arena arena(watchful());
  const auto before = arena.holdings();
  for (int stops = 0; stops < kStops / 3;) {
    const auto stopped = stop_workers(arena, random);
    ASSERT_TRUE(stopped) << "a stopped worker is still there";
    stops += *stopped;
    arena.await_quiet();
  }
  EXPECT_TRUE(same_handles(arena.await_holdings(before), before));
}

}  // namespace
}  // namespace pons::chaos
