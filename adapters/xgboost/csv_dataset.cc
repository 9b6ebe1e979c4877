#include "adapters/xgboost/csv_dataset.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "adapters/xgboost/csv.h"
#include "adapters/xgboost/files.h"

namespace pons::xgb {

namespace {

using nlohmann::json;
using Cells = std::vector<std::string>;

class CsvDatasetReader {
 public:
  CsvDatasetReader(const std::string& path, const std::string& argument, const CsvOptions& options)
      : path_(path), argument_(argument), options_(options), text_(read_file(path, argument, kMaxCsvBytes)), reader_(text_) {}

  Dataset read() {
    Cells cells;
    if (!reader_.next(cells)) refuse(path_ + " is empty");
    if (cells.size() < 2) refuse(line() + " has a single column; a label and at least one feature are needed, separated by commas");
    columns_ = cells.size();
    find_label(cells);
    if (options_.header.value_or(looks_like_header(cells))) {
      name_features(cells);
    } else {
      if (options_.label.is_string()) refuse(path_ + " has no header line, so its label cannot be named", options_.label_path);
      for (std::size_t i = 0; i + 1 < columns_; ++i) data_.feature_names.push_back("f" + std::to_string(i));
      take(cells);
    }
    while (!complaints_.full() && reader_.next(cells)) take(cells);
    if (reader_.unterminated()) refuse(line() + " opens a quote that is never closed");
    complaints_.throw_if_any();
    if (data_.table.rows == 0) refuse(path_ + " has a header line, but no rows");
    data_.table.columns = columns_ - 1;
    data_.name = path_;
    data_.labels.path = argument_;
    type_labels();
    return std::move(data_);
  }

 private:
  [[nodiscard]] std::string line() const { return path_ + ", line " + std::to_string(reader_.line()); }
  [[noreturn]] void refuse(const std::string& message) const { refuse(message, argument_); }
  [[noreturn]] static void refuse(const std::string& message, const std::string& argument) { throw_invalid_args(argument, message); }

  void find_label(const Cells& first) {
    const json& label = options_.label;
    if (label.is_string()) {
      const auto at = std::find(first.begin(), first.end(), label.get_ref<const std::string&>());
      if (at == first.end()) {
        throw_invalid_args(options_.label_path,
                           path_ + " has no column " + label.dump(-1, ' ', false, json::error_handler_t::replace) +
                               did_you_mean(nearest(label.get_ref<const std::string&>(), first)),
                           first);
      }
      label_ = static_cast<std::size_t>(at - first.begin());
      return;
    }
    const auto count = static_cast<std::int64_t>(columns_);
    const std::int64_t index = label.is_number_integer() ? label.get<std::int64_t>() : count;
    if (index >= count || index < -count) {
      refuse("\"label\" must be the name or the index of one of the " + std::to_string(columns_) + " columns, not " + shown(label),
             options_.label_path);
    }
    label_ = static_cast<std::size_t>(index < 0 ? index + count : index);
  }

  [[nodiscard]] bool looks_like_header(const Cells& first) const {
    for (std::size_t i = 0; i < columns_; ++i) {
      double number = 0;
      if (i != label_ && !is_missing_cell(first[i]) && !parse_number(first[i], number)) return true;
    }
    return false;
  }

  void name_features(const Cells& header) {
    for (std::size_t i = 0; i < columns_; ++i) {
      if (i != label_) data_.feature_names.push_back(header[i].empty() ? "f" + std::to_string(data_.feature_names.size()) : header[i]);
    }
  }

  void take(const Cells& cells) {
    if (cells.size() != columns_) {
      complaints_.add(argument_,
                      line() + " has " + std::to_string(cells.size()) + " columns, the first line has " + std::to_string(columns_),
                      columns_);
      return;
    }
    std::size_t feature = 0;
    for (std::size_t i = 0; i < columns_; ++i) {
      if (i != label_) take_feature(cells[i], i, feature++);
    }
    if (is_missing_cell(cells[label_])) complaints_.add(argument_, line() + " has no label");
    label_texts_.push_back(cells[label_]);
    ++data_.table.rows;
  }

  void take_feature(const std::string& cell, std::size_t column, std::size_t feature) {
    double number = std::numeric_limits<double>::quiet_NaN();
    const bool missing = is_missing_cell(cell);
    const bool good =
        missing ? options_.missing == Missing::allow : parse_number(cell, number) && std::isfinite(static_cast<float>(number));
    data_.table.values.push_back(static_cast<float>(number));
    if (good) return;
    const std::string where = line() + ", column " + std::to_string(column + 1) + " (" + data_.feature_names[feature] + ") is ";
    complaints_.add(
        argument_,
        where + (missing ? "missing: missing values are taken only with missing: \"allow\"" : shown(cell) + ", not a finite number"),
        "number");
  }

  // The whole column decides, so that `7` among `7a` and `7b` stays text.
  void type_labels() {
    std::vector<json> integers, numbers;
    for (const std::string& text : label_texts_) {
      std::int64_t integer = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), integer);
      if (error == std::errc{} && end == text.data() + text.size()) integers.emplace_back(integer);
      double number = 0;
      if (parse_number(text, number)) numbers.emplace_back(number);
    }
    if (integers.size() == label_texts_.size()) {
      data_.labels.values = std::move(integers);
    } else if (numbers.size() == label_texts_.size()) {
      data_.labels.values = std::move(numbers);
    } else {
      data_.labels.values.assign(label_texts_.begin(), label_texts_.end());
    }
  }

  const std::string& path_;
  const std::string& argument_;
  const CsvOptions& options_;
  std::string text_;
  CsvReader reader_;
  std::size_t columns_ = 0;
  std::size_t label_ = 0;
  std::vector<std::string> label_texts_;
  Dataset data_;
  Complaints complaints_;
};

}  // namespace

Dataset read_csv(const std::string& path, const std::string& argument, const CsvOptions& options) {
  return CsvDatasetReader(path, argument, options).read();
}

}  // namespace pons::xgb
