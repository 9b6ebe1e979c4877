// How a message and its fields become the text of a log line. Pure.
#pragma once

#include <string>
#include <string_view>

#include "host/log.h"

namespace pons {

/// `message key=value key="with space"`; control characters as `\x1b`, what is not UTF-8 as U+FFFD, so that one call is one line and no
/// program can send its escape sequences to the terminal.
std::string text_payload(std::string_view message, LogFieldView fields);

/// `"level":"info","message":"...","key":value}`: the rest of a JSON object whose beginning holds the time.
std::string json_payload(LogLevel level, std::string_view message, LogFieldView fields);

}  // namespace pons
