// What a model learns: the labels as the numbers that XGBoost wants, and the way back.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pons::xgb {

/// What the numbers mean that a model gives for a row.
enum class Output : std::uint8_t {
  class_probabilities,  ///< multi:softprob: one for each class
  probability,          ///< binary:logistic: of the second class
  logit,                ///< binary:logitraw: before the logistic function
  class_index,          ///< multi:softmax, binary:hinge
  number,               ///< regression
};

/// Nothing for an objective that needs more than one label a row (rank:*, survival:aft), or is not known.
std::optional<Output> output_of(std::string_view objective);

/// Labels as they came: strings, booleans or numbers.
struct Labels {
  std::vector<nlohmann::json> values{};
  std::string path{};       ///< the argument that they, or the file that holds them, came from
  bool in_request = false;  ///< that argument is the array of them
  /// For a complaint about one of them.
  [[nodiscard]] std::string path_of(std::size_t index) const { return in_request ? path + "/" + std::to_string(index) : path; }
};

struct Target {
  std::vector<nlohmann::json> classes;  ///< sorted; empty for regression
  std::vector<float> values;            ///< one for each row: the class's index, or the number
};

/// Classes unless `objective` says regression, or there is none and some label is no integer. Throws invalid_args for labels of mixed
/// kinds, for numbers that are not finite, for a single class, and for integers so many that without an objective nobody can
/// tell whether they are classes.
Target make_target(const Labels& labels, const std::optional<std::string>& objective);

/// The labels as numbers for a model that knows these classes (none: regression). Throws invalid_args for a label that it does not know.
std::vector<float> encode_labels(const Labels& labels, const std::vector<nlohmann::json>& classes);

}  // namespace pons::xgb
