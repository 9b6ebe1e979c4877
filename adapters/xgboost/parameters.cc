#include "adapters/xgboost/parameters.h"

#include <algorithm>

#include "protocol/error.h"

namespace pons::xgb {

namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& name, const std::string& message, const json& expected = nullptr) {
  json entry{{"path", "/params/" + name}, {"message", message}};
  if (!expected.is_null()) entry["expected"] = expected;
  throw Exception(Error{ErrorCode::invalid_configuration, message, json{{"errors", json::array({std::move(entry)})}}});
}

// One value as XGBoost's text; nothing if it has none.
std::optional<std::string> as_text(const std::string& name, const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "1" : "0";
  if (value.is_number()) return value.dump();
  if (!value.is_array()) return std::nullopt;
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (name == "monotone_constraints") {
    text.front() = '(';
    text.back() = ')';
  }
  return text;
}

void take(const Arguments& params, const std::string& name, const json& value, Parameters& parameters) {
  if (name == "verbosity" || name == "validate_parameters")
    refuse(name, "The parameter \"" + name + "\" is the adapter's own and cannot be set");
  if (name == "eval_metric" && value.is_array()) {
    for (const json& metric : value) take(params, name, metric, parameters);
    return;
  }
  const std::optional<std::string> text = as_text(name, value);
  if (!text) {
    throw_invalid_args(params.path(name),
                       "The parameter \"" + name + "\" must be a string, a number, a boolean or an array, not " + shown(value));
  }
  parameters.items.emplace_back(name, *text);
}

// What other programs call the things that stand beside `params` here.
std::vector<std::string> argument_for(const std::string& name) {
  for (const char* rounds :
       {"n_estimators", "num_boost_round", "num_boost_rounds", "num_round", "num_rounds", "n_rounds", "nrounds", "rounds"}) {
    if (name == rounds) return {"rounds"};
  }
  if (name == "test_size" || name == "test_fraction") return {"test_fraction"};
  if (name == "missing") return {"missing"};
  return {};
}

void refuse_unused(const std::string& name, const TrainingSetup& setup, const Booster& booster) {
  if (const auto argument = argument_for(name); !argument.empty()) {
    refuse(name, "XGBoost has no parameter \"" + name + "\" here; give \"" + argument.front() + "\" beside \"params\"", argument);
  }
  const std::vector<std::string> near = nearest(name, booster.parameter_names());
  refuse(name,
         "XGBoost has no use for the parameter \"" + name + "\" with the booster " + setup.booster + " and the objective " +
             setup.objective + did_you_mean(near),
         near.empty() ? json(nullptr) : json(near));
}

std::string choose_objective(const Parameters& given, const Target& target) {
  if (given.objective) return *given.objective;
  if (target.classes.empty()) return "reg:squarederror";
  return target.classes.size() == 2 ? "binary:logistic" : "multi:softprob";
}

void check_num_class(const Parameters& given, const std::string& objective, std::size_t classes) {
  if (!given.num_class) return;
  const std::string named = "num_class is " + std::to_string(*given.num_class);
  if (!objective.starts_with("multi:")) refuse("num_class", named + ", but the objective " + objective + " takes none");
  if (*given.num_class != static_cast<std::int64_t>(classes)) {
    refuse("num_class", named + ", but the labels have " + std::to_string(classes) + " classes", classes);
  }
}

}  // namespace

std::optional<std::string> Parameters::find(std::string_view name) const {
  const auto at = std::find_if(items.begin(), items.end(), [name](const auto& item) { return item.first == name; });
  return at == items.end() ? std::nullopt : std::optional(at->second);
}

Parameters read_parameters(const Arguments& args) {
  Parameters parameters;
  const json* given = args.find("params");
  if (given == nullptr) return parameters;
  const Arguments params(*given, args.path("params"));
  for (const auto& item : given->items()) take(params, item.key(), item.value(), parameters);
  parameters.objective = params.text("objective");
  if (params.find("num_class") != nullptr) parameters.num_class = params.integer("num_class", 0, 0, INT32_MAX);
  for (const char* name : {"nthread", "n_jobs"}) {
    const json* threads = params.find(name);
    if (threads != nullptr && threads->is_number_integer()) parameters.threads = static_cast<int>(params.integer(name, 0, -1, INT16_MAX));
  }
  return parameters;
}

void check_objective(const Parameters& given) {
  if (!given.objective || output_of(*given.objective)) return;
  const float value = 0;
  const Matrix matrix({&value, 1}, 1, 1, 1);
  Booster probe(matrix);
  probe.set_parameter("objective", *given.objective);
  probe.configure();  // throws, with the list of those that there are
  refuse("objective",
         "The objective " + *given.objective + " needs more than rows with one label each, which is all that this adapter takes");
}

TrainingSetup set_up(const Parameters& given, const Target& target, std::uint64_t seed, int threads) {
  TrainingSetup setup;
  setup.objective = choose_objective(given, target);
  setup.output = output_of(setup.objective).value();
  setup.booster = given.find("booster").value_or("gbtree");
  const std::size_t classes = target.classes.size();
  if (setup.objective.starts_with("binary:") && classes != 2) {
    refuse("objective", setup.objective + " tells two classes apart, but the labels have " + std::to_string(classes));
  }
  check_num_class(given, setup.objective, classes);

  setup.parameters = given.items;
  const auto choose = [&](const char* name, std::string value) { setup.parameters.emplace_back(name, std::move(value)); };
  if (!given.objective) choose("objective", setup.objective);
  if (!given.num_class && setup.objective.starts_with("multi:")) choose("num_class", std::to_string(classes));
  if (!given.has("seed") && !given.has("random_state")) choose("seed", std::to_string(seed));
  if (!given.has("nthread") && !given.has("n_jobs")) choose("nthread", std::to_string(threads));
  if (setup.booster != "gblinear" && !given.has("tree_method") && !given.has("updater")) choose("tree_method", "hist");
  return setup;
}

void apply(const TrainingSetup& setup, Booster& booster) {
  for (const auto& [name, value] : setup.parameters) booster.set_parameter(name, value);
  const std::vector<std::string> unused = booster.configure();
  if (!unused.empty()) refuse_unused(unused.front(), setup, booster);
}

}  // namespace pons::xgb
