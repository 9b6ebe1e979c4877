#include "clients/cpp/calls.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

#include "clients/cpp/reply.h"
#include "protocol/document.h"
#include "protocol/limits.h"

namespace pons::detail {

using nlohmann::json;

Calls::Calls(Executor executor, const Client::Options& options) : executor_(executor), options_(options), deadline_(executor) {}

void Calls::open(UniqueFd socket) {
  FrameStream::Options stream;
  stream.max_frame = options_.max_frame;
  stream.output_limit = 0;  // a parent must read while it writes
  Channel::Callbacks callbacks;
  callbacks.on_event = [this](const Message& message) { take_event(message); };
  callbacks.on_request = [this](const Message& message) {
    const auto self = shared_from_this();  // who serves it may let go of the client
    inquiries_.take(*channel_, message);
  };
  callbacks.on_unmatched = [this](const Message& message) { take_complaint(message); };
  callbacks.on_end = [this](const std::string& reason) { lose(reason); };
  connected_ = true;
  channel_ = std::make_unique<Channel>(executor_, std::move(socket), UniqueFd{}, stream, std::move(callbacks));
}

void Calls::close() {
  connected_ = false;
  deadline_.cancel();
  pending_.clear();
  inquiries_.end();
  channel_->close();
}

Result<std::string> Calls::body_of(Client::CallId id, std::string_view command, json args, const CallOptions& options) const {
  if (!args.is_null() && !args.is_object()) {
    return Error{ErrorCode::invalid_args, std::string("The arguments of a call are an object, not: ") + args.type_name() + "."};
  }
  json request{{"id", id}, {"command", command}};
  request["args"] = args.is_null() ? json::object() : std::move(args);
  if (options.session_id) request["session_id"] = *options.session_id;
  if (options.resource_id) request["resource_id"] = *options.resource_id;
  if (options.timeout) request["timeout_ms"] = options.timeout->count();
  if (options.idempotent) request["idempotent"] = *options.idempotent;
  if (!options.meta.is_null()) request["meta"] = options.meta;
  if (options.on_partial || options.on_progress) request["stream"] = true;
  std::string body;
  if (auto encoded = encode(options.codec.value_or(options_.codec), request, body); !encoded) return encoded.error();
  // Above this the host ends the connection; below it, it answers with its own limit.
  if (body.size() > kHopelessFactor * options_.max_frame || body.size() > UINT32_MAX) {
    return Error{ErrorCode::frame_too_large, "The request is too large: " + std::to_string(body.size()) + " bytes.",
                 json{{"length", body.size()}, {"max_frame", options_.max_frame}}};
  }
  return body;
}

void Calls::send(Client::CallId id, std::string_view command, json args, CallOptions options, Client::OnDone done) {
  auto body = body_of(id, command, std::move(args), options);
  // The host counts a longer time as the longest one, too.
  constexpr std::chrono::milliseconds kLongest(static_cast<std::int64_t>(kMaxTimeoutMs));
  const auto limit = options.timeout ? std::min(*options.timeout, kLongest) + options_.margin : std::min(options_.longest_wait, kLongest);
  Pending call{std::string(command), std::move(options), std::move(done), Clock::now() + limit, body ? body->size() : 0};
  const auto deadline = call.deadline;
  const auto& kept = pending_.insert_or_assign(id, std::move(call)).first->second;
  if (!body) return fail_later(id, body.error());
  if (!connected_) return fail_later(id, lost_error(kept));
  channel_->expect(id, [this, id](Result<Message> reply) { take(id, std::move(reply)); });
  channel_->send(OutFrame::of(std::move(*body)));
  arm(deadline);
}

void Calls::fail_later(Client::CallId id, Error error) {
  asio::post(executor_, [weak = weak_from_this(), id, error = std::move(error)] {
    if (const auto self = weak.lock()) self->finish(id, error);
  });
}

void Calls::cancel(Client::CallId id) {
  const auto call = pending_.find(id);
  if (call == pending_.end() || !connected_) return;
  call->second.deadline = std::min(call->second.deadline, Clock::now() + options_.margin);
  arm(call->second.deadline);
  CallOptions options;
  options.timeout = options_.margin;
  send(next_id(), "host:cancel", json{{"id", id}}, std::move(options), {});
}

void Calls::take(Client::CallId id, Result<Message> reply) {
  if (!reply) return finish(id, reply.error());
  const auto call = pending_.find(id);
  if (call == pending_.end()) return;
  if (reply->envelope.partial) {
    const auto self = shared_from_this();  // the callback may let go of the client
    const auto copy = call->second;        // and this call may end meanwhile
    take_partial(copy, *reply);
    return;
  }
  finish(id, result_of(*reply));
}

void Calls::take_partial(const Pending& call, const Message& message) {
  if (message.envelope.has_progress) {
    if (!call.options.on_progress) return;
    if (const auto progress = member_of(message, "progress")) call.options.on_progress(*progress);
  } else if (call.options.on_partial) {
    if (auto chunk = result_of(message)) call.options.on_partial(std::move(*chunk));
  }
}

void Calls::take_event(const Message& message) {
  const auto callback = on_event_;
  if (!callback) return;
  const auto document = decode(message.envelope.codec, message.frame.body);
  if (!document || !document->is_object()) return;
  const auto name = document->find("event");
  if (name == document->end() || !name->is_string()) return;
  const auto seq = document->find("seq");
  callback(Event{name->get<std::string>(), seq != document->end() && seq->is_number_unsigned() ? seq->get<std::uint64_t>() : 0,
                 document->value("data", json(nullptr))});
}

// The host answers a frame that it will not read with id 0: whose that was, the length tells, or that there is only one.
void Calls::take_complaint(const Message& message) {
  const auto* const id = std::get_if<std::uint64_t>(&message.envelope.id);
  if (id == nullptr || *id != 0 || message.envelope.success) return;
  const auto result = result_of(message);
  if (result) return;
  const auto& details = result.error().details;
  const auto length = details.is_object() ? details.find("length") : details.end();
  auto call = pending_.size() == 1 ? pending_.begin() : pending_.end();
  if (length != details.end() && length->is_number_unsigned()) {
    const auto size = length->get<std::size_t>();
    call = std::find_if(pending_.begin(), pending_.end(), [&](const auto& entry) { return entry.second.body_size == size; });
  }
  if (call == pending_.end()) return;
  channel_->forget(call->first);
  finish(call->first, result);
}

void Calls::finish(Client::CallId id, Result<json> result) {
  const auto entry = pending_.find(id);
  if (entry == pending_.end()) return;
  const auto self = shared_from_this();
  const auto done = std::move(entry->second.done);
  pending_.erase(entry);
  if (pending_.empty()) {
    deadline_.cancel();
    armed_ = TimePoint::max();
  }
  if (done) done(std::move(result));
}

Error Calls::lost_error(const Pending& call) const {
  Error error{ErrorCode::internal, "The connection to the host was lost" + (lost_reason_.empty() ? "" : ": " + lost_reason_) + ".",
              json{{"reason", "connection_lost"}}};
  error.retryable = call.options.idempotent.value_or(false);
  return error;
}

void Calls::lose(const std::string& reason) {
  const auto self = shared_from_this();
  connected_ = false;
  inquiries_.end();
  lost_reason_ = reason;
  std::vector<std::pair<Client::CallId, Error>> ended;
  for (const auto& [id, call] : pending_) ended.emplace_back(id, lost_error(call));
  for (auto& [id, error] : ended) finish(id, std::move(error));
}

void Calls::arm(TimePoint deadline) {
  if (deadline >= armed_) return;
  armed_ = deadline;
  deadline_.expires_at(deadline);
  deadline_.async_wait([weak = weak_from_this()](error_code ec) {
    const auto self = weak.lock();
    if (!ec && self) self->expire();
  });
}

void Calls::expire() {
  const auto now = Clock::now();
  std::vector<Client::CallId> late;
  armed_ = TimePoint::max();
  auto next = TimePoint::max();
  for (const auto& [id, call] : pending_) {
    if (call.deadline <= now) {
      late.push_back(id);
    } else {
      next = std::min(next, call.deadline);
    }
  }
  arm(next);
  for (const auto id : late) {
    channel_->forget(id);
    finish(id, Error{ErrorCode::deadline_exceeded, "The host did not answer in time.", json{{"reason", "no_reply"}}});
  }
}

}  // namespace pons::detail
