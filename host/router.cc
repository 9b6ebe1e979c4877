// Where a request goes: to a pool, or to the host's own commands.
#include <array>

#include "host/host_impl.h"
#include "host/nearest.h"

namespace pons {

namespace {

constexpr std::array kCommon{std::string_view("ping"), std::string_view("get_info"), std::string_view("get_stats"),
                             std::string_view("cleanup")};
constexpr std::array kReserved{std::string_view("cancel"), std::string_view("end_session"), std::string_view("export_session"),
                               std::string_view("import_session")};
constexpr std::string_view kCommonPrefix = "common:";
constexpr std::string_view kOwnNamespace = "host";

template <class List>
bool is_one_of(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

/// Only the host says these to a worker (docs/protocol.md, section 5).
bool is_reserved(const std::optional<std::string_view>& name_space, std::string_view name) {
  if (name.starts_with(kCommonPrefix)) return !is_one_of(kCommon, name.substr(kCommonPrefix.size()));
  return name_space == "common" && is_one_of(kReserved, name);
}

}  // namespace

const Error* Host::Impl::refusal(const Envelope& request, std::size_t bytes) {
  const bool only_looks = request.name_space() == kOwnNamespace && !starts_something(request.name());
  if (phase_ != Phase::serving && !only_looks) {
    refusal_ = Error{ErrorCode::shutting_down, "The host is shutting down"};
    return &refusal_;
  }
  if (config_.host.buffer_limit != 0 && held_bytes_ + bytes > config_.host.buffer_limit) {
    refusal_ = Error{ErrorCode::overloaded, "The host holds as many bytes of requests and replies as it may (host.buffer_limit)"};
    refusal_.details = {{"retry_after_ms", 100}};
    return &refusal_;
  }
  return nullptr;
}

void Host::Impl::serve(Connection& connection, Serial serial, Message&& request, TimePoint now) {
  const auto& envelope = request.envelope;
  const auto name_space = envelope.name_space();
  if (name_space == kOwnNamespace) {
    serve_own(connection, serial, request);
    return;
  }
  if (is_reserved(name_space, envelope.name())) {
    connection.reply_error(serial, Error{ErrorCode::unknown_command, "Unknown command: " + std::string(envelope.command)});
    return;
  }
  if (!name_space || *name_space == "common") {
    if (!config_.default_adapter) {
      serve_common(connection, serial, request);
      return;
    }
    forward(connection, serial, std::move(request), *pool_named(*config_.default_adapter), now);
    return;
  }
  if (Pool* pool = pool_named(*name_space)) {
    forward(connection, serial, std::move(request), *pool, now);
    return;
  }
  connection.reply_error(serial, unknown_namespace(*name_space));
}

void Host::Impl::forward(Connection& connection, Serial serial, Message&& request, Pool& pool, TimePoint now) {
  const auto weak = connection.weak_from_this();
  auto reply = [weak, serial](Result<Message>&& message) {
    if (const auto caller = weak.lock()) caller->reply(serial, std::move(message));
  };
  const auto key = pool.submit(std::move(request), std::move(reply), now);
  connection.handed_on(serial, {&pool, key});
}

Pool* Host::Impl::pool_named(std::string_view adapter) {
  const auto found = pools_.find(adapter);
  return found != pools_.end() ? found->second.get() : nullptr;
}

Error Host::Impl::unknown_namespace(std::string_view name) const {
  std::vector<std::string> known{std::string(kOwnNamespace)};
  for (const auto& [adapter, pool] : pools_) known.push_back(adapter);
  Error error{ErrorCode::unknown_namespace, "Unknown namespace: " + std::string(name)};
  if (const auto near = nearest_names(name, known); !near.empty()) error.details = {{"nearest", near}};
  return error;
}

void Host::Impl::note_frames(std::uint64_t in, std::uint64_t out) {
  frames_in_ += in;
  frames_out_ += out;
}

void Host::Impl::log_request(const Connection::Origin& request, std::string_view outcome, Clock::duration took) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  log_.debug("request", {{"command", request.command}, {"outcome", outcome}, {"us", us}});
}

}  // namespace pons
