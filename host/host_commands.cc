// What the host answers itself: the `host:` namespace (docs/host-commands.md), and the four common commands where no adapter is the
// default one.
#include <unistd.h>

#include <array>
#include <fstream>
#include <functional>
#include <unordered_map>

#include "host/command_args.h"
#include "host/host_impl.h"
#include "host/nearest.h"
#include "protocol/document.h"

namespace pons {

namespace {

constexpr std::array kCapabilities{"cancel", "events", "sessions", "resources", "streaming", "reverse_requests", "provide"};
constexpr std::size_t kMaxSubscriptions = 64;
constexpr std::size_t kEventBacklog = 1u << 20;  // bytes unsent, above which a subscriber loses events

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

std::size_t own_rss() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// The host reads these itself, on the loop, into a document that takes many times their size.
constexpr std::size_t kMaxArgs = 1u << 20;

Result<nlohmann::json> args_of(const Message& request) {
  const auto bytes = request.envelope.args_range.in(request.frame.body);
  if (bytes.empty()) return Result<nlohmann::json>(boost::system::in_place_value, nlohmann::json::object());
  if (bytes.size() > kMaxArgs) {
    Error error{ErrorCode::frame_too_large,
                "The args of a command of the host may take " + std::to_string(kMaxArgs) + " bytes, not " + std::to_string(bytes.size())};
    error.details = {{"length", bytes.size()}, {"max", kMaxArgs}};
    return error;
  }
  return decode(request.envelope.codec, bytes);
}

}  // namespace

const std::vector<Host::Impl::OwnCommand>& Host::Impl::own_commands() {
  static const std::vector<OwnCommand> all{
      {"ping", [](Impl& host, const OwnCall& call) { call.reply(host.ping()); }, false, true},
      {"get_info", [](Impl& host, const OwnCall& call) { call.reply(host.get_info()); }, false, true},
      {"get_stats", [](Impl& host, const OwnCall& call) { call.reply(host.get_stats()); }},
      {"list_frameworks", [](Impl& host, const OwnCall& call) { call.reply(host.list_frameworks()); }, false, true},
      {"get_framework_info", [](Impl& host, const OwnCall& call) { host.framework_info(call); }, true},
      {"workers", [](Impl& host, const OwnCall& call) { call.reply(host.workers()); }},
      {"sessions", [](Impl& host, const OwnCall& call) { call.reply(host.sessions()); }},
      {"end_session", [](Impl& host, const OwnCall& call) { call.reply(host.end_session(call.args)); }},
      {"cancel", [](Impl&, const OwnCall& call) { call.reply(call.caller.cancel(id_arg(call.args))); }, false, true},
      {"subscribe", [](Impl& host, const OwnCall& call) { call.reply(host.subscribe(call)); }},
      {"provide", [](Impl& host, const OwnCall& call) { call.reply(host.provide(call)); }, true},
      {"register_bridge", [](Impl& host, const OwnCall& call) { host.register_bridge(call); }, true},
      {"start_bridge", [](Impl& host, const OwnCall& call) { host.start_bridge(call); }, true},
      {"stop_bridge", [](Impl& host, const OwnCall& call) { host.stop_bridge(call); }},
      {"restart", [](Impl& host, const OwnCall& call) { host.restart(call); }, true},
      {"drain", [](Impl& host, const OwnCall& call) { host.drain(call); }},
      {"scale", [](Impl& host, const OwnCall& call) { host.scale(call); }, true},
      {"update_config", [](Impl& host, const OwnCall& call) { host.update_config(call); }, true},
      {"reload", [](Impl& host, const OwnCall& call) { host.reload(call); }, true},
      {"shutdown", [](Impl& host, const OwnCall& call) { host.shutdown_command(call); }},
  };
  return all;
}

const Host::Impl::OwnCommand* Host::Impl::own_command(std::string_view name) {
  const auto& all = own_commands();
  const auto found = std::find_if(all.begin(), all.end(), [&](const OwnCommand& command) { return command.name == name; });
  return found != all.end() ? &*found : nullptr;
}

bool Host::Impl::starts_something(std::string_view name) {
  const auto* command = own_command(name);
  return command != nullptr && command->starts;
}

void Host::Impl::serve_own(Caller& caller, Connection* connection, Serial serial, const Message& request) {
  const auto name = request.envelope.name();
  const auto args = args_of(request);
  if (!args) {
    caller.reply_error(serial, args.error());
    return;
  }
  try {
    if (const auto* command = own_command(name)) {
      if (connection == nullptr && !command->for_workers)
        throw Exception(ErrorCode::forbidden, "host:" + std::string(name) + " is not for workers");
      return command->serve(*this, OwnCall{caller, serial, request.envelope, *args, connection});
    }
    Error error{ErrorCode::unknown_command, "Unknown command: " + std::string(name)};
    std::vector<std::string> known;
    for (const auto& command : own_commands()) known.emplace_back(command.name);
    if (const auto near = nearest_names(name, known); !near.empty()) error.details = {{"nearest", near}};
    caller.reply_error(serial, error);
  } catch (const Exception& exception) {
    caller.reply_error(serial, exception.error());
  } catch (const std::exception& exception) {
    caller.reply_error(serial, Error{ErrorCode::internal, exception.what()});
  }
}

void Host::Impl::serve_common(Caller& caller, Serial serial, const Message& request) {
  const auto name = request.envelope.name();
  if (name == "ping") return caller.reply_result(serial, ping());
  if (name == "get_info") return caller.reply_result(serial, get_info());
  if (name == "get_stats") return caller.reply_result(serial, get_stats());
  if (name == "cleanup") {
    return caller.reply_result(serial, {{"status", "cleaned"}, {"resources_removed", 0}, {"sessions_removed", 0}});
  }
  Error error{ErrorCode::unknown_command, "Unknown command: " + std::string(name)};
  error.details = {{"reason", "there is no default adapter: say ADAPTER:" + std::string(name)}};
  caller.reply_error(serial, error);
}

nlohmann::json Host::Impl::ping() const {
  return {{"status", "ok"}, {"worker_id", "host"}, {"pid", ::getpid()}, {"protocol", 1}, {"state", state()}};
}

const char* Host::Impl::state() const { return phase_ == Phase::serving ? "serving" : "draining"; }

nlohmann::json Host::Impl::get_info() const {
  auto commands = nlohmann::json::array();
  for (const auto& command : own_commands()) commands.push_back({{"name", "host:" + std::string(command.name)}});
  nlohmann::json info{{"name", config_.host.name},
                      {"version", PONS_VERSION},
                      {"protocol", 1},
                      {"codecs", {"json", "msgpack"}},
                      {"max_frame", config_.host.max_frame},
                      {"capabilities", kCapabilities},
                      {"commands", std::move(commands)},
                      {"events", EventBus::names()},
                      {"limits", limits()}};
  if (state_ != nullptr) info["state_dir"] = state_->path();
  return info;
}

nlohmann::json Host::Impl::limits() const { return cgroups_.report().to_json(); }

nlohmann::json Host::Impl::get_stats() const {
  auto adapters = nlohmann::json::object();
  std::uint64_t late = late_replies_;
  for (const auto& [name, pool] : pools_) {
    const auto s = pool->stats();
    late += s.late_replies;
    adapters[name] = {{"size", pool->options().size},
                      {"workers", s.workers},
                      {"ready", s.ready},
                      {"busy", s.busy},
                      {"queued", s.queued},
                      {"sessions", s.sessions},
                      {"resources", s.resources},
                      {"requests", s.requests},
                      {"errors", s.errors},
                      {"restarts", s.restarts},
                      {"retries", s.retries},
                      {"state", to_string(pool->state())},
                      {"live", s.live},
                      {"takes_requests", s.takes},
                      {"latency_ms", {{"p50", s.latency.p50}, {"p90", s.latency.p90}, {"p99", s.latency.p99}, {"max", s.latency.max}}}};
  }
  return {{"host",
           {{"uptime_s", seconds(Clock::now() - started_)},
            {"pid", ::getpid()},
            {"state", state()},
            {"memory_rss_bytes", own_rss()},
            {"connections", connections_.size()},
            {"frames_in", frames_in_},
            {"frames_out", frames_out_},
            {"held_bytes", held_bytes_},
            {"late_replies", late}}},
          {"adapters", std::move(adapters)}};
}

nlohmann::json Host::Impl::list_frameworks() const {
  auto frameworks = nlohmann::json::array();
  for (const auto& adapter : config_.adapters) {
    const auto& pool = *pools_.at(adapter.pool.adapter);
    nlohmann::json entry{{"name", adapter.pool.adapter}, {"adapter", adapter.framework}, {"state", to_string(pool.state())}};
    if (!adapter.description.empty()) entry["description"] = adapter.description;
    const auto& info = pool.info();
    if (info.is_object() && info.contains("version")) entry["version"] = info["version"];
    if (info.is_object() && info.contains("commands")) entry["commands"] = info["commands"];
    frameworks.push_back(std::move(entry));
  }
  nlohmann::json result{{"default", config_.default_adapter ? nlohmann::json(*config_.default_adapter) : nlohmann::json()},
                        {"frameworks", std::move(frameworks)}};
  for (const auto& [connection, provider] : providers_) {
    for (const auto& name : provider->namespaces) result["provided"].push_back(name);
  }
  return result;
}

nlohmann::json Host::Impl::workers() const {
  auto list = nlohmann::json::array();
  for (const auto& [name, pool] : pools_) {
    for (const auto& w : pool->workers()) {
      nlohmann::json entry{{"adapter", name},
                           {"worker_id", w.id},
                           {"slot", w.key.slot},
                           {"incarnation", w.key.incarnation},
                           {"pid", w.pid},
                           {"state", w.state},
                           {"level", w.level},
                           {"in_flight", w.in_flight},
                           {"sessions", w.sessions},
                           {"resources", w.resources},
                           {"requests", w.requests},
                           {"errors", w.errors},
                           {"restarts", w.restarts},
                           {"uptime_s", w.uptime_s},
                           {"memory_rss_bytes", w.memory_rss_bytes}};
      if (!w.last_exit.empty()) entry["last_exit"] = w.last_exit;
      list.push_back(std::move(entry));
    }
  }
  return {{"workers", std::move(list)}};
}

nlohmann::json Host::Impl::sessions() const {
  const auto now = Clock::now();
  auto list = nlohmann::json::array();
  for (const auto& [name, pool] : pools_) {
    for (const auto& s : pool->sessions()) {
      auto& session = list.emplace_back(nlohmann::json{
          {"session_id", s.id},
          {"adapter", name},
          {"worker_id", s.worker ? nlohmann::json(worker_id(name, s.worker)) : nlohmann::json()},
          {"state", s.lost        ? "lost"
                    : s.restoring ? "restoring"
                                  : "bound"},
          {"requests", s.requests},
          {"idle_s", seconds(now - s.last_used)},
          {"expires_in_s", pool->options().sessions.ttl.count() > 0 ? nlohmann::json(seconds(s.expires - now)) : nlohmann::json()}});
      if (const auto saved = pool->snapshot_time(s.id)) {
        session["snapshot_age_s"] = std::chrono::duration<double>(std::chrono::system_clock::now() - *saved).count();
      }
    }
  }
  return {{"sessions", std::move(list)}};
}

nlohmann::json Host::Impl::end_session(const nlohmann::json& args) {
  const auto id = text_arg(args, "session_id");
  const auto adapter = optional_text_arg(args, "adapter").value_or("");
  if (!adapter.empty() && pool_named(adapter) == nullptr) throw Exception(unknown_namespace(adapter));
  auto ended = nlohmann::json::array();
  for (auto& [name, pool] : pools_) {
    if ((adapter.empty() || adapter == name) && pool->end_session(id)) ended.push_back(name);
  }
  const bool found = !ended.empty();
  return {{"session_id", id}, {"found", found}, {"adapters", std::move(ended)}};
}

nlohmann::json Host::Impl::subscribe(const OwnCall& call) {
  const auto found = call.args.find("events");
  std::vector<std::string> patterns;
  auto& subscriptions = subscriptions_[call.connection];
  if (subscriptions.size() >= kMaxSubscriptions) {
    throw Exception(ErrorCode::bad_request, "A connection has at most " + std::to_string(kMaxSubscriptions) + " subscriptions");
  }
  if (found == call.args.end() || !found->is_array() || found->empty()) {
    throw Exception(ErrorCode::invalid_args, R"(args.events must be a list of names or patterns, like ["worker.*"])");
  }
  for (const auto& pattern : *found) {
    if (!pattern.is_string()) throw Exception(ErrorCode::invalid_args, "args.events must hold strings");
    const auto text = pattern.get<std::string>();
    const auto& all = EventBus::names();
    if (std::none_of(all.begin(), all.end(), [&](const auto& event) { return EventBus::matches(text, event); })) {
      throw Exception(ErrorCode::invalid_args, "args.events: no event is called \"" + text + "\"" + did_you_mean(text, all));
    }
    patterns.push_back(text);
  }
  const auto self = std::static_pointer_cast<Connection>(call.connection->shared_from_this());
  auto sink = [weak = std::weak_ptr(self), codec = call.request.codec, seq = std::uint64_t{0}](std::string_view event,
                                                                                               const nlohmann::json& data) mutable {
    const auto subscriber = weak.lock();
    const auto number = seq++;
    if (subscriber && subscriber->unsent() < kEventBacklog) subscriber->send_event(codec, event, number, data);
  };
  auto result = nlohmann::json{{"events", patterns}};
  subscriptions.push_back(events_.subscribe(std::move(patterns), std::move(sink)));
  return result;
}

/// get_info of one of its workers, with the pool's state.
void Host::Impl::framework_info(const OwnCall& call) {
  const auto name = text_arg(call.args, "name");
  Pool* pool = pool_named(name);
  if (pool == nullptr) throw Exception(unknown_namespace(name));
  auto frame = Frame::of(R"({"command":"get_info"})");
  auto envelope = Envelope::parse_request(frame.body);
  envelope->timeout_ms = call.request.timeout_ms;
  auto reply = [weak = call.caller.weak_from_this(), serial = call.serial, pool](const Result<Message>& answer) {
    const auto caller = weak.lock();
    if (!caller) return;
    auto result = result_document(answer);
    if (!result) return caller->reply_error(serial, result.error());
    auto info = result->is_object() ? std::move(*result) : nlohmann::json{{"info", std::move(*result)}};
    info["state"] = to_string(pool->state());
    info["framework"] = pool->options().adapter;
    caller->reply_result(serial, info);
  };
  const auto key = pool->submit(Message{std::move(frame), std::move(*envelope)}, counted(std::move(reply)));
  call.caller.handed_on(call.serial, {pool, key});
}

/// Answered before the host goes, with what there is to end. While the host drains it only brings the end nearer.
void Host::Impl::shutdown_command(const OwnCall& call) {
  const auto timeout = timeout_arg(call.args);
  const auto now = Clock::now();
  auto end = now + drain_time(timeout);
  if (phase_ != Phase::serving) end = timeout ? std::min(end, shutdown_timer_.expiry()) : shutdown_timer_.expiry();
  std::size_t workers = 0;
  std::size_t sessions = 0;
  std::size_t requests = 0;
  for (const auto& [name, pool] : pools_) {
    workers += pool->workers().size();
    sessions += pool->sessions().size();
    requests += pool->outstanding();
  }
  call.reply({{"state", "draining"},
              {"name", config_.host.name},
              {"pid", ::getpid()},
              {"workers", workers},
              {"sessions", sessions},
              {"requests", requests},
              {"timeout_ms", std::max(0.0, seconds(end - now) * 1000)}});
  if (phase_ == Phase::serving) return shutdown(timeout);
  if (phase_ == Phase::draining && end < shutdown_timer_.expiry()) await_shutdown(end);
}

}  // namespace pons
