#include "host/cli/parse.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <utility>

#include "host/cli/adapter_grammar.h"
#include "host/cli/fault.h"
#include "host/cli/help.h"
#include "host/config/config.h"
#include "host/nearest.h"
#include "host/units.h"
#include "protocol/envelope.h"

namespace pons::cli {

namespace {

using std::chrono::milliseconds;

struct AboutAdapter {
  Verb verb;
  const char* name;
  const char* text;
  std::string_view examples;
  bool embeds;
};
constexpr AboutAdapter kAboutAdapter[] = {
    {Verb::info, "info", "What a host, or an adapter, is and can do.", kInfoExamples, true},
    {Verb::stats, "stats", "Counts and latencies of a host, or of an adapter's workers.", kStatsExamples, false},
    {Verb::cleanup, "cleanup", "Free all resources and sessions of an adapter.", kCleanupExamples, false},
};

struct Listing {
  Verb verb;
  const char* name;
  const char* text;
  std::string_view examples;
};
constexpr Listing kListings[] = {
    {Verb::list, "list", "List the adapters.", kListExamples},
    {Verb::workers, "workers", "List the worker processes.", kWorkersExamples},
};

struct Control {
  Verb verb;
  const char* name;
  const char* text;
  std::string_view examples;
  const char* timeout;  ///< what --timeout means
};
constexpr const char* kWaits = "Wait at most so long; the host goes on.";
constexpr Control kControls[] = {
    {Verb::start, "start", "Start the workers of an adapter that is idle, stopped, drained or failed.", kStartExamples, kWaits},
    {Verb::stop, "stop", "Let what is running finish, then stop the host and wait until it has gone; or stop one adapter.", kStopExamples,
     "For what is running, instead of the host's shutdown_timeout."},
    {Verb::restart, "restart", "Replace the workers of an adapter, one after the other, without a gap.", kRestartExamples, kWaits},
    {Verb::drain, "drain", "Refuse new requests of an adapter, and wait until none is left.", kDrainExamples,
     "Wait at most so long; it stays draining."},
    {Verb::scale, "scale", "Change the number of an adapter's workers.", kScaleExamples, kWaits},
    {Verb::enroll, "register", "Add an adapter to a running host.", kRegisterExamples, kWaits},
    {Verb::update, "update", "Change the configuration of an adapter in a running host.", kUpdateExamples, kWaits},
    {Verb::reload, "reload", "Let the host read its configuration again, and serve what it says now.", kReloadExamples, kWaits},
};
constexpr std::string_view kHostNameExpected = "expected a name of letters, digits, `.`, `_`, `-`, 64 at most, a letter or digit first";
constexpr std::size_t kMostWorkers = 10'000;

/// The command line's grammar: one sub-command a verb, each writing into the one Options.
class Grammar {
 public:
  Grammar() {
    app_.set_version_flag("--version", std::string("pons " PONS_VERSION), "Print the version and exit.");
    app_.set_help_flag("-h,--help", "Print this help and exit.");
    app_.footer(std::string(kExamples) + std::string(kExitStatuses));
    app_.require_subcommand(1);
    app_.get_formatter()->label("SUBCOMMAND", "COMMAND");
    app_.get_formatter()->label("Subcommands", "Commands");
    add_serve();
    add_call();
    add_ping();
    for (const auto& about : kAboutAdapter) add_about_adapter(about);
    for (const auto& listing : kListings) add_listing(listing);
    add_sessions();
    for (const auto& control : kControls) add_control(control);
    add_check();
    add_doctor();
    add_adapter_tools();
  }

  std::variant<Options, Notice> parse(const std::vector<std::string>& arguments);

 private:
  CLI::App& verb(Verb verb, const std::string& name, const std::string& text, std::string_view examples, CLI::App* parent = nullptr) {
    auto* command = (parent == nullptr ? app_ : *parent).add_subcommand(name, text);
    command->footer(std::string(examples) + std::string(kExitStatuses));
    command->callback([this, verb, command] {
      if (command->get_subcommands().empty()) options_.verb = verb;
    });
    return *command;
  }

  CLI::Option& add_name(CLI::App& command, const std::string& text) {
    const auto problem = [](const std::string& name) {
      return valid_host_name(name) ? std::string() : std::string(kHostNameExpected) + ", got \"" + name + "\"";
    };
    return *command.add_option("--name", options_.host.name, text)->type_name("NAME")->check(problem);
  }

  void add_host(CLI::App& command, bool embeds) {
    const std::string group = "Which host";
    auto* socket =
        command.add_option("--socket", options_.host.socket, "Socket of the host [PONS_SOCKET].")->type_name("PATH")->group(group);
    add_name(command, "Name of the host, for its default socket.").group(group);
    command.add_option("-c,--config", options_.host.config, "Its configuration [PONS_CONFIG].")->type_name("FILE")->group(group);
    if (!embeds) return;
    auto* none = command.add_flag("--no-embedded", options_.host.no_embedded, "Start no host in this process if none runs.")->group(group);
    command
        .add_option("--adapter", options_.host.adapter_path,
                    "Serve this adapter here, for this one command: a Python file, a program, a folder.")
        ->type_name("PATH")
        ->group(group)
        ->excludes(none)
        ->excludes(socket);
  }
  void add_json(CLI::App& command) { command.add_flag("--json", options_.json, "One line of JSON, errors too."); }
  CLI::Option& add_adapter(CLI::App& command, const std::string& text) {
    const auto problem = [](const std::string& name) {
      return valid_namespace(name) ? std::string() : "\"" + name + "\" cannot be the name of an adapter";
    };
    return *command.add_option("ADAPTER", options_.adapter, text)->type_name("")->check(problem);
  }
  void add_duration(CLI::App& command, const std::string& name, std::optional<milliseconds>& value, const std::string& text) {
    const auto set = [&value, name](const std::string& given) {
      const auto time = parse_duration(given);
      if (!time) throw CLI::ValidationError(name, time.error().message);
      if (time->count() == 0) throw CLI::ValidationError(name, "a time above 0 is expected");
      value = *time;
    };
    command.add_option_function<std::string>(name, set, text)->type_name("TIME");
  }
  void add_timeout(CLI::App& command) { add_duration(command, "--timeout", options_.timeout, "Time allowed in all, as in 500ms, 5s, 2m."); }

  void add_serve() {
    auto& command = verb(Verb::serve, "serve", "Run a host until it is told to stop.", kServeExamples);
    command.add_option("-c,--config", options_.host.config, "Its configuration [PONS_CONFIG].")->type_name("FILE");
    command.add_flag("--stdio", options_.stdio, "Serve stdin and stdout; no socket unless --socket or --name is given.");
    command.add_option("--socket", options_.host.socket, "Listen there [PONS_SOCKET].")->type_name("PATH");
    add_name(command, "Name of the host: of its socket and its state.");
  }

  void add_call() {
    auto& command = verb(Verb::call, "call", "Send one request and print its result.", kCallExamples);
    command.add_option("COMMAND", options_.command, "namespace:command, or a command of the default adapter.")->type_name("")->required();
    command.add_option("ARGS", options_.arguments, "A JSON object, @FILE, - (stdin), or pairs: key=text key:=JSON key=@FILE key:=@FILE.")
        ->type_name("");
    command.add_option("--session", options_.session_id, "Run in this session.")->type_name("ID");
    command.add_option("--resource", options_.resource_id, "Run where this resource is.")->type_name("ID");
    add_timeout(command);
    command.add_flag("--stream", options_.stream, "Print each partial result as a line, as it comes; the result is the last line.");
    command.add_flag("--idempotent", options_.idempotent, "It may be run again if its worker is lost.");
    command.add_option("--meta", options_.meta, "Carried to the worker and into logs; may be repeated.")
        ->type_name("KEY=TEXT")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    const auto set_codec = [this](const std::string& name) { options_.codec = name == "msgpack" ? Codec::msgpack : Codec::json; };
    command.add_option_function<std::string>("--codec", set_codec, "Encoding on the wire (default: json).")
        ->check(CLI::IsMember({"json", "msgpack"}))
        ->type_name("CODEC");
    add_json(command);
    add_host(command, true);
  }

  void add_ping() {
    auto& command = verb(Verb::ping, "ping", "Ask a host, or an adapter's worker, whether it answers.", kPingExamples);
    add_adapter(command, "Ask a worker of this adapter.");
    add_duration(command, "--wait", options_.wait, "Try until it answers, at most so long; starts no host in this process.");
    add_timeout(command);
    add_json(command);
    add_host(command, true);
  }

  void add_about_adapter(const AboutAdapter& about) {
    auto& command = verb(about.verb, about.name, about.text, about.examples);
    add_adapter(command, about.verb == Verb::cleanup ? "Instead of the default adapter." : "Of this adapter instead of the host.");
    add_timeout(command);
    add_json(command);
    add_host(command, about.embeds);
  }

  void add_listing(const Listing& listing) {
    auto& command = verb(listing.verb, listing.name, listing.text, listing.examples);
    add_json(command);
    add_host(command, listing.verb == Verb::list);
  }

  void add_sessions() {
    auto& command = verb(Verb::sessions, "sessions", "List the sessions, or end one.", kSessionsExamples);
    add_json(command);
    add_host(command, false);
    auto& end = verb(Verb::end_session, "end", "End a session and free what it holds.", kSessionsExamples, &command);
    end.add_option("ID", options_.session_id, "The session.")->type_name("")->required();
    end.add_option("--in", options_.adapter, "Only in this adapter.")->type_name("ADAPTER");
    add_json(end);
    add_host(end, false);
  }

  void add_control(const Control& control) {
    auto& command = verb(control.verb, control.name, control.text, control.examples);
    if (control.verb != Verb::reload) {
      add_adapter(command, control.verb == Verb::stop ? "Only this adapter; the host stays." : "The adapter.")
          .required(control.verb != Verb::stop);
    }
    if (control.verb == Verb::scale) {
      command.add_option("N", options_.size, "How many workers.")->type_name("")->required()->check([](const std::string& text) {
        const bool digits = !text.empty() && text.size() <= 5 && text.find_first_not_of("0123456789") == std::string::npos;
        const auto size = digits ? std::stoul(text) : 0;
        if (size >= 1 && size <= kMostWorkers) return std::string();
        return "expected a number of workers from 1 to " + std::to_string(kMostWorkers) + ", got \"" + text + "\"";
      });
    }
    if (control.verb == Verb::enroll) {
      command.add_option("FILE", options_.file, "Its entry, in YAML or JSON; or a Python file, a program, an adapter's folder.")
          ->type_name("")
          ->required();
    }
    if (control.verb == Verb::update) {
      command.add_option("CHANGES", options_.arguments, "Pairs of key and value, as in pool.size:=4; or a JSON object, @FILE, - (stdin).")
          ->type_name("")
          ->required();
    }
    add_duration(command, "--timeout", options_.timeout, control.timeout);
    add_json(command);
    add_host(command, false);
  }

  void add_check() {
    auto& command = verb(Verb::check, "check", "Check a configuration.", kCheckExamples);
    command.add_option("FILE", options_.host.config, "The configuration [PONS_CONFIG]; without one: the built-in default.")->type_name("");
    command.add_flag("--json", options_.json, "Print the effective configuration as one line of JSON.");
  }

  void add_doctor() {
    auto& command = verb(Verb::doctor, "doctor", "What is wrong with this machine, the configuration, the adapters, and what mends it.",
                         kDoctorExamples);
    command.add_option("-c,--config", options_.host.config, "The configuration [PONS_CONFIG].")->type_name("FILE");
    add_name(command, "Name of the host: of its socket and its state.");
    add_json(command);
  }

  void add_adapter_tools() {
    auto* tools = app_.add_subcommand("adapter", "Install, list, write and check adapters.");
    tools->footer(std::string(kExitStatuses));
    tools->require_subcommand(1);
    add_adapter_packages(options_, [&](Verb which, const char* name, const char* text, std::string_view examples) -> CLI::App& {
      return verb(which, name, text, examples, tools);
    });
    add_adapter_check(*tools);
  }

  void add_adapter_check(CLI::App& tools) {
    auto& command = verb(Verb::adapter_check, "check", "Check whether a worker program follows the protocol, rule by rule.",
                         kAdapterCheckExamples, &tools);
    command.add_option("NAME", options_.target, "An adapter by its name; or a Python file, a program, an adapter's folder.")
        ->type_name("")
        ->required();
    command.add_option("ARGS", options_.arguments, "Of the request of --slow, as those of call.")->type_name("");
    command.add_option("--slow", options_.slow, "A command that takes long, longer than --timeout, unless cancelled.")
        ->type_name("COMMAND");
    add_duration(command, "--timeout", options_.timeout,
                 "Time for each reply; the handshake has the adapter's timeouts.startup (default: 10s).");
    command.add_option("-c,--config", options_.host.config, "The configuration that names the adapter [PONS_CONFIG].")->type_name("FILE");
    add_json(command);
  }

  [[noreturn]] void explain(const CLI::ParseError& error) const;
  [[nodiscard]] const CLI::App& innermost() const;

  Options options_;
  CLI::App app_{"Uses ML code that lives in other processes: keeps pools of worker processes and sends requests to them.", "pons"};
};

std::vector<std::string> verb_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

const CLI::App& Grammar::innermost() const {
  const CLI::App* app = &app_;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  return *app;
}

std::string full_name(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : full_name(*app.get_parent()) + " " + app.get_name();
}

/// The line of its help that shows what may be given.
std::string usage_of(const CLI::App& app) {
  const auto help = app.help(app.get_parent() == nullptr ? std::string() : full_name(*app.get_parent()));
  const auto begin = help.find("Usage: ");
  return begin == std::string::npos ? std::string() : help.substr(begin, help.find('\n', begin) - begin);
}

void Grammar::explain(const CLI::ParseError& error) const {
  const auto& app = innermost();
  const auto see_help = "\n" + usage_of(app) + "\nTry: " + full_name(app) + " --help";
  const auto extras = app.remaining(true);
  const auto commands = verb_names(app);
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !commands.empty() && !extras.empty() &&
      !extras.front().starts_with("-")) {
    throw Fault(ExitStatus::usage, "unknown command \"" + extras.front() + "\"" + did_you_mean(extras.front(), commands) + see_help);
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error) == nullptr || extras.empty()) throw Fault(ExitStatus::usage, error.what() + see_help);
  const auto& first = extras.front();
  if (first.starts_with("-")) {
    const auto near = did_you_mean(first.substr(0, first.find('=')), option_names(app));
    throw Fault(ExitStatus::usage, "unknown option \"" + first + "\"" + near + see_help);
  }
  std::string all;
  for (const auto& extra : extras) all += (all.empty() ? "\"" : ", \"") + extra + "\"";
  const std::string what = extras.size() == 1 ? "unexpected argument " : "unexpected arguments ";
  throw Fault(ExitStatus::usage, what + all + did_you_mean(first, commands) + see_help);
}

std::variant<Options, Notice> Grammar::parse(const std::vector<std::string>& arguments) {
  if (arguments.empty()) throw Fault(ExitStatus::usage, "a command is expected\n\n" + app_.help());
  const auto names = verb_names(app_);
  const auto& first = arguments.front();
  if (!first.starts_with("-") && std::find(names.begin(), names.end(), first) == names.end()) {
    throw Fault(ExitStatus::usage, "unknown command \"" + first + "\"" + did_you_mean(first, names) + "\nTry: pons --help");
  }
  if (first.starts_with("-") && first != "-h" && first != "--help" && first != "--version") {
    throw Fault(ExitStatus::usage,
                "unknown option \"" + first + "\" before the command" + did_you_mean(first, option_names(app_)) + "\nTry: pons --help");
  }
  try {
    app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    return Notice{app_.help()};
  } catch (const CLI::CallForVersion& version) {
    return Notice{std::string(version.what()) + "\n"};
  } catch (const CLI::ParseError& error) {
    explain(error);
  }
  if (options_.wait && options_.host.adapter_path) {
    throw Fault(ExitStatus::usage, "--wait is for a host that runs, and --adapter starts one for this command: give one of the two");
  }
  return options_;
}

// The parser would take [a,b] for a list of values, and complain about its parts.
void refuse_arrays(const std::vector<std::string>& arguments) {
  if (arguments.empty() || (arguments.front() != "call" && arguments.front() != "update")) return;
  for (const auto& argument : arguments) {
    if (argument.starts_with("["))
      throw Fault(ExitStatus::usage, "what is given after the command is a JSON object, not an array: " + argument);
  }
}

}  // namespace

std::variant<Options, Notice> parse(const std::vector<std::string>& arguments) {
  refuse_arrays(arguments);
  return Grammar().parse(arguments);
}

}  // namespace pons::cli
