#include "adapters/xgboost/model_file.h"
#include "tests/adapters/xgboost_helpers.h"

namespace pons::xgb {
namespace {

const std::string& text() {
  static const std::string saved = create({{"dataset", "iris"}, {"rounds", 2}}).save();
  return saved;
}

Error load_error(std::string_view bytes) {
  return error_of([&] { Model::load(bytes, "some.json", 1); });
}

// The saved model with one thing changed.
std::string changed(const std::function<void(json&)>& change) {
  json document = json::parse(text());
  change(document);
  return document.dump();
}

json& first_tree(json& document) { return document["learner"]["gradient_booster"]["model"]["trees"][0]; }

TEST(ModelFile, TakesWhatWasSaved) { EXPECT_NO_THROW(check_model_text(text(), "some.json")); }

TEST(ModelFile, CutOffAnywhereItIsRefused) {
  for (std::size_t length = 0; length < text().size(); length += text().size() / 97 + 1) {
    const Error error = load_error(std::string_view(text()).substr(0, length));
    EXPECT_EQ(error.code, ErrorCode::model_error);
    EXPECT_NE(error.message.find("some.json"), std::string::npos) << error.message;
  }
}

TEST(ModelFile, OtherFilesAreRefused) {
  for (const char* bytes :
       {"", "hello", "[]", "{}", "7", "null", R"({"learner": {}, "version": [1, 7, 4]})", R"({"learner": 1, "version": 2})"}) {
    EXPECT_EQ(load_error(bytes).code, ErrorCode::model_error) << bytes;
  }
  EXPECT_NE(load_error("binf\1\2").message.find("binary"), std::string::npos);
  EXPECT_NE(load_error("{}").message.find("no XGBoost model: key 'learner' not found"), std::string::npos);
}

TEST(ModelFile, TreesThatDoNotHangTogetherAreRefused) {
  const std::vector<std::function<void(json&)>> changes{
      [](json& d) { d["learner"]["gradient_booster"]["model"]["gbtree_model_param"]["num_trees"] = "7"; },
      [](json& d) { d["learner"]["gradient_booster"]["model"]["gbtree_model_param"].erase("num_trees"); },
      [](json& d) { d["learner"]["gradient_booster"]["name"] = "other"; },
      [](json& d) { d["learner"]["gradient_booster"]["model"]["tree_info"][0] = 3; },
      [](json& d) { d["learner"]["gradient_booster"]["model"]["tree_info"][0] = -1; },
      [](json& d) { first_tree(d)["left_children"][0] = 0; },
      [](json& d) { first_tree(d)["left_children"][0] = 10000; },
      [](json& d) { first_tree(d)["right_children"][0] = first_tree(d)["left_children"][0]; },
      [](json& d) { first_tree(d)["right_children"][0] = -1; },
      [](json& d) { first_tree(d)["split_indices"][0] = 4; },
      [](json& d) { first_tree(d)["split_indices"][0] = -1; },
      [](json& d) { first_tree(d)["split_conditions"].erase(0); },
      [](json& d) { first_tree(d)["tree_param"]["num_nodes"] = "1"; },
      [](json& d) { d["learner"]["learner_model_param"]["num_feature"] = "many"; }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    EXPECT_EQ(load_error(changed(changes[i])).code, ErrorCode::model_error) << i;
  }
}

TEST(ModelFile, MetadataThatDoNotFitAreRefused) {
  const auto with = [](const std::string& attribute) { return changed([&](json& d) { d["learner"]["attributes"]["pons"] = attribute; }); };
  for (const char* attribute : {"{", "[]", "{}", R"({"model": 1})", R"({"model": {"classes": ["a"], "missing": "error"}})"}) {
    EXPECT_EQ(load_error(with(attribute)).code, ErrorCode::model_error) << attribute;
  }
}

TEST(ModelFile, ObjectivesThatTheAdapterCannotUseAreRefused) {
  const std::vector<float> values{0, 1, 2, 3};
  Matrix matrix(values, 4, 1, 1);
  matrix.set_labels(values);
  Booster booster(matrix);
  booster.set_parameter("nthread", "1");
  booster.set_parameter("objective", "rank:pairwise");
  booster.update(0, matrix, ErrorCode::model_error);
  const Error error = load_error(booster.save());
  EXPECT_EQ(error.code, ErrorCode::model_error);
  EXPECT_NE(error.message.find("rank:pairwise"), std::string::npos) << error.message;
}

}  // namespace
}  // namespace pons::xgb
