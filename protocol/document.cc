#include "protocol/document.h"

#include <time.h>

#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "protocol/document_check.h"
#include "protocol/document_codec.h"
#include "protocol/json_scan.h"
#include "protocol/limits.h"
#include "protocol/msgpack_scan.h"
#include "protocol/utf8.h"

namespace pons {
namespace {

using nlohmann::json;

Error malformed(const char* codec, std::string_view bytes, const detail::ScanProblem& problem) {
  return {ErrorCode::bad_frame,
          std::string("Bad ") + codec + " at byte " + std::to_string(problem.where - bytes.data()) + ": " + problem.what + "."};
}

// `depth` containers are open around the value.
Result<void> encode_at(int depth, Codec codec, const json& value, std::string& out) {
  if (auto error = detail::find_unencodable(codec, value, depth)) return *std::move(error);
  if (codec == Codec::msgpack) {
    json::to_msgpack(value, nlohmann::detail::output_adapter<char>(out));
  } else {
    detail::write_json_document(value, out);
  }
  return {};
}

// The members of a body that we write ourselves, one after the other.
class BodyWriter {
 public:
  BodyWriter(Codec codec, std::uint32_t members) : codec_(codec) {
    if (codec == Codec::json) {
      out_ += '{';
    } else {
      detail::append_msgpack_map(out_, members);
    }
  }

  void key(std::string_view name) {
    if (codec_ == Codec::json) {
      if (out_.size() > 1) out_ += ',';
      detail::append_json_string(out_, name);
      out_ += ':';
    } else {
      detail::append_msgpack_str(out_, name);
    }
  }
  void text(std::string_view value) {
    codec_ == Codec::json ? detail::append_json_string(out_, value) : detail::append_msgpack_str(out_, value);
  }
  void boolean(bool value) {
    if (codec_ == Codec::json) {
      out_ += value ? "true" : "false";
    } else {
      out_ += value ? '\xc3' : '\xc2';
    }
  }
  void id(const RequestId& id) {
    if (const auto* const number = std::get_if<std::uint64_t>(&id)) {
      codec_ == Codec::json ? void(out_ += std::to_string(*number)) : detail::append_msgpack_uint(out_, *number);
    } else {
      text(std::get<std::string>(id));
    }
  }
  Result<void> document(const json& value) { return encode_at(1, codec_, value, out_); }
  std::string finish() && {
    if (codec_ == Codec::json) out_ += '}';
    return std::move(out_);
  }

 private:
  Codec codec_;
  std::string out_;
};

}  // namespace

Result<json> decode(Codec codec, std::string_view bytes) {
  Result<json> document(boost::system::in_place_value);
  const bool text = codec == Codec::json;
  const auto problem = text ? detail::read_json_document(bytes, *document) : detail::read_msgpack_document(bytes, *document);
  if (problem.what != nullptr) document = malformed(text ? "JSON" : "MessagePack", bytes, problem);
  return document;
}

Result<void> encode(Codec codec, const json& value, std::string& out) { return encode_at(0, codec, value, out); }

std::string encode_or_throw(Codec codec, const json& value) {
  std::string out;
  encode(codec, value, out).value();
  return out;
}

Result<std::string> transcode(std::string_view body, Codec from, Codec to) {
  auto document = decode(from, body);
  if (!document) return document.error();
  std::string out;
  if (auto encoded = encode(to, *document, out); !encoded) return encoded.error();
  return out;
}

std::string error_body(Codec codec, const RequestId& id, const Error& error, bool idempotent) {
  const bool details = error.details.is_object();
  BodyWriter body(codec, details ? 7 : 6);
  body.key("id");
  body.id(id);
  body.key("success");
  body.boolean(false);
  body.key("error");
  body.text(repaired_utf8(error.message));
  body.key("code");
  body.text(to_string(error.code));
  body.key("retryable");
  body.boolean(error.may_retry(idempotent));
  if (details) {
    body.key("details");
    // An error must reach its caller, whatever a worker's last words look like.
    if (!body.document(error.details)) body.document(detail::made_encodable(codec, error.details, 1)).value();
  }
  body.key("timestamp");
  body.text(timestamp_now());
  return std::move(body).finish();
}

std::string result_body(Codec codec, const RequestId& id, const json& result) {
  BodyWriter body(codec, 4);
  body.key("id");
  body.id(id);
  body.key("success");
  body.boolean(true);
  body.key("result");
  if (const auto written = body.document(result); !written) return error_body(codec, id, written.error());
  body.key("timestamp");
  body.text(timestamp_now());
  return std::move(body).finish();
}

json to_json(const RequestId& id) {
  return std::visit([](const auto& value) { return json(value); }, id);
}

std::string timestamp_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  ::gmtime_r(&now.tv_sec, &utc);
  std::array<char, 48> text{};
  const std::size_t seconds = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.", &utc);
  std::string out(text.data(), seconds);
  const std::string micros = std::to_string(1'000'000 + now.tv_nsec / 1000);
  return out.append(micros, 1).append("Z");
}

}  // namespace pons
