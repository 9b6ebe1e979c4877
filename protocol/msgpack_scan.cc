#include "protocol/msgpack_scan.h"

#include <array>
#include <bit>

#include "protocol/limits.h"
#include "protocol/text_scan.h"

namespace pons::detail {
namespace {

enum class Form : std::uint8_t {
  immediate,  // the value is in the first byte
  unsigned_,  // `extra` bytes of the value follow
  signed_,
  floating,
  sized,  // `extra` bytes that tell size or count follow
};

struct Lead {
  MsgpackKind kind = MsgpackKind::never;
  Form form = Form::immediate;
  std::uint8_t extra = 0;
  std::uint8_t number = 0;  // of `immediate`; of ext: bytes to add for the type
};

constexpr std::array<Lead, 256> make_leads() {
  using enum MsgpackKind;
  std::array<Lead, 256> leads{};
  for (unsigned i = 0; i < 0x80; ++i) leads[i] = {positive, Form::immediate, 0, static_cast<std::uint8_t>(i)};
  for (unsigned i = 0; i < 16; ++i) {
    leads[0x80 + i] = {map, Form::immediate, 0, static_cast<std::uint8_t>(i)};
    leads[0x90 + i] = {array, Form::immediate, 0, static_cast<std::uint8_t>(i)};
  }
  for (unsigned i = 0; i < 32; ++i) {
    leads[0xa0 + i] = {str, Form::immediate, 0, static_cast<std::uint8_t>(i)};
    leads[0xe0 + i] = {negative, Form::immediate, 0, static_cast<std::uint8_t>(0xe0 + i)};
  }
  leads[0xc0] = {nil, Form::immediate, 0, 0};
  leads[0xc2] = {boolean, Form::immediate, 0, 0};
  leads[0xc3] = {boolean, Form::immediate, 0, 1};
  leads[0xca] = {real, Form::floating, 4, 0};
  leads[0xcb] = {real, Form::floating, 8, 0};
  for (unsigned i = 0; i < 4; ++i) {
    const auto bytes = static_cast<std::uint8_t>(1u << i);
    leads[0xcc + i] = {positive, Form::unsigned_, bytes, 0};
    leads[0xd0 + i] = {negative, Form::signed_, bytes, 0};
    if (i == 3) continue;
    leads[0xc4 + i] = {bin, Form::sized, bytes, 0};
    leads[0xc7 + i] = {ext, Form::sized, bytes, 1};
    leads[0xd9 + i] = {str, Form::sized, bytes, 0};
  }
  for (unsigned i = 0; i < 5; ++i) leads[0xd4 + i] = {ext, Form::immediate, 0, static_cast<std::uint8_t>((1u << i) + 1)};
  for (unsigned i = 0; i < 2; ++i) {
    const auto bytes = static_cast<std::uint8_t>(2u << i);
    leads[0xdc + i] = {array, Form::sized, bytes, 0};
    leads[0xde + i] = {map, Form::sized, bytes, 0};
  }
  return leads;
}

constexpr std::array<Lead, 256> kLeads = make_leads();

// The whole size of a value whose first byte says it all and whose content needs no look: numbers, nil, bool, fixext. 0 for others.
constexpr std::array<std::uint8_t, 256> make_plain_sizes() {
  std::array<std::uint8_t, 256> sizes{};
  for (unsigned i = 0; i < sizes.size(); ++i) {
    const Lead& lead = kLeads[i];
    const bool number = lead.kind == MsgpackKind::positive || lead.kind == MsgpackKind::negative || lead.kind == MsgpackKind::real;
    const bool constant = lead.kind == MsgpackKind::nil || lead.kind == MsgpackKind::boolean;
    const bool fixext = lead.kind == MsgpackKind::ext && lead.form == Form::immediate;
    if (number || constant) sizes[i] = static_cast<std::uint8_t>(1 + lead.extra);
    if (fixext) sizes[i] = static_cast<std::uint8_t>(1 + lead.number);
  }
  return sizes;
}

constexpr std::array<std::uint8_t, 256> kPlainSizes = make_plain_sizes();

std::uint64_t big_endian(const char* at, unsigned bytes) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < bytes; ++i) value = value << 8 | static_cast<unsigned char>(at[i]);
  return value;
}

void set_signed(MsgpackHead& head, std::uint64_t bits, unsigned bytes) {
  const unsigned unused = 64 - 8 * bytes;
  const auto value = static_cast<std::int64_t>(bits << unused) >> unused;
  head.kind = value < 0 ? MsgpackKind::negative : MsgpackKind::positive;
  head.number = static_cast<std::uint64_t>(value);
  head.real = static_cast<double>(value);
}

void set_number(MsgpackHead& head, const Lead& lead, const char* at) {
  const std::uint64_t bits = big_endian(at, lead.extra);
  switch (lead.form) {
    case Form::signed_:
      set_signed(head, bits, lead.extra);
      return;
    case Form::floating:
      head.real =
          lead.extra == 4 ? static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits))) : std::bit_cast<double>(bits);
      return;
    case Form::unsigned_:
      head.number = bits;
      head.real = static_cast<double>(bits);
      return;
    case Form::sized:
      head.number = bits + lead.number;
      return;
    case Form::immediate:
      return;
  }
}

// The bytes that a value with this head needs at least, after the head.
std::uint64_t least_content(const MsgpackHead& head) {
  switch (head.kind) {
    case MsgpackKind::str:
    case MsgpackKind::bin:
    case MsgpackKind::ext:
    case MsgpackKind::array:
      return head.number;
    case MsgpackKind::map:
      return 2 * head.number;
    case MsgpackKind::nil:
    case MsgpackKind::boolean:
    case MsgpackKind::positive:
    case MsgpackKind::negative:
    case MsgpackKind::real:
    case MsgpackKind::never:
      return 0;
  }
  return 0;
}

void append_big_endian(std::string& out, std::uint64_t value, unsigned bytes) {
  for (unsigned i = bytes; i-- > 0;) out += static_cast<char>(value >> (8 * i));
}

// A lead byte and the shortest big-endian size behind it.
void append_sized(std::string& out, std::uint64_t value, std::array<unsigned char, 4> leads) {
  const unsigned log = value <= UINT8_MAX ? 0 : value <= UINT16_MAX ? 1 : value <= UINT32_MAX ? 2 : 3;
  out += static_cast<char>(leads[log]);
  append_big_endian(out, value, 1u << log);
}

}  // namespace

const char* MsgpackScanner::fail(const char* where, const char* what) {
  problem_ = {where, what};
  return nullptr;
}

const char* MsgpackScanner::head(const char* at, MsgpackHead& head) {
  if (at == end_) return fail(at, "the body ends where a value was expected");
  const char* const start = at;
  const auto byte = static_cast<unsigned char>(*at);
  const Lead& lead = kLeads[byte];
  ++at;
  if (lead.kind == MsgpackKind::never) return fail(start, "the byte 0xc1 is never used");
  head.kind = lead.kind;
  head.number = lead.number;
  if (lead.form == Form::immediate) {
    if (lead.kind == MsgpackKind::positive || lead.kind == MsgpackKind::negative) set_signed(head, byte, 1);
  } else {
    if (end_ - at < lead.extra) return fail(start, "a value is cut off");
    set_number(head, lead, at);
    at += lead.extra;
  }
  if (least_content(head) > static_cast<std::uint64_t>(end_ - at)) return fail(start, "a declared size is larger than what remains");
  return at;
}

const char* MsgpackScanner::text(const char* at, std::uint64_t size) {
  const char* const stop = at + size;
  if (short_ascii(at, size, end_)) return stop;
  const char* const wrong = first_invalid_utf8(at, stop);
  return wrong == stop ? stop : fail(wrong, "a str is not valid UTF-8");
}

const char* MsgpackScanner::str(const char* at, std::string_view& content, bool& is_str) {
  MsgpackHead found;
  const char* const start = head(at, found);
  if (start == nullptr) return nullptr;
  is_str = found.kind == MsgpackKind::str;
  if (!is_str) return at;
  content = {start, found.number};
  return text(start, found.number);
}

// What is met most: a number or constant (no key), or a short str of ASCII. nullptr: look closer.
const char* MsgpackScanner::after_simple(const char* at, bool is_key) const {
  if (at == end_) return nullptr;
  const auto lead = static_cast<unsigned char>(*at);
  if ((lead & 0xe0) == 0xa0) {
    const std::ptrdiff_t size = lead & 0x1f;
    return size < end_ - at && short_ascii(at + 1, static_cast<std::uint64_t>(size), end_) ? at + 1 + size : nullptr;
  }
  const std::ptrdiff_t size = kPlainSizes[lead];
  return !is_key && size != 0 && size <= end_ - at ? at + size : nullptr;
}

const char* MsgpackScanner::value(const char* at, int depth, MsgpackKeys keys) {
  struct Level {
    std::uint64_t left;  // values still to come in this container, keys counted
    bool map;
  };
  std::array<Level, kMaxDepth> outer;  // only what is below `open` is ever read
  std::size_t open = 0;
  Level now{1, false};
  for (;;) {
    while (now.left == 0) {
      if (open == 0) return at;
      now = outer[--open];
    }
    const bool is_key = now.map && now.left % 2 == 0;
    --now.left;
    if (const char* const next = after_simple(at, is_key); next != nullptr) {
      at = next;
      continue;
    }
    const char* const start = at;
    MsgpackHead found;
    if ((at = head(at, found)) == nullptr) return nullptr;
    if (is_key && keys == MsgpackKeys::strings && found.kind != MsgpackKind::str) return fail(start, "the key of a map is not a string");
    if (found.kind == MsgpackKind::str) {
      if ((at = text(at, found.number)) == nullptr) return nullptr;
    } else if (found.kind == MsgpackKind::array || found.kind == MsgpackKind::map) {
      if (static_cast<std::size_t>(depth) + open >= kMaxDepth) return fail(start, "the nesting is deeper than 64");
      outer[open++] = now;
      now = {least_content(found), found.kind == MsgpackKind::map};
    } else {
      at += least_content(found);
    }
  }
}

const char* MsgpackScanner::extent(const char* at) {
  // Every value takes a byte at least, so that a sum larger than what remains can never be met.
  for (std::uint64_t left = 1; left > 0; --left) {
    if (left > static_cast<std::uint64_t>(end_ - at)) return fail(at, "a declared size is larger than what remains");
    const auto lead = static_cast<unsigned char>(*at);
    const std::ptrdiff_t size = (lead & 0xe0) == 0xa0 ? 1 + (lead & 0x1f) : kPlainSizes[lead];
    if (size != 0 && size <= end_ - at) {
      at += size;
      continue;
    }
    MsgpackHead found;
    if ((at = head(at, found)) == nullptr) return nullptr;
    if (found.kind == MsgpackKind::array || found.kind == MsgpackKind::map) {
      left += least_content(found);
    } else {
      at += least_content(found);
    }
  }
  return at;
}

void append_msgpack_uint(std::string& out, std::uint64_t value) {
  if (value < 0x80) {
    out += static_cast<char>(value);
  } else {
    append_sized(out, value, {0xcc, 0xcd, 0xce, 0xcf});
  }
}

void append_msgpack_str(std::string& out, std::string_view text) {
  if (text.size() < 32) {
    out += static_cast<char>(0xa0 | text.size());
  } else {
    append_sized(out, text.size(), {0xd9, 0xda, 0xdb, 0xdb});
  }
  out += text;
}

void append_msgpack_map(std::string& out, std::uint32_t pairs) {
  if (pairs < 16) {
    out += static_cast<char>(0x80 | pairs);
  } else if (pairs <= UINT16_MAX) {
    out += '\xde';
    append_big_endian(out, pairs, 2);
  } else {
    out += '\xdf';
    append_big_endian(out, pairs, 4);
  }
}

}  // namespace pons::detail
