// Documents as people and programs read them: one line, or indented and coloured. What JSON cannot say is written so that it can be told:
// bin as {"$bin": base64}, ext as {"$bin": base64, "$ext": type}, NaN and the infinities as {"$float": "nan" | "inf" | "-inf"}.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "protocol/error.h"

namespace pons::cli {

/// Without a line feed at the end.
std::string one_line(const nlohmann::json& value);
/// Short containers stay on one line.
std::string pretty(const nlohmann::json& value, bool colour);

/// {"$bin": ...} back to bin, everywhere. invalid_args for what is no base64.
Result<nlohmann::json> from_printable(nlohmann::json value);

/// Text for a terminal: control characters (C1 too, and what is not UTF-8) become visible; line feeds and tabs stay.
std::string harmless(std::string_view text);
bool is_utf8(std::string_view text);
/// Columns of a terminal, a character counting as one; used for alignment only.
std::size_t width_of(std::string_view text);

}  // namespace pons::cli
