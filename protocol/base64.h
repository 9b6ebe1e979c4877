// RFC 4648, section 4: with padding.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pons {

std::string base64_encode(const std::vector<std::uint8_t>& bytes);
/// Nothing for what is no base64.
std::optional<std::vector<std::uint8_t>> base64_decode(std::string_view text);

}  // namespace pons
