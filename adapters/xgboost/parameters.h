// The argument `params`: XGBoost's own parameters, by XGBoost's own names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/xgboost/arguments.h"
#include "adapters/xgboost/booster.h"
#include "adapters/xgboost/target.h"

namespace pons::xgb {

struct Parameters {
  std::vector<std::pair<std::string, std::string>> items{};  ///< as XGBoost takes them; several eval_metric are several items
  std::optional<std::string> objective{};
  std::optional<std::int64_t> num_class{};
  std::optional<int> threads{};  ///< nthread or n_jobs
  [[nodiscard]] std::optional<std::string> find(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return find(name).has_value(); }
};

/// Throws invalid_args if `params` is no object, or a value is of a type that XGBoost has no use for, and invalid_configuration for the
/// two parameters that the adapter keeps to itself.
Parameters read_parameters(const Arguments& args);

/// What training needs beside the caller's parameters.
struct TrainingSetup {
  std::string booster;
  std::string objective;
  Output output = Output::number;
  std::vector<std::pair<std::string, std::string>> parameters;  ///< all of them
};

/// Throws invalid_configuration if there is no such objective, or if it needs more than rows and one label each.
void check_objective(const Parameters& given);

/// Chooses what the caller left open: objective, num_class, seed, nthread (`threads`), and tree_method, for which it takes hist, the
/// default of XGBoost from 2.0 on and many times faster than that of 1.x. Throws invalid_configuration where objective or num_class do not
/// fit the labels.
TrainingSetup set_up(const Parameters& given, const Target& target, std::uint64_t seed, int threads);

/// Gives the parameters to the booster. Throws invalid_configuration for values that XGBoost refuses, and for names that it does not
/// use with this booster and objective; those errors name the nearest that it does.
void apply(const TrainingSetup& setup, Booster& booster);

}  // namespace pons::xgb
