// A table out of CSV text (RFC 4180: commas, double quotes, any line end), still as text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pons::xgb {

/// Reads one record after the other. A mark at the start (UTF-8 BOM) and empty lines are skipped.
class CsvReader {
 public:
  /// `text` must outlive it.
  explicit CsvReader(std::string_view text);
  /// False at the end. Cells lose quotes, and white space around them if they had none.
  bool next(std::vector<std::string>& cells);
  /// The line, from 1, on which the last record began.
  [[nodiscard]] std::size_t line() const { return line_; }
  /// The text ended inside quotes.
  [[nodiscard]] bool unterminated() const { return unterminated_; }

 private:
  bool read_cell(std::string& cell);
  void read_quoted(std::string& cell);

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 0;
  std::size_t next_line_ = 1;
  bool unterminated_ = false;
};

/// A cell that says that there is no value: empty, `NA`, `NaN`, `null`, `?`.
bool is_missing_cell(std::string_view cell);
/// The whole cell as a number; false if it is none.
bool parse_number(std::string_view cell, double& number);

}  // namespace pons::xgb
