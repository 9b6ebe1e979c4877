// The arguments of the host's own commands. What is wrong with one is an Exception: invalid_args, with details.errors as the protocol has
// them (docs/protocol.md, section 4).
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "pool/options.h"
#include "protocol/envelope.h"
#include "protocol/error.h"

namespace pons {

/// The error for one argument: `pointer` into args ("/name"), `expected` as in "a string".
Error invalid_arg(const std::string& pointer, const std::string& message, const std::string& expected);

/// A required string.
std::string text_arg(const nlohmann::json& args, const char* name);
/// The same, or nothing if it is not there.
std::optional<std::string> optional_text_arg(const nlohmann::json& args, const char* name);
/// `id`, of a request of the caller's: a whole number above 0, or a string.
RequestId id_arg(const nlohmann::json& args);
/// `timeout_ms`: a number from 0.
std::optional<Millis> timeout_arg(const nlohmann::json& args);
/// Whatever is there; required.
const nlohmann::json& value_arg(const nlohmann::json& args, const char* name, const std::string& expected);

}  // namespace pons
