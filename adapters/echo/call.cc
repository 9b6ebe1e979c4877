// Asks others: what a worker that calls other adapters does, with everything else left out.
#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "adapters/echo/commands.h"

namespace pons::echo {
namespace {

using nlohmann::json;

json run_call(const json& args, Context& context) {
  Context::CallOptions options;
  if (args.contains("timeout_ms")) options.timeout = std::chrono::milliseconds(args["timeout_ms"].get<std::int64_t>());
  if (args.contains("session_id") && !args["session_id"].is_null()) options.session_id = args["session_id"].get<std::string>();
  options.no_session = args.contains("session_id") && args["session_id"].is_null();
  if (args.contains("resource")) options.resource_id = args["resource"].get<std::string>();
  if (context.stream()) {
    options.on_partial = [&](const json& chunk) { context.send_partial(chunk); };
    options.on_progress = [&](const json& p) { context.progress(p.value("done", 0.0), p.value("total", 0.0), p.value("message", "")); };
  }
  if (args.value("say", false)) context.send_partial("calling");
  return context.call(args.at("command").get<std::string>(), args.value("args", json::object()), options);
}

}  // namespace

void add_call(Worker& worker) {
  worker.command("call", {.description = "Asks `command` with `args` of another adapter, or of itself, and returns what came."}, run_call);
}

}  // namespace pons::echo
