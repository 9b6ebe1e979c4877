#include <limits>

#include "adapters/xgboost/target.h"
#include "tests/adapters/xgboost_helpers.h"

namespace pons::xgb {
namespace {

Labels labels(std::vector<json> values) { return {std::move(values), "/labels", true}; }

TEST(Target, StringsIntegersAndBooleansAreClasses) {
  const Target strings = make_target(labels({"b", "a", "b"}), std::nullopt);
  EXPECT_EQ(strings.classes, (std::vector<json>{"a", "b"}));
  EXPECT_EQ(strings.values, (std::vector<float>{1, 0, 1}));
  EXPECT_EQ(make_target(labels({5, -1, 5.0}), std::nullopt).classes, (std::vector<json>{-1, 5}));
  EXPECT_EQ(make_target(labels({true, false}), std::nullopt).classes, (std::vector<json>{false, true}));
}

TEST(Target, NumbersThatAreNoIntegersAreRegression) {
  const Target target = make_target(labels({1, 2.5}), std::nullopt);
  EXPECT_TRUE(target.classes.empty());
  EXPECT_EQ(target.values, (std::vector<float>{1, 2.5}));
}

TEST(Target, TheObjectiveBeatsTheGuess) {
  EXPECT_TRUE(make_target(labels({1, 2}), "reg:squarederror").classes.empty());
  EXPECT_EQ(make_target(labels({1.5, 2.5}), "binary:logistic").classes.size(), 2u);
}

TEST(Target, RefusesLabelsThatCannotBeLearnt) {
  EXPECT_EQ(path_of(error_of([] { make_target(labels({"a", 1}), std::nullopt); })), "/labels/1");
  EXPECT_EQ(path_of(error_of([] { make_target(labels({"a", nullptr}), std::nullopt); })), "/labels/1");
  EXPECT_EQ(path_of(error_of([] { make_target(labels({json::array(), "a"}), std::nullopt); })), "/labels/0");
  EXPECT_EQ(path_of(error_of([] { make_target(labels({1.5, std::numeric_limits<double>::quiet_NaN()}), std::nullopt); })), "/labels/1");
  EXPECT_EQ(path_of(error_of([] { make_target(labels({"a", "b"}), "reg:squarederror"); })), "/labels/0");
  EXPECT_EQ(path_of(error_of([] { make_target(labels({3, 3}), std::nullopt); })), "/labels");
}

TEST(Target, ManyIntegersNeedAnObjective) {
  std::vector<json> many;
  for (int i = 0; i < 500; ++i) many.emplace_back(i);
  EXPECT_NE(error_of([&] { make_target(labels(many), std::nullopt); }).message.find("params.objective"), std::string::npos);
  EXPECT_EQ(make_target(labels(many), "multi:softprob").classes.size(), 500u);
}

TEST(Target, UnknownClassesAreNamed) {
  const Error error = error_of([] { encode_labels(labels({"a", "z"}), {"a", "b"}); });
  EXPECT_EQ(path_of(error), "/labels/1");
  EXPECT_EQ(error.details["errors"][0]["expected"], json({"a", "b"}));
}

}  // namespace
}  // namespace pons::xgb
