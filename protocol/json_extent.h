// Finds where a JSON container ends, 64 bytes at a time. Internal to the protocol library.
#pragma once

namespace pons::detail {

/// One past the brace or bracket that closes the container which begins at `at`, strings respected; nullptr if it is not closed before
/// `end`. Only the number of brackets is matched, and nothing else is checked.
const char* end_of_container(const char* at, const char* end);

}  // namespace pons::detail
