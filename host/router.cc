// Where a request goes: to a pool, or to the host's own commands.
#include <array>
#include <boost/asio/post.hpp>

#include "host/host_impl.h"
#include "host/nearest.h"

namespace pons {

namespace {

constexpr std::array kCommon{std::string_view("ping"), std::string_view("get_info"), std::string_view("get_stats"),
                             std::string_view("cleanup")};
constexpr std::array kReserved{std::string_view("cancel"), std::string_view("end_session"), std::string_view("export_session"),
                               std::string_view("import_session")};
constexpr std::string_view kCommonPrefix = "common:";

template <class List>
bool is_one_of(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

/// Only the host says these to a worker (docs/protocol.md, section 5).
bool is_reserved(const std::optional<std::string_view>& name_space, std::string_view name) {
  if (name.starts_with(kCommonPrefix)) return !is_one_of(kCommon, name.substr(kCommonPrefix.size()));
  return name_space == "common" && is_one_of(kReserved, name);
}

/// A reverse request belongs to the session of its parent, if it goes elsewhere and does not decline.
Result<void> inherit_session(Message& request, const ReverseOrigin& origin, bool elsewhere) {
  if (!origin.lineage) return {};
  if (request.envelope.declines_session()) {
    auto plain = message_of(without_session(request.frame, request.envelope));
    if (!plain) return plain.error();
    request = std::move(*plain);
  } else if (elsewhere && !request.envelope.session_id) {
    request.envelope.session_id = origin.session;
  }
  return {};
}

}  // namespace

const Error* Host::Impl::refusal(const Envelope& request, std::size_t bytes) {
  const bool only_looks = request.name_space() == kOwnNamespace && !starts_something(request.name());
  if (phase_ != Phase::serving && !only_looks) {
    refusal_ = Error{ErrorCode::shutting_down, "The host is shutting down"};
    return &refusal_;
  }
  auto refused = too_much(bytes);
  if (!refused) return nullptr;
  refusal_ = std::move(*refused);
  return &refusal_;
}

std::optional<Error> Host::Impl::too_much(std::size_t bytes) const {
  if (config_.host.buffer_limit == 0 || held_bytes_ + bytes <= config_.host.buffer_limit) return std::nullopt;
  return overloaded("The host holds as many bytes of requests and replies as it may (host.buffer_limit)");
}

void Host::Impl::serve(Connection& connection, Serial serial, Message&& request, TimePoint now) {
  if (request.envelope.name_space() == kOwnNamespace) return serve_own(connection, &connection, serial, request);
  route(connection, serial, std::move(request), now);
}

/// To a pool, or to a parent that provides the namespace.
void Host::Impl::route(Caller& caller, Serial serial, Message&& request, TimePoint now, const ReverseOrigin& origin) {
  const auto& envelope = request.envelope;
  const auto name_space = envelope.name_space();
  if (is_reserved(name_space, envelope.name())) {
    caller.reply_error(serial, Error{ErrorCode::unknown_command, "Unknown command: " + std::string(envelope.command)});
    return;
  }
  if (!name_space || *name_space == "common") {
    if (!config_.default_adapter) {
      serve_common(caller, serial, request);
      return;
    }
    forward(caller, serial, std::move(request), *pool_named(*config_.default_adapter), now, origin);
    return;
  }
  if (Pool* pool = pool_named(*name_space)) return forward(caller, serial, std::move(request), *pool, now, origin);
  if (Provider* provider = provider_of(*name_space)) return forward(caller, serial, std::move(request), *provider, now, origin);
  caller.reply_error(serial, unknown_namespace(*name_space));
}

/// The one terminal reply also tells a host that drains when nobody waits any more.
Pool::Reply Host::Impl::counted(Pool::Reply reply) {
  ++open_calls_;
  return [this, reply = std::move(reply)](Result<Message>&& message) {
    const bool last = !message || !message->envelope.partial;
    if (last && --open_calls_ == 0 && phase_ == Phase::draining) asio::post(io_, [this] { stop_pools(); });
    reply(std::move(message));
  };
}

Pool::Reply Host::Impl::reply_to(Caller& caller, Serial serial) {
  return counted([weak = caller.weak_from_this(), serial](Result<Message>&& message) {
    if (const auto asker = weak.lock()) asker->reply(serial, std::move(message));
  });
}

void Host::Impl::forward(Caller& caller, Serial serial, Message&& request, Pool& pool, TimePoint now, const ReverseOrigin& origin) {
  const bool elsewhere = origin.lineage && origin.lineage->pool != &pool;
  if (auto inherited = inherit_session(request, origin, elsewhere); !inherited) return caller.reply_error(serial, inherited.error());
  const auto key = pool.submit(std::move(request), reply_to(caller, serial), now, origin);
  caller.handed_on(serial, {&pool, key});
}

void Host::Impl::forward(Caller& caller, Serial serial, Message&& request, Provider& provider, TimePoint now, const ReverseOrigin& origin) {
  if (auto inherited = inherit_session(request, origin, true); !inherited) return caller.reply_error(serial, inherited.error());
  const auto key = provider.submit(std::move(request), reply_to(caller, serial), now, origin.deadline);
  caller.handed_on(serial, {&provider, key});
}

Pool* Host::Impl::pool_named(std::string_view adapter) {
  const auto found = pools_.find(adapter);
  return found != pools_.end() ? found->second.get() : nullptr;
}

Error Host::Impl::unknown_namespace(std::string_view name) const {
  std::vector<std::string> known{std::string(kOwnNamespace)};
  for (const auto& [adapter, pool] : pools_) known.push_back(adapter);
  for (const auto& [connection, provider] : providers_) known.insert(known.end(), provider->namespaces.begin(), provider->namespaces.end());
  Error error{ErrorCode::unknown_namespace, "Unknown namespace: " + std::string(name)};
  if (const auto near = nearest_names(name, known); !near.empty()) error.details = {{"nearest", near}};
  return error;
}

void Host::Impl::note_frames(std::uint64_t in, std::uint64_t out) {
  frames_in_ += in;
  frames_out_ += out;
}

void Host::Impl::log_request(const Caller::Origin& request, std::string_view outcome, Clock::duration took) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  log_.debug("request", {{"command", request.command}, {"outcome", outcome}, {"us", us}});
}

}  // namespace pons
