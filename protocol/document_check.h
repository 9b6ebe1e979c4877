// Whether a document can be said in a codec. Internal to the protocol library.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "protocol/codec.h"
#include "protocol/error.h"

namespace pons::detail {

/// The first thing in `value` that `codec` cannot carry, as an error that names its JSON Pointer: bin, NaN or infinity in JSON, a string
/// that is not UTF-8, nesting deeper than kMaxDepth when `depth` containers are open around the value. Does not recurse.
std::optional<Error> find_unencodable(Codec codec, const nlohmann::json& value, int depth);

/// What is nearest to `value` and can be carried: malformed text repaired, the rest replaced by null.
nlohmann::json made_encodable(Codec codec, const nlohmann::json& value, int depth);

}  // namespace pons::detail
