#include "pool/health.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

namespace pons {
namespace {

using Verdict = Health::Verdict;

class HealthTest : public testing::Test {
 protected:
  Verdict look(Health& health, bool busy = false, bool stopped = false) {
    return health.look(now, busy, [=] { return stopped; });
  }
  TimePoint now{std::chrono::hours(1)};
  const HealthOptions options{.interval = Millis(100), .timeout = Millis(20), .misses = 3};
};

TEST_F(HealthTest, AnIdleOneIsPingedAtItsInterval) {
  Health health(options, now);
  EXPECT_EQ(health.next(), now + Millis(100));
  EXPECT_EQ(look(health), Verdict::well);
  now += Millis(100);
  EXPECT_EQ(look(health), Verdict::ping);
  health.answered(now);
  EXPECT_EQ(health.next(), now + Millis(100));
}

TEST_F(HealthTest, ThreeMissesEndIt) {
  Health health(options, now);
  now += Millis(100);
  EXPECT_EQ(look(health), Verdict::ping);
  for (int i = 0; i < 2; ++i) {
    now += Millis(20);
    EXPECT_EQ(look(health), Verdict::ping);
  }
  now += Millis(20);
  EXPECT_EQ(look(health), Verdict::unanswered);
  EXPECT_EQ(health.next(), TimePoint::max());
}

TEST_F(HealthTest, ABusyOneIsNotJudgedByItsPings) {
  Health health(options, now);
  now += Millis(100);
  EXPECT_EQ(look(health), Verdict::ping);
  for (int i = 0; i < 50; ++i) {
    now += Millis(20);
    EXPECT_EQ(look(health, true, false), Verdict::well);
  }
}

TEST_F(HealthTest, OneThatStaysStoppedWhileBusyEnds) {
  Health health(options, now);
  now += Millis(100);
  const auto first = now;
  while (look(health, true, true) == Verdict::well) now = health.next();
  EXPECT_EQ(now - first, Millis(60)) << "timeout x misses after it was first seen";
}

TEST_F(HealthTest, OneThatGoesOnInBetweenDoesNotEnd) {
  Health health(options, now);
  for (int i = 0; i < 100; ++i) {
    now = health.next();
    ASSERT_EQ(look(health, true, i % 4 != 3), Verdict::well);
  }
}

TEST_F(HealthTest, AnyZeroSwitchesItOff) {
  for (auto off : {HealthOptions{.interval = Millis(0)}, HealthOptions{.timeout = Millis(0)}, HealthOptions{.misses = 0}}) {
    Health health(off, now);
    health.answered(now);
    EXPECT_EQ(health.next(), TimePoint::max());
    EXPECT_EQ(look(health), Verdict::well);
  }
}

/// Never ended for being slow; ended if, and only if, the last `misses` pings in idleness stayed unanswered or it stayed stopped in work.
TEST_F(HealthTest, RandomSequences) {
  const char* fixed = std::getenv("PONS_TEST_SEED");
  const unsigned first = fixed != nullptr ? static_cast<unsigned>(std::strtoul(fixed, nullptr, 10)) : 1;
  for (unsigned seed = first; seed < first + (fixed != nullptr ? 1 : 2'000); ++seed) {
    std::mt19937 random(seed);
    const auto chance = [&](int percent) { return std::uniform_int_distribution<int>(0, 99)(random) < percent; };
    Health health(options, now);
    int unanswered = 0;  // pings in a row, without an answer or work in between
    int stops = 0;       // looks in a row
    for (int i = 0; i < 200; ++i) {
      if (chance(20)) {
        health.answered(now);
        unanswered = stops = 0;
      }
      const bool due = chance(80);
      if (due) now = health.next();
      const bool busy = chance(30);
      const bool stopped = chance(60);
      const auto verdict = look(health, busy, stopped);
      auto expected = Verdict::well;
      if (due && busy) {
        if (unanswered > 0) unanswered = 1;  // still on its way, but none is counted as missed
        stops = stopped ? stops + 1 : 0;
        if (stops > options.misses) expected = Verdict::stopped;
      } else if (due) {
        stops = 0;
        expected = unanswered >= options.misses ? Verdict::unanswered : Verdict::ping;
        ++unanswered;
      }
      ASSERT_EQ(verdict, expected) << "PONS_TEST_SEED=" << seed << " step " << i;
      if (verdict == Verdict::stopped || verdict == Verdict::unanswered) break;
    }
  }
}

}  // namespace
}  // namespace pons
