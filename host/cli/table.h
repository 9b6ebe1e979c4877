// Aligned columns for people.
#pragma once

#include <string>
#include <vector>

namespace pons::cli {

class Table {
 public:
  enum class Align : unsigned char { left, right };
  struct Column {
    std::string title;
    Align align = Align::left;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// One cell a column. Control characters become visible.
  void add(const std::vector<std::string>& cells);
  /// Titles, then rows, each with its line feed; a column that is empty in every row is left out.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace pons::cli
