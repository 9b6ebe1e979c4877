#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/echo/commands.h"
#include "protocol/document.h"

namespace pons::echo {
namespace {

using nlohmann::json;

std::vector<std::string> environment_names() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    names.emplace_back(text.substr(0, text.find('=')));
  }
  std::sort(names.begin(), names.end());
  return names;
}

json values_of(const json& names) {
  json values = json::object();
  for (const auto& name : names) {
    const auto& text = name.get_ref<const std::string&>();
    const char* value = std::getenv(text.c_str());
    values[text] = value != nullptr ? json(value) : json();
  }
  return values;
}

json request_part(const Context& context) {
  json part{{"id", to_json(context.id())},
            {"command", context.command()},
            {"codec", to_string(context.codec())},
            {"stream", context.stream()},
            {"meta", context.meta()}};
  part["session_id"] = context.session_id() ? json(*context.session_id()) : json();
  part["remaining_ms"] = context.remaining() != Context::Duration::max() ? json(context.remaining().count()) : json();
  return part;
}

json whoami(const json& args, Context& context) {
  const WorkerIdentity& identity = context.worker();
  return {{"pid", getpid()},
          {"parent_pid", getppid()},
          {"process_group", getpgrp()},
          {"worker_id", identity.worker_id},
          {"adapter", identity.adapter},
          {"options", identity.options},
          {"cwd", std::filesystem::current_path().string()},
          {"env", environment_names()},
          {"values", values_of(args.value("env", json::array()))},
          {"request", request_part(context)}};
}

}  // namespace

void add_whoami(Worker& worker) {
  worker.command("whoami",
                 {.description = "Where and as what this process runs, and how the request arrived; `env` names variables to show.",
                  .idempotent = true},
                 whoami);
}

}  // namespace pons::echo
