// How the answers of several workers become one.
#include "pool/gather.h"

#include <gtest/gtest.h>

#include <limits>

namespace pons {
namespace {

using nlohmann::json;

Result<json> share(json document) { return Result<json>(boost::system::in_place_value, std::move(document)); }

json merged(const std::vector<json>& shares, const std::string& list_key = {}) {
  Gather gather(shares.size(), list_key);
  for (std::size_t i = 0; i < shares.size(); ++i) EXPECT_EQ(gather.add("w" + std::to_string(i), share(shares[i])), i + 1 == shares.size());
  return gather.result().value();
}

TEST(Gather, NumbersAreSummed) {
  EXPECT_EQ(merged({{{"n", 1}}, {{"n", 2}}, {{"n", -5}}})["n"], -2);
  EXPECT_EQ(merged({{{"n", 1}}, {{"n", 0.5}}})["n"], 1.5);
}

TEST(Gather, SumsBeyondSixtyFourBitsAreDoubles) {
  const auto most = std::numeric_limits<std::int64_t>::max();
  const auto least = std::numeric_limits<std::int64_t>::min();
  EXPECT_DOUBLE_EQ(merged({{{"n", most}}, {{"n", most}}})["n"].get<double>(), 0x1p64);
  EXPECT_DOUBLE_EQ(merged({{{"n", least}}, {{"n", -1}}})["n"].get<double>(), -0x1p63);
  EXPECT_DOUBLE_EQ(merged({{{"n", std::numeric_limits<std::uint64_t>::max()}}, {{"n", 1}}})["n"].get<double>(), 0x1p64);
}

TEST(Gather, ListsAreJoinedAndTheRestIsKeptByWorker) {
  const auto all =
      merged({{{"models", json::array({"a"})}, {"name", "x"}}, {{"models", json::array({"b", "c"})}, {"name", "y"}}}, "models");
  EXPECT_EQ(all["models"], json::array({"a", "b", "c"}));
  EXPECT_EQ(all["workers"]["w1"]["name"], "y");
  EXPECT_FALSE(all.contains("name"));
}

TEST(Gather, OneThatFailsIsNamedAndAllThatFailAreAnError) {
  Gather gather(2, {});
  gather.add("good", share({{"n", 1}}));
  gather.add("bad", Error{ErrorCode::worker_crashed, "gone"});
  const auto all = gather.result().value();
  EXPECT_EQ(all["n"], 1);
  EXPECT_EQ(all["errors"]["bad"]["code"], "worker_crashed");
  Gather none(1, {});
  none.add("bad", Error{ErrorCode::worker_crashed, "gone"});
  EXPECT_EQ(none.result().error().code, ErrorCode::worker_crashed);
}

}  // namespace
}  // namespace pons
