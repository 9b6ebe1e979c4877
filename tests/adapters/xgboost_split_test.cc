#include <algorithm>

#include "adapters/xgboost/split.h"
#include "tests/adapters/xgboost_helpers.h"

namespace pons::xgb {
namespace {

TEST(Split, GeneratorIsSplitMix64) {
  SplitMix64 random(1234567);  // the published sequence of this seed
  EXPECT_EQ(random.next(), 6457827717110365317u);
  EXPECT_EQ(random.next(), 3203168211198807973u);
  EXPECT_EQ(random.next(), 9817491932198370423u);
}

TEST(Split, BelowStaysBelow) {
  SplitMix64 random(1);
  std::vector<int> seen(7);
  for (int i = 0; i < 7000; ++i) ++seen.at(random.below(7));
  EXPECT_GT(*std::min_element(seen.begin(), seen.end()), 800);
  EXPECT_EQ(random.below(1), 0u);
}

TEST(Split, PartsCoverEveryRowOnceAndKeepTheStrata) {
  std::vector<std::size_t> groups;
  for (std::size_t i = 0; i < 100; ++i) groups.push_back(i % 10 == 0 ? 0 : 1 + i % 2);
  const Split split = split_rows(groups, 3, 0.2, 5);
  std::vector<std::size_t> all = split.train;
  all.insert(all.end(), split.test.begin(), split.test.end());
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), 100u);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], i);
  std::vector<int> held_out(3);
  for (const std::size_t row : split.test) ++held_out[groups[row]];
  EXPECT_EQ(held_out, (std::vector<int>{2, 8, 10}));
}

TEST(Split, SeedDecides) {
  const std::vector<std::size_t> groups(50, 0);
  EXPECT_EQ(split_rows(groups, 1, 0.3, 9).test, split_rows(groups, 1, 0.3, 9).test);
  EXPECT_NE(split_rows(groups, 1, 0.3, 9).test, split_rows(groups, 1, 0.3, 10).test);
}

TEST(Split, NeverHoldsOutAWholeGroup) {
  const std::vector<std::size_t> groups{0, 1, 1};
  const Split split = split_rows(groups, 2, 0.99, 0);
  EXPECT_EQ(split.test.size(), 1u);
  EXPECT_EQ(split.train.front(), 0u);
  EXPECT_TRUE(split_rows(groups, 2, 0, 0).test.empty());
}

}  // namespace
}  // namespace pons::xgb
