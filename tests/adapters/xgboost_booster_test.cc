#include "adapters/xgboost/booster.h"
#include "tests/adapters/xgboost_helpers.h"

namespace pons::xgb {
namespace {

TEST(Booster, KnowsTheLibrarysVersion) {
  const std::string version = library_version();
  EXPECT_EQ(std::count(version.begin(), version.end(), '.'), 2) << version;
}

TEST(Booster, ErrorsLoseTimesPlacesAndStackTraces) {
  EXPECT_EQ(readable("[08:31:56] ./src/gbm/gbm.cc:24: Unknown gbm type nope\nStack trace:\n  [bt] (0) libxgboost.so\n"),
            "XGBoost: Unknown gbm type nope");
  EXPECT_EQ(readable("[08:31:56] ./a.h:94: Check failed: base_score > 0.0f: base_score must be in (0,1)\nStack trace:\n"),
            "XGBoost: base_score must be in (0,1)");
  EXPECT_EQ(readable("[01:02:03] ./a.cc:7: Check failed: n > 0 (0 vs. 0) : no depth\n"), "XGBoost: no depth");
  EXPECT_EQ(readable("[01:02:03] ./o.cc:26: Unknown objective function: `n`\nObjective candidate: a:b\nObjective candidate: c:d\n\n"),
            "XGBoost: Unknown objective function: `n`; known are a:b, c:d");
  EXPECT_EQ(readable("value -3 for Parameter max_depth is bad\nmax_depth: Maximum depth"),
            "XGBoost: value -3 for Parameter max_depth is bad; max_depth: Maximum depth");
  EXPECT_EQ(readable(""), "XGBoost: no reason given");
}

TEST(Booster, NamesParametersThatItHasNoUseFor) {
  const std::vector<float> values{1, 2, 3, 4};
  const Matrix matrix(values, 2, 2, 1);
  Booster booster(matrix);
  booster.set_parameter("max_depth", "3");
  booster.set_parameter("max_dpeth", "3");
  booster.set_parameter("foo", "bar");
  std::vector<std::string> unused = booster.configure();
  std::sort(unused.begin(), unused.end());
  EXPECT_EQ(unused, (std::vector<std::string>{"foo", "max_dpeth"}));
  const std::vector<std::string> known = booster.parameter_names();
  for (const char* name : {"max_depth", "eta", "subsample", "lambda", "eval_metric", "nthread"}) {
    EXPECT_NE(std::find(known.begin(), known.end(), name), known.end()) << name;
  }
}

TEST(Booster, KeepsAttributesAndNamesOfFeaturesThroughAFile) {
  std::vector<float> values{1, 2, 3, 4, 5, 6};
  Matrix matrix(values, 3, 2, 1);
  const std::vector<float> labels{1, 2, 3};
  matrix.set_labels(labels);
  Booster booster(matrix);
  booster.set_parameter("nthread", "1");
  booster.update(0, matrix, ErrorCode::model_error);
  booster.set_attribute("note", "quotes \" and \n lines, \xC3\xA9");
  booster.set_feature_names({"a [cm]", "b"});
  Booster copy;
  copy.load(booster.save());
  EXPECT_EQ(copy.attribute("note"), "quotes \" and \n lines, \xC3\xA9");
  EXPECT_EQ(copy.attribute("none"), "");
  EXPECT_EQ(copy.feature_names(), (std::vector<std::string>{"a [cm]", "b"}));
  EXPECT_EQ(copy.rounds(), 1);
  EXPECT_EQ(copy.predict(matrix).values, booster.predict(matrix).values);
}

}  // namespace
}  // namespace pons::xgb
