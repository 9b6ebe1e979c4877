#include "host/cli/table.h"

#include <algorithm>

#include "host/cli/json_text.h"

namespace pons::cli {

void Table::add(const std::vector<std::string>& cells) {
  std::vector<std::string> row;
  for (const auto& cell : cells) {
    auto text = harmless(cell);
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
    row.push_back(std::move(text));
  }
  row.resize(columns_.size());
  rows_.push_back(std::move(row));
}

std::string Table::text() const {
  std::vector<std::string> lines(rows_.size() + 1);
  for (std::size_t column = 0; column < columns_.size(); ++column) {
    std::size_t width = 0;
    for (const auto& row : rows_) width = std::max(width, width_of(row[column]));
    if (width == 0) continue;
    width = std::max(width, width_of(columns_[column].title));
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const auto& cell = i == 0 ? columns_[column].title : rows_[i - 1][column];
      const std::string space(width - width_of(cell), ' ');
      if (!lines[i].empty()) lines[i] += "  ";
      lines[i] += columns_[column].align == Align::left ? cell + space : space + cell;
    }
  }
  std::string text;
  for (auto& line : lines) {
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace pons::cli
