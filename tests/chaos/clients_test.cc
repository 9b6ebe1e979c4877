// Clients that behave badly, beside others that work and notice nothing of it.
#include <gtest/gtest.h>

#include "tests/chaos/trouble.h"

namespace pons::chaos {
namespace {

using Time = std::chrono::steady_clock;

/// Nothing that fails by design, so that all must succeed.
LoadOptions peaceful(const Arena& arena) {
  auto options = arena.load_options();
  options.clients = 4;
  options.short_deadline = options.cancelled = options.left = 0;
  return options;
}

void expect_all_served(const History& history) {
  EXPECT_EQ(history.faults(), std::vector<std::string>());
  for (const auto& [code, count] : history.codes()) EXPECT_EQ(code, "success") << count;
}

TEST(Clients, ThatSendHalfAFrameHarmNobody) {
  Random random(test_seed());
  Arena arena;
  const auto before = arena.holdings();
  Load load(arena.connector(), peaceful(arena), random);
  std::optional<HalfFrames> halves(std::in_place, arena, random, 200);
  EXPECT_TRUE(load.await_replies(1'000)) << "the others do not go on";
  // Some send the rest, and are answered as if nothing had been; the others go.
  auto log = halves->complete_some(random);
  halves.reset();
  EXPECT_TRUE(load.await_replies(1'000)) << "the others do not go on";
  auto logs = load.stop();
  logs.push_back(std::move(log));
  expect_all_served(arena.history(std::move(logs)));
  arena.await_quiet();
  EXPECT_TRUE(same_handles(arena.await_holdings(before), before));
}

TEST(AClientThatSendsAndDoesNotRead, HarmsNobodyAndHasAllItsAnswersInTheEnd) {
  Random random(test_seed());
  Arena arena({.host = "  output_limit: 256KiB\n"});
  auto options = peaceful(arena);
  const auto flooded = options.pools.front().name;
  options.pools.erase(options.pools.begin());  // that pool will be full
  Load load(arena.connector(), options, random);
  Flood flood(arena, flooded, 20'000);
  const auto wanted = load.replies() + 2'000;
  const auto end = Time::now() + test::kLimit;
  const bool all_sent = flood.send_while([&] { return load.replies() < wanted && Time::now() < end; });
  EXPECT_FALSE(all_sent) << "the host read on, although nobody takes its answers";
  EXPECT_TRUE(load.await_replies(1'000)) << "the others do not go on";
  expect_all_served(arena.history(load.stop()));
  const auto codes = flood.finish();
  EXPECT_GT(codes.at("success"), 0);
  std::printf("%s\n", describe(codes).c_str());
}

TEST(AClientThatSendsAndDoesNotRead, IsLeftAloneAfterAWhile) {
  Arena arena({.host = "  output_limit: 64KiB\n  write_timeout: 300ms\n"});
  const auto before = arena.holdings();
  Flood flood(arena, arena.load_options().pools.front().name, 20'000);
  const auto limit = Time::now() + test::kLimit;
  EXPECT_THROW(flood.send_while([&] { return Time::now() < limit; }), std::runtime_error);
  arena.await_quiet();
  EXPECT_TRUE(same_handles(arena.await_holdings(before), before));
}

}  // namespace
}  // namespace pons::chaos
