// Whether this was built with a sanitizer, which has memory of its own and takes its time.
#pragma once

namespace pons {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace pons
