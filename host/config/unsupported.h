// Keys that the schema knows because they are part of what a configuration may say, but that this version does not act on yet. Saying
// anything with them is an error: nobody shall believe in a check that is not made.
#pragma once

#include <array>
#include <string_view>

namespace pons {

/// Of an adapter's entry. Whoever implements one removes it here.
inline constexpr std::array<std::string_view, 1> kUnsupportedKeys{
    "required_packages",
};

}  // namespace pons
