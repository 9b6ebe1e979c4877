#include "protocol/text_scan.h"

#include <cstddef>

namespace pons::detail {
namespace {

unsigned char byte_at(const char* at) { return static_cast<unsigned char>(*at); }
bool continues(const char* at) { return (byte_at(at) & 0xc0) == 0x80; }

// Length of the sequence at `at`, 0 if it is malformed. Overlong forms, surrogates and what is beyond U+10FFFF show in the second byte.
std::ptrdiff_t sequence(const char* at, const char* end) {
  const unsigned char lead = byte_at(at);
  const std::ptrdiff_t room = end - at;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  if (lead < 0xe0) return room >= 2 && continues(at + 1) ? 2 : 0;
  if (room < 3) return 0;
  const unsigned char second = byte_at(at + 1);
  if (lead < 0xf0) {
    const unsigned char low = lead == 0xe0 ? 0xa0 : 0x80;
    const unsigned char high = lead == 0xed ? 0x9f : 0xbf;
    return second >= low && second <= high && continues(at + 2) ? 3 : 0;
  }
  const unsigned char low = lead == 0xf0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xf4 ? 0x8f : 0xbf;
  return room >= 4 && second >= low && second <= high && continues(at + 2) && continues(at + 3) ? 4 : 0;
}

}  // namespace

const char* after_multibyte(const char* at, const char* end) {
  while (at != end && byte_at(at) >= 0x80) {
    const std::ptrdiff_t length = sequence(at, end);
    if (length == 0) break;
    at += length;
  }
  return at;
}

const char* first_invalid_utf8(const char* at, const char* end) {
  for (;;) {
    at = find_first<NonAscii>(at, end);
    if (at == end) return end;
    const char* const next = after_multibyte(at, end);
    if (next != end && byte_at(next) >= 0x80) return next;
    at = next;
  }
}

}  // namespace pons::detail
