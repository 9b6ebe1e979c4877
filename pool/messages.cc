#include "pool/messages.h"

#include "protocol/document.h"

namespace pons {

namespace {

/// With the code and the sentence that every error has.
Result<Message> completed(const Message& message, bool idempotent, const ErrorTranslation& translate) {
  const auto codec = message.envelope.codec;
  auto document = decode(codec, message.frame.body);
  if (!document) return document.error();
  const auto& text = message.envelope.error;
  auto type = text.substr(0, text.find(':'));
  const auto details = document->find("details");
  if (details != document->end() && details->is_object() && details->contains("type") && (*details)["type"].is_string()) {
    type = (*details)["type"].get<std::string>();
  }
  if (text.empty()) (*document)["error"] = "It failed without saying why";
  const bool has_code = !message.envelope.code.empty();
  const auto rule = translate && !has_code ? translate(type) : std::nullopt;
  const auto code = has_code ? message.envelope.code : rule ? rule->first : std::string(to_string(ErrorCode::worker_error));
  (*document)["code"] = code;
  if (rule && rule->second) (*document)["retryable"] = *rule->second;
  if (!document->contains("retryable")) {
    const auto known = error_code_from(code);
    (*document)["retryable"] = known && Error{*known, {}}.may_retry(idempotent);
  }
  auto body = std::string();
  if (auto encoded = encode(codec, *document, body); !encoded) return encoded.error();
  return message_of(std::move(body));
}

}  // namespace

Result<Message> message_of(std::string body, bool want_resource) {
  auto frame = Frame::of(std::move(body));
  auto envelope = Envelope::parse_reply(frame.body, want_resource);
  if (!envelope) return envelope.error().error;
  return Message{std::move(frame), std::move(*envelope)};
}

Result<nlohmann::json> result_document(const Result<Message>& reply) {
  if (!reply) return reply.error();
  auto document = decode(reply->envelope.codec, reply->frame.body);
  if (!document) return document.error();
  if (!reply->envelope.success) {
    const auto code = error_code_from(reply->envelope.code).value_or(ErrorCode::worker_error);
    return Error{code, reply->envelope.error};
  }
  return Result<nlohmann::json>(boost::system::in_place_value, document->value("result", nlohmann::json()));
}

Result<OutFrame> forwarded(const Message& request, const RequestPatch& patch, Codec codec, const std::string& peer) {
  const auto& [frame, envelope] = request;
  if (envelope.codec == codec) return splice_request(frame, envelope, patch);
  auto body = transcode(frame.body, envelope.codec, codec);
  if (!body) {
    auto error = body.error();
    if (error.code == ErrorCode::unsupported_codec) error.message = peer + " reads only JSON: " + error.message;
    return error;
  }
  const auto other = Frame::of(std::move(*body));
  const auto parsed = Envelope::parse_request(other.body);
  if (!parsed) return parsed.error().error;
  return splice_request(other, *parsed, patch);
}

void adapt_reply(Result<Message>& reply, Codec codec, bool idempotent, const ErrorTranslation& translate) {
  if (reply && !reply->envelope.success && (reply->envelope.code.empty() || reply->envelope.error.empty())) {
    reply = completed(*reply, idempotent, translate);
  }
  if (!reply || reply->envelope.codec == codec) return;
  auto body = transcode(reply->frame.body, reply->envelope.codec, codec);
  reply = body ? message_of(std::move(*body)) : Result<Message>(body.error());
}

}  // namespace pons
