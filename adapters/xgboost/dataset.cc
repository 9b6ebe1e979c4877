#include "adapters/xgboost/dataset.h"

#include <cmath>
#include <limits>
#include <utility>

#include "adapters/xgboost/csv_dataset.h"
#include "adapters/xgboost/files.h"
#include "protocol/error.h"

namespace pons::xgb {

namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxCatalogueBytes = 1u << 20;

class TableReader {
 public:
  TableReader(const std::string& path, std::optional<std::size_t> columns, Missing missing)
      : path_(path), columns_(columns), missing_(missing) {}

  Table read(const json& rows) {
    if (!rows.is_array()) throw_invalid_args(path_, "\"rows\" must be an array of rows, not " + shown(rows), "array of arrays of numbers");
    if (rows.empty()) throw_invalid_args(path_, "\"rows\" is empty: give at least one row", "array of arrays of numbers");
    for (const json& row : rows) {
      read_row(row);
      if (complaints_.full()) break;
      ++table_.rows;
    }
    complaints_.throw_if_any();
    table_.columns = columns_.value_or(0);
    return std::move(table_);
  }

 private:
  void read_row(const json& row) {
    const std::string where = path_ + "/" + std::to_string(table_.rows);
    const std::string name = "Row " + std::to_string(table_.rows);
    if (!row.is_array()) return complaints_.add(where, name + " is " + shown(row) + ", not an array of numbers", "array of numbers");
    if (!columns_) {
      if (row.empty()) return complaints_.add(where, name + " has no values", "array of numbers");
      columns_ = row.size();
      expected_by_ = "row 0 has ";
    }
    if (row.size() != *columns_) {
      const std::string values = row.size() == 1 ? " value, " : " values, ";
      return complaints_.add(where, name + " has " + std::to_string(row.size()) + values + expected_by_ + std::to_string(*columns_),
                             *columns_);
    }
    for (std::size_t column = 0; column < row.size(); ++column) read_value(row[column], where, column);
  }

  void read_value(const json& value, const std::string& row_path, std::size_t column) {
    const bool missing = value.is_null() || (value.is_number_float() && std::isnan(value.get<double>()));
    const float number = missing ? std::numeric_limits<float>::quiet_NaN() : value.is_number() ? value.get<float>() : 0.0F;
    table_.values.push_back(number);
    if (missing && missing_ == Missing::allow) return;
    if (!missing && value.is_number() && std::isfinite(number)) return;

    const std::string name = "Row " + std::to_string(table_.rows) + ", column " + std::to_string(column) + " is ";
    std::string why = shown(value) + ", not a number";
    if (missing) why = (value.is_null() ? "null" : "NaN") + std::string(": missing values are taken only with missing: \"allow\"");
    if (!missing && value.is_number()) why = shown(value) + ", which does not fit a 32-bit float";
    complaints_.add(row_path + "/" + std::to_string(column), name + why, "number");
  }

  const std::string& path_;
  std::optional<std::size_t> columns_;
  Missing missing_;
  std::string expected_by_ = "the model takes ";
  Table table_;
  Complaints complaints_;
};

std::vector<std::string> read_feature_names(const Arguments& args, std::size_t columns) {
  std::vector<std::string> names;
  const json* given = args.find("feature_names");
  for (std::size_t i = 0; given == nullptr && i < columns; ++i) names.push_back("f" + std::to_string(i));
  if (given == nullptr) return names;
  const std::string path = args.path("feature_names");
  if (!given->is_array() || given->size() != columns) {
    throw_invalid_args(path, "\"feature_names\" must be an array of " + std::to_string(columns) + " strings, one for each column", columns);
  }
  for (const json& name : *given) {
    if (!name.is_string() || name.get_ref<const std::string&>().empty()) {
      throw_invalid_args(path + "/" + std::to_string(names.size()), "A feature's name is a string, not " + shown(name), "string");
    }
    names.push_back(name.get<std::string>());
  }
  return names;
}

Dataset read_given(const Arguments& args, Missing missing) {
  Dataset data;
  data.name = "rows";
  data.table = table_from(args.required("rows", "rows"), args.path("rows"), std::nullopt, missing);
  data.feature_names = read_feature_names(args, data.table.columns);
  data.labels.path = args.path("labels");
  data.labels.in_request = true;
  const json& labels = args.required("labels", "one label for each row");
  if (!labels.is_array() || labels.size() != data.table.rows) {
    const std::string have = labels.is_array() ? std::to_string(labels.size()) + " labels" : shown(labels);
    throw_invalid_args(data.labels.path,
                       "There must be one label for each of the " + std::to_string(data.table.rows) + " rows, not " + have,
                       data.table.rows);
  }
  data.labels.values.assign(labels.begin(), labels.end());
  return data;
}

void refuse_beside(const Arguments& args, std::string_view source, std::initializer_list<std::string_view> others) {
  for (const std::string_view other : others) {
    if (args.find(other) == nullptr) continue;
    throw_invalid_args(args.path(other), "\"" + std::string(other) + "\" does not go with \"" + std::string(source) + "\"");
  }
}

}  // namespace

Missing missing_policy(const Arguments& args, Missing fallback) {
  const std::optional<std::string> text = args.text("missing");
  if (!text) return fallback;
  if (*text == "allow") return Missing::allow;
  if (*text == "error") return Missing::refuse;
  throw_invalid_args(args.path("missing"), "\"missing\" must be \"error\" or \"allow\", not " + shown(*text), json{"error", "allow"});
}

std::string_view to_string(Missing missing) { return missing == Missing::allow ? "allow" : "error"; }

Table Table::select(std::span<const std::size_t> indices) const {
  Table chosen{indices.size(), columns, {}};
  chosen.values.reserve(indices.size() * columns);
  for (const std::size_t index : indices) {
    const auto values_of = row(index);
    chosen.values.insert(chosen.values.end(), values_of.begin(), values_of.end());
  }
  return chosen;
}

Table table_from(const json& rows, const std::string& path, std::optional<std::size_t> columns, Missing missing) {
  return TableReader(path, columns, missing).read(rows);
}

Catalogue::Catalogue(std::filesystem::path folder) : folder_(std::move(folder)) {
  if (folder_.empty()) return;
  try {
    sets_ = json::parse(read_file(folder_ / "datasets.json", "", kMaxCatalogueBytes));
  } catch (const std::exception& error) {
    throw Exception(ErrorCode::invalid_configuration, "The bundled data sets cannot be listed: " + std::string(error.what()));
  }
}

json Catalogue::describe() const {
  json list = json::array();
  for (const auto& item : sets_.items()) {
    json entry = item.value();
    entry.erase("file");
    entry["name"] = item.key();
    list.push_back(std::move(entry));
  }
  return list;
}

Dataset Catalogue::read(const std::string& name, const std::string& argument) const {
  const auto at = sets_.find(name);
  if (at == sets_.end()) {
    std::vector<std::string> known;
    for (const auto& item : sets_.items()) known.push_back(item.key());
    throw_invalid_args(argument, "No data set \"" + name + "\" comes with this adapter" + did_you_mean(nearest(name, known)), known);
  }
  CsvOptions options;
  options.label = (*at)["label"];
  options.header = true;
  Dataset data = read_csv((folder_ / (*at)["file"].get<std::string>()).string(), argument, options);
  data.name = name;
  return data;
}

std::vector<std::string_view> dataset_arguments(std::initializer_list<std::string_view> more) {
  std::vector<std::string_view> names{"dataset", "csv", "label", "header", "rows", "labels", "feature_names", "missing"};
  names.insert(names.end(), more);
  return names;
}

Dataset read_dataset(const Arguments& args, const Catalogue& catalogue, Missing missing) {
  if (const auto name = args.text("dataset")) {
    refuse_beside(args, "dataset", {"csv", "rows", "labels", "label", "header", "feature_names"});
    return catalogue.read(*name, args.path("dataset"));
  }
  if (const auto path = args.text("csv")) {
    refuse_beside(args, "csv", {"rows", "labels", "feature_names"});
    CsvOptions options;
    if (const json* label = args.find("label")) options.label = *label;
    options.label_path = args.path("label");
    options.header = args.boolean("header");
    options.missing = missing;
    return read_csv(*path, args.path("csv"), options);
  }
  if (args.find("rows") == nullptr) {
    throw_invalid_args("", "There is nothing to learn from: give \"dataset\", \"csv\", or \"rows\" with \"labels\"",
                       json{"dataset", "csv", "rows"});
  }
  refuse_beside(args, "rows", {"label", "header"});
  return read_given(args, missing);
}

}  // namespace pons::xgb
