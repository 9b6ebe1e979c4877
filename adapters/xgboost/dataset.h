// Rows and labels, from a bundled data set, a CSV file, or the request itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/xgboost/arguments.h"
#include "adapters/xgboost/target.h"

namespace pons::xgb {

inline constexpr std::uint64_t kMaxCsvBytes = std::uint64_t{1} << 28;  ///< of a file

/// What a null, a NaN or an empty cell among the features is: an error, or a missing value as XGBoost knows them.
enum class Missing : std::uint8_t { refuse, allow };
/// The argument `missing`: "error" or "allow".
Missing missing_policy(const Arguments& args, Missing fallback);
std::string_view to_string(Missing missing);

/// rows x columns numbers, row after row; NaN where one is missing.
struct Table {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<float> values;
  [[nodiscard]] std::span<const float> row(std::size_t index) const { return std::span(values).subspan(index * columns, columns); }
  /// Those rows, in that order.
  [[nodiscard]] Table select(std::span<const std::size_t> indices) const;
};

struct Dataset {
  std::string name;  ///< `iris`, a file's path, or `rows`
  Table table;
  std::vector<std::string> feature_names;
  Labels labels;  ///< one for each row
};

/// `[[number, ...], ...]`, at least one row. All must have `columns` numbers, or as many as the first. Throws invalid_args that names row
/// and column of what is wrong.
Table table_from(const nlohmann::json& rows, const std::string& path, std::optional<std::size_t> columns, Missing missing);

/// The data sets in a folder that has a `datasets.json`.
class Catalogue {
 public:
  explicit Catalogue(std::filesystem::path folder = {});
  /// `[{name, title, rows, features, classes, label, source, licence}]`
  [[nodiscard]] nlohmann::json describe() const;
  [[nodiscard]] Dataset read(const std::string& name, const std::string& argument) const;

 private:
  std::filesystem::path folder_;
  nlohmann::json sets_ = nlohmann::json::object();
};

/// The names of the arguments that read_dataset() and missing_policy() look at, and `more`.
std::vector<std::string_view> dataset_arguments(std::initializer_list<std::string_view> more);

/// Exactly one of `dataset`, `csv` (with `label`, `header`), `rows` (with `labels`, `feature_names`).
Dataset read_dataset(const Arguments& args, const Catalogue& catalogue, Missing missing);

}  // namespace pons::xgb
