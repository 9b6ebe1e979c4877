// Bounds that every receiver enforces (docs/protocol.md, sections 1 to 3).
#pragma once

#include <cstddef>
#include <cstdint>

namespace pons {

inline constexpr std::size_t kDefaultMaxFrame = 64u << 20;  ///< bytes of one body
inline constexpr std::size_t kHopelessFactor = 16;          ///< a length above this many `max_frame` ends the connection
inline constexpr int kMaxDepth = 64;                        ///< nesting, the envelope counting as 1
inline constexpr std::size_t kMaxIdBytes = 128;             ///< a string `id`, decoded
inline constexpr std::size_t kMaxAffinityBytes = 256;       ///< `session_id` and `resource_id`, decoded
inline constexpr std::size_t kMaxNamespaceBytes = 64;
inline constexpr std::size_t kMaxNameBytes = 128;
inline constexpr double kMaxTimeoutMs = 2147483648.0;  ///< a longer `timeout_ms` counts as this

}  // namespace pons
