// What a reply says, as documents. Internal to the client library.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "protocol/error.h"
#include "protocol/transport/channel.h"

namespace pons::detail {

/// The `result` of a successful reply (null if there is none), the Error of a failed one.
Result<nlohmann::json> result_of(const Message& reply);
/// Another top-level value of a body, nothing if it is not there.
std::optional<nlohmann::json> member_of(const Message& message, const std::string& key);

}  // namespace pons::detail
