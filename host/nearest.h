// "Did you mean ...?": the known names that a mistyped one is closest to.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pons {

/// At most `most` of `known`, the nearest first; only those within a third of the word's length (at least one) of insertions,
/// deletions, replacements and swaps of neighbours, or where one begins with the other. Case does not count. Words above 64 bytes have
/// none.
std::vector<std::string> nearest_names(std::string_view word, const std::vector<std::string>& known, std::size_t most = 3);

/// The end of a message: `; did you mean "size"?`, or nothing if no name is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

}  // namespace pons
