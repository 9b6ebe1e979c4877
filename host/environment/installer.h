// Makes, renews and removes the environment of an adapter.
//
// An environment is made in a folder of its own, gets its marker last, and only then becomes the current one: whatever interrupts that
// leaves the earlier one as it was, and what was not finished is removed by the next run. One that a living process runs from is never
// removed, but left for a later run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/adapter_folder.h"
#include "host/config/config.h"
#include "host/environment/place.h"
#include "host/environment/state.h"
#include "protocol/error.h"
#include "protocol/transport/unique_fd.h"

namespace pons {

struct InstallResult {
  EnvironmentState before = EnvironmentState::missing;
  bool made = false;                  ///< a new one; false: there was one
  std::vector<std::string> models{};  ///< packages of models that were added, as `name==version`
  std::filesystem::path environment;  ///< links resolved
  EnvironmentMarker marker;
  std::vector<std::filesystem::path> kept;  ///< older ones from which something still runs
};

/// A model file, as it was found.
struct ModelCheck {
  std::string name;
  std::string file;  ///< as `package:file`, or the file alone
  bool found = false;
  bool optional = false;
  std::string problem;  ///< wrong size or checksum; empty: it is as it should be, or was not found
};

class EnvironmentInstaller {
 public:
  /// `progress` gets lines for people. `stop_fd` becomes readable when everything is to end.
  EnvironmentInstaller(const EnvLookup& env, std::filesystem::path requirements, EnvironmentPlace place, int stop_fd,
                       std::function<void(const std::string&)> progress);

  /// Makes one unless there is one that is ready; `upgrade` makes one in any case. Of `models` those packages that are not there are
  /// added, without what they depend on. The error ends with the last lines of what uv or pip said; code cancelled: interrupted.
  Result<InstallResult> install(bool upgrade, const std::vector<ModelFile>& models);
  /// Removes it, with everything that earlier runs have left. False: there was none. overloaded: a process runs from it, and it stays.
  Result<bool> remove();

 private:
  Result<void> make(const std::filesystem::path& folder, EnvironmentMarker& marker);
  Result<void> add_packages(const std::filesystem::path& folder, const std::vector<std::string>& what);
  Result<std::vector<std::string>> add_models(const std::filesystem::path& folder, const std::vector<ModelFile>& models);
  Result<void> run(const std::vector<std::string>& command, const std::string& what);
  std::optional<std::string> find_program(const std::string& name) const;
  std::vector<std::filesystem::path> remove_others(const std::filesystem::path& keep);
  Result<UniqueFd> lock();

  std::vector<std::pair<std::string, std::string>> variables_;
  std::filesystem::path requirements_;
  EnvironmentPlace place_;
  int stop_fd_;
  std::function<void(const std::string&)> progress_;
};

/// Looks for the models in `environment` (empty: none) and the adapter's folder, and compares size and checksum.
std::vector<ModelCheck> check_models(const AdapterFolder& adapter, const std::filesystem::path& environment);

/// Processes that run a program of `folder`, or have a file of it as an argument.
bool is_in_use(const std::filesystem::path& folder);

}  // namespace pons
