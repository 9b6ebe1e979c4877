// A data set out of a CSV file: numbers in all columns but one, the label.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "adapters/xgboost/dataset.h"

namespace pons::xgb {

struct CsvOptions {
  nlohmann::json label = -1;     ///< the label's column: a name in the header, or an index, from the end if negative
  std::string label_path{};      ///< the argument that said so
  std::optional<bool> header{};  ///< nothing: there is one if a feature's cell in the first line is no number
  Missing missing = Missing::refuse;
};

/// Throws invalid_args, with `argument` as its path, that names the line and the column of what is wrong. Labels are integers if all of
/// them are, else numbers if all are, else strings.
Dataset read_csv(const std::string& path, const std::string& argument, const CsvOptions& options);

}  // namespace pons::xgb
