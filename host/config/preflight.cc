#include "host/config/preflight.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <system_error>

#include "host/config/python_worker.h"
#include "host/environment/packages.h"
#include "host/environment/pep440.h"
#include "host/environment/state.h"
#include "pool/process.h"

namespace pons {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> variable(const LaunchOptions& launch, std::string_view name) {
  const auto found = std::find_if(launch.env.begin(), launch.env.end(), [&](const auto& entry) { return entry.first == name; });
  return found == launch.env.end() ? std::nullopt : std::optional(found->second);
}

std::vector<fs::path> python_path(const LaunchOptions& launch) {
  std::vector<fs::path> out;
  const std::string text = variable(launch, "PYTHONPATH").value_or("");
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find(':', begin), text.size());
    if (end > begin) out.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

class Look {
 public:
  Look(const AdapterConfig& adapter, Interpreters& interpreters)
      : adapter_(adapter), interpreters_(interpreters), findings_(adapter.missing_variables) {}

  std::vector<Finding> all() {
    if (!adapter_.environment.empty() && !check_environment()) return std::move(findings_);
    const bool asks_for_packages =
        !adapter_.required_packages.empty() ||
        std::any_of(adapter_.models.begin(), adapter_.models.end(), [](const ModelFile& model) { return !model.package.empty(); });
    if (asks_for_packages && !find_path()) return std::move(findings_);
    for (std::size_t i = 0; i < adapter_.required_packages.size(); ++i) check_package(i);
    for (const ModelFile& model : adapter_.models) check_model(model);
    return std::move(findings_);
  }

 private:
  [[nodiscard]] ConfigIssue place(const std::string& key) const {
    const auto found = adapter_.places.find(key);
    return found == adapter_.places.end() ? ConfigIssue{} : found->second;
  }
  void add(std::string kind, std::string name, std::string found, std::string message, std::string remedy, const std::string& key) {
    findings_.push_back({std::move(kind), std::move(name), std::move(found), std::move(message), std::move(remedy), place(key)});
  }
  [[nodiscard]] std::string install() const { return "run: pons adapter install " + adapter_.reference; }

  bool check_environment() {
    const auto found = look_at(EnvironmentPlace::at(adapter_.environment), adapter_.requirements, environment_);
    const EnvironmentState state = judge(found);
    const std::string name = fs::path(adapter_.environment).filename().string();
    const auto missing = [&](const std::string& message, const std::string& remedy) {
      add(state == EnvironmentState::broken ? "interpreter" : "environment", name, std::string(to_string(state)), message, remedy,
          "requirements");
      return false;
    };
    switch (state) {
      case EnvironmentState::missing:
        return missing("its Python environment has not been made", install());
      case EnvironmentState::incomplete:
        return missing("its Python environment was not made to the end", install());
      case EnvironmentState::broken:
        return missing("the interpreter of its Python environment is gone", install());
      case EnvironmentState::out_of_date:
        return missing("its Python environment is out of date: " + adapter_.requirements + " has changed", install() + " --upgrade");
      case EnvironmentState::ready:
        return true;
    }
    return true;
  }

  // Where the worker's interpreter looks for packages.
  bool find_path() {
    const LaunchOptions& launch = adapter_.pool.launch;
    path_ = python_path(launch);
    std::string program = launch.command.empty() ? "" : launch.command.front();
    if (environment_.empty()) environment_ = environment_of(program);
    if (!environment_.empty() && !sees_system_packages(environment_)) {
      for (fs::path& folder : site_packages(environment_)) path_.push_back(std::move(folder));
      return true;
    }
    if (!environment_.empty()) program = (environment_ / "bin" / "python").string();
    if (!is_python(program)) program = "python3";  // a program with Python inside: what is on its PATH
    if (program.find('/') == std::string::npos) {
      const auto found = find_on_path(program, variable(launch, "PATH").value_or("/usr/local/bin:/usr/bin:/bin"));
      if (!found) {
        add("interpreter", program, "", "there is no " + program + " on the worker's PATH", "install it, or set PATH under `env`",
            "command");
        return false;
      }
      program = *found;
    }
    const auto about = interpreters_.ask(program, launch.env);
    if (!about) {
      add("interpreter", program, "", about.error().message, "try: " + program + " --version", "command");
      return false;
    }
    path_.insert(path_.end(), about->path.begin(), about->path.end());
    return true;
  }

  [[nodiscard]] std::string install_package(const std::string& package) const {
    if (!adapter_.environment.empty()) {
      return "add it to " + adapter_.requirements + " and run: pons adapter install " + adapter_.reference + " --upgrade";
    }
    const auto& command = adapter_.pool.launch.command;
    return "run: " + (command.empty() || !is_python(command.front()) ? "python3" : command.front()) + " -m pip install '" + package + "'";
  }

  void check_package(std::size_t i) {
    const std::string& text = adapter_.required_packages[i];
    const auto wanted = PackageRequirement::parse(text);
    if (!wanted) return;  // the configuration would have been refused
    const auto version = installed_version(path_, wanted->name);
    if (version && wanted->allows(*version)) return;
    const std::string key = "required_packages[" + std::to_string(i) + "]";
    const std::string found = version ? "found " + *version : "it is not installed";
    add("package", text, version.value_or(""), "it needs the Python package " + text + ", " + found, install_package(text), key);
  }

  void check_model(const ModelFile& model) {
    const auto file = find_model(model);
    if (!file) {
      if (model.optional) return;
      const std::string where = model.package.empty() ? adapter_.folder : "the package " + model.package;
      const std::string pinned = model.package + (model.version.empty() ? "" : "==" + model.version);
      add("model", model.name, "", "its model file " + model.file + " is not in " + where,
          model.package.empty() ? "put it there" : install_package(pinned), "models");
      return;
    }
    std::error_code failed;
    const auto size = fs::file_size(*file, failed);
    if (failed || !model.size || size == *model.size) return;
    add("model", model.name, std::to_string(size) + " bytes",
        "its model file " + file->string() + " has " + std::to_string(size) + " bytes, expected " + std::to_string(*model.size),
        model.package.empty() ? "replace it" : install() + " --upgrade", "models");
  }

  [[nodiscard]] std::optional<fs::path> find_model(const ModelFile& model) const { return find_model_file(model, adapter_.folder, path_); }

  const AdapterConfig& adapter_;
  Interpreters& interpreters_;
  std::vector<Finding> findings_;
  fs::path environment_;        ///< links resolved; empty: none
  std::vector<fs::path> path_;  ///< sys.path, as far as it matters
};

}  // namespace

std::vector<Finding> preflight(const AdapterConfig& adapter, Interpreters& interpreters) { return Look(adapter, interpreters).all(); }

LaunchOptions resolved_launch(const AdapterConfig& adapter) {
  LaunchOptions launch = adapter.pool.launch;
  if (adapter.environment.empty()) return launch;
  std::error_code failed;
  const fs::path environment = fs::canonical(EnvironmentPlace::at(adapter.environment).current(), failed);
  if (failed) return launch;
  launch.command.front() = (environment / "bin" / "python").string();
  if (!has_own_sdk(environment) || adapter.python_sdk.empty()) return launch;
  for (auto& [name, value] : launch.env) {
    if (name != "PYTHONPATH" || !value.starts_with(adapter.python_sdk)) continue;
    value.erase(0, adapter.python_sdk.size() + (value.size() > adapter.python_sdk.size() ? 1 : 0));
  }
  return launch;
}

bool needs_preflight(const AdapterConfig& adapter) {
  return !adapter.missing_variables.empty() || !adapter.environment.empty() || !adapter.required_packages.empty() ||
         !adapter.models.empty();
}

}  // namespace pons
