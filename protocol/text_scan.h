// Fast searches in text, 16 bytes at a time where the machine can, and the check of UTF-8. Internal to the protocol library.
#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <bit>
#include <cstdint>
#include <string_view>

namespace pons::detail {

// Each of these names a set of bytes twice: for one byte, and as a mask of 16 bytes.

/// What ends a run of plain ASCII inside a JSON string: quote, backslash, control character, anything beyond ASCII.
struct EndsPlainText {
  static bool byte(char c) {
    return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x80;
  }
#if defined(__SSE2__)
  static __m128i mask(__m128i block) {
    // As signed bytes, what is beyond ASCII is negative, so that one comparison finds it and the control characters.
    const __m128i low = _mm_cmplt_epi8(block, _mm_set1_epi8(0x20));
    const __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
    return _mm_or_si128(low, _mm_or_si128(quote, backslash));
  }
#endif
};

/// What cannot stand in a JSON string as it is: quote, backslash, control character.
struct NeedsEscape {
  static bool byte(char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }
#if defined(__SSE2__)
  static __m128i mask(__m128i block) {
    const __m128i last_control = _mm_set1_epi8(0x1f);
    const __m128i control = _mm_cmpeq_epi8(_mm_max_epu8(block, last_control), last_control);
    const __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    return _mm_or_si128(control, _mm_or_si128(quote, _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'))));
  }
#endif
};

/// Anything beyond ASCII.
struct NonAscii {
  static bool byte(char c) { return static_cast<unsigned char>(c) >= 0x80; }
#if defined(__SSE2__)
  static __m128i mask(__m128i block) { return block; }
#endif
};

/// One byte.
template <char kByte>
struct Only {
  static bool byte(char c) { return c == kByte; }
#if defined(__SSE2__)
  static __m128i mask(__m128i block) { return _mm_cmpeq_epi8(block, _mm_set1_epi8(kByte)); }
#endif
};

/// Brackets or braces, opening or closing: '[' differs from '{', and ']' from '}', by the bit 0x20 alone.
template <char kBrace>
struct BracketOr {
  static bool byte(char c) { return (c | 0x20) == kBrace; }
#if defined(__SSE2__)
  static __m128i mask(__m128i block) { return _mm_cmpeq_epi8(_mm_or_si128(block, _mm_set1_epi8(0x20)), _mm_set1_epi8(kBrace)); }
#endif
};

/// What matters when a JSON string is only skipped.
struct QuoteOrBackslash {
  static bool byte(char c) { return c == '"' || c == '\\'; }
#if defined(__SSE2__)
  static __m128i mask(__m128i block) {
    return _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')), _mm_cmpeq_epi8(block, _mm_set1_epi8('\\')));
  }
#endif
};

/// The first byte of the set in [at, end), or `end`.
template <class Set>
const char* find_first(const char* at, const char* end) {
#if defined(__SSE2__)
  for (; end - at >= 16; at += 16) {
    const __m128i block = _mm_loadu_si128(static_cast<const __m128i*>(static_cast<const void*>(at)));
    const auto found = static_cast<unsigned>(_mm_movemask_epi8(Set::mask(block)));
    if (found != 0) return at + std::countr_zero(found);
  }
#endif
  while (at != end && !Set::byte(*at)) ++at;
  return at;
}

/// True if the `size` bytes at `at` can be seen to be ASCII by one look at 16 bytes, which must lie before `end`.
inline bool short_ascii(const char* at, std::uint64_t size, const char* end) {
#if defined(__SSE2__)
  if (size > 16 || end - at < 16) return false;
  const __m128i block = _mm_loadu_si128(static_cast<const __m128i*>(static_cast<const void*>(at)));
  const auto beyond = static_cast<unsigned>(_mm_movemask_epi8(block));
  return (beyond & ((1u << size) - 1)) == 0;
#else
  static_cast<void>(at), static_cast<void>(end);
  return size == 0;
#endif
}

/// Bit i tells whether byte i of the 64 at `at` is of the set.
template <class Set>
std::uint64_t mask_of_64(const char* at) {
  std::uint64_t mask = 0;
#if defined(__SSE2__)
  for (unsigned i = 0; i < 4; ++i) {
    const __m128i block = _mm_loadu_si128(static_cast<const __m128i*>(static_cast<const void*>(at + 16 * i)));
    mask |= static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(Set::mask(block)))) << (16 * i);
  }
#else
  for (unsigned i = 0; i < 64; ++i) mask |= static_cast<std::uint64_t>(Set::byte(at[i])) << i;
#endif
  return mask;
}

/// The end of the run of well-formed multi-byte sequences (RFC 3629) that begins at `at`. Unless it is `end` or before an ASCII byte,
/// what follows is malformed.
const char* after_multibyte(const char* at, const char* end);

/// The first byte that is no part of well-formed UTF-8, or `end`.
const char* first_invalid_utf8(const char* at, const char* end);
inline bool valid_utf8(std::string_view text) {
  const char* const end = text.data() + text.size();
  return first_invalid_utf8(text.data(), end) == end;
}

}  // namespace pons::detail
