#include "adapters/xgboost/csv.h"

#include <algorithm>
#include <charconv>

namespace pons::xgb {

namespace {

void trim(std::string& cell) {
  static constexpr const char* kSpace = " \t";
  cell.erase(cell.find_last_not_of(kSpace) + 1);
  cell.erase(0, cell.find_first_not_of(kSpace));
}

}  // namespace

CsvReader::CsvReader(std::string_view text) : text_(text) {
  if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
}

bool CsvReader::next(std::vector<std::string>& cells) {
  while (at_ < text_.size()) {
    cells.clear();
    line_ = next_line_;
    for (bool more = true; more;) more = read_cell(cells.emplace_back());
    ++next_line_;
    if (cells.size() > 1 || !cells.front().empty()) return true;
  }
  return false;
}

// Leaves at_ behind the cell and its separator; true if that was a comma.
bool CsvReader::read_cell(std::string& cell) {
  const std::size_t start = at_;
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  if (at_ < text_.size() && text_[at_] == '"') {
    read_quoted(cell);
  } else {
    at_ = start;
    const std::size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    cell = text_.substr(at_, end - at_);
    trim(cell);
    at_ = end;
  }
  if (at_ < text_.size() && text_[at_] == '\r') ++at_;
  if (at_ < text_.size() && text_[at_] == '\n') {
    ++at_;
    return false;
  }
  if (at_ < text_.size() && text_[at_] == ',') {
    ++at_;
    return true;
  }
  return false;
}

void CsvReader::read_quoted(std::string& cell) {
  for (++at_; at_ < text_.size(); ++at_) {
    if (text_[at_] == '\n') ++next_line_;
    if (text_[at_] != '"') {
      cell += text_[at_];
    } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
      cell += text_[++at_];
    } else {
      at_ = std::min(text_.find_first_of(",\r\n", at_ + 1), text_.size());  // what stands between the quote and the separator is dropped
      return;
    }
  }
  unterminated_ = true;
}

bool is_missing_cell(std::string_view cell) {
  return cell.empty() || cell == "?" || cell == "NA" || cell == "N/A" || cell == "NaN" || cell == "nan" || cell == "null" || cell == "NULL";
}

bool parse_number(std::string_view cell, double& number) {
  if (cell.starts_with('+')) cell.remove_prefix(1);
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), number);
  return error == std::errc{} && end == cell.data() + cell.size();
}

}  // namespace pons::xgb
