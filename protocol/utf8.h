// Text that came from outside, made fit to be sent.
#pragma once

#include <string>
#include <string_view>

namespace pons {

/// With U+FFFD in the place of every byte that is no part of well-formed UTF-8.
std::string repaired_utf8(std::string_view text);

}  // namespace pons
