// Sizes and times as people write them: "512KiB", "2GB", "250ms", "1.5s". Pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/error.h"

namespace pons {

/// A time: a number, which may have a fraction, and one of `ms s m h`, with at most one space between them; "0" needs no
/// unit. Rounded to whole milliseconds, but never down to 0. invalid_args, with a message that says what was expected, for
/// anything else and for what is above 100 years.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// Bytes: a number, which may have a fraction, and one of `B KB MB GB TB` (powers of 1000) or `KiB MiB GiB TiB` (powers of 1024), in
/// any case; "0" needs no unit. invalid_args for anything else and for what does not fit in 63 bits.
Result<std::uint64_t> parse_size(std::string_view text);

/// The shortest exact form: 90000 ms is "90s", 3600000 ms "1h", 0 "0s".
std::string format_duration(std::chrono::milliseconds time);

/// The shortest exact form: 65536 is "64KiB", 2000000 "2MB", 0 "0B".
std::string format_size(std::uint64_t bytes);

}  // namespace pons
