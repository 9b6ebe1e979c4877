// The configuration of a host: what a file says, checked, with every default filled in and every path absolute.
//
// Layers, the later beats the earlier, key by key (lists are replaced whole): built-in defaults, `defaults` of the adapter's
// adapter.yaml, `defaults` of the file, the adapter's own entry. docs/configuration.md lists the keys; host/config/schema.json is their
// source. Everything here runs at start-up and throws ConfigError.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/config/adapter_folder.h"
#include "host/config/error.h"
#include "host/config/finding.h"
#include "host/log.h"
#include "pool/options.h"

namespace pons {

struct HostConfig {
  std::string name = "default";     ///< names the socket and the state directory
  std::string socket;               ///< absolute; empty: default_socket_path(name)
  std::string state_dir;            ///< absolute; empty: default_state_dir(name)
  Millis shutdown_timeout{10'000};  ///< for running requests, after SIGTERM
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::automatic;
  std::size_t max_frame = 64u << 20;     ///< bytes of one body; never 0
  std::size_t max_connections = 1024;    ///< 0: no limit, as for all that follow
  std::size_t buffer_limit = 1u << 30;   ///< bytes of requests and replies held in all
  std::size_t output_limit = 64u << 20;  ///< bytes of unsent output of one connection
  std::size_t stream_limit = 8u << 20;   ///< bytes of one stream not yet delivered
  Millis write_timeout{30'000};          ///< a connection that takes no byte for so long is closed
};

/// What becomes of an exception of the framework whose class name matches `pattern` (`*` and `?` as in a shell).
struct ErrorRule {
  std::string pattern;
  std::string code;
  std::optional<bool> retryable;
};

struct AdapterConfig {
  PoolOptions pool;                                      ///< complete, `launch.env` included; `pool.adapter` is the namespace
  std::string framework;                                 ///< name that its adapter.yaml gives; else the namespace
  std::string description;                               ///< of its adapter.yaml; may be empty
  std::string version;                                   ///< likewise
  std::string folder;                                    ///< absolute folder of its adapter.yaml; empty if it was given by `command`
  std::string source;                                    ///< the file that names the adapter; empty for the built-in default
  std::vector<std::pair<std::string, std::string>> env;  ///< what the configuration sets, without the base
  std::vector<std::string> env_passthrough;
  std::vector<std::string> required_env;
  std::vector<std::string> required_packages;
  std::vector<Finding> missing_variables;     ///< those of required_env that do not reach its workers
  std::string requirements;                   ///< absolute path of the requirements of its environment; empty: it needs none
  std::string environment;                    ///< absolute folder of that environment (EnvironmentPlace); empty: it needs none
  std::string python_sdk;                     ///< what was put first into its PYTHONPATH; empty: nothing
  std::vector<ModelFile> models;              ///< that its workers need
  std::string reference;                      ///< what `pons adapter` is to be told to mean it: a name, or its folder
  std::map<std::string, ConfigIssue> places;  ///< where required_packages[i], requirements, models and command are said; without messages
  bool named = true;                          ///< the configuration names it: it is not just there
  std::vector<ErrorRule> errors;              ///< the longest pattern first; the first that matches counts
  nlohmann::json written;                     ///< all its layers in one entry, without built-in defaults, paths absolute
};

struct Config {
  HostConfig host;
  std::optional<std::string> default_adapter;  ///< a namespace of `adapters`; nothing: the host answers the common commands
  std::vector<AdapterConfig> adapters;         ///< in the order of their namespaces
  nlohmann::json defaults;                     ///< what the file's `defaults` say, paths absolute; null: nothing
  std::string file;                            ///< absolute; empty: the built-in default
  std::vector<ConfigIssue> warnings;           ///< what default_config left out, and why

  [[nodiscard]] const AdapterConfig* find(std::string_view adapter) const;
};

/// Reads an environment variable; nothing if it is not set.
using EnvLookup = std::function<std::optional<std::string>(const std::string& name)>;

/// Where names are looked up. Tests give their own.
struct ConfigContext {
  EnvLookup env;                                    ///< of the host
  std::vector<std::filesystem::path> adapter_path;  ///< folders whose sub-folders are adapters, first match wins
  std::filesystem::path current_dir;                ///< what a relative file name counts from
  std::filesystem::path python_sdk{};               ///< put on the path of workers in Python; empty: they have their own

  /// The process's environment and directory; PONS_ADAPTER_PATH (separated by colons), then the places beside the program.
  static ConfigContext of_process();
};

/// `<PONS_ADAPTER_PATH...>`, then `../share/pons/adapters`, `../adapters` and `adapters` from the folder of `program` (links resolved).
std::vector<std::filesystem::path> adapter_search_path(const EnvLookup& env, const std::filesystem::path& program);

/// A file, JSON if its name ends in .json, else YAML. Adapters are also looked up in the file's own folder, first.
Config load_config(const std::filesystem::path& file, const ConfigContext& context = ConfigContext::of_process());

/// The same for text; `file` names it in messages and gives the folder that relative paths count from.
Config parse_config(std::string_view text, const std::filesystem::path& file, const ConfigContext& context);

/// What finds a running host in a file: its name and socket, the rest left at its default. Nothing else in the file has to be right.
/// Throws ConfigError if it is no YAML or JSON, or one of the two cannot be used.
HostConfig load_host_address(const std::filesystem::path& file, const ConfigContext& context = ConfigContext::of_process());

/// What runs without a file: every adapter on the search path under its own name. One that cannot be served (a broken adapter.yaml, a
/// required variable missing) is left out, with a warning.
Config default_config(const ConfigContext& context = ConfigContext::of_process());

/// A Python file, a program, an adapter's folder or its adapter.yaml, with defaults for the rest; the namespace is the one that
/// adapter.yaml gives, else made of the file's name. `name`, if not empty, beats both.
AdapterConfig adapter_from_path(const std::filesystem::path& path, const ConfigContext& context = ConfigContext::of_process(),
                                const std::string& name = {});

/// The configuration of those adapters alone, with the host's defaults.
Config config_of(std::vector<AdapterConfig> adapters);

/// The effective configuration in the form of the file: every key that this version acts on, with units. It can be read again.
nlohmann::json to_json(const Config& config);

/// One adapter's part of it.
nlohmann::json to_json(const AdapterConfig& adapter);

/// Whether a host may be called that, wherever it is said: letters, digits, `.`, `_`, `-`, 64 at most, a letter or digit first.
bool valid_host_name(std::string_view name);

/// $XDG_RUNTIME_DIR/pons/NAME.sock, else /tmp/pons-UID/NAME.sock.
std::string default_socket_path(const std::string& name, const EnvLookup& env);
/// $XDG_STATE_HOME/pons/NAME, else ~/.local/state/pons/NAME.
std::string default_state_dir(const std::string& name, const EnvLookup& env);

/// The JSON Schemas of the file and of an adapter.yaml (draft 7), as text.
std::string_view config_schema();
std::string_view adapter_schema();

}  // namespace pons
