#include "worker/reply.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <typeinfo>

#include "protocol/limits.h"

namespace pons {
namespace {

using nlohmann::json;

std::string id_bytes(Codec codec, const RequestId& id) {
  if (const auto* number = std::get_if<std::uint64_t>(&id); number != nullptr && codec == Codec::json) return std::to_string(*number);
  return encode_or_throw(codec, to_json(id));
}

/// As people write it: without the name space in which a library hides its version.
std::string demangled(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  std::string text = status == 0 ? name.get() : type.name();
  constexpr std::string_view kVersion = "nlohmann::json_abi";
  for (auto at = text.find(kVersion); at != std::string::npos; at = text.find(kVersion)) {
    const auto end = text.find("::", at + kVersion.size());
    text.replace(at, end - at, "nlohmann");
  }
  return text;
}

/// What nlohmann says, without the `[json.exception.type_error.302] ` before it.
std::string without_tag(std::string_view what) {
  const auto end = what.find("] ");
  if (what.starts_with('[') && end != std::string_view::npos) what.remove_prefix(end + 2);
  return std::string(what);
}

json repaired(const json& value) { return json::parse(value.dump(-1, ' ', false, json::error_handler_t::replace)); }

}  // namespace

ResultFrame success_around(Codec codec, const RequestId& id) {
  const std::string id_text = id_bytes(codec, id);
  if (codec == Codec::json) return {R"({"id":)" + id_text + R"(,"success":true,"result":)", "}"};
  return {"\x83\xa2id" + id_text + "\xa7success\xc3\xa6result", {}};
}

ResultFrame partial_around(Codec codec, const RequestId& id, std::uint64_t seq) {
  const std::string id_text = id_bytes(codec, id);
  if (codec == Codec::json) {
    return {R"({"id":)" + id_text + R"(,"success":true,"partial":true,"seq":)" + std::to_string(seq) + R"(,"result":)", "}"};
  }
  return {"\x85\xa2id" + id_text + "\xa7success\xc3\xa7partial\xc3\xa3seq" + encode_or_throw(codec, seq) + "\xa6result", {}};
}

Error error_in(const json& reply) {
  const auto text = [&](const char* key) {
    return reply.contains(key) && reply[key].is_string() ? reply[key].get<std::string>() : std::string();
  };
  const auto code = text("code");
  Error error{error_code_from(code).value_or(ErrorCode::worker_error), text("error")};
  if (const auto details = reply.find("details"); details != reply.end() && details->is_object()) error.details = *details;
  if (!error_code_from(code) && !code.empty()) error.details["code"] = code;
  if (const auto retryable = reply.find("retryable"); retryable != reply.end() && retryable->is_boolean()) error.retryable = *retryable;
  return error;
}

std::string error_reply(Codec codec, const RequestId& id, const Error& error, bool idempotent) {
  Error plain = error;
  plain.message = repaired(error.message).get<std::string>();
  try {
    return error_body(codec, id, plain, idempotent);
  } catch (const std::exception&) {
    plain.details = nullptr;
    return error_body(codec, id, plain, idempotent);
  }
}

Error error_of(Cancellation why) {
  switch (why) {
    case Cancellation::by_caller:
      return Error{ErrorCode::cancelled, "The request was cancelled"};
    case Cancellation::deadline:
      return Error{ErrorCode::deadline_exceeded, "The deadline passed while the request ran"};
    case Cancellation::host_gone:
      return Error{ErrorCode::cancelled, "The host is gone", {{"reason", "host_gone"}}};
    case Cancellation::none:
      break;
  }
  throw std::logic_error("The request is not cancelled");
}

Error error_of_current_exception() {
  try {
    throw;
  } catch (const Exception& exception) {
    return exception.error();
  } catch (const json::type_error& exception) {
    return Error{ErrorCode::invalid_args, without_tag(exception.what()), {{"type", demangled(typeid(exception))}}};
  } catch (const json::out_of_range& exception) {
    return Error{ErrorCode::invalid_args, without_tag(exception.what()), {{"type", demangled(typeid(exception))}}};
  } catch (const std::exception& exception) {
    return Error{ErrorCode::worker_error, exception.what(), {{"type", demangled(typeid(exception))}}};
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    return Error{ErrorCode::worker_error,
                 "The handler threw something that is no std::exception",
                 {{"type", type != nullptr ? demangled(*type) : "unknown"}}};
  }
}

Error too_large(std::uint64_t length, std::size_t max_frame) {
  return Error{ErrorCode::frame_too_large,
               "A frame of " + std::to_string(length) + " bytes is above the limit of " + std::to_string(max_frame),
               {{"length", length}, {"max_frame", max_frame}}};
}

Frame args_of(const Frame& frame, const Envelope& envelope) {
  if (envelope.args_range.empty()) return Frame{nullptr, envelope.codec == Codec::json ? "{}" : "\x80"};
  return Frame{frame.owner, envelope.args_range.in(frame.body)};
}

std::optional<RequestId> request_id_from(const json& document, std::string_view key) {
  if (!document.is_object()) return std::nullopt;
  const auto at = document.find(key);
  if (at == document.end()) return std::nullopt;
  if (at->is_number_unsigned()) return RequestId{at->get<std::uint64_t>()};
  if (at->is_string()) return RequestId{at->get<std::string>()};
  return std::nullopt;
}

}  // namespace pons
