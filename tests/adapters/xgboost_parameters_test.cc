#include "adapters/xgboost/parameters.h"
#include "tests/adapters/xgboost_helpers.h"

namespace pons::xgb {
namespace {

Error error_with(const json& params) {
  return error_of([&] { create({{"dataset", "iris"}, {"rounds", 2}, {"params", params}}); });
}

json trained_with(const json& params) { return create({{"dataset", "iris"}, {"rounds", 3}, {"params", params}}).describe(); }

TEST(Parameters, UnknownOnesAreErrorsThatNameTheNearest) {
  const Error error = error_with({{"max_dpeth", 3}});
  EXPECT_EQ(error.code, ErrorCode::invalid_configuration);
  EXPECT_NE(error.message.find("max_dpeth"), std::string::npos);
  EXPECT_NE(error.message.find("did you mean \"max_depth\"?"), std::string::npos) << error.message;
  EXPECT_EQ(path_of(error), "/params/max_dpeth");
  EXPECT_EQ(error_with({{"utterly_unlike", 3}}).code, ErrorCode::invalid_configuration);
}

TEST(Parameters, ThoseOfAnotherBoosterAreErrors) {
  const Error error = error_with({{"booster", "gblinear"}, {"max_depth", 3}});
  EXPECT_EQ(error.code, ErrorCode::invalid_configuration);
  EXPECT_NE(error.message.find("gblinear"), std::string::npos) << error.message;
}

TEST(Parameters, OtherNamesOfRoundsPointAtRounds) {
  EXPECT_NE(error_with({{"n_estimators", 3}}).message.find("\"rounds\" beside \"params\""), std::string::npos);
}

TEST(Parameters, BadValuesCarryXgboostsReasonOnly) {
  const std::vector<std::pair<json, std::string>> cases{{{{"max_depth", -3}}, "max_depth"},
                                                        {{{"max_depth", "abc"}}, "max_depth"},
                                                        {{{"eta", -1}}, "learning_rate"},
                                                        {{{"subsample", 3}}, "subsample"},
                                                        {{{"tree_method", "bogus"}}, "'hist'"},
                                                        {{{"tree_method", "gpu_hist"}}, "GPU"},
                                                        {{{"booster", "nope"}}, "nope"},
                                                        {{{"objective", "multi:nope"}}, "multi:softprob"},
                                                        {{{"objective", "reg:nope"}}, "Regression"},
                                                        {{{"eval_metric", "nope"}}, "nope"},
                                                        {{{"process_type", "update"}}, "process_type"}};
  for (const auto& [params, word] : cases) {
    const Error error = error_with(params);
    EXPECT_TRUE(error.code == ErrorCode::invalid_configuration || word == "Regression") << error.message;
    EXPECT_NE(error.message.find(word), std::string::npos) << params << ": " << error.message;
    for (const char* noise : {"Stack trace", "[bt]", ".cc:", ".so", "\n"}) {
      EXPECT_EQ(error.message.find(noise), std::string::npos) << error.message;
    }
  }
}

TEST(Parameters, ObjectiveMustFitTheLabels) {
  EXPECT_EQ(error_with({{"objective", "binary:logistic"}}).message, "binary:logistic tells two classes apart, but the labels have 3");
  EXPECT_EQ(error_with({{"num_class", 2}}).message, "num_class is 2, but the labels have 3 classes");
  EXPECT_EQ(error_with({{"objective", "rank:pairwise"}}).code, ErrorCode::invalid_configuration);
  EXPECT_EQ(error_of([] {
              create({{"rows", {{1}, {2}}}, {"labels", {0.5, 1.5}}, {"params", {{"num_class", 2}}}});
            }).code,
            ErrorCode::invalid_configuration);
  EXPECT_EQ(trained_with({{"num_class", 3}})["objective"], "multi:softprob");
}

TEST(Parameters, RefusesWhatIsTheAdaptersOwn) {
  EXPECT_EQ(error_with({{"verbosity", 0}}).code, ErrorCode::invalid_configuration);
  EXPECT_EQ(error_with({{"validate_parameters", false}}).code, ErrorCode::invalid_configuration);
}

TEST(Parameters, RefusesValuesWithoutText) {
  EXPECT_EQ(path_of(error_with({{"eta", nullptr}})), "/params/eta");
  EXPECT_EQ(path_of(error_with({{"eta", json::object()}})), "/params/eta");
  EXPECT_EQ(path_of(error_with("eta=1")), "/params");
}

TEST(Parameters, TakesNumbersBooleansTextsAndArrays) {
  EXPECT_EQ(trained_with({{"max_depth", 2}, {"eta", 0.1}, {"subsample", "0.5"}, {"lambda", 2}})["rounds"], 3);
  EXPECT_EQ(trained_with({{"booster", "dart"}, {"one_drop", true}, {"rate_drop", 0.1}})["rounds"], 3);
  EXPECT_EQ(trained_with({{"monotone_constraints", {1, 0, -1, 0}}})["rounds"], 3);
  EXPECT_EQ(trained_with({{"interaction_constraints", {{0, 1}, {2, 3}}}})["rounds"], 3);
  const json summary = trained_with({{"eval_metric", {"merror", "mlogloss"}}});
  EXPECT_EQ(summary["metric"]["name"], "merror");
  EXPECT_EQ(summary["metrics"][1]["name"], "mlogloss");
}

}  // namespace
}  // namespace pons::xgb
