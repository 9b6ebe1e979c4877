// XGBoost's C API with owners and errors: the only files that include it are these two. What the library refuses is thrown as Exception,
// its message without the library's time stamps, source lines and stack trace.
//
// The library's log goes to stderr. Not thread-safe; everything of one model is used from one thread.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.h"

namespace pons::xgb {

/// Such as `1.7.4`.
std::string library_version();

/// What the library said of an error, made one sentence fit for a caller.
std::string readable(std::string_view library_message);

/// Data in the library's own form (a DMatrix).
class Matrix {
 public:
  /// `values` are rows x columns, row after row; NaN is a missing value. `threads` below 1: as many as the library likes.
  Matrix(std::span<const float> values, std::size_t rows, std::size_t columns, int threads);
  ~Matrix();
  Matrix(Matrix&& other) noexcept;
  Matrix& operator=(Matrix&&) = delete;

  /// One for each row.
  void set_labels(std::span<const float> labels);
  [[nodiscard]] void* handle() const { return handle_; }

 private:
  void* handle_ = nullptr;
};

/// What a booster says of a batch: rows x outputs numbers; what they mean depends on the objective.
struct RawPrediction {
  std::size_t rows = 0;
  std::size_t outputs = 0;
  std::vector<float> values;
};

struct Metric {
  std::string name;
  double value = 0;
};

class Booster {
 public:
  /// For load().
  Booster();
  /// For training with that matrix, from which it learns the number of features. Refers to it weakly.
  explicit Booster(const Matrix& training);
  ~Booster();
  Booster(Booster&& other) noexcept;
  Booster& operator=(Booster&& other) noexcept;

  /// The library looks at names and values only at the next use.
  void set_parameter(const std::string& name, const std::string& value);
  /// Makes the library take its parameters in, and returns the names that it knows no use for. Throws invalid_configuration for
  /// values that it refuses, though it looks at some only when it trains the first round.
  std::vector<std::string> configure();
  /// One more round. `code` is what a refusal means.
  void update(int round, const Matrix& training, ErrorCode code);

  [[nodiscard]] RawPrediction predict(const Matrix& matrix) const;
  /// The metrics that were asked for (`eval_metric`), or the objective's own.
  [[nodiscard]] std::vector<Metric> evaluate(const Matrix& matrix) const;

  /// The configuration as the library keeps it: the objective, every parameter with its value.
  [[nodiscard]] nlohmann::json config() const;
  /// The names of all parameters that this booster takes, sorted.
  [[nodiscard]] std::vector<std::string> parameter_names() const;
  [[nodiscard]] int rounds() const;

  void set_attribute(const std::string& name, const std::string& value);
  [[nodiscard]] std::string attribute(const std::string& name) const;  ///< empty if there is none
  void set_feature_names(const std::vector<std::string>& names);
  [[nodiscard]] std::vector<std::string> feature_names() const;

  /// The model in XGBoost's JSON format, attributes and names of features included.
  [[nodiscard]] std::string save() const;
  /// Throws model_error. The library trusts what it reads: check the text first (model_file.h).
  void load(std::string_view json);

 private:
  void* handle_ = nullptr;
};

}  // namespace pons::xgb
