// The XGBoost adapter: trains gradient boosted trees and predicts with them.
#include <cstdio>
#include <exception>

#include "adapters/xgboost/commands.h"
#include "adapters/xgboost/files.h"

int main(int argc, char** argv) {
  constexpr int kBadConfiguration = 78;  // EX_CONFIG: starting again will not help
  pons::xgb::Environment environment;
  pons::Worker worker("xgboost", "0.1.0");
  try {
    environment = {pons::xgb::Catalogue(pons::xgb::data_folder()), pons::xgb::threads_from_environment()};
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return kBadConfiguration;
  }
  pons::xgb::declare_commands(worker, environment);
  return worker.run(argc, argv);
}
