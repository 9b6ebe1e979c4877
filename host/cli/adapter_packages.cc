#include "host/cli/adapter_packages.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "host/cli/error_text.h"
#include "host/cli/fault.h"
#include "host/cli/host_link.h"
#include "host/cli/json_text.h"
#include "host/cli/listings.h"
#include "host/cli/stop_signals.h"
#include "host/cli/table.h"
#include "host/cli/templates.h"
#include "host/config/adapter_folder.h"
#include "host/config/layers.h"
#include "host/config/preflight.h"
#include "host/environment/installer.h"
#include "protocol/envelope.h"

namespace pons::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

bool is_folder_path(const std::string& target) { return target.find('/') != std::string::npos || target == "." || target == ".."; }

ConfigContext context_for(const Surroundings& surroundings) {
  auto context = ConfigContext::of_process();
  context.env = surroundings.env;
  return context;
}

fs::path folder_of(const std::string& target, const ConfigContext& context) {
  if (is_folder_path(target)) {
    const auto found = adapter_target(absolute_from(context.current_dir, target));
    if (!found) throw Fault(ExitStatus::usage, found.error().message);
    if (!found->folder) throw Fault(ExitStatus::usage, target + ": expected an adapter's folder, with an adapter.yaml");
    return *found->folder;
  }
  const auto found = find_adapter(target, context.adapter_path);
  if (!found) throw Fault(ExitStatus::usage, found.error().message + "; a folder is named by a path, as in ./" + target);
  return *found;
}

EnvironmentPlace place_of(const AdapterFolder& adapter, const ConfigContext& context) {
  return {adapter.name, adapter.folder, context.env};
}

/// Its environment as a document; null: it needs none.
json environment_json(const AdapterFolder& adapter, const ConfigContext& context) {
  if (adapter.requirements.empty()) return nullptr;
  fs::path folder;
  const auto found = look_at(place_of(adapter, context), adapter.requirements, folder);
  json out{{"state", to_string(judge(found))}};
  if (folder.empty()) return out;
  out["folder"] = folder.string();
  if (found.marker) {
    out.update(
        {{"python", found.marker->python}, {"tool", found.marker->tool}, {"made", found.marker->made}, {"bytes", found.marker->bytes}});
  }
  return out;
}

std::string about_environment(const EnvironmentMarker& marker) {
  return "Python " + marker.python + ", by " + marker.tool + ", " + short_size(static_cast<double>(marker.bytes));
}

// ---- install -----------------------------------------------------------------------------------------------------------------------

json to_json(const std::vector<ModelCheck>& models) {
  json out = json::array();
  for (const auto& model : models) {
    json& one = out.emplace_back(json{{"name", model.name}, {"file", model.file}});
    one["state"] = !model.found ? "missing" : model.problem.empty() ? "ok" : "wrong";
    if (!model.problem.empty()) one["problem"] = model.problem;
  }
  return out;
}

bool all_right(const std::vector<ModelCheck>& models) {
  return std::all_of(models.begin(), models.end(),
                     [](const auto& model) { return model.problem.empty() && (model.found || model.optional); });
}

std::string text_of(const std::vector<ModelCheck>& models) {
  std::string out;
  for (const auto& model : models) {
    const std::string state = !model.found            ? (model.optional ? "not there (optional)" : "not there")
                              : model.problem.empty() ? "ok"
                                                      : model.problem;
    out += "model " + model.name + " (" + model.file + "): " + state + "\n";
  }
  return out;
}

int failed(const Error& error, const Options& options, Outputs outputs) {
  outputs.err.write(options.json ? error_json(error, {}, false) : "error: " + harmless(error.message) + "\n");
  return static_cast<int>(ExitStatus::failed);
}

int remove_environment(const AdapterFolder& adapter, EnvironmentInstaller& installer, const Options& options, Outputs outputs) {
  const auto removed = installer.remove();
  if (!removed) return failed(removed.error(), options, outputs);
  if (options.json) {
    outputs.out.write(one_line({{"name", adapter.name}, {"removed", *removed}}) + "\n");
  } else {
    outputs.out.write(harmless(adapter.name) + (*removed ? ": environment removed\n" : ": there is no environment\n"));
  }
  return written(outputs);
}

int report_install(const AdapterFolder& adapter, const std::optional<InstallResult>& result, const Options& options, Outputs outputs) {
  const auto models = check_models(adapter, result ? result->environment : fs::path());
  if (options.json) {
    json out{{"name", adapter.name}, {"made", result && result->made}, {"models", to_json(models)}, {"environment", nullptr}};
    if (result) {
      out["environment"] = result->environment.string();
      out.update({{"python", result->marker.python}, {"tool", result->marker.tool}, {"bytes", result->marker.bytes}});
      out["added"] = result->models;
    }
    outputs.out.write(one_line(out) + "\n");
  } else {
    std::string text = harmless(adapter.name);
    if (!result) {
      text += ": nothing to do, it has no requirements\n";
    } else {
      const bool idle = !result->made && result->models.empty();
      text += (result->made ? ": environment made ("
               : idle       ? ": nothing to do, its environment is ready ("
                            : ": its environment is ready (") +
              about_environment(result->marker) + ")\n";
      for (const auto& model : result->models) text += "added " + harmless(model) + "\n";
      for (const auto& kept : result->kept)
        text += "note: a process still runs from " + harmless(kept.string()) + "; a later run removes it\n";
    }
    outputs.out.write(text + harmless(text_of(models)));
  }
  const int status = written(outputs);
  return status == 0 && !all_right(models) ? static_cast<int>(ExitStatus::failed) : status;
}

// ---- info --------------------------------------------------------------------------------------------------------------------------

json info_json(const AdapterFolder& adapter, const ConfigContext& context) {
  json out = adapter.document.value;
  out["name"] = adapter.name;
  out["folder"] = adapter.folder.string();
  out["environment"] = environment_json(adapter, context);
  try {
    Interpreters interpreters;
    out["missing"] = to_json(preflight(adapter_from_path(adapter.folder, context), interpreters));
  } catch (const ConfigError& error) {
    out["problems"] = to_json(error.issues());
  }
  return out;
}

json commands_of(const AdapterFolder& adapter, const Surroundings& surroundings) {
  HostChoice choice;
  choice.adapter_path = adapter.folder.string();
  HostLink link(choice, surroundings, HostLink::Embedding::allowed, LogLevel::warn);
  const auto info = link.call("get_info");
  link.close(!info);
  if (!info) throw Exception(info.error());
  return info->value("commands", json::array());
}

/// The document by lines for people: short values beside their key, others below.
std::string info_text(const json& info) {
  std::string out;
  for (const char* key : {"name", "version", "description", "folder", "python", "command", "requirements", "environment", "required_env",
                          "required_packages", "defaults", "options", "errors", "licence", "models", "commands", "problems", "missing"}) {
    const auto value = info.find(key);
    if (value == info.end() || value->is_null() || (value->is_structured() && value->empty())) continue;
    const std::string text = value->is_string() ? std::string(*value) : pretty(*value, false);
    out += std::string(key) + ": " + harmless(text) + "\n";
  }
  return out;
}

}  // namespace

int run_adapter_install(const Options& options, const Surroundings& surroundings, Outputs outputs) {
  const auto context = context_for(surroundings);
  const AdapterFolder adapter = read_adapter_folder(folder_of(options.target, context), SchemaCheck());
  const StopSignals signals;
  const auto progress = [&](const std::string& line) {
    if (!options.json) outputs.err.write("  " + harmless(line) + "\n");
  };
  EnvironmentInstaller installer(context.env, adapter.requirements, place_of(adapter, context), signals.fd(), progress);
  if (options.remove) return remove_environment(adapter, installer, options, outputs);
  if (adapter.requirements.empty()) return report_install(adapter, std::nullopt, options, outputs);
  const auto result = installer.install(options.upgrade, options.models ? adapter.models : std::vector<ModelFile>());
  if (result) return report_install(adapter, *result, options, outputs);
  const int status = failed(result.error(), options, outputs);
  return result.error().code == ErrorCode::cancelled ? signals.exit_status() : status;
}

int run_adapter_list(const Options& options, const Surroundings& surroundings, Outputs outputs) {
  const auto context = context_for(surroundings);
  const SchemaCheck check;
  json adapters = json::array();
  Table table({{"NAME"}, {"VERSION"}, {"ENVIRONMENT"}, {"FOLDER"}, {"DESCRIPTION"}});
  for (const auto& [name, folder] : list_adapters(context.adapter_path)) {
    json& one = adapters.emplace_back(json{{"name", name}, {"folder", folder.string()}});
    try {
      const AdapterFolder adapter = read_adapter_folder(folder, check);
      const json environment = environment_json(adapter, context);
      one.update({{"version", adapter.version}, {"description", adapter.description}, {"environment", environment}});
      table.add({name, adapter.version, environment.is_null() ? "" : environment.value("state", ""), folder.string(), adapter.description});
    } catch (const ConfigError& error) {
      one["problems"] = to_json(error.issues());
      table.add({name, "", "", folder.string(), "problem: " + error.issues().front().to_string()});
    }
  }
  outputs.out.write(options.json ? one_line({{"adapters", adapters}}) + "\n" : table.text());
  return written(outputs);
}

int run_adapter_info(const Options& options, const Surroundings& surroundings, Outputs outputs) {
  const auto context = context_for(surroundings);
  const AdapterFolder adapter = read_adapter_folder(folder_of(options.target, context), SchemaCheck());
  json info = info_json(adapter, context);
  if (options.show_commands) {
    try {
      info["commands"] = commands_of(adapter, surroundings);
    } catch (const Exception& error) {
      return failed(error.error(), options, outputs);
    }
  }
  outputs.out.write(options.json ? one_line(info) + "\n" : info_text(info));
  return written(outputs);
}

int run_adapter_new(const Options& options, Outputs outputs) {
  if (!valid_namespace(options.target) || options.target == "host" || options.target == "common") {
    throw Fault(ExitStatus::usage, "\"" + options.target + "\" cannot be the name of an adapter: letters, digits, _ and -, 64 at most");
  }
  std::error_code error;
  const fs::path folder = fs::path(options.folder.empty() ? "." : options.folder) / options.target;
  fs::create_directories(folder.parent_path(), error);
  if (error) throw Fault(ExitStatus::failed, "cannot make " + folder.parent_path().string() + ": " + error.message());
  if (!fs::create_directory(folder, error)) {
    throw Fault(ExitStatus::failed, folder.string() + (error ? ": " + error.message() : " is there already; nothing was written"));
  }
  const fs::path program = fs::weakly_canonical(fs::read_symlink("/proc/self/exe", error), error);
  Surrounding around{{}, ConfigContext::of_process().python_sdk.string()};
  for (const char* place : {"../share/pons/adapter.schema.json", "../host/adapter.schema.json"}) {
    const fs::path schema = absolute_from(program.parent_path(), place);
    if (around.schema.empty() && fs::is_regular_file(schema, error)) around.schema = schema.string();
  }
  for (const auto& [name, text] : adapter_files(options.language, options.target, around)) {
    std::ofstream file(folder / name, std::ios::binary);
    file << text;
    if (!file.flush()) throw Fault(ExitStatus::failed, "cannot write " + (folder / name).string());
  }
  if (options.json) {
    outputs.out.write(one_line({{"name", options.target}, {"folder", fs::absolute(folder, error).lexically_normal().string()}}) + "\n");
  } else {
    outputs.out.write("made " + harmless(folder.string()) + "; its README.md says how to run and test it\n");
  }
  return written(outputs);
}

}  // namespace pons::cli
