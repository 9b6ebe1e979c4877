#include <filesystem>
#include <string>
#include <utility>

#include "host/cli/commands.h"
#include "host/cli/fault.h"
#include "host/cli/host_link.h"
#include "host/cli/json_text.h"
#include "host/cli/target.h"
#include "host/config/preflight.h"
#include "host/serve.h"

namespace pons::cli {

int run_check(const Options& options, const Surroundings& surroundings, Outputs outputs) {
  const auto config = load_chosen(options.host, surroundings);
  for (const auto& warning : config.warnings) outputs.err.write("warning: " + harmless(warning.to_string()) + "\n");
  // What is missing of an adapter that nobody named is no fault of the configuration.
  Interpreters interpreters;
  std::vector<ConfigIssue> issues;
  for (const auto& adapter : config.adapters) {
    for (const auto& finding : preflight(adapter, interpreters)) {
      if (adapter.named) {
        issues.push_back(finding.as_issue());
      } else {
        outputs.err.write("warning: " + harmless(adapter.pool.adapter + ": " + finding.message + "; " + finding.remedy) + "\n");
      }
    }
  }
  if (!issues.empty()) throw ConfigError(std::move(issues));
  if (options.json) {
    outputs.out.write(one_line(to_json(config)) + "\n");
    return written(outputs);
  }
  std::string names;
  for (const auto& adapter : config.adapters) names += (names.empty() ? "" : ", ") + adapter.pool.adapter;
  const auto count = config.adapters.size();
  const auto what = chosen_config_file(options.host, surroundings.env).value_or("built-in configuration");
  outputs.out.write(harmless(what) + ": ok, " + std::to_string(count) + (count == 1 ? " adapter" : " adapters") +
                    (count == 0 ? "" : ": " + names) + "\n");
  return written(outputs);
}

int run_serve(const Options& options, const Surroundings& surroundings) {
  const auto read = [surroundings](const HostChoice& choice) {
    auto config = load_chosen(choice, surroundings);
    if (choice.name) config.host.name = *choice.name;
    return config;
  };
  auto config = read(options.host);
  // What is said of it later is read elsewhere.
  auto whole = options.host;
  if (const auto file = chosen_config_file(whole, surroundings.env)) whole.config = std::filesystem::absolute(*file).string();
  auto socket = choose_listener(options, surroundings.env, config);
  auto state_dir = choose_state_dir(options, surroundings.env, config, socket);
  const bool from_variable = !options.host.socket && !options.host.name && lookup(surroundings.env, "PONS_SOCKET");
  return serve({std::move(config), options.stdio, std::move(socket), from_variable ? std::string(kFromVariable) : std::string(),
                std::move(state_dir), [read, whole] { return read(whole); }});
}

}  // namespace pons::cli
