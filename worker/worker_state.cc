#include "worker/worker_state.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "protocol/document.h"
#include "worker/stack_report.h"

namespace pons {
namespace {

using nlohmann::json;

constexpr int kProtocol = 1;
constexpr int kConfigurationExit = 78;  // EX_CONFIG: starting again will not help

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::uint64_t memory_rss_bytes() {
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

void check_protocol(const json& args) {
  const auto range = args.find("protocol");
  if (range == args.end()) return;
  const int min = range->value("min", kProtocol);
  const int max = range->value("max", kProtocol);
  if (min <= kProtocol && kProtocol <= max) return;
  throw Exception(ErrorCode::invalid_configuration, "The host speaks protocol " + std::to_string(min) + " to " + std::to_string(max) +
                                                        ", this worker speaks " + std::to_string(kProtocol));
}

}  // namespace

Worker::State::State(std::string worker_name, std::string worker_version, ChannelFds fds)
    : name(std::move(worker_name)), version(std::move(worker_version)), channel(fds), dump_fd(claim_dump()), start_time(timestamp_now()) {
  identity.worker_id = environment("PONS_WORKER_ID");
  identity.adapter = environment("PONS_ADAPTER");
}

void Worker::State::add_common(std::string command, CommandHandler handler) {
  commands.add(std::move(command), Command{.options = {.idempotent = true}, .handler = std::move(handler), .raw = {}, .common = true});
}

void Worker::State::add_common_commands() {
  add_common("ping", [this](const json& args) { return answer_ping(args); });
  add_common("get_info", [this](const json& /*args*/) { return answer_info(); });
  add_common("get_stats", [this](const json& /*args*/) { return answer_stats(); });
  add_common("cleanup", [this](const json& /*args*/) { return answer_cleanup(); });
  add_session_commands();
}

void Worker::State::add_resource_commands() {
  commands.add("execute_resource", Command{.options = {.description = "Runs the resource with `inputs`."},
                                           .handler = CommandHandler([this](const json& args, Context& context) {
                                             const std::string& id = args.at("resource_id").get_ref<const std::string&>();
                                             const auto inputs = args.find("inputs");
                                             return store_of(id).execute(id, inputs != args.end() ? *inputs : json(), context);
                                           }),
                                           .raw = {}});
  commands.add("delete_resource", Command{.options = {.description = "Frees the resource."},
                                          .handler = CommandHandler([this](const json& args) {
                                            const std::string& id = args.at("resource_id").get_ref<const std::string&>();
                                            store_of(id).remove(id);
                                            return json{{"status", "deleted"}, {"resource_id", id}};
                                          }),
                                          .raw = {}});
}

ResourceStore& Worker::State::store_of(std::string_view resource_id) {
  for (const auto& store : stores) {
    if (store->contains(resource_id)) return *store;
  }
  ResourceStore::throw_not_found(resource_id);
}

json Worker::State::answer_ping(const json& args) {
  if (is_first_request && args.value("initialization", false)) shake_hands(args);
  json result{{"status", "ok"}, {"worker_id", identity.worker_id}, {"protocol", kProtocol}, {"name", name}, {"pid", getpid()}};
  if (stack_signal != 0) result["stack_signal"] = stack_signal;
  return result;
}

void Worker::State::shake_hands(const json& args) {
  try {
    check_protocol(args);
    if (const auto limit = args.find("max_frame"); limit != args.end() && limit->is_number_unsigned())
      max_frame = limit->get<std::size_t>();
    identity.worker_id = args.value("worker_id", identity.worker_id);
    identity.adapter = args.value("adapter", identity.adapter);
    identity.options = args.value("options", json::object());
    if (configure) configure(identity.options);
  } catch (const Exception& exception) {
    if (exception.error().code == ErrorCode::invalid_configuration) exit_status = kConfigurationExit;
    throw;
  }
}

json Worker::State::answer_info() const {
  json result{{"name", name},
              {"version", version},
              {"capabilities", capabilities},
              {"codecs", {to_string(Codec::json), to_string(Codec::msgpack)}},
              {"concurrency", concurrency},
              {"commands", commands.describe()}};
  json types = json::array();
  for (const auto& store : stores) types.push_back(store->type());
  if (!types.empty()) result["resource_types"] = std::move(types);
  if (info) result.update(info());
  return result;
}

json Worker::State::answer_stats() const {
  std::size_t resources = 0;
  for (const auto& store : stores) resources += store->size();
  const Ledger::Totals totals = ledger.totals();
  const std::chrono::duration<double> uptime = std::chrono::steady_clock::now() - started;
  json result{{"requests_processed", totals.requests},
              {"errors", totals.errors},
              {"start_time", start_time},
              {"uptime_s", uptime.count()},
              {"active_resources", resources},
              {"sessions", totals.sessions},
              {"memory_rss_bytes", memory_rss_bytes()}};
  if (stats) result.update(stats());
  return result;
}

json Worker::State::answer_cleanup() {
  std::size_t resources = 0;
  for (const auto& store : stores) resources += store->clear();
  const auto ended = ledger.end_all();
  if (end_session) {
    for (const auto& session : ended) end_session(session);
  }
  if (cleanup) cleanup();
  return {{"status", "cleaned"}, {"resources_removed", resources}, {"sessions_removed", ended.size()}};
}

}  // namespace pons
