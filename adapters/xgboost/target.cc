#include "adapters/xgboost/target.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "adapters/xgboost/arguments.h"

namespace pons::xgb {

namespace {

using nlohmann::json;

constexpr std::size_t kManyClasses = 100;

bool is_integral(const json& label) {
  return label.is_number_integer() || (label.is_number_float() && std::trunc(label.get<double>()) == label.get<double>());
}

bool same_kind(const json& a, const json& b) {
  return (a.is_string() && b.is_string()) || (a.is_boolean() && b.is_boolean()) || (a.is_number() && b.is_number());
}

// Complains of what is no label, and of what is of another kind than the first.
void check_kinds(const Labels& labels) {
  Complaints complaints;
  const json& first = labels.values.front();
  for (std::size_t i = 0; i < labels.values.size() && !complaints.full(); ++i) {
    const json& label = labels.values[i];
    const std::string name = "Label " + std::to_string(i) + " is " + shown(label);
    const bool finite = !label.is_number() || std::isfinite(label.get<float>());
    if (!same_kind(label, label) || !finite) {
      complaints.add(labels.path_of(i), name + "; labels are strings, booleans or finite numbers", json{"string", "boolean", "number"});
    } else if (!same_kind(first, label)) {
      complaints.add(labels.path_of(i), name + ", but label 0 is " + shown(first) + ": all must be of one kind");
    }
  }
  complaints.throw_if_any();
}

std::vector<float> as_numbers(const Labels& labels) {
  std::vector<float> values;
  for (const json& label : labels.values) {
    const std::size_t index = values.size();
    if (!label.is_number() || !std::isfinite(label.get<float>())) {
      throw_invalid_args(labels.path_of(index),
                         "Regression needs finite numbers as labels; label " + std::to_string(index) + " is " + shown(label), "number");
    }
    values.push_back(label.get<float>());
  }
  return values;
}

bool wants_numbers(const std::vector<json>& labels, const std::optional<std::string>& objective) {
  if (objective) return output_of(*objective) == Output::number;
  return labels.front().is_number() && !std::all_of(labels.begin(), labels.end(), is_integral);
}

}  // namespace

std::optional<Output> output_of(std::string_view objective) {
  if (objective == "multi:softprob") return Output::class_probabilities;
  if (objective == "multi:softmax" || objective == "binary:hinge") return Output::class_index;
  if (objective == "binary:logistic") return Output::probability;
  if (objective == "binary:logitraw") return Output::logit;
  if (objective.starts_with("reg:") || objective.starts_with("count:") || objective == "survival:cox") return Output::number;
  return std::nullopt;
}

Target make_target(const Labels& labels, const std::optional<std::string>& objective) {
  check_kinds(labels);
  if (wants_numbers(labels.values, objective)) return {{}, as_numbers(labels)};
  const std::set<json> distinct(labels.values.begin(), labels.values.end());
  const std::vector<json> classes(distinct.begin(), distinct.end());
  if (classes.size() < 2) throw_invalid_args(labels.path, "All labels are " + shown(classes.front()) + ": there is nothing to tell apart");
  if (!objective && classes.front().is_number() && classes.size() > kManyClasses) {
    throw_invalid_args(labels.path, "The labels are " + std::to_string(classes.size()) + " different integers: give params.objective, " +
                                        "reg:squarederror if they are quantities, multi:softprob if they are classes");
  }
  return {classes, encode_labels(labels, classes)};
}

std::vector<float> encode_labels(const Labels& labels, const std::vector<json>& classes) {
  if (classes.empty()) return as_numbers(labels);
  std::map<json, float> index_of;
  for (const json& name : classes) index_of.emplace(name, static_cast<float>(index_of.size()));
  std::vector<float> values;
  Complaints complaints;
  for (std::size_t i = 0; i < labels.values.size() && !complaints.full(); ++i) {
    const json& label = labels.values[i];
    const auto at = index_of.find(label);
    if (at != index_of.end()) {
      values.push_back(at->second);
    } else {
      complaints.add(labels.path_of(i), "Label " + std::to_string(i) + " is " + shown(label) + ", which the model does not know", classes);
    }
  }
  complaints.throw_if_any();
  return values;
}

}  // namespace pons::xgb
