#include "clients/cpp/reply.h"

#include <utility>

#include "protocol/document.h"

namespace pons::detail {

using nlohmann::json;

namespace {

Error error_of(const Message& reply) {
  const auto& envelope = reply.envelope;
  Error error{ErrorCode::worker_error, envelope.error, nullptr};
  if (const auto body = decode(envelope.codec, reply.frame.body); body && body->is_object()) {
    if (const auto details = body->find("details"); details != body->end() && details->is_object()) error.details = *details;
    if (const auto retryable = body->find("retryable"); retryable != body->end() && retryable->is_boolean()) {
      error.retryable = retryable->get<bool>();
    }
  }
  if (const auto code = error_code_from(envelope.code)) {
    error.code = *code;
  } else if (!envelope.code.empty()) {
    if (error.details.is_null()) error.details = json::object();
    error.details["code"] = envelope.code;
  }
  return error;
}

}  // namespace

Result<json> result_of(const Message& reply) {
  const auto& envelope = reply.envelope;
  if (!envelope.success) return error_of(reply);
  if (envelope.result_range.empty()) return {boost::system::in_place_value, nullptr};
  return decode(envelope.codec, envelope.result_range.in(reply.frame.body));
}

std::optional<json> member_of(const Message& message, const std::string& key) {
  auto document = decode(message.envelope.codec, message.frame.body);
  if (!document || !document->is_object()) return std::nullopt;
  const auto member = document->find(key);
  if (member == document->end()) return std::nullopt;
  return std::make_optional<json>(std::move(*member));
}

}  // namespace pons::detail
