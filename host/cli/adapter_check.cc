#include "host/cli/adapter_check.h"

#include <map>
#include <utility>

#include "host/cli/call_args.h"
#include "host/cli/fault.h"
#include "host/cli/host_link.h"
#include "host/cli/json_text.h"
#include "host/cli/table.h"
#include "host/config/preflight.h"
#include "host/conformance/conformance.h"
#include "host/nearest.h"
#include "pool/process.h"
#include "pool/watcher.h"

namespace pons::cli {

using conformance::Outcome;
using conformance::Report;
using nlohmann::json;

namespace {

constexpr std::size_t kManyUntested = 20;  // rules for the same reason

constexpr std::string_view kNotReady = "the worker did not get ready";

bool is_path(const std::string& target) { return target.find('/') != std::string::npos || target == "." || target.ends_with(".py"); }

AdapterConfig find_target(const Options& options, const Surroundings& surroundings) {
  HostChoice choice = options.host;
  if (is_path(options.target)) choice.adapter_path = options.target;
  auto config = load_chosen(choice, surroundings);
  if (choice.adapter_path) return std::move(config.adapters.front());
  if (const auto* const found = config.find(options.target)) return *found;
  std::vector<std::string> names;
  for (const auto& adapter : config.adapters) names.push_back(adapter.pool.adapter);
  std::string left_out;
  for (const auto& warning : config.warnings) left_out += "\nnote: left out: " + warning.to_string();
  throw Fault(ExitStatus::usage, "no adapter is called \"" + options.target + "\"" + did_you_mean(options.target, names) +
                                     " (a file of this folder is named as ./" + options.target + ")" + left_out);
}

conformance::CheckOptions check_options(const Options& options, int in) {
  conformance::CheckOptions check;
  if (options.timeout) check.patience = *options.timeout;
  if (options.slow.empty()) {
    if (!options.arguments.empty()) throw Fault(ExitStatus::usage, "ARGS are those of --slow, which is missing");
    return check;
  }
  const ArgSources sources{read_file, [in] { return read_all(in, "stdin"); }};
  auto args = parse_call_args(options.arguments, Codec::json, sources);
  if (!args) throw Fault(ExitStatus::usage, args.error().message);
  check.slow = conformance::SlowRequest{options.slow, args->is_null() ? json::object() : std::move(*args)};
  return check;
}

/// As a host refuses to start it.
void refuse_missing(const AdapterConfig& adapter) {
  Interpreters interpreters;
  std::string text;
  for (const auto& finding : preflight(adapter, interpreters)) text += (text.empty() ? "" : "\n") + finding.as_issue().to_string();
  if (!text.empty()) throw Fault(ExitStatus::usage, text);
}

struct Counts {
  int pass = 0;
  int fail = 0;
  int not_tested = 0;
};

Counts count(const std::vector<Report::Line>& lines) {
  Counts counts;
  for (const auto& line : lines) {
    switch (line.finding.outcome) {
      case Outcome::pass:
        ++counts.pass;
        break;
      case Outcome::fail:
        ++counts.fail;
        break;
      case Outcome::not_tested:
        ++counts.not_tested;
        break;
    }
  }
  return counts;
}

std::string table_of(const std::vector<Report::Line>& lines) {
  Table table({{"RULE"}, {"RESULT"}, {"SEEN"}});
  // What keeps most rules from being tested, such as a worker that does not start, is said once.
  std::map<std::string, std::size_t> untested;
  for (const auto& line : lines) {
    if (line.finding.outcome == Outcome::not_tested) ++untested[line.finding.seen];
  }
  for (const auto& line : lines) {
    if (line.finding.outcome == Outcome::not_tested && untested[line.finding.seen] > kManyUntested) continue;
    const bool fail = line.finding.outcome == Outcome::fail;
    table.add({std::string(line.rule->id), std::string(to_string(line.finding.outcome)), line.finding.seen});
    if (fail) table.add({"", "", "section " + std::to_string(line.rule->section) + ": " + std::string(line.rule->sentence)});
  }
  for (const auto& [seen, count] : untested) {
    if (count > kManyUntested) table.add({std::to_string(count) + " rules", std::string(to_string(Outcome::not_tested)), seen});
  }
  return table.text();
}

json document_of(const AdapterConfig& adapter, int level, const std::vector<Report::Line>& lines, const Counts& counts) {
  json rules = json::array();
  for (const auto& line : lines) {
    rules.push_back({{"rule", line.rule->id},
                     {"section", line.rule->section},
                     {"sentence", line.rule->sentence},
                     {"result", line.finding.outcome == Outcome::not_tested ? "not_tested" : to_string(line.finding.outcome)},
                     {"seen", line.finding.seen}});
  }
  return {{"adapter", adapter.pool.adapter}, {"level", level},           {"passed", counts.pass}, {"failed", counts.fail},
          {"not_tested", counts.not_tested}, {"rules", std::move(rules)}};
}

}  // namespace

int run_adapter_check(const Options& options, const Surroundings& surroundings, Outputs outputs) {
  auto adapter = find_target(options, surroundings);
  refuse_missing(adapter);
  adapter.pool.launch = resolved_launch(adapter);
  const auto check = check_options(options, surroundings.in);
  const auto instance = random_token();
  auto watcher = Watcher::start(instance);  // what the worker has started goes with us, even if we are killed
  if (!watcher) throw Fault(ExitStatus::failed, watcher.error().message);
  PosixLauncher launcher(&watcher->groups());
  const auto result = conformance::check_worker(adapter.pool, instance, launcher, check);
  watcher->finish();

  const auto lines = result.report.lines(kNotReady);
  const auto counts = count(lines);
  if (options.json) {
    outputs.out.write(one_line(document_of(adapter, result.level, lines, counts)) + "\n");
  } else {
    outputs.out.write(table_of(lines));
    outputs.out.write(harmless(adapter.pool.adapter) + " (level " + std::to_string(result.level) + "): " + std::to_string(counts.pass) +
                      " passed, " + std::to_string(counts.fail) + " failed, " + std::to_string(counts.not_tested) + " not tested\n");
  }
  const int status = written(outputs);
  return status == 0 && result.report.any_failed() ? static_cast<int>(ExitStatus::failed) : status;
}

}  // namespace pons::cli
