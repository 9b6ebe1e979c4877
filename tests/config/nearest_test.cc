#include "host/nearest.h"

#include <gtest/gtest.h>

namespace pons {
namespace {

const std::vector<std::string> kNames{"size", "selection", "queue", "lazy", "in_flight", "start_concurrency"};

TEST(Nearest, FindsWhatWasMeant) {
  const std::pair<const char*, const char*> cases[] = {
      {"sise", "size"},          {"SIZE", "size"},     {"sze", "size"},
      {"isze", "size"},          {"sizes", "size"},    {"qeueu", "queue"},
      {"inflight", "in_flight"}, {"sel", "selection"}, {"start_concurency", "start_concurrency"}};
  for (const auto& [typed, meant] : cases) {
    const auto found = nearest_names(typed, kNames);
    ASSERT_FALSE(found.empty()) << typed;
    EXPECT_EQ(found.front(), meant) << typed;
  }
}

TEST(Nearest, SaysNothingWhereNothingIsNear) {
  for (const char* typed : {"", "x", "colour", "memory_limit"}) EXPECT_TRUE(nearest_names(typed, kNames).empty()) << typed;
  EXPECT_TRUE(nearest_names(std::string(10'000, 's'), kNames).empty());
  EXPECT_TRUE(nearest_names("size", {std::string(10'000, 's')}).empty());
  EXPECT_EQ(did_you_mean("colour", kNames), "");
  EXPECT_EQ(did_you_mean("sise", kNames), "; did you mean \"size\"?");
}

TEST(Nearest, TheNearestFirstAndNoMoreThanAsked) {
  EXPECT_EQ(nearest_names("list", {"lists", "last", "list", "lint"}), (std::vector<std::string>{"list", "lists", "last"}));
  EXPECT_EQ(nearest_names("list", {"lists", "last", "list"}, 1), (std::vector<std::string>{"list"}));
}

}  // namespace
}  // namespace pons
