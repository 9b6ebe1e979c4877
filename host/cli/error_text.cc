#include "host/cli/error_text.h"

#include <algorithm>
#include <sstream>

#include "host/cli/fault.h"
#include "host/cli/json_text.h"
#include "host/config/error.h"

namespace pons::cli {

using nlohmann::json;

namespace {

std::string scalar_text(const json& value) { return value.is_string() ? value.get<std::string>() : one_line(value); }

void add_block(std::string& out, const std::string& title, const std::string& content) {
  out += "  " + title + ":\n";
  std::istringstream lines(content);
  for (std::string line; std::getline(lines, line);) out += "    " + line + "\n";
}

std::string lines_of(const json& value) {
  if (!value.is_array()) return scalar_text(value);
  std::string text;
  for (const auto& line : value) text += scalar_text(line) + "\n";
  return text;
}

void add_faults(std::string& out, const json& faults) {
  for (const auto& fault : faults) {
    if (!fault.is_object()) continue;
    const auto path = scalar_text(fault.value("path", json("")));
    out += "  " + (path.empty() ? std::string("arguments") : path) + ": " + scalar_text(fault.value("message", json("")));
    if (fault.contains("expected")) out += " (expected: " + scalar_text(fault["expected"]) + ")";
    out += "\n";
  }
}

/// As `pons check` prints them; the first is in the error's own message.
void add_issues(std::string& out, const json& issues) {
  for (std::size_t i = 1; i < issues.size(); ++i) {
    const auto& said = issues[i];
    if (!said.is_object()) continue;
    const auto number = [&](const char* name) { return said.contains(name) && said[name].is_number_integer() ? said[name].get<int>() : 0; };
    const auto text = [&](const char* name) { return scalar_text(said.value(name, json(""))); };
    out += "  " + ConfigIssue{text("file"), number("line"), number("column"), text("path"), text("message")}.to_string() + "\n";
  }
}

void add_details(std::string& out, const json& details) {
  if (!details.is_object()) return;
  for (const auto& [key, value] : details.items()) {
    if (key == "code" || key == "nearest") continue;
    if (key == "errors" && value.is_array()) {
      add_faults(out, value);
    } else if (key == "issues" && value.is_array()) {
      add_issues(out, value);
    } else if (key == "stderr_tail" || key == "traceback" || key == "stack") {
      if (!value.empty() && value != json("")) add_block(out, key, lines_of(value));
    } else if (!value.is_null()) {
      out += "  " + key + ": " + scalar_text(value) + "\n";
    }
  }
}

}  // namespace

ExitStatus exit_status_of(ErrorCode code) {
  return code == ErrorCode::deadline_exceeded || code == ErrorCode::queue_timeout ? ExitStatus::timed_out : ExitStatus::failed;
}

std::string code_name(const Error& error) {
  const bool foreign = error.code == ErrorCode::worker_error && error.details.is_object() && error.details.contains("code");
  return foreign ? scalar_text(error.details["code"]) : std::string(to_string(error.code));
}

std::string error_text(const Error& error, const std::vector<std::string>& meant) {
  std::string out = "error: " + error.message + " (" + code_name(error) + ")\n";
  if (!meant.empty()) {
    out += "  did you mean ";
    for (std::size_t i = 0; i < meant.size(); ++i) out += (i == 0 ? "" : " or ") + meant[i];
    out += "?\n";
  }
  add_details(out, error.details);
  return harmless(out);
}

std::string error_json(const Error& error, const std::vector<std::string>& meant, bool idempotent) {
  json out{{"error", error.message}, {"code", code_name(error)}, {"retryable", error.may_retry(idempotent)}};
  if (!error.details.is_null()) out["details"] = error.details;
  if (!meant.empty()) out["did_you_mean"] = meant;
  return one_line(out) + "\n";
}

}  // namespace pons::cli
