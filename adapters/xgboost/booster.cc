#include "adapters/xgboost/booster.h"

#include <xgboost/c_api.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <limits>
#include <regex>
#include <set>
#include <sstream>
#include <utility>

#include "protocol/document.h"

namespace pons::xgb {

namespace {

using nlohmann::json;

void check(int status, ErrorCode code = ErrorCode::model_error) {
  if (status != 0) throw Exception(code, readable(XGBGetLastError()));
}

// The library's log callback has no user data and is kept for each thread, so what it fills is too.
thread_local std::vector<std::string>* log_sink = nullptr;

extern "C" void take_log_line(const char* text) {
  if (log_sink != nullptr) {
    log_sink->emplace_back(text);
  } else {
    std::fprintf(stderr, "%s\n", text);
  }
}

/// While it lives, the library's log on this thread is collected instead of printed.
class LogCapture {
 public:
  LogCapture() : outer_(std::exchange(log_sink, &lines_)) { check(XGBRegisterLogCallback(&take_log_line)); }
  ~LogCapture() { log_sink = outer_; }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
  std::vector<std::string>* outer_;
};

/// The names in `Parameters: { "a", "b" } are not used.`; empty for another line.
std::vector<std::string> names_of_unused(const std::string& line) {
  static constexpr std::string_view kStart = "Parameters: {";
  std::vector<std::string> names;
  const std::size_t start = line.find(kStart);
  if (start == std::string::npos) return names;
  const std::size_t end = line.find('}', start);
  for (std::size_t at = line.find('"', start); at < end;) {
    const std::size_t close = line.find('"', at + 1);
    if (close == std::string::npos) break;
    names.push_back(line.substr(at + 1, close - at - 1));
    at = line.find('"', close + 1);
  }
  return names;
}

// The library keeps parameters in objects whose names end so, as strings.
void collect_parameters(const json& value, bool in_parameters, std::set<std::string>& names) {
  if (!value.is_object()) return;
  for (const auto& item : value.items()) {
    const std::string& key = item.key();
    if (in_parameters && item.value().is_string()) names.insert(key);
    collect_parameters(item.value(), key.size() >= 5 && key.ends_with("param"), names);
  }
}

}  // namespace

std::string library_version() {
  int major = 0, minor = 0, patch = 0;
  XGBoostVersion(&major, &minor, &patch);
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

std::string readable(std::string_view library_message) {
  static constexpr std::string_view kCandidate = "Objective candidate: ";
  // The time and the source line, then `Check failed: expression (1 vs. 2) : `, unless nothing follows it.
  static const std::regex kPlace(R"(^\[\d+:\d+:\d+\] \S+:\d+: )");
  static const std::regex kCheck(R"(^Check failed: (?:[^:]|::)*: (?=\S))");

  std::istringstream lines{std::string(library_message.substr(0, library_message.find("Stack trace:")))};
  std::string text, candidates;
  for (std::string line; std::getline(lines, line);) {
    line = std::regex_replace(line, kPlace, "");
    line = std::regex_replace(line, kCheck, "");
    if (line.starts_with(kCandidate)) {
      candidates += (candidates.empty() ? "" : ", ") + line.substr(kCandidate.size());
    } else if (line.find_first_not_of(" ~^") != std::string::npos) {
      text += (text.empty() ? "" : "; ") + line;
    }
  }
  if (!candidates.empty()) text += "; known are " + candidates;
  return "XGBoost: " + (text.empty() ? "no reason given" : text);
}

Matrix::Matrix(std::span<const float> values, std::size_t rows, std::size_t columns, int threads) {
  check(XGDMatrixCreateFromMat_omp(values.data(), rows, columns, std::numeric_limits<float>::quiet_NaN(), &handle_, threads));
}

Matrix::~Matrix() {
  if (handle_ != nullptr) XGDMatrixFree(handle_);
}

Matrix::Matrix(Matrix&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}

void Matrix::set_labels(std::span<const float> labels) { check(XGDMatrixSetFloatInfo(handle_, "label", labels.data(), labels.size())); }

Booster::Booster() { check(XGBoosterCreate(nullptr, 0, &handle_)); }

Booster::Booster(const Matrix& training) {
  DMatrixHandle const matrices[] = {training.handle()};
  check(XGBoosterCreate(matrices, 1, &handle_));
}

Booster::~Booster() {
  if (handle_ != nullptr) XGBoosterFree(handle_);
}

Booster::Booster(Booster&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}

Booster& Booster::operator=(Booster&& other) noexcept {
  std::swap(handle_, other.handle_);
  return *this;
}

void Booster::set_parameter(const std::string& name, const std::string& value) {
  check(XGBoosterSetParam(handle_, name.c_str(), value.c_str()), ErrorCode::invalid_configuration);
}

std::vector<std::string> Booster::configure() {
  const LogCapture log;
  set_parameter("validate_parameters", "1");
  bst_ulong size = 0;
  const char* text = nullptr;
  check(XGBoosterSaveJsonConfig(handle_, &size, &text), ErrorCode::invalid_configuration);
  std::vector<std::string> unused;
  for (const std::string& line : log.lines()) {
    const std::vector<std::string> names = names_of_unused(line);
    if (names.empty()) std::fprintf(stderr, "%s\n", line.c_str());
    unused.insert(unused.end(), names.begin(), names.end());
  }
  return unused;
}

void Booster::update(int round, const Matrix& training, ErrorCode code) {
  check(XGBoosterUpdateOneIter(handle_, round, training.handle()), code);
}

RawPrediction Booster::predict(const Matrix& matrix) const {
  static constexpr const char* kConfig =
      R"({"type": 0, "training": false, "iteration_begin": 0, "iteration_end": 0, "strict_shape": true})";
  const bst_ulong* shape = nullptr;
  bst_ulong dimensions = 0;
  const float* values = nullptr;
  check(XGBoosterPredictFromDMatrix(handle_, matrix.handle(), kConfig, &shape, &dimensions, &values));
  RawPrediction prediction{dimensions > 0 ? shape[0] : 0, 1, {}};
  for (bst_ulong i = 1; i < dimensions; ++i) prediction.outputs *= shape[i];
  prediction.values.assign(values, values + prediction.rows * prediction.outputs);  // the library reuses its buffer
  return prediction;
}

std::vector<Metric> Booster::evaluate(const Matrix& matrix) const {
  DMatrixHandle matrices[] = {matrix.handle()};
  const char* names[] = {"data"};
  const char* text = nullptr;
  check(XGBoosterEvalOneIter(handle_, 0, matrices, names, 1, &text));
  // [0]\tdata-merror:0.05\tdata-mlogloss:0.2
  std::vector<Metric> metrics;
  std::istringstream fields{std::string(text)};
  for (std::string field; std::getline(fields, field, '\t');) {
    const std::size_t dash = field.find('-');
    const std::size_t colon = field.rfind(':');
    if (field.starts_with('[') || dash == std::string::npos || colon == std::string::npos || colon < dash) continue;
    Metric metric{field.substr(dash + 1, colon - dash - 1), std::numeric_limits<double>::quiet_NaN()};
    std::from_chars(field.data() + colon + 1, field.data() + field.size(), metric.value);
    metrics.push_back(std::move(metric));
  }
  return metrics;
}

json Booster::config() const {
  bst_ulong size = 0;
  const char* text = nullptr;
  check(XGBoosterSaveJsonConfig(handle_, &size, &text));
  return decode(Codec::json, std::string_view(text, size)).value();
}

std::vector<std::string> Booster::parameter_names() const {
  std::set<std::string> names{"eval_metric"};
  collect_parameters(config(), false, names);
  for (const char* internal : {"num_feature", "num_target", "num_trees", "size_leaf_vector", "updater_seq", "validate_parameters"}) {
    names.erase(internal);
  }
  return {names.begin(), names.end()};
}

int Booster::rounds() const {
  int rounds = 0;
  check(XGBoosterBoostedRounds(handle_, &rounds));
  return rounds;
}

void Booster::set_attribute(const std::string& name, const std::string& value) {
  check(XGBoosterSetAttr(handle_, name.c_str(), value.c_str()));
}

std::string Booster::attribute(const std::string& name) const {
  const char* text = nullptr;
  int found = 0;
  check(XGBoosterGetAttr(handle_, name.c_str(), &text, &found));
  return found != 0 ? text : "";
}

void Booster::set_feature_names(const std::vector<std::string>& names) {
  std::vector<const char*> texts;
  for (const std::string& name : names) texts.push_back(name.c_str());
  check(XGBoosterSetStrFeatureInfo(handle_, "feature_name", texts.data(), texts.size()));
}

std::vector<std::string> Booster::feature_names() const {
  bst_ulong count = 0;
  const char** texts = nullptr;
  check(XGBoosterGetStrFeatureInfo(handle_, "feature_name", &count, &texts));
  return {texts, texts + count};
}

std::string Booster::save() const {
  bst_ulong size = 0;
  const char* text = nullptr;
  check(XGBoosterSaveModelToBuffer(handle_, R"({"format": "json"})", &size, &text));
  return {text, size};
}

void Booster::load(std::string_view json) { check(XGBoosterLoadModelFromBuffer(handle_, json.data(), json.size())); }

}  // namespace pons::xgb
