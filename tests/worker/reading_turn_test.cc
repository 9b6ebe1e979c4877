#include "worker/reading_turn.h"

#include <gtest/gtest.h>

#include "tests/worker/random_runs.h"

namespace pons::test {
namespace {

using Step = ReadingTurn::Step;

TEST(ReadingTurn, ReadsWhenTheOtherThreadWasAwayForAWholeTick) {
  ReadingTurn turn;
  EXPECT_EQ(turn.on_tick(1, false), Step::tick);
  EXPECT_EQ(turn.on_tick(1, false), Step::read);
}

TEST(ReadingTurn, LeavesShortRequestsAlone) {
  ReadingTurn turn;
  for (std::uint64_t reads = 1; reads < 100; ++reads) EXPECT_EQ(turn.on_tick(reads, false), Step::tick);
}

TEST(ReadingTurn, RestsWhenNothingHappens) {
  ReadingTurn turn;
  EXPECT_EQ(turn.on_tick(1, true), Step::tick);
  for (int i = 1; i < ReadingTurn::kTicksToRest; ++i) EXPECT_EQ(turn.on_tick(1, true), Step::tick);
  EXPECT_EQ(turn.on_tick(1, true), Step::rest);
}

TEST(ReadingTurn, NeverRestsWhileTheOtherThreadIsAway) {
  ReadingTurn turn;
  for (int i = 0; i < ReadingTurn::kTicksToRest; ++i) turn.on_tick(1, true);
  EXPECT_EQ(turn.on_tick(1, false), Step::tick);
  EXPECT_EQ(turn.on_tick(1, false), Step::read);
}

/// Against what was said at every tick: it reads if, and only if, the other thread was away at this tick and at the one before, and has
/// not read in between; it rests only after so many ticks in which the other thread did nothing but wait.
TEST(ReadingTurn, DecidesByWhatWasSeenAtTheLastTicks) {
  for_random_runs([](Random& random) {
    ReadingTurn turn;
    std::uint64_t reads = 0;
    bool is_reading = false;
    bool was_reading = true;  // before the first tick
    std::uint64_t reads_before = ~std::uint64_t{0};
    int quiet = 0;
    for (int step = 0; step < 100; ++step) {
      for (auto events = random() % 3; events > 0; --events) {
        is_reading = !is_reading;
        if (is_reading) ++reads;
      }
      const bool nothing_happened = reads == reads_before && is_reading == was_reading;
      quiet = is_reading && nothing_happened ? quiet + 1 : 0;
      Step expected = Step::tick;
      if (!is_reading && nothing_happened) expected = Step::read;
      if (quiet == ReadingTurn::kTicksToRest) expected = Step::rest;
      ASSERT_EQ(turn.on_tick(reads, is_reading), expected) << step;
      if (expected == Step::rest) quiet = 0;
      was_reading = is_reading;
      reads_before = reads;
    }
  });
}

}  // namespace
}  // namespace pons::test
