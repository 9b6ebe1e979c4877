#include "clients/cpp/inquiries.h"

#include "protocol/document.h"

namespace pons {

using nlohmann::json;

Inquiry::Impl::Impl(std::shared_ptr<State> shared, const Message& request)
    : state(std::move(shared)), command(request.envelope.command), session_id(request.envelope.session_id) {
  const auto& [frame, envelope] = request;
  // They were checked by the host, which is trusted to be one.
  if (!envelope.args_range.empty()) args = decode(envelope.codec, envelope.args_range.in(frame.body)).value();
  if (!envelope.meta_range.empty()) meta = decode(envelope.codec, envelope.meta_range.in(frame.body)).value();
  if (envelope.timeout_ms) timeout = std::chrono::milliseconds(static_cast<std::int64_t>(*envelope.timeout_ms));
}

Inquiry::Impl::~Impl() {
  if (!state->answered) fail(Error{ErrorCode::worker_error, "The parent that provides " + command + " gave no answer"});
}

void Inquiry::Impl::send(std::string body) const {
  if (state->channel != nullptr) state->channel->send(OutFrame::of(std::move(body)));
}

void Inquiry::Impl::send_partial(const json& chunk) {
  if (!state->stream || state->answered || state->cancelled) return;
  const json body{{"id", to_json(state->id)}, {"success", true}, {"partial", true}, {"seq", state->seq}, {"result", chunk}};
  std::string bytes;
  encode(state->codec, body, bytes).value();
  ++state->seq;
  send(std::move(bytes));
}

void Inquiry::Impl::finish(std::string body) {
  if (!std::exchange(state->answered, true)) send(std::move(body));
}

void Inquiry::Impl::reply(const json& result) { finish(result_body(state->codec, state->id, result)); }
void Inquiry::Impl::fail(const Error& error) { finish(error_body(state->codec, state->id, error, state->idempotent)); }

Inquiry::Inquiry(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Inquiry::Inquiry(Inquiry&&) noexcept = default;
Inquiry& Inquiry::operator=(Inquiry&&) noexcept = default;
Inquiry::~Inquiry() = default;
const std::string& Inquiry::command() const { return impl_->command; }
const json& Inquiry::args() const { return impl_->args; }
const std::optional<std::string>& Inquiry::session_id() const { return impl_->session_id; }
const json& Inquiry::meta() const { return impl_->meta; }
std::optional<std::chrono::milliseconds> Inquiry::timeout() const { return impl_->timeout; }
bool Inquiry::stream() const { return impl_->state->stream; }
bool Inquiry::cancelled() const { return impl_->state->cancelled; }
void Inquiry::send_partial(const json& chunk) { impl_->send_partial(chunk); }
void Inquiry::reply(const json& result) { impl_->reply(result); }
void Inquiry::fail(const Error& error) { impl_->fail(error); }

namespace detail {

void Inquiries::take(Channel& channel, const Message& request) {
  const auto& envelope = request.envelope;
  if (envelope.command == "common:cancel") return cancel(channel, request);
  const auto serve = serve_.find(envelope.name_space().value_or(""));
  if (serve == serve_.end()) {
    const Error error{ErrorCode::unknown_namespace, "This parent does not serve " + envelope.command};
    return channel.send(OutFrame::of(error_body(envelope.codec, envelope.id, error)));
  }
  auto state = std::make_shared<State>();
  state->channel = &channel;
  state->id = envelope.id;
  state->codec = envelope.codec;
  state->stream = envelope.stream;
  state->idempotent = envelope.idempotent.value_or(false);
  std::erase_if(open_, [](const auto& entry) { return entry.second.expired(); });
  open_[envelope.id] = state;
  const auto callback = serve->second;  // which may let go of the client
  callback(Inquiry(std::make_unique<Inquiry::Impl>(std::move(state), request)));
}

void Inquiries::cancel(Channel& channel, const Message& request) {
  const auto args = decode(request.envelope.codec, request.envelope.args_range.in(request.frame.body));
  const auto id = args && args->contains("id") ? (*args)["id"] : json();
  const auto found = id.is_number_unsigned() ? open_.find(RequestId(id.get<std::uint64_t>())) : open_.end();
  const auto state = found != open_.end() ? found->second.lock() : nullptr;
  if (state) state->cancelled = true;
  const json result{{"found", state != nullptr}};
  channel.send(OutFrame::of(result_body(request.envelope.codec, request.envelope.id, result)));
}

void Inquiries::end() {
  for (const auto& [id, weak] : open_) {
    const auto state = weak.lock();
    if (!state) continue;
    state->channel = nullptr;
    state->cancelled = true;
  }
  open_.clear();
}

}  // namespace detail
}  // namespace pons
