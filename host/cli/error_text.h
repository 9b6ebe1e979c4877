// A failed command on stderr, for people and for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "protocol/error.h"

namespace pons::cli {

/// The code's name as the host sent it, also where only the adapter knows it.
std::string code_name(const Error& error);

/// "error: MESSAGE (CODE)", then what helps out of `details`, indented; with the names that may have been meant.
std::string error_text(const Error& error, const std::vector<std::string>& meant);
/// {error, code, retryable, details?, did_you_mean?} on one line. `idempotent`: of the request.
std::string error_json(const Error& error, const std::vector<std::string>& meant, bool idempotent);

}  // namespace pons::cli
