#include <limits>

#include "adapters/xgboost/arguments.h"
#include "tests/adapters/xgboost_helpers.h"

namespace pons::xgb {
namespace {

TEST(Arguments, RefusesWhatIsNoObject) {
  const json value = json::array({1});
  const Error error = error_of([&] { Arguments args(value, "/params"); });
  EXPECT_EQ(error.code, ErrorCode::invalid_args);
  EXPECT_EQ(error.message, "params must be an object, not an array of 1");
  EXPECT_EQ(path_of(error), "/params");
}

TEST(Arguments, NamesAllUnknownKeysAndTheNearestKnown) {
  const json value{{"datset", 1}, {"zzz", 2}, {"rows", 3}};
  const Error error = error_of([&] { Arguments(value).allow_only({"dataset", "rows"}); });
  EXPECT_EQ(error.message, "Unknown argument \"datset\"; did you mean \"dataset\"?");
  ASSERT_EQ(error.details["errors"].size(), 2u);
  EXPECT_EQ(error.details["errors"][1]["path"], "/zzz");
}

TEST(Arguments, EscapesPointers) {
  const json value{{"a/b~c", 1}};
  EXPECT_EQ(path_of(error_of([&] { Arguments(value).allow_only({}); })), "/a~1b~0c");
}

TEST(Arguments, ChecksTypesAndRanges) {
  const json value{{"n", 5}, {"big", std::numeric_limits<std::uint64_t>::max()}, {"x", 1.5}, {"s", "t"}, {"b", true}, {"none", nullptr}};
  const Arguments args(value);
  EXPECT_EQ(args.integer("n", 0, 1, 9), 5);
  EXPECT_EQ(args.integer("absent", 7, 1, 9), 7);
  EXPECT_EQ(args.integer("none", 7, 1, 9), 7);
  EXPECT_EQ(args.text("s"), "t");
  EXPECT_EQ(args.boolean("b"), true);
  EXPECT_DOUBLE_EQ(args.fraction("x", 0, 1, 2), 1.5);
  EXPECT_EQ(error_of([&] { return args.integer("n", 0, 6, 9); }).code, ErrorCode::invalid_args);
  EXPECT_EQ(error_of([&] { return args.integer("big", 0, 0, 9); }).code, ErrorCode::invalid_args);
  EXPECT_EQ(error_of([&] { return args.integer("x", 0, 0, 9); }).code, ErrorCode::invalid_args);
  EXPECT_EQ(error_of([&] { return args.fraction("x", 0, 0, 1.5); }).code, ErrorCode::invalid_args);
  EXPECT_EQ(error_of([&] { return args.text("n"); }).message, "\"n\" must be a string, not 5");
  EXPECT_EQ(path_of(error_of([&] { return args.boolean("s"); })), "/s");
  EXPECT_EQ(path_of(error_of([&] { return args.required("none", "it"); })), "/none");
}

TEST(Arguments, NearestLeavesOutWhatIsFarOff) {
  const std::vector<std::string> known{"max_depth", "max_bin", "eta", "min_child_weight"};
  EXPECT_EQ(nearest("max_dpeth", known), std::vector<std::string>{"max_depth"});
  EXPECT_TRUE(nearest("something", known).empty());
}

TEST(Arguments, ShowsLongAndBrokenTextShort) {
  EXPECT_LT(shown(std::string(1000, 'x')).size(), 80u);
  EXPECT_NO_THROW(shown("\xFF"));
  EXPECT_NO_THROW(shown(std::numeric_limits<double>::quiet_NaN()));
}

}  // namespace
}  // namespace pons::xgb
