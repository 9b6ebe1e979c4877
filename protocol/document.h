// Whole bodies as nlohmann documents, behind the checks that make that safe (its MessagePack reader and its writers recurse without a
// limit), replies and errors made by us, and transcoding from one codec to the other.
//
// JSON <-> MessagePack: `bin` is nlohmann's binary; ext is a binary with a subtype.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "protocol/codec.h"
#include "protocol/envelope.h"
#include "protocol/error.h"

namespace pons {

/// Any single value. bad_frame if it is malformed, nested deeper than kMaxDepth, or followed by anything.
Result<nlohmann::json> decode(Codec codec, std::string_view bytes);

/// Appends the value to `out`. unsupported_codec for `bin` or ext in JSON; worker_error for NaN or infinity in JSON; both name the
/// JSON Pointer of the culprit. bad_frame if nested too deep. On failure `out` is as before.
Result<void> encode(Codec codec, const nlohmann::json& value, std::string& out);

/// The same, for a value known to be encodable (what we made ourselves); throws Exception otherwise.
std::string encode_or_throw(Codec codec, const nlohmann::json& value);

/// A body in the other codec, through documents. Integers beyond 64 bits become doubles in MessagePack.
Result<std::string> transcode(std::string_view body, Codec from, Codec to);

/// The body of an error reply (section 4), with a timestamp.
std::string error_body(Codec codec, const RequestId& id, const Error& error, bool idempotent = false);
/// The body of a successful reply with `result` as a document; what `result` cannot say in `codec` becomes an error reply.
std::string result_body(Codec codec, const RequestId& id, const nlohmann::json& result);
/// The id as a document: a number or a string.
nlohmann::json to_json(const RequestId& id);
/// Now, in UTC, like 2026-11-21T03:00:00.123456Z.
std::string timestamp_now();

}  // namespace pons
