#include "adapters/xgboost/model_file.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "protocol/document.h"
#include "protocol/error.h"

namespace pons::xgb {

namespace {

using nlohmann::json;

// Without the name of the exception in front.
std::string reason(const json::exception& error) {
  const std::string text = error.what();
  const std::size_t end = text.find("] ");
  return end == std::string::npos ? text : text.substr(end + 2);
}

/// What is wrong with a document that is JSON.
struct NotAModel {
  std::string why;
};

// The library writes numbers of its parameters as strings.
std::uint64_t number_of(const json& text) {
  const std::string& digits = text.get_ref<const std::string&>();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) throw NotAModel{"\"" + digits + "\" is no count"};
  return number;
}

void check_tree(const json& tree, std::uint64_t features) {
  const auto left = tree.at("left_children").get<std::vector<std::int64_t>>();
  const auto right = tree.at("right_children").get<std::vector<std::int64_t>>();
  const auto split = tree.at("split_indices").get<std::vector<std::uint64_t>>();
  const std::size_t nodes = left.size();
  if (nodes == 0 || right.size() != nodes || split.size() != nodes || number_of(tree.at("tree_param").at("num_nodes")) != nodes) {
    throw NotAModel{"a tree's arrays are of different lengths"};
  }
  for (const char* name : {"split_conditions", "default_left", "base_weights", "loss_changes", "sum_hessian", "parents"}) {
    if (tree.at(name).size() != nodes) throw NotAModel{"a tree's arrays are of different lengths"};
  }
  std::vector<bool> seen(nodes);
  std::vector<std::int64_t> open{0};
  while (!open.empty()) {
    const std::int64_t node = open.back();
    open.pop_back();
    if (node < 0 || static_cast<std::size_t>(node) >= nodes) throw NotAModel{"a tree refers to a node that it has not"};
    const auto index = static_cast<std::size_t>(node);
    if (seen[index]) throw NotAModel{"a tree reaches a node twice"};
    seen[index] = true;
    if (left[index] == -1 && right[index] == -1) continue;
    if (split[index] >= features) throw NotAModel{"a tree tests a feature that the model has not"};
    open.push_back(left[index]);
    open.push_back(right[index]);
  }
}

void check_trees(const json& model, std::uint64_t features, std::uint64_t groups) {
  const json& trees = model.at("trees");
  const std::uint64_t count = number_of(model.at("gbtree_model_param").at("num_trees"));
  if (trees.size() != count || model.at("tree_info").size() != count) throw NotAModel{"it has not as many trees as it says"};
  for (const auto group : model["tree_info"].get<std::vector<std::uint64_t>>()) {
    if (group >= groups) throw NotAModel{"a tree adds to a class that the model has not"};
  }
  for (const json& tree : trees) check_tree(tree, features);
}

void check_document(const json& document) {
  const json& learner = document.at("learner");
  static_cast<void>(document.at("version"));
  const json& sizes = learner.at("learner_model_param");
  const std::uint64_t features = number_of(sizes.at("num_feature"));
  const std::uint64_t groups = std::max<std::uint64_t>(1, number_of(sizes.at("num_class")));
  const json& booster = learner.at("gradient_booster");
  const std::string& name = booster.at("name").get_ref<const std::string&>();
  if (name == "gbtree") {
    check_trees(booster.at("model"), features, groups);
  } else if (name == "dart") {
    check_trees(booster.at("gbtree").at("model"), features, groups);
    if (booster.at("weight_drop").size() != booster["gbtree"]["model"]["trees"].size())
      throw NotAModel{"it has not as many weights as trees"};
  } else if (name == "gblinear") {
    if (booster.at("model").at("weights").size() != (features + 1) * groups) throw NotAModel{"it has not as many weights as features"};
  } else {
    throw NotAModel{"its booster is called \"" + name + "\""};
  }
}

}  // namespace

void check_model_text(std::string_view text, const std::string& path) {
  const Result<json> document = decode(Codec::json, text);
  if (document.has_error()) {
    const bool other = text.starts_with("binf") || text.starts_with("{L");
    throw Exception(ErrorCode::model_error, path + (other ? " is a model in one of XGBoost's binary formats; only its JSON format is read"
                                                          : " is no complete JSON document, so no model: " + document.error().message));
  }
  try {
    check_document(*document);
  } catch (const json::exception& error) {
    throw Exception(ErrorCode::model_error, path + " is JSON, but no XGBoost model: " + reason(error));
  } catch (const NotAModel& error) {
    throw Exception(ErrorCode::model_error, path + " is no usable XGBoost model: " + error.why);
  }
}

}  // namespace pons::xgb
