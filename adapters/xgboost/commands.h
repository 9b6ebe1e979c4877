// The adapter's commands over models, as the worker offers them.
#pragma once

#include <nlohmann/json.hpp>

#include "adapters/xgboost/dataset.h"
#include "adapters/xgboost/model.h"
#include "worker/worker.h"

namespace pons::xgb {

/// What models are made from. Must outlive the worker.
struct Environment {
  Catalogue catalogue{};
  int threads = 0;  ///< below 1: as many as XGBoost likes
};

/// The number in OMP_NUM_THREADS (the first, if it is a list); 0 if there is none.
int threads_from_environment();

/// `create_model`: `{dataset | csv | rows + labels, params?, rounds?, test_fraction?, seed?, ...}`.
Model create_model(const nlohmann::json& args, const Environment& environment, const RoundHook& before_round = {});

/// Declares `create_model`, `execute_resource`, `list_models`, `delete_resource`, `save_model`, `load_model`, `evaluate`,
/// `list_datasets`, and what get_info says of the library.
void declare_commands(Worker& worker, const Environment& environment);

}  // namespace pons::xgb
