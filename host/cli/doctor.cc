#include "host/cli/doctor.h"

#include <filesystem>
#include <optional>
#include <utility>

#include "host/cli/fault.h"
#include "host/cli/host_link.h"
#include "host/cli/json_text.h"
#include "host/cli/table.h"
#include "host/cli/target.h"
#include "host/doctor/diagnosis.h"
#include "host/doctor/gather.h"

namespace pons::cli {

using doctor::Diagnosis;
using doctor::Severity;
using nlohmann::json;

namespace {

namespace fs = std::filesystem;

doctor::Facts gather(const Options& options, const Surroundings& surroundings) {
  const auto context = context_of(surroundings);
  doctor::Facts facts;
  facts.machine = doctor::look_at_machine(surroundings.env);
  facts.config.file = chosen_config_file(options.host, surroundings.env).value_or("");
  Config config;
  try {
    config = load_chosen(options.host, surroundings);
    facts.config.adapters = config.adapters.size();
  } catch (const ConfigError& error) {
    facts.config.faults = error.issues();
  }
  facts.adapters = doctor::look_at_adapters(config, context);
  if (options.host.name) config.host.name = *options.host.name;
  const auto socket = choose_listener(options, surroundings.env, config);
  const auto defaults = default_socket_path(HostConfig{}.name, surroundings.env);
  facts.sockets = doctor::look_at_sockets({fs::path(defaults).parent_path(), fs::path(*socket).parent_path()});
  if (facts.config.faults.empty()) {
    facts.state = doctor::look_at_state(choose_state_dir(options, surroundings.env, config, socket).value_or(""));
  }
  return facts;
}

std::string table_of(const std::vector<Diagnosis>& findings) {
  Table table({{"STATE"}, {"AREA"}, {"FINDING"}});
  for (const auto& finding : findings) {
    table.add({std::string(to_string(finding.severity)), finding.area, finding.what});
    if (!finding.remedy.empty()) table.add({"", "", "remedy: " + finding.remedy});
  }
  return table.text();
}

std::string summary(const std::vector<Diagnosis>& findings) {
  int problems = 0;
  int warnings = 0;
  for (const auto& finding : findings) {
    problems += finding.severity == Severity::problem ? 1 : 0;
    warnings += finding.severity == Severity::warning ? 1 : 0;
  }
  return std::to_string(problems) + (problems == 1 ? " problem, " : " problems, ") + std::to_string(warnings) +
         (warnings == 1 ? " warning\n" : " warnings\n");
}

}  // namespace

int run_doctor(const Options& options, const Surroundings& surroundings, Outputs outputs) {
  const auto findings = doctor::diagnose(gather(options, surroundings));
  if (options.json) {
    outputs.out.write(one_line({{"findings", doctor::to_json(findings)}, {"healthy", !has_problem(findings)}}) + "\n");
  } else {
    outputs.out.write(table_of(findings) + summary(findings));
  }
  const int status = written(outputs);
  return status == 0 && has_problem(findings) ? static_cast<int>(ExitStatus::failed) : status;
}

}  // namespace pons::cli
