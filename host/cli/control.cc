#include "host/cli/control.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "host/cli/call_args.h"
#include "host/cli/error_text.h"
#include "host/cli/fault.h"
#include "host/cli/json_text.h"
#include "host/cli/progress_line.h"
#include "host/cli/suggestions.h"
#include "host/cli/target.h"
#include "host/config/document.h"

namespace pons::cli {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

namespace fs = std::filesystem;

constexpr milliseconds kStopPatience{60'000};  // for a host to go, beyond what it was given for running requests

std::string host_command(const Options& options) {
  switch (options.verb) {
    case Verb::start:
      return "host:start_bridge";
    case Verb::stop:
      return options.adapter.empty() ? "host:shutdown" : "host:stop_bridge";
    case Verb::restart:
      return "host:restart";
    case Verb::drain:
      return "host:drain";
    case Verb::scale:
      return "host:scale";
    case Verb::enroll:
      return "host:register_bridge";
    case Verb::update:
      return "host:update_config";
    case Verb::reload:
      return "host:reload";
    case Verb::serve:
    case Verb::call:
    case Verb::ping:
    case Verb::info:
    case Verb::stats:
    case Verb::cleanup:
    case Verb::list:
    case Verb::workers:
    case Verb::sessions:
    case Verb::end_session:
    case Verb::check:
    case Verb::adapter_check:
    case Verb::doctor:
    case Verb::adapter_install:
    case Verb::adapter_list:
    case Verb::adapter_info:
    case Verb::adapter_new:
      break;
  }
  return {};
}

/// An entry of a configuration, or the path of what is to be served.
json entry_of(const fs::path& file) {
  const auto ending = file.extension();
  const bool is_entry = (ending == ".yaml" || ending == ".yml" || ending == ".json") && file.filename() != "adapter.yaml";
  if (!is_entry) return fs::absolute(file).lexically_normal().string();
  return read_document(file).value;
}

json changes_of(const std::vector<std::string>& arguments, int in) {
  const ArgSources sources{read_file, [in] { return read_all(in, "stdin"); }};
  const auto changes = parse_call_args(arguments, Codec::json, sources);
  if (!changes) throw Fault(ExitStatus::usage, changes.error().message);
  return nested(*changes);
}

std::string count_of(const json& answer, const char* name) {
  const auto count = answer.value(name, std::uint64_t{0});
  return std::to_string(count) + " " + (count == 1 ? std::string(name, std::char_traits<char>::length(name) - 1) : name);
}

std::string list_of(const json& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name.get<std::string>();
  return text;
}

/// `added: x; removed: y; changed: a, b`. The host names all of them under `changed`.
std::string reload_text(const json& answer) {
  std::string text;
  json rest = answer.value("changed", json::array());
  const auto say = [&text](const std::string& what, const json& names) {
    if (!names.empty()) text += (text.empty() ? "" : "; ") + what + ": " + list_of(names);
  };
  for (const std::string what : {"added", "removed"}) {
    const auto names = answer.value(what, json::array());
    say(what, names);
    for (const auto& name : names) rest.erase(std::remove(rest.begin(), rest.end(), name), rest.end());
  }
  say("changed", rest);
  return text.empty() ? "nothing changed" : text;
}

/// The outcome in a line for people. `host` is what they call the host.
std::string outcome_text(const Options& options, const json& answer, const std::string& host) {
  const auto state = answer.value("state", "");
  const auto& name = options.adapter;
  switch (options.verb) {
    case Verb::start:
      return "started " + name + ": " + state;
    case Verb::stop:
      if (!name.empty()) return "stopped " + name;
      return "stopped " + host + " (pid " + std::to_string(answer.value("pid", 0)) + "): " + count_of(answer, "workers") + ", " +
             count_of(answer, "sessions") + ", " + count_of(answer, "requests");
    case Verb::restart:
      return "restarted " + name + ": " + state;
    case Verb::drain:
      return "drained " + name + "; it takes requests again after: pons start " + name;
    case Verb::scale:
      return "scaled " + name + " to " + std::to_string(options.size) + ": " + state;
    case Verb::enroll:
      return "registered " + name + ": " + state;
    case Verb::update:
      return "updated " + name + ": " + state;
    case Verb::reload:
      return reload_text(answer);
    case Verb::serve:
    case Verb::call:
    case Verb::ping:
    case Verb::info:
    case Verb::stats:
    case Verb::cleanup:
    case Verb::list:
    case Verb::workers:
    case Verb::sessions:
    case Verb::end_session:
    case Verb::check:
    case Verb::adapter_check:
    case Verb::doctor:
    case Verb::adapter_install:
    case Verb::adapter_list:
    case Verb::adapter_info:
    case Verb::adapter_new:
      break;
  }
  return {};
}

/// "echo#1.2 is ready", for the line on a terminal.
std::string event_text(const Event& event) {
  const auto worker = event.data.value("worker_id", "");
  if (event.name == "worker.ready") return worker + " is ready";
  if (event.name == "worker.started") return worker + " starts";
  if (event.name == "worker.recycled") return worker + " goes";
  if (event.name == "worker.exited") return worker + " has ended";
  return event.data.value("adapter", "") + " is " + event.data.value("state", "");
}

class Control {
 public:
  Control(const Options& options, const ControlRequest& request, HostLink& link, Outputs outputs, const EnvLookup& env)
      : options_(options), request_(request), link_(link), outputs_(outputs), env_(env) {}

  int run() {
    watch();
    CallOptions call;
    if (!takes_timeout()) call.timeout = options_.timeout;
    auto answer = link_.call(request_.command, request_.args, std::move(call));
    if (answer && stops_host()) answer = await_end(std::move(*answer));
    progress_.clear();
    return answer ? succeeded(*answer) : failed(answer.error());
  }

 private:
  [[nodiscard]] bool stops_host() const { return options_.verb == Verb::stop && options_.adapter.empty(); }
  /// The host has a time of its own for it, in args.
  [[nodiscard]] bool takes_timeout() const { return options_.verb == Verb::stop || options_.verb == Verb::drain; }

  void watch() {
    if (!outputs_.err.terminal() || options_.json) return;
    link_.watch({"worker.*", "pool.state"}, [this](const Event& event) { progress_.show({{"message", event_text(event)}}); });
  }

  Result<json> await_end(json said) {
    progress_.show({{"message", "the host ends: " + count_of(said, "requests") + " of " + count_of(said, "workers")}});
    const auto given = milliseconds(static_cast<std::int64_t>(said.value("timeout_ms", 0.0)));
    if (link_.wait_until_gone(given + kStopPatience)) return {boost::system::in_place_value, std::move(said)};
    if (link_.interrupts().count() > 0) return Error{ErrorCode::cancelled, "Interrupted; the host goes on ending."};
    return Error{ErrorCode::deadline_exceeded, "The host at " + link_.socket() + " has not stopped yet."};
  }

  int succeeded(const json& answer) {
    const auto host = host_title(answer.value("name", ""), link_.socket(), env_);
    outputs_.out.write((options_.json ? one_line(answer) : harmless(outcome_text(options_, answer, host))) + "\n");
    if (const auto fixed = list_of(answer.value("restart_needed", json::array())); !fixed.empty() && !options_.json) {
      outputs_.err.write("note: what changed under `host` takes a new start of the host: " + harmless(fixed) + "\n");
    }
    return written(outputs_);
  }

  int failed(const Error& error) {
    const auto near = nearest_adapters(error);
    outputs_.err.write(options_.json ? error_json(error, near, false) : error_text(error, near));
    if (link_.interrupts().count() > 0) return link_.interrupts().exit_status();
    if (!options_.json) {
      outputs_.err.write(harmless(notes_on_texts(options_.arguments, error.code)));
      if (error.code == ErrorCode::unknown_namespace && near.empty()) outputs_.err.write(harmless(known_adapters(link_)));
    }
    const bool wrong_config = error.code == ErrorCode::invalid_args || error.code == ErrorCode::invalid_configuration;
    return static_cast<int>(wrong_config ? ExitStatus::usage : exit_status_of(error.code));
  }

  const Options& options_;
  const ControlRequest& request_;
  HostLink& link_;
  Outputs outputs_;
  const EnvLookup& env_;
  ProgressLine progress_{outputs_.err};
};

}  // namespace

json nested(const json& flat) {
  json out = json::object();
  for (const auto& [key, value] : flat.items()) {
    json inner = value;
    auto rest = key;
    for (auto dot = rest.rfind('.'); dot != std::string::npos; dot = rest.rfind('.')) {
      inner = json{{rest.substr(dot + 1), std::move(inner)}};
      rest.resize(dot);
    }
    out.update(json{{rest, std::move(inner)}}, true);
  }
  return out;
}

std::optional<ControlRequest> read_control(const Options& options, int in) {
  ControlRequest request{host_command(options)};
  if (request.command.empty()) return std::nullopt;
  if (!options.adapter.empty()) request.args["name"] = options.adapter;
  if (options.verb == Verb::scale) request.args["size"] = options.size;
  if (options.verb == Verb::update) request.args["patch"] = changes_of(options.arguments, in);
  if (options.verb == Verb::enroll) {
    request.args["config"] = entry_of(options.file);
    request.args["folder"] = fs::absolute(options.file).lexically_normal().parent_path().string();
  }
  const bool times_itself = options.verb == Verb::stop || options.verb == Verb::drain;
  if (options.timeout && times_itself) request.args["timeout_ms"] = options.timeout->count();
  return request;
}

int run_control(const Options& options, const ControlRequest& request, HostLink& link, Outputs outputs, const EnvLookup& env) {
  return Control(options, request, link, outputs, env).run();
}

}  // namespace pons::cli
