// Pools whose workers hang, or cannot even start, beside pools that work.
#include <gtest/gtest.h>

#include "tests/chaos/arena.h"

namespace pons::chaos {
namespace {

using test::json;

constexpr int kRequests = rounds(5'000);

LoadOptions quiet_load(const Arena& arena) {
  auto options = arena.load_options();
  options.clients = 4;
  options.short_deadline = options.cancelled = options.left = 0;
  return options;
}

TEST(APoolWhoseWorkersHang, TakesNothingFromThePoolsBesideIt) {
  Random random(test_seed());
  Arena arena({.adapters = "  hung:\n    command: [" PONS_BAD_WORKER
                           ", hang]\n    pool: {size: 4, in_flight: 2, queue: 64, lazy: false, min_ready: 4}\n"});
  auto client = arena.host().connect();
  // More than all its workers and its queue take: what is left over is refused at once.
  constexpr int kHung = 4 * 2 + 64;
  constexpr int kRefused = 100;
  test::await_stats(client, [](const json& stats) { return stats["adapters"]["hung"]["ready"] == 4; });
  for (int id = 1; id <= kHung + kRefused; ++id) client.send({{"id", id}, {"command", "hung:work"}, {"timeout_ms", 60'000}});
  for (int i = 0; i < kRefused; ++i) EXPECT_EQ(test::code_of(client.receive()), "overloaded");
  Load load(arena.connector(), quiet_load(arena), random);
  while (load.replies() < kRequests) ASSERT_TRUE(load.await_replies(100)) << "nothing is answered any more after " << load.replies();
  const auto history = arena.history(load.stop());
  EXPECT_EQ(history.faults(), std::vector<std::string>());
  for (const auto& [code, count] : history.codes()) EXPECT_EQ(code, "success") << count;
  const auto stats = test::result_of(client.call("host:get_stats"));  // were there an answer to the hung ones, it would come before
  EXPECT_EQ(stats["adapters"]["hung"]["queued"], 64);
  EXPECT_EQ(stats["adapters"]["hung"]["busy"], 4);
}

TEST(APoolThatCannotStart, TakesNothingFromThePoolsBesideIt) {
  Random random(test_seed());
  // It starts workers for as long as the test lasts, as fast as the configuration lets it.
  Arena arena({.adapters = "  broken: {command: [" PONS_BAD_WORKER ", exit], pool: {size: 4, lazy: false}}\n"});
  Load load(arena.connector(), quiet_load(arena), random);
  while (load.replies() < kRequests) ASSERT_TRUE(load.await_replies(100)) << "nothing is answered any more after " << load.replies();
  const auto history = arena.history(load.stop());
  EXPECT_EQ(history.faults(), std::vector<std::string>());
  for (const auto& [code, count] : history.codes()) EXPECT_EQ(code, "success") << count;
}

}  // namespace
}  // namespace pons::chaos
