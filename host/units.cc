#include "host/units.h"

#include <array>
#include <limits>
#include <optional>

namespace pons {
namespace {

using std::chrono::milliseconds;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::uint64_t kKiB = 1024;
constexpr std::array kTimes{Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1'000}, Unit{"ms", 1}};
// At equal length the power of 1024 comes first: it is what people mean.
constexpr std::array kSizes{Unit{"TiB", kKiB* kKiB* kKiB* kKiB},
                            Unit{"TB", 1'000'000'000'000},
                            Unit{"GiB", kKiB* kKiB* kKiB},
                            Unit{"GB", 1'000'000'000},
                            Unit{"MiB", kKiB* kKiB},
                            Unit{"MB", 1'000'000},
                            Unit{"KiB", kKiB},
                            Unit{"KB", 1'000},
                            Unit{"B", 1}};
constexpr std::uint64_t kMostMillis = 100ULL * 365 * 24 * 3'600'000;
constexpr std::uint64_t kMostBytes = std::numeric_limits<std::int64_t>::max();

bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_name(std::string_view a, std::string_view b, bool any_case) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (any_case ? lower(a[i]) != lower(b[i]) : a[i] != b[i]) return false;
  }
  return true;
}

std::string_view take_digits(std::string_view& rest) {
  std::size_t n = 0;
  while (n < rest.size() && is_digit(rest[n])) ++n;
  const std::string_view digits = rest.substr(0, n);
  rest.remove_prefix(n);
  return digits;
}

struct Quantity {
  std::string_view whole;
  std::string_view fraction;  // digits behind the point; may be empty
  std::string_view unit;
};

// number [fraction] [one space] unit; nothing if it has not that form.
std::optional<Quantity> split(std::string_view text) {
  Quantity q;
  q.whole = take_digits(text);
  if (q.whole.empty()) return std::nullopt;
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    q.fraction = take_digits(text);
    if (q.fraction.empty()) return std::nullopt;
  }
  if (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  q.unit = text;
  return q;
}

// Nothing when it is more than `most`. What is above 0 never becomes 0.
std::optional<std::uint64_t> scale(const Quantity& q, std::uint64_t factor, std::uint64_t most) {
  std::uint64_t whole = 0;
  for (const char c : q.whole) {
    if (__builtin_mul_overflow(whole, std::uint64_t{10}, &whole)) return std::nullopt;
    if (__builtin_add_overflow(whole, static_cast<std::uint64_t>(c - '0'), &whole)) return std::nullopt;
  }
  std::uint64_t value = 0;
  if (__builtin_mul_overflow(whole, factor, &value)) return std::nullopt;
  long double part = 0;
  long double place = static_cast<long double>(factor);
  for (const char c : q.fraction) part += (place /= 10) * static_cast<long double>(c - '0');
  if (__builtin_add_overflow(value, static_cast<std::uint64_t>(part + 0.5L), &value)) return std::nullopt;
  if (value == 0 && part > 0) value = 1;
  if (value > most) return std::nullopt;
  return value;
}

template <std::size_t N>
Result<std::uint64_t> parse(std::string_view text, const std::array<Unit, N>& units, bool any_case, std::uint64_t most,
                            std::string_view expected) {
  const auto fail = [&](std::string_view why) {
    return Error{ErrorCode::invalid_args, "expected " + std::string(expected) + ", got \"" + std::string(text) + "\"" + std::string(why)};
  };
  if (text == "0") return std::uint64_t{0};
  const std::optional<Quantity> q = split(text);
  if (!q) return fail("");
  if (q->unit.empty()) return fail(" without a unit");
  for (const Unit& unit : units) {
    if (!same_name(unit.name, q->unit, any_case)) continue;
    const std::optional<std::uint64_t> value = scale(*q, unit.factor, most);
    if (!value) return fail(", which is too much");
    return *value;
  }
  return fail("");
}

template <std::size_t N>
std::string format(std::uint64_t value, const std::array<Unit, N>& units, std::string_view zero) {
  if (value == 0) return std::string(zero);
  const Unit* best = nullptr;
  for (const Unit& unit : units) {
    if (value % unit.factor == 0 && (best == nullptr || unit.factor > best->factor)) best = &unit;
  }
  return std::to_string(value / best->factor) + std::string(best->name);
}

}  // namespace

Result<milliseconds> parse_duration(std::string_view text) {
  const Result<std::uint64_t> value = parse(text, kTimes, false, kMostMillis, "a time such as 250ms, 30s, 10m or 2h");
  if (!value) return value.error();
  return milliseconds(static_cast<milliseconds::rep>(*value));
}

Result<std::uint64_t> parse_size(std::string_view text) {
  return parse(text, kSizes, true, kMostBytes, "a size such as 512KiB, 64MiB or 2GB");
}

std::string format_duration(milliseconds time) { return format(static_cast<std::uint64_t>(time.count()), kTimes, "0s"); }

std::string format_size(std::uint64_t bytes) { return format(bytes, kSizes, "0B"); }

}  // namespace pons
