#include "host/cli/cli.h"

#include <fcntl.h>
#include <signal.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <optional>

#include "host/cli/commands.h"
#include "host/cli/fault.h"
#include "host/cli/json_text.h"
#include "host/cli/output.h"
#include "host/cli/parse.h"
#include "host/cli/target.h"

namespace pons::cli {

namespace {

bool no_colour(const EnvLookup& env) { return lookup(env, "NO_COLOR").has_value() || lookup(env, "TERM") == "dumb"; }

/// `pons check` prints the faults alone, as a compiler does, for editors.
std::string config_error_text(const ConfigError& error, Verb verb, bool json) {
  if (!json) {
    std::string text;
    for (const auto& issue : error.issues()) text += (verb == Verb::check ? "" : "error: ") + harmless(issue.to_string()) + "\n";
    return text;
  }
  const auto details = nlohmann::json{{"issues", to_json(error.issues())}};
  return one_line({{"error", error.what()}, {"code", "invalid_configuration"}, {"retryable", false}, {"details", details}}) + "\n";
}

int fail(ExitStatus status, const std::string& text, Output& err) {
  err.write(text);
  return static_cast<int>(status);
}

}  // namespace

Surroundings Surroundings::of_process() {
  return {[](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  }};
}

int run(const std::vector<std::string>& arguments, const Surroundings& surroundings) {
  ::signal(SIGPIPE, SIG_IGN);
  Output out(surroundings.out, no_colour(surroundings.env));
  Output err(surroundings.err, no_colour(surroundings.env));
  Verb verb{};
  bool json = false;
  try {
    const auto parsed = parse(arguments);
    if (const auto* notice = std::get_if<Notice>(&parsed)) {
      out.write(notice->text);
      return written({out, err});
    }
    const auto& options = std::get<Options>(parsed);
    verb = options.verb;
    json = options.json;
    return run_command(options, surroundings, {out, err});
  } catch (const Fault& fault) {
    return fail(fault.status(), "error: " + harmless(fault.what()) + "\n", err);
  } catch (const ConfigError& error) {
    return fail(ExitStatus::usage, config_error_text(error, verb, json), err);
  } catch (const std::exception& error) {
    return fail(ExitStatus::failed, std::string("error: ") + harmless(error.what()) + "\n", err);
  }
}

void keep_standard_descriptors() {
  for (const int fd : {0, 1, 2}) {
    // The lowest free number is `fd` itself. Reading from 0 and writing to 1 and 2 then fail, as they should.
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF && ::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0) std::abort();
  }
}

}  // namespace pons::cli
