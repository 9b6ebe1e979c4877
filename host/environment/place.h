// Where the environment of an adapter lies: one of its own, by its name and folder, below the state directory.
//
//   STATE/.environments/NAME-HASH/lock       held while it is made, changed or removed
//   STATE/.environments/NAME-HASH/N/         made by the N-th run that had to make one
//   STATE/.environments/NAME-HASH/current    a link to the one that workers are started from
//
// No host can have the name `.environments` (valid_host_name).
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "host/config/config.h"

namespace pons {

class EnvironmentPlace {
 public:
  /// Of the adapter of that name in that folder (absolute).
  EnvironmentPlace(const std::string& adapter, const std::filesystem::path& adapter_folder, const EnvLookup& env);

  /// The one with that folder.
  static EnvironmentPlace at(std::filesystem::path folder) { return EnvironmentPlace(std::move(folder)); }

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] std::filesystem::path current() const { return folder_ / "current"; }
  [[nodiscard]] std::filesystem::path lock() const { return folder_ / "lock"; }
  /// What workers are started with, whether it is there or not.
  [[nodiscard]] std::filesystem::path interpreter() const { return current() / "bin" / "python"; }

 private:
  explicit EnvironmentPlace(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path folder_;
};

}  // namespace pons
