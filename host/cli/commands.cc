#include "host/cli/commands.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "host/cli/adapter_check.h"
#include "host/cli/adapter_packages.h"
#include "host/cli/call_args.h"
#include "host/cli/control.h"
#include "host/cli/doctor.h"
#include "host/cli/error_text.h"
#include "host/cli/fault.h"
#include "host/cli/host_link.h"
#include "host/cli/json_text.h"
#include "host/cli/listings.h"
#include "host/cli/progress_line.h"
#include "host/cli/suggestions.h"

namespace pons::cli {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kHostPatience{10'000};  // for what the host answers itself

/// What `pons call` sends, as documents.
struct Request {
  json args = nullptr;
  json meta = nullptr;
};

Request read_request(const Options& options, int in) {
  if (options.verb != Verb::call) return {};
  const ArgSources sources{read_file, [in] { return read_all(in, "stdin"); }};
  auto args = parse_call_args(options.arguments, options.codec, sources);
  if (!args) throw Fault(ExitStatus::usage, args.error().message);
  auto meta = parse_meta(options.meta);
  if (!meta) throw Fault(ExitStatus::usage, meta.error().message);
  return {std::move(*args), std::move(*meta)};
}

/// One command that talks to a host.
class Command {
 public:
  Command(const Options& options, const Surroundings& surroundings, Outputs outputs)
      : options_(options),
        outputs_(outputs),
        request_(read_request(options, surroundings.in)),
        control_(read_control(options, surroundings.in)),
        env_(surroundings.env),
        link_(options.host, surroundings, embedding(options), options.json ? LogLevel::off : LogLevel::warn) {}

  int run() {
    const int status = dispatch();
    note_short_life();
    link_.close(status != 0);
    return status;
  }

 private:
  using TextOf = std::string (*)(const json&);

  static HostLink::Embedding embedding(const Options& options) {
    if (options.wait) return HostLink::Embedding::no_connect;
    switch (options.verb) {
      case Verb::call:
      case Verb::ping:
      case Verb::info:
      case Verb::list:
        return HostLink::Embedding::allowed;
      case Verb::serve:
      case Verb::stats:
      case Verb::cleanup:
      case Verb::workers:
      case Verb::sessions:
      case Verb::end_session:
      case Verb::start:
      case Verb::stop:
      case Verb::restart:
      case Verb::drain:
      case Verb::scale:
      case Verb::enroll:
      case Verb::update:
      case Verb::reload:
      case Verb::check:
      case Verb::adapter_check:
      case Verb::doctor:
      case Verb::adapter_install:
      case Verb::adapter_list:
      case Verb::adapter_info:
      case Verb::adapter_new:
        return HostLink::Embedding::never;
    }
    return HostLink::Embedding::never;
  }

  int dispatch() {
    switch (options_.verb) {
      case Verb::call:
        return call();
      case Verb::ping:
        return ping();
      case Verb::info:
        return about("get_info");
      case Verb::stats:
        return options_.adapter.empty() ? listing("host:get_stats", stats_text) : about("get_stats");
      case Verb::cleanup:
        return result_of(options_.adapter.empty() ? "cleanup" : options_.adapter + ":cleanup", timed());
      case Verb::list:
        return listing("host:list_frameworks", list_text);
      case Verb::workers:
        return listing("host:workers", workers_text);
      case Verb::sessions:
        return listing("host:sessions", sessions_text);
      case Verb::end_session:
        return end_session();
      case Verb::start:
      case Verb::stop:
      case Verb::restart:
      case Verb::drain:
      case Verb::scale:
      case Verb::enroll:
      case Verb::update:
      case Verb::reload:
        return run_control(options_, *control_, link_, outputs_, env_);
      case Verb::serve:
      case Verb::check:
      case Verb::adapter_check:
      case Verb::doctor:
      case Verb::adapter_install:
      case Verb::adapter_list:
      case Verb::adapter_info:
      case Verb::adapter_new:
        break;  // they talk to no host
    }
    return static_cast<int>(ExitStatus::usage);
  }

  CallOptions timed(std::optional<milliseconds> otherwise = std::nullopt) const {
    CallOptions call;
    call.timeout = options_.timeout ? options_.timeout : otherwise;
    return call;
  }

  /// `name` of the adapter that was named; of the only one that is served here; else of the host.
  [[nodiscard]] std::string about_command(const std::string& name) const {
    if (!options_.adapter.empty()) return options_.adapter + ":" + name;
    return options_.host.adapter_path ? name : "host:" + name;
  }
  int about(const std::string& name) { return result_of(about_command(name), timed()); }

  int ping() {
    if (!options_.wait) return about("ping");
    const auto command = about_command("ping");
    return finish(command, link_.ping_until_answered(command, *options_.wait));
  }

  int listing(const char* command, TextOf text_of) {
    const auto answer = link_.call(command, nullptr, timed(kHostPatience));
    if (!answer || options_.json) return finish(command, answer);
    outputs_.out.write(text_of(*answer));
    return written(outputs_);
  }

  int result_of(const std::string& command, CallOptions call) { return finish(command, link_.call(command, nullptr, std::move(call))); }

  int end_session() {
    json args{{"session_id", options_.session_id.value_or("")}};
    if (!options_.adapter.empty()) args["adapter"] = options_.adapter;
    return finish("host:end_session", link_.call("host:end_session", std::move(args), timed(kHostPatience)));
  }

  /// What a host keeps is gone with it, and one that was started here ends with its command.
  void note_short_life() {
    if (!link_.embedded() || options_.json) return;
    const bool by_adapter = link_.socket().empty();
    const bool another_was_meant = options_.host.name && !by_adapter;
    if (!options_.session_id && !options_.resource_id && !gave_resource_ && !another_was_meant) return;
    const auto why = by_adapter ? "--adapter serves in this process" : "no host runs at " + link_.socket();
    outputs_.err.write("note: " + harmless(why) + "; this host lived for this command only, and its sessions and resources with it\n");
  }

  int call();
  int finish(const std::string& command, const Result<json>& answer);

  const Options& options_;
  Outputs outputs_;
  Request request_;
  std::optional<ControlRequest> control_;
  EnvLookup env_;
  HostLink link_;
  bool gave_resource_ = false;
};

int Command::call() {
  ProgressLine progress(outputs_.err);
  auto request = timed();
  request.session_id = options_.session_id;
  request.resource_id = options_.resource_id;
  if (options_.idempotent) request.idempotent = true;
  request.meta = std::move(request_.meta);
  request.codec = options_.codec;
  if (options_.stream) {
    request.on_partial = [&](const json& chunk) {
      progress.clear();
      outputs_.out.write(one_line(chunk) + "\n");
      if (!outputs_.out.good()) link_.cancel();
    };
    request.on_progress = [&](const json& report) { progress.show(report); };
  }
  const auto answer = link_.call(options_.command, std::move(request_.args), std::move(request));
  progress.clear();
  return finish(options_.command, answer);
}

int Command::finish(const std::string& command, const Result<json>& answer) {
  if (!outputs_.out.good()) return written(outputs_);
  if (answer) {
    gave_resource_ = answer->is_object() && answer->contains("resource_id");
    const bool for_people = outputs_.out.terminal() && !options_.json && !options_.stream;
    outputs_.out.write((for_people ? pretty(*answer, outputs_.out.colour()) : one_line(*answer)) + "\n");
    return written(outputs_);
  }
  const auto& error = answer.error();
  if (link_.interrupts().count() > 0) {
    outputs_.err.write(options_.json ? error_json(error, {}, options_.idempotent) : error_text(error, {}));
    return link_.interrupts().exit_status();
  }
  const auto meant = suggest_commands(link_, command, error);
  outputs_.err.write(options_.json ? error_json(error, meant, options_.idempotent) : error_text(error, meant));
  if (!options_.json) outputs_.err.write(harmless(notes_on_texts(options_.arguments, error.code)));
  if (error.code == ErrorCode::unknown_namespace) {
    if (meant.empty() && !options_.json) outputs_.err.write(harmless(known_adapters(link_)));
    for (const auto& warning : link_.warnings()) outputs_.err.write("note: left out: " + harmless(warning.to_string()) + "\n");
  }
  return static_cast<int>(exit_status_of(error.code));
}

}  // namespace

int written(Outputs outputs) {
  const auto failure = outputs.out.failure();
  if (failure.empty()) return static_cast<int>(ExitStatus::done);
  outputs.err.write("error: cannot write the result: " + failure + "\n");
  return static_cast<int>(ExitStatus::failed);
}

int run_command(const Options& options, const Surroundings& surroundings, Outputs outputs) {
  if (options.verb == Verb::check) return run_check(options, surroundings, outputs);
  if (options.verb == Verb::serve) return run_serve(options, surroundings);
  if (options.verb == Verb::doctor) return run_doctor(options, surroundings, outputs);
  if (options.verb == Verb::adapter_check) return run_adapter_check(options, surroundings, outputs);
  if (options.verb == Verb::adapter_install) return run_adapter_install(options, surroundings, outputs);
  if (options.verb == Verb::adapter_list) return run_adapter_list(options, surroundings, outputs);
  if (options.verb == Verb::adapter_info) return run_adapter_info(options, surroundings, outputs);
  if (options.verb == Verb::adapter_new) return run_adapter_new(options, outputs);
  return Command(options, surroundings, outputs).run();
}

}  // namespace pons::cli
