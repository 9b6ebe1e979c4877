#include <cmath>

#include "adapters/xgboost/model.h"
#include "tests/adapters/xgboost_helpers.h"

namespace pons::xgb {
namespace {

const json kFlowers = {{5.1, 3.5, 1.4, 0.2}, {6.0, 2.9, 4.5, 1.5}, {6.7, 3.0, 5.2, 2.3}};

TEST(Model, LearnsIris) {
  Model model = create({{"dataset", "iris"}});
  const json& summary = model.describe();
  EXPECT_GT(summary["accuracy"], 0.9);
  EXPECT_EQ(summary["rows"], 150);
  EXPECT_EQ(summary["train_rows"], 120);
  EXPECT_EQ(summary["test_rows"], 30);
  EXPECT_EQ(summary["features"], 4);
  EXPECT_EQ(summary["classes"], json({"setosa", "versicolor", "virginica"}));
  EXPECT_EQ(summary["objective"], "multi:softprob");
  EXPECT_EQ(summary["metric"]["name"], "mlogloss");
  EXPECT_LT(summary["metric"]["value"], 0.5);
  EXPECT_GT(summary["seconds"], 0);
  const json reply = model.predict({{"rows", kFlowers}, {"probabilities", true}});
  EXPECT_EQ(reply["predictions"], json({"setosa", "versicolor", "virginica"}));
  EXPECT_EQ(reply["rows"], 3);
  ASSERT_EQ(reply["probabilities"].size(), 3u);
  for (std::size_t row = 0; row < 3; ++row) {
    const auto probabilities = reply["probabilities"][row].get<std::vector<double>>();
    ASSERT_EQ(probabilities.size(), 3u);
    EXPECT_NEAR(probabilities[0] + probabilities[1] + probabilities[2], 1, 1e-5);
    EXPECT_GT(probabilities[row], 0.5);
  }
  EXPECT_FALSE(model.predict({{"rows", kFlowers}}).contains("probabilities"));
}

TEST(Model, LearnsDigits) {
  const json summary = create({{"dataset", "digits"}}).describe();
  EXPECT_GT(summary["accuracy"], 0.93);
  EXPECT_EQ(summary["classes"].size(), 10u);
  EXPECT_EQ(summary["train_rows"].get<int>() + summary["test_rows"].get<int>(), 1797);
}

TEST(Model, SameSeedSameModel) {
  const json args{{"dataset", "iris"}, {"rounds", 10}, {"seed", 3}, {"params", {{"subsample", 0.5}}}};
  json other = args;
  other["seed"] = 4;
  Model first = create(args), second = create(args), third = create(other);
  const json inputs{{"rows", kFlowers}, {"probabilities", true}};
  EXPECT_EQ(first.predict(inputs), second.predict(inputs));
  EXPECT_NE(first.predict(inputs), third.predict(inputs));
  EXPECT_EQ(first.describe()["metric"], second.describe()["metric"]);
}

TEST(Model, TwoClasses) {
  json rows = json::array(), labels = json::array();
  for (int i = 0; i < 40; ++i) {
    rows.push_back({i, 1});
    labels.push_back(i < 20 ? "low" : "high");
  }
  for (const char* objective : {"", "binary:logitraw", "binary:hinge"}) {
    json args{{"rows", rows}, {"labels", labels}};
    if (*objective != '\0') args["params"] = {{"objective", objective}};
    Model model = create(args);
    EXPECT_EQ(model.describe()["classes"], json({"high", "low"}));
    EXPECT_EQ(model.predict({{"rows", {{3, 1}, {35, 1}}}})["predictions"], json({"low", "high"})) << objective;
  }
  Model model = create({{"rows", rows}, {"labels", labels}});
  EXPECT_EQ(model.describe()["objective"], "binary:logistic");
  const json probabilities = model.predict({{"rows", {{3, 1}}}, {"probabilities", true}})["probabilities"];
  EXPECT_NEAR(probabilities[0][0].get<double>() + probabilities[0][1].get<double>(), 1, 1e-9);
  EXPECT_GT(probabilities[0][1], 0.5);
}

TEST(Model, Regression) {
  json rows = json::array(), labels = json::array();
  for (int i = 0; i < 200; ++i) {
    rows.push_back({i});
    labels.push_back(i * 0.5);
  }
  Model model = create({{"rows", rows}, {"labels", labels}});
  EXPECT_EQ(model.describe()["objective"], "reg:squarederror");
  EXPECT_EQ(model.describe()["metric"]["name"], "rmse");
  EXPECT_LT(model.describe()["rmse"], 5);
  EXPECT_NEAR(model.describe()["rmse"], model.describe()["metric"]["value"], 1e-3);
  EXPECT_FALSE(model.describe().contains("accuracy"));
  EXPECT_NEAR(model.predict({{"rows", {{100}}}})["predictions"][0], 50, 3);
  EXPECT_EQ(path_of(error_of([&] { return model.predict({{"rows", {{1}}}, {"probabilities", true}}); })), "/inputs/probabilities");
}

TEST(Model, MultiSoftmaxGivesClassesWithoutProbabilities) {
  Model model = create({{"dataset", "iris"}, {"rounds", 5}, {"params", {{"objective", "multi:softmax"}}}});
  EXPECT_EQ(model.predict({{"rows", kFlowers}})["predictions"], json({"setosa", "versicolor", "virginica"}));
  EXPECT_EQ(error_of([&] { return model.predict({{"rows", kFlowers}, {"probabilities", true}}); }).code, ErrorCode::invalid_args);
}

TEST(Model, NothingHeldOutMeansNoMetric) {
  const json summary = create({{"dataset", "iris"}, {"rounds", 2}, {"test_fraction", 0}}).describe();
  EXPECT_EQ(summary["train_rows"], 150);
  EXPECT_TRUE(summary["metric"].is_null());
  EXPECT_TRUE(summary["accuracy"].is_null());
}

TEST(Model, ChecksTheRowsItIsAskedFor) {
  Model model = create({{"dataset", "iris"}, {"rounds", 2}});
  const auto error = [&](const json& inputs) { return error_of([&] { return model.predict(inputs); }); };
  EXPECT_EQ(error({{"rows", {{1, 2, 3, 4}, {1, 2, 3, 4, 5}}}}).message, "Row 1 has 5 values, the model takes 4");
  EXPECT_EQ(path_of(error({{"rows", {{1, 2, 3, 4}, {1, 2, 3, 4, 5}}}})), "/inputs/rows/1");
  EXPECT_EQ(path_of(error({{"rows", {{1, "x", 3, 4}}}})), "/inputs/rows/0/1");
  EXPECT_EQ(path_of(error({{"rows", {{1, nullptr, 3, 4}}}})), "/inputs/rows/0/1");
  EXPECT_EQ(path_of(error({{"rows", json::array()}})), "/inputs/rows");
  EXPECT_EQ(path_of(error(json::object())), "/inputs/rows");
  EXPECT_EQ(path_of(error(nullptr)), "/inputs");
  EXPECT_EQ(path_of(error({{"rows", kFlowers}, {"probability", true}})), "/inputs/probability");
  EXPECT_EQ(path_of(error({{"rows", kFlowers}, {"missing", "maybe"}})), "/inputs/missing");
  EXPECT_EQ(model.predict({{"rows", {{1, nullptr, 3, 4}}}, {"missing", "allow"}})["rows"], 1);
}

TEST(Model, TrainedWithMissingValuesItTakesThemLater) {
  json rows = json::array(), labels = json::array();
  for (int i = 0; i < 30; ++i) {
    rows.push_back({i % 3 == 0 ? json(nullptr) : json(i), 1});
    labels.push_back(i % 3 == 0 ? "hole" : "number");
  }
  Model model = create({{"rows", rows}, {"labels", labels}, {"missing", "allow"}, {"params", {{"min_child_weight", 0}}}});
  EXPECT_EQ(model.describe()["missing"], "allow");
  EXPECT_EQ(model.predict({{"rows", {{nullptr, 1}, {7, 1}}}})["predictions"], json({"hole", "number"}));
}

TEST(Model, EvaluatesOtherData) {
  Model model = create({{"dataset", "iris"}});
  const Dataset whole = environment().catalogue.read("iris", "/dataset");
  const json result = model.evaluate(whole);
  EXPECT_EQ(result["rows"], 150);
  EXPECT_GT(result["accuracy"], 0.95);
  EXPECT_EQ(result["metric"]["name"], "mlogloss");
  EXPECT_EQ(error_of([&] { return model.evaluate(environment().catalogue.read("digits", "/dataset")); }).code, ErrorCode::invalid_args);
  const json rows{{"rows", {{1, 2, 3, 4}}}, {"labels", {"rose"}}};
  EXPECT_EQ(path_of(error_of([&] { return model.evaluate(read_dataset(Arguments(rows), Catalogue(), Missing::refuse)); })), "/labels/0");
}

TEST(Model, SavedAndLoadedItPredictsTheSame) {
  for (const json& params : {json::object(), json{{"booster", "dart"}}, json{{"booster", "gblinear"}}}) {
    Model model = create({{"dataset", "iris"}, {"rounds", 5}, {"params", params}});
    Model copy = Model::load(model.save(), "copy.json", 1);
    const json inputs{{"rows", kFlowers}, {"probabilities", true}};
    EXPECT_EQ(copy.predict(inputs), model.predict(inputs)) << params;
    EXPECT_EQ(copy.describe(), model.describe()) << params;
    EXPECT_EQ(copy.features(), 4u);
  }
}

TEST(Model, LoadsModelsOfOthers) {
  std::vector<float> values;
  for (int i = 0; i < 60; ++i) values.push_back(static_cast<float>(i % 3));
  Matrix matrix(values, 60, 1, 1);
  matrix.set_labels(values);
  Booster booster(matrix);
  booster.set_parameter("nthread", "1");
  booster.set_parameter("objective", "multi:softprob");
  booster.set_parameter("num_class", "3");
  for (int round = 0; round < 5; ++round) booster.update(round, matrix, ErrorCode::model_error);
  Model model = Model::load(booster.save(), "other.json", 1);
  EXPECT_EQ(model.describe()["classes"], json({0, 1, 2}));
  EXPECT_EQ(model.describe()["rounds"], 5);
  EXPECT_EQ(model.predict({{"rows", {{2}, {0}}}})["predictions"], json({2, 0}));
}

TEST(Model, SaysThatItHasDiverged) {
  json document = json::parse(create({{"dataset", "iris"}, {"rounds", 1}, {"params", {{"booster", "gblinear"}}}}).save());
  document["learner"]["gradient_booster"]["model"]["weights"] = std::vector<double>(15, 3e38);
  Model model = Model::load(document.dump(), "wild.json", 1);
  const Error error = error_of([&] { return model.predict({{"rows", kFlowers}}); });
  EXPECT_EQ(error.code, ErrorCode::model_error);
  EXPECT_NE(error.message.find("row 0"), std::string::npos) << error.message;
}

TEST(Model, ACallThatEndsTheTrainingEndsIt) {
  int rounds = 0;
  const auto stop = [&rounds](int done, int total) {
    EXPECT_EQ(total, 50);
    rounds = done;
    if (done == 3) throw Exception(ErrorCode::cancelled, "enough");
  };
  EXPECT_EQ(error_of([&] { create_model({{"dataset", "iris"}}, environment(), stop); }).code, ErrorCode::cancelled);
  EXPECT_EQ(rounds, 3);
}

TEST(Model, ChecksItsOtherArguments) {
  const auto error = [](json more) {
    more["dataset"] = "iris";
    return path_of(error_of([&] { create(more); }));
  };
  EXPECT_EQ(error({{"rounds", 0}}), "/rounds");
  EXPECT_EQ(error({{"rounds", 1.5}}), "/rounds");
  EXPECT_EQ(error({{"seed", -1}}), "/seed");
  EXPECT_EQ(error({{"test_fraction", 1}}), "/test_fraction");
  EXPECT_EQ(error({{"test_fraction", "half"}}), "/test_fraction");
  EXPECT_EQ(error({{"missing", true}}), "/missing");
  EXPECT_EQ(error({{"round", 5}}), "/round");
}

}  // namespace
}  // namespace pons::xgb
