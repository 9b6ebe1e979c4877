// A trained model with what is needed to use it: its classes, its features, how missing values are treated, how well it did.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/xgboost/booster.h"
#include "adapters/xgboost/dataset.h"
#include "adapters/xgboost/parameters.h"
#include "adapters/xgboost/target.h"

namespace pons::xgb {

struct TrainingOptions {
  Parameters parameters{};
  int rounds = 50;             ///< of boosting; each adds one tree, or one for each class
  double test_fraction = 0.2;  ///< of the rows, held out for the metric; 0 holds none out
  std::uint64_t seed = 0;      ///< of the split and of XGBoost
  Missing missing = Missing::refuse;
  int threads = 0;  ///< at most, unless the parameters say; below 1: as many as XGBoost likes
};

/// Called before each round. What it throws ends the training.
using RoundHook = std::function<void(int done, int total)>;

class Model {
 public:
  /// Throws invalid_args for labels that cannot be learnt, invalid_configuration for parameters that XGBoost refuses.
  static Model train(const Dataset& data, const TrainingOptions& options, const RoundHook& before_round = {});
  /// What save() gave, or any other model in XGBoost's JSON format: its classes are then 0, 1, 2... Throws model_error, naming `path`.
  static Model load(std::string_view text, const std::string& path, int threads);
  /// XGBoost's JSON format; what XGBoost has no place for is in the attribute `pons`.
  [[nodiscard]] std::string save() const;

  /// `inputs` is `{rows, probabilities?, missing?}`; the reply `{predictions, probabilities?, rows}`. Throws invalid_args.
  [[nodiscard]] nlohmann::json predict(const nlohmann::json& inputs);
  /// `{dataset, rows, metric, accuracy | rmse}`. Throws invalid_args for other widths or unknown labels.
  [[nodiscard]] nlohmann::json evaluate(const Dataset& data);
  /// `{dataset, rows, train_rows, test_rows, features, feature_names, classes, objective, metric, accuracy | rmse, rounds, seconds,
  /// missing}`; metric is `{name, value}` and, like accuracy or rmse, of the held-out part: null if that is empty.
  [[nodiscard]] const nlohmann::json& describe() const { return summary_; }

  [[nodiscard]] Missing missing() const { return missing_; }
  [[nodiscard]] std::size_t features() const { return features_; }

 private:
  explicit Model(Booster booster) : booster_(std::move(booster)) {}

  struct Answer {
    std::vector<float> values;     // for each row the class's index, or the number
    nlohmann::json probabilities;  // for each row one for each class; null if the objective gives none
  };
  [[nodiscard]] Answer answer(const Matrix& matrix, bool probabilities) const;
  // The table as XGBoost takes it, and the booster set to use as many threads as it is worth.
  [[nodiscard]] Matrix prepare(const Table& table);
  // Adds metric and accuracy or rmse; null if there are no rows.
  void score(const Table& table, const std::vector<float>& expected, nlohmann::json& into);
  void adopt_summary(const std::string& attribute);

  Booster booster_;
  Output output_ = Output::number;
  std::vector<nlohmann::json> classes_;  // empty: regression
  std::size_t features_ = 0;
  Missing missing_ = Missing::refuse;
  int max_threads_ = 0;
  int threads_ = -1;  // that the booster is set to; -1: not by us
  nlohmann::json summary_;
};

}  // namespace pons::xgb
