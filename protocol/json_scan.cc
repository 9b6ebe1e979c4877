#include "protocol/json_scan.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>

#include "protocol/json_extent.h"
#include "protocol/limits.h"
#include "protocol/text_scan.h"

namespace pons::detail {
namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
  if (digit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The number that four hexadecimal digits make.
std::optional<unsigned> four_digits(const char* at, const char* end) {
  if (end - at < 4) return std::nullopt;
  unsigned unit = 0;
  for (int i = 0; i < 4; ++i) {
    const int value = hex_digit(at[i]);
    if (value < 0) return std::nullopt;
    unit = unit << 4 | static_cast<unsigned>(value);
  }
  return unit;
}

bool high_surrogate(unsigned unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool low_surrogate(unsigned unit) { return unit >= 0xdc00 && unit < 0xe000; }

// The power of ten of the first digit that is not 0: 0.012 gives -2. Nothing for zero. `exponent` is where the digits of the exponent
// begin with their sign, or `end`.
std::optional<std::int64_t> magnitude(const char* at, const char* end) {
  constexpr std::int64_t kFar = std::int64_t{1} << 40;  // beyond what any text in memory could make up for
  std::int64_t before_point = 0;
  std::int64_t leading = -1;  // digits before the first that counts
  std::int64_t seen = 0;
  bool point = false;
  for (; at != end && *at != 'e' && *at != 'E'; ++at) {
    if (*at == '.') point = true;
    if (!digit(*at)) continue;
    if (leading < 0 && *at != '0') leading = seen;
    ++seen;
    if (!point) ++before_point;
  }
  if (leading < 0) return std::nullopt;
  std::int64_t exponent = 0;
  const bool negative = at != end && at[1] == '-';
  for (; at != end; ++at) {
    if (digit(*at) && exponent < kFar) exponent = exponent * 10 + (*at - '0');
  }
  return before_point - 1 - leading + (negative ? -exponent : exponent);
}

// Of a well-formed number with a fraction or an exponent.
bool finite(const char* at, const char* end) {
  constexpr std::int64_t kLargest = 308;  // the largest double is 1.8e308
  const auto power = magnitude(at, end);
  if (!power || *power < kLargest) return true;
  if (*power > kLargest) return false;
  double value = 0;
  const auto [stop, failure] = std::from_chars(at, end, value);
  return failure == std::errc{} && std::isfinite(value);
}

void append_utf8(std::string& out, unsigned point) {
  const auto put = [&out](unsigned byte) { out += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xc0 | point >> 6);
    put(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    put(0xe0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3f));
    put(0x80 | (point & 0x3f));
  } else {
    put(0xf0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3f));
    put(0x80 | (point >> 6 & 0x3f));
    put(0x80 | (point & 0x3f));
  }
}

char simple_escape(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case '"':
    case '\\':
    case '/':
      return c;
    default:
      return '\0';
  }
}

// What a checked escape stands for; `at` is behind the backslash. Returns where the escape ends.
const char* decode_escape(const char* at, const char* end, std::string& out) {
  if (*at != 'u') {
    out += simple_escape(*at);
    return at + 1;
  }
  unsigned point = four_digits(at + 1, end).value_or(0);
  at += 5;
  if (high_surrogate(point)) {
    point = 0x10000 + ((point - 0xd800) << 10) + (four_digits(at + 2, end).value_or(0xdc00) - 0xdc00);
    at += 6;
  }
  append_utf8(out, point);
  return at;
}

}  // namespace

std::string JsonScanner::Text::decoded() const {
  if (!escaped) return std::string(raw);
  std::string out;
  out.reserve(raw.size());
  const char* at = raw.data();
  const char* const end = at + raw.size();
  while (at != end) {
    const char* const plain = find_first<QuoteOrBackslash>(at, end);
    out.append(at, plain);
    at = plain == end ? end : decode_escape(plain + 1, end, out);
  }
  return out;
}

const char* JsonScanner::fail(const char* where, const char* what) {
  problem_ = {where, what};
  return nullptr;
}

const char* JsonScanner::value(const char* at, int depth) {
  std::uint64_t kinds = 0;  // one bit for each container that is open: 1 for an object
  int open = 0;
  Text ignored;
  for (;;) {
    at = skip_space(at);
    if (at != end_ && (*at == '{' || *at == '[')) {
      if (depth + open >= kMaxDepth) return fail(at, "the nesting is deeper than 64");
      const bool object = *at == '{';
      at = skip_space(at + 1);
      if (at == end_ || *at != (object ? '}' : ']')) {
        kinds = kinds << 1 | (object ? 1 : 0);
        ++open;
        if (object && (at = key(at, ignored)) == nullptr) return nullptr;
        continue;
      }
      ++at;
    } else if ((at = scalar(at)) == nullptr) {
      return nullptr;
    }
    // A value has ended here, and with it perhaps the containers around it.
    for (;;) {
      if (open == 0) return at;
      at = skip_space(at);
      const bool object = (kinds & 1) != 0;
      if (at == end_) return fail(at, object ? "an object is not closed" : "an array is not closed");
      if (*at == ',') {
        ++at;
        if (object && (at = key(skip_space(at), ignored)) == nullptr) return nullptr;
        break;
      }
      if (*at != (object ? '}' : ']')) return fail(at, object ? "a comma or \"}\" was expected" : "a comma or \"]\" was expected");
      ++at;
      kinds >>= 1;
      --open;
    }
  }
}

const char* JsonScanner::scalar(const char* at) {
  if (at == end_) return fail(at, "the text ends where a value was expected");
  Text ignored;
  bool integer = false;
  switch (*at) {
    case '"':
      return string(at, ignored, "");
    case 't':
      return literal(at, "true");
    case 'f':
      return literal(at, "false");
    case 'n':
      return literal(at, "null");
    default:
      break;
  }
  if (*at == '-' || digit(*at)) return number(at, integer);
  return fail(at, "a value was expected");
}

const char* JsonScanner::literal(const char* at, std::string_view word) {
  if (std::string_view(at, static_cast<std::size_t>(end_ - at)).starts_with(word)) return at + word.size();
  return fail(at, "a value was expected");
}

const char* JsonScanner::string(const char* at, Text& text, const char* expected) {
  if (at == end_ || *at != '"') return fail(at, expected);
  const char* const start = at + 1;
  text.escaped = false;
  for (at = start;;) {
    at = find_first<EndsPlainText>(at, end_);
    if (at == end_) return fail(start - 1, "a string is not closed");
    if (*at == '"') {
      text.raw = {start, static_cast<std::size_t>(at - start)};
      return at + 1;
    }
    if (*at == '\\') {
      text.escaped = true;
      if ((at = escape(at + 1)) == nullptr) return nullptr;
    } else if (static_cast<unsigned char>(*at) < 0x20) {
      return fail(at, "a control character stands in a string unescaped");
    } else {
      const char* const next = after_multibyte(at, end_);
      if (next == at) return fail(at, "a string is not valid UTF-8");
      at = next;
    }
  }
}

const char* JsonScanner::escape(const char* at) {
  if (at == end_) return fail(at, "a string is not closed");
  if (*at == 'u') return unicode_escape(at);
  if (simple_escape(*at) == '\0') return fail(at - 1, "a string holds an unknown escape");
  return at + 1;
}

const char* JsonScanner::unicode_escape(const char* at) {
  const char* const start = at - 1;
  const auto unit = four_digits(at + 1, end_);
  if (!unit) return fail(start, "\"\\u\" is not followed by four hexadecimal digits");
  at += 5;
  if (low_surrogate(*unit)) return fail(start, "a lone surrogate is escaped");
  if (!high_surrogate(*unit)) return at;
  const bool paired = end_ - at >= 2 && at[0] == '\\' && at[1] == 'u';
  const auto second = paired ? four_digits(at + 2, end_) : std::nullopt;
  if (!second || !low_surrogate(*second)) return fail(start, "a lone surrogate is escaped");
  return at + 6;
}

const char* JsonScanner::key(const char* at, Text& text) {
  at = string(at, text, "a key in double quotes was expected");
  if (at == nullptr) return nullptr;
  at = skip_space(at);
  if (at == end_ || *at != ':') return fail(at, "a colon was expected after a key");
  return at + 1;
}

const char* JsonScanner::digits(const char* at, const char* what) {
  if (at == end_ || !digit(*at)) return fail(at, what);
  while (at != end_ && digit(*at)) ++at;
  return at;
}

const char* JsonScanner::number(const char* at, bool& integer) {
  const char* const start = at;
  if (*at == '-') ++at;
  const bool zero = at != end_ && *at == '0';
  const char* const first = at;
  if ((at = digits(at, "a digit was expected")) == nullptr) return nullptr;
  if (zero && at - first > 1) return fail(first, "a number begins with a superfluous 0");
  integer = true;
  if (at != end_ && *at == '.') {
    integer = false;
    if ((at = digits(at + 1, "a digit was expected after the point")) == nullptr) return nullptr;
  }
  const bool exponent = at != end_ && (*at == 'e' || *at == 'E');
  if (exponent) {
    integer = false;
    ++at;
    if (at != end_ && (*at == '+' || *at == '-')) ++at;
    if ((at = digits(at, "a digit was expected in the exponent")) == nullptr) return nullptr;
  }
  constexpr std::ptrdiff_t kSurelyFinite = 300;  // so few digits and no exponent
  if (!integer && (exponent || at - start > kSurelyFinite) && !finite(start, at)) return fail(start, "a number is too large for a double");
  return at;
}

const char* JsonScanner::skip_string(const char* at) {
  const char* const start = at;
  for (++at;;) {
    at = find_first<QuoteOrBackslash>(at, end_);
    if (at == end_ || end_ - at == 1) break;
    if (*at == '"') return at + 1;
    at += 2;
  }
  if (at != end_ && *at == '"') return at + 1;
  return fail(start, "a string is not closed");
}

const char* JsonScanner::extent(const char* at) {
  at = skip_space(at);
  if (at == end_) return fail(at, "the text ends where a value was expected");
  if (*at == '"') return skip_string(at);
  if (*at != '{' && *at != '[') return scalar(at);
  const char* const stop = end_of_container(at, end_);
  if (stop == nullptr) return fail(at, *at == '{' ? "an object is not closed" : "an array is not closed");
  return stop;
}

namespace {

void append_escaped(std::string& out, char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  static constexpr std::string_view kShort = "btn.fr";  // from 8 on; 11 has none
  const auto byte = static_cast<unsigned char>(c);
  out += '\\';
  if (byte >= 0x20) {
    out += c;
  } else if (byte >= 8 && byte < 8 + kShort.size() && byte != 11) {
    out += kShort[byte - 8u];
  } else {
    out += "u00";
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  const char* const end = text.data() + text.size();
  for (const char* at = text.data();;) {
    const char* const plain = find_first<NeedsEscape>(at, end);
    out.append(at, plain);
    if (plain == end) break;
    append_escaped(out, *plain);
    at = plain + 1;
  }
  out += '"';
}

}  // namespace pons::detail
