#include "adapters/xgboost/model.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "adapters/xgboost/model_file.h"
#include "adapters/xgboost/split.h"
#include "protocol/document.h"

namespace pons::xgb {

namespace {

using nlohmann::json;

constexpr const char* kAttribute = "pons";

std::vector<float> select(const std::vector<float>& values, const std::vector<std::size_t>& indices) {
  std::vector<float> chosen;
  for (const std::size_t index : indices) chosen.push_back(values[index]);
  return chosen;
}

Split split(const Target& target, const TrainingOptions& options) {
  std::vector<std::size_t> groups(target.values.size(), 0);
  for (std::size_t i = 0; i < groups.size() && !target.classes.empty(); ++i) groups[i] = static_cast<std::size_t>(target.values[i]);
  return split_rows(groups, std::max<std::size_t>(1, target.classes.size()), options.test_fraction, options.seed);
}

// On little data a round is over before a second thread has woken up; threads that wait for each other by spinning then make it many
// times slower, most of all on a busy machine.
int threads_worth(const Table& table, int most) {
  constexpr std::size_t kWorthThreads = std::size_t{1} << 20;  // values
  return table.values.size() < kWorthThreads ? 1 : most;
}

json number_or_null(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

double logistic(float logit) { return 1.0 / (1.0 + std::exp(-static_cast<double>(logit))); }

Booster boost(const TrainingSetup& setup, const Matrix& training, int rounds, const RoundHook& before_round) {
  Booster booster(training);
  apply(setup, booster);
  for (int round = 0; round < rounds; ++round) {
    if (before_round) before_round(round, rounds);
    // Some values are looked at only now; the data are checked already, so what XGBoost refuses here is how it was configured.
    booster.update(round, training, round == 0 ? ErrorCode::invalid_configuration : ErrorCode::model_error);
  }
  return booster;
}

}  // namespace

Model Model::train(const Dataset& data, const TrainingOptions& options, const RoundHook& before_round) {
  const auto started = std::chrono::steady_clock::now();
  check_objective(options.parameters);
  const Target target = make_target(data.labels, options.parameters.objective);
  const int threads = threads_worth(data.table, options.threads);
  const TrainingSetup setup = set_up(options.parameters, target, options.seed, threads);
  const Split parts = split(target, options);

  const Table chosen = data.table.select(parts.train);
  Matrix training(chosen.values, chosen.rows, chosen.columns, threads);
  training.set_labels(select(target.values, parts.train));
  Model model(boost(setup, training, options.rounds, before_round));
  model.output_ = setup.output;
  model.classes_ = target.classes;
  model.features_ = data.table.columns;
  model.missing_ = options.missing;
  model.max_threads_ = options.parameters.threads.value_or(options.threads);
  model.booster_.set_feature_names(data.feature_names);
  model.summary_ = json{{"dataset", data.name},
                        {"rows", data.table.rows},
                        {"train_rows", parts.train.size()},
                        {"test_rows", parts.test.size()},
                        {"features", data.table.columns},
                        {"feature_names", data.feature_names},
                        {"classes", target.classes},
                        {"objective", setup.objective},
                        {"rounds", options.rounds},
                        {"missing", to_string(options.missing)}};
  model.score(data.table.select(parts.test), select(target.values, parts.test), model.summary_);
  model.summary_["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  model.booster_.set_attribute(kAttribute, encode_or_throw(Codec::json, json{{"format", 1}, {"model", model.summary_}}));
  return model;
}

Matrix Model::prepare(const Table& table) {
  const int threads = threads_worth(table, max_threads_);
  if (threads != std::exchange(threads_, threads)) booster_.set_parameter("nthread", std::to_string(threads));
  return {table.values, table.rows, table.columns, threads};
}

Model::Answer Model::answer(const Matrix& matrix, bool probabilities) const {
  const RawPrediction raw = booster_.predict(matrix);
  Answer answer{{}, probabilities ? json::array() : json(nullptr)};
  for (std::size_t row = 0; row < raw.rows; ++row) {
    const auto outputs = std::span(raw.values).subspan(row * raw.outputs, raw.outputs);
    const bool finite = std::all_of(outputs.begin(), outputs.end(), [](float value) { return std::isfinite(value); });
    if (!finite && !classes_.empty()) {
      throw Exception(ErrorCode::model_error,
                      "The model's answer for row " + std::to_string(row) + " is no finite number: it has diverged");
    }
    switch (output_) {
      case Output::class_probabilities:
        answer.values.push_back(static_cast<float>(std::max_element(outputs.begin(), outputs.end()) - outputs.begin()));
        if (probabilities) answer.probabilities.push_back(json(outputs));
        break;
      case Output::probability:
      case Output::logit: {
        const double second = output_ == Output::logit ? logistic(outputs[0]) : static_cast<double>(outputs[0]);
        answer.values.push_back(second > 0.5 ? 1.0F : 0.0F);
        if (probabilities) answer.probabilities.push_back({1.0 - second, second});
        break;
      }
      case Output::class_index:
      case Output::number:
        answer.values.push_back(outputs[0]);
        break;
    }
  }
  return answer;
}

void Model::score(const Table& table, const std::vector<float>& expected, json& into) {
  const char* const name = classes_.empty() ? "rmse" : "accuracy";
  into["metric"] = nullptr;
  into[name] = nullptr;
  if (expected.empty()) return;

  Matrix matrix = prepare(table);
  matrix.set_labels(expected);
  const std::vector<float> got = answer(matrix, false).values;
  double squares = 0;
  std::size_t right = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double error = static_cast<double>(got[i]) - static_cast<double>(expected[i]);
    squares += error * error;
    if (got[i] == expected[i]) ++right;
  }
  const auto count = static_cast<double>(expected.size());
  into[name] = number_or_null(classes_.empty() ? std::sqrt(squares / count) : static_cast<double>(right) / count);

  json metrics = json::array();
  for (const Metric& metric : booster_.evaluate(matrix))
    metrics.push_back({{"name", metric.name}, {"value", number_or_null(metric.value)}});
  if (metrics.empty()) return;  // disable_default_eval_metric
  into["metric"] = metrics.front();
  if (metrics.size() > 1) into["metrics"] = std::move(metrics);
}

json Model::predict(const json& inputs) {
  const Arguments args(inputs, "/inputs");
  args.allow_only({"rows", "probabilities", "missing"});
  const bool probabilities = args.boolean("probabilities").value_or(false);
  if (probabilities && (output_ == Output::number || output_ == Output::class_index)) {
    throw_invalid_args(args.path("probabilities"), "The objective " + summary_["objective"].get<std::string>() + " gives no probabilities");
  }
  const Table table =
      table_from(args.required("rows", "the rows to predict for"), args.path("rows"), features_, missing_policy(args, missing_));
  Answer found = answer(prepare(table), probabilities);
  json predictions = json::array();
  for (const float value : found.values) {
    predictions.push_back(classes_.empty() ? number_or_null(static_cast<double>(value)) : classes_.at(static_cast<std::size_t>(value)));
  }
  json reply{{"predictions", std::move(predictions)}, {"rows", table.rows}};
  if (probabilities) reply["probabilities"] = std::move(found.probabilities);
  return reply;
}

json Model::evaluate(const Dataset& data) {
  if (data.table.columns != features_) {
    throw_invalid_args("",
                       data.name + " has " + std::to_string(data.table.columns) + " features, the model takes " + std::to_string(features_),
                       features_);
  }
  const std::vector<float> expected = encode_labels(data.labels, classes_);
  json reply{{"dataset", data.name}, {"rows", data.table.rows}};
  score(data.table, expected, reply);
  return reply;
}

std::string Model::save() const { return booster_.save(); }

Model Model::load(std::string_view text, const std::string& path, int threads) {
  check_model_text(text, path);
  Model model{Booster()};
  try {
    model.booster_.load(text);
    model.max_threads_ = threads;
    model.adopt_summary(model.booster_.attribute(kAttribute));
  } catch (const Exception& error) {
    throw Exception(ErrorCode::model_error, path + " is no usable XGBoost model: " + error.what());
  } catch (const json::exception& error) {
    throw Exception(ErrorCode::model_error, path + " has metadata that are not this adapter's: " + error.what());
  }
  return model;
}

// XGBoost's own word counts for what it knows; the attribute adds the rest, if the model is one of ours.
void Model::adopt_summary(const std::string& attribute) {
  const json config = booster_.config().at("learner");
  const std::string objective = config.at("objective").at("name");
  const std::optional<Output> output = output_of(objective);
  if (!output) throw Exception(ErrorCode::model_error, "this adapter cannot use a model of the objective " + objective);
  output_ = *output;
  features_ = std::stoul(config.at("learner_model_param").at("num_feature").get<std::string>());
  const std::size_t outputs = std::stoul(config.at("learner_model_param").at("num_class").get<std::string>());
  const std::size_t class_count = output_ == Output::number ? 0 : std::max<std::size_t>(2, outputs);

  if (attribute.empty()) {
    json classes = json::array();
    for (std::size_t i = 0; i < class_count; ++i) classes.push_back(i);
    summary_ = json{{"dataset", nullptr}, {"classes", std::move(classes)}, {"missing", to_string(Missing::refuse)}};
    summary_["feature_names"] = booster_.feature_names();
  } else {
    summary_ = decode(Codec::json, attribute).value().at("model");
  }
  summary_["objective"] = objective;
  summary_["features"] = features_;
  summary_["rounds"] = booster_.rounds();
  classes_ = summary_.at("classes").get<std::vector<json>>();
  if (classes_.size() != class_count) throw Exception(ErrorCode::model_error, "it names another number of classes than it tells apart");
  missing_ = summary_.at("missing") == "allow" ? Missing::allow : Missing::refuse;
}

}  // namespace pons::xgb
