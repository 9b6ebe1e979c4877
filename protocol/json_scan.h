// Checks JSON text (RFC 8259, and the limits of docs/protocol.md section 2) byte by byte without building anything. No recursion.
// Internal to the protocol library.
//
// Every step takes the place where it begins and returns the place where it ends, or nullptr; then problem() says why.
#pragma once

#include <string>
#include <string_view>

#include "protocol/scan_problem.h"

namespace pons::detail {

class JsonScanner {
 public:
  /// A string's content between the quotes, as it stands.
  struct Text {
    std::string_view raw;
    bool escaped = false;
    [[nodiscard]] std::string decoded() const;
  };

  explicit JsonScanner(std::string_view text) : begin_(text.data()), end_(begin_ + text.size()) {}

  [[nodiscard]] const char* begin() const { return begin_; }
  [[nodiscard]] const char* end() const { return end_; }
  [[nodiscard]] const ScanProblem& problem() const { return problem_; }
  const char* fail(const char* where, const char* what);

  const char* skip_space(const char* at) const {
    while (at != end_ && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
    return at;
  }
  /// One value with everything in it, checked; leading space is skipped. `depth` containers are open around it.
  const char* value(const char* at, int depth);
  /// A string; `at` is its opening quote (or not: then that is the problem, called `expected`).
  const char* string(const char* at, Text& text, const char* expected);
  /// A key and its colon; ends before the value.
  const char* key(const char* at, Text& text);
  const char* number(const char* at, bool& integer);
  /// One value of which only the end is looked for: strings closed, brackets matched in number.
  const char* extent(const char* at);

 private:
  const char* scalar(const char* at);
  const char* literal(const char* at, std::string_view word);
  const char* escape(const char* at);
  const char* unicode_escape(const char* at);
  const char* digits(const char* at, const char* what);
  const char* skip_string(const char* at);

  const char* begin_;
  const char* end_;
  ScanProblem problem_;
};

/// Appends `text` (UTF-8) as a JSON string, quotes included.
void append_json_string(std::string& out, std::string_view text);

}  // namespace pons::detail
