#include <string>
#include <utility>

#include "host/cli/commands.h"
#include "host/cli/fault.h"
#include "host/cli/host_link.h"
#include "host/cli/json_text.h"
#include "host/cli/target.h"
#include "host/serve.h"

namespace pons::cli {

int run_check(const Options& options, const Surroundings& surroundings, Outputs outputs) {
  const auto config = load_chosen(options.host, surroundings);
  for (const auto& warning : config.warnings) outputs.err.write("warning: " + harmless(warning.to_string()) + "\n");
  if (options.json) {
    outputs.out.write(one_line(to_json(config)) + "\n");
    return written(outputs);
  }
  std::string names;
  for (const auto& adapter : config.adapters) names += (names.empty() ? "" : ", ") + adapter.pool.adapter;
  const auto count = config.adapters.size();
  const auto what = config.file.empty() ? std::string("built-in configuration") : config.file;
  outputs.out.write(harmless(what) + ": ok, " + std::to_string(count) + (count == 1 ? " adapter" : " adapters") +
                    (count == 0 ? "" : ": " + names) + "\n");
  return written(outputs);
}

int run_serve(const Options& options, const Surroundings& surroundings) {
  const auto read = [options, surroundings] {
    auto config = load_chosen(options.host, surroundings);
    if (options.host.name) config.host.name = *options.host.name;
    return config;
  };
  auto config = read();
  auto socket = choose_listener(options, surroundings.env, config);
  auto state_dir = choose_state_dir(options, surroundings.env, config, socket);
  return serve({std::move(config), options.stdio, std::move(socket), std::move(state_dir), read});
}

}  // namespace pons::cli
