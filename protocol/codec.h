// The two body encodings of a frame.
#pragma once

#include <cstdint>
#include <string_view>

namespace pons {

enum class Codec : std::uint8_t { json, msgpack };

constexpr std::string_view to_string(Codec codec) { return codec == Codec::json ? "json" : "msgpack"; }

}  // namespace pons
