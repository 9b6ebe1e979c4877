#include "adapters/xgboost/commands.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "adapters/xgboost/arguments.h"
#include "adapters/xgboost/booster.h"
#include "adapters/xgboost/files.h"

namespace pons::xgb {

namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxModelBytes = std::uint64_t{1} << 28;
constexpr int kMaxRounds = 100'000;

json text_property(const char* description) { return {{"type", "string"}, {"description", description}}; }

json create_schema() {
  json properties{
      {"dataset", text_property("a data set of list_datasets")},
      {"csv", text_property("a CSV file on the worker's machine")},
      {"label", {{"type", {"string", "integer"}}, {"description", "the CSV file's label column, by name or index"}, {"default", -1}}},
      {"header", {{"type", "boolean"}, {"description", "whether the CSV file has a header line; found out if not given"}}},
      {"rows", {{"type", "array"}, {"items", {{"type", "array"}, {"items", {{"type", {"number", "null"}}}}}}, {"minItems", 1}}},
      {"labels", {{"type", "array"}, {"items", {{"type", {"string", "number", "boolean"}}}}}},
      {"feature_names", {{"type", "array"}, {"items", {{"type", "string"}}}}},
      {"missing", {{"enum", {"error", "allow"}}, {"default", "error"}}},
      {"params", {{"type", "object"}, {"description", "XGBoost's own parameters"}}}};
  const TrainingOptions defaults;
  properties["rounds"] = {{"type", "integer"}, {"minimum", 1}, {"maximum", kMaxRounds}, {"default", defaults.rounds}};
  properties["test_fraction"] = {{"type", "number"}, {"minimum", 0}, {"exclusiveMaximum", 1}, {"default", defaults.test_fraction}};
  properties["seed"] = {{"type", "integer"}, {"minimum", 0}, {"default", defaults.seed}};
  return {{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
}

json requires_text(std::initializer_list<const char*> names) {
  json schema{{"type", "object"}, {"properties", json::object()}, {"required", json::array()}};
  for (const char* name : names) {
    schema["properties"][name] = {{"type", "string"}};
    schema["required"].push_back(name);
  }
  return schema;
}

json save_model(const json& args_json, const Resources<Model>& models) {
  const Arguments args(args_json);
  args.allow_only({"resource_id", "path"});
  const std::string id = args.required_text("resource_id", "the model's resource_id");
  const std::string path = args.required_text("path", "the file to write");
  const std::string text = models.get(id).save();
  write_file(path, args.path("path"), text);
  return {{"resource_id", id}, {"path", path}, {"bytes", text.size()}};
}

json load_model(const json& args_json, const Environment& environment, Resources<Model>& models) {
  const Arguments args(args_json);
  args.allow_only({"path"});
  const std::string path = args.required_text("path", "the file to read");
  const std::string text = read_file(path, args.path("path"), kMaxModelBytes);
  return models.describe(models.add(Model::load(text, path, environment.threads)));
}

json evaluate(const json& args_json, const Environment& environment, Resources<Model>& models) {
  const Arguments args(args_json);
  args.allow_only(dataset_arguments({"resource_id"}));
  Model& model = models.get(args.required_text("resource_id", "the model's resource_id"));
  return model.evaluate(read_dataset(args, environment.catalogue, missing_policy(args, model.missing())));
}

}  // namespace

int threads_from_environment() {
  const char* text = std::getenv("OMP_NUM_THREADS");
  int threads = 0;
  if (text != nullptr) std::from_chars(text, text + std::string_view(text).size(), threads);
  return std::max(threads, 0);
}

Model create_model(const json& args_json, const Environment& environment, const RoundHook& before_round) {
  const Arguments args(args_json);
  args.allow_only(dataset_arguments({"params", "rounds", "test_fraction", "seed"}));
  TrainingOptions options;
  options.parameters = read_parameters(args);
  options.rounds = static_cast<int>(args.integer("rounds", options.rounds, 1, kMaxRounds));
  options.test_fraction = args.fraction("test_fraction", options.test_fraction, 0, 1);
  options.seed = static_cast<std::uint64_t>(args.integer("seed", 0, 0, std::numeric_limits<std::int64_t>::max()));
  options.missing = missing_policy(args, options.missing);
  options.threads = environment.threads;
  return Model::train(read_dataset(args, environment.catalogue, options.missing), options, before_round);
}

void declare_commands(Worker& worker, const Environment& environment) {
  auto& models = worker.resource<Model>(
      "model",
      {.description = "A gradient boosted model. It is trained on a bundled data set, a CSV file or rows given; `inputs.rows` predicts.",
       .create =
           [&environment](const json& args, Context& context) {
             return create_model(args, environment, [&context](int done, int total) {
               context.throw_if_cancelled();
               context.progress(done, total, "boosting");
             });
           },
       .execute = [](Model& model, const json& inputs) { return model.predict(inputs); },
       .describe = [](const Model& model) { return model.describe(); },
       .create_schema = create_schema()});
  worker.command("save_model",
                 {.description = "Writes a model to a file, in XGBoost's JSON format.",
                  .idempotent = true,
                  .args_schema = requires_text({"resource_id", "path"})},
                 [&models](const json& args) { return save_model(args, models); });
  worker.command("load_model",
                 {.description = "Reads a model from a file in XGBoost's JSON format.", .args_schema = requires_text({"path"})},
                 [&models, &environment](const json& args) { return load_model(args, environment, models); });
  worker.command(
      "evaluate",
      {.description = "Measures a model on a data set that has labels.", .idempotent = true, .args_schema = requires_text({"resource_id"})},
      [&models, &environment](const json& args) { return evaluate(args, environment, models); });
  worker.command("list_datasets", {.description = "The data sets that come with the adapter.", .idempotent = true},
                 [&environment](const json& /*args*/) {
                   return json{{"datasets", environment.catalogue.describe()}};
                 });
  worker.on_info([] { return json{{"framework", "XGBoost"}, {"framework_version", library_version()}}; });
}

}  // namespace pons::xgb
