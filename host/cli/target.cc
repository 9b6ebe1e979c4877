#include "host/cli/target.h"

#include <filesystem>

namespace pons::cli {

namespace {

std::string socket_of(const HostConfig& host, const EnvLookup& env) {
  return host.socket.empty() ? default_socket_path(host.name, env) : host.socket;
}

/// The path in one word, as in %tmp%lab.sock.
std::string name_of_socket(const std::string& socket) {
  std::string name;
  for (const char c : std::filesystem::path(socket).lexically_normal().string())
    name += c == '/' ? "%" : c == '%' ? "%%" : std::string(1, c);
  return name;
}

}  // namespace

std::optional<std::string> lookup(const EnvLookup& env, const std::string& name) {
  auto value = env(name);
  if (value && value->empty()) return std::nullopt;
  return value;
}

std::optional<std::string> chosen_config_file(const HostChoice& choice, const EnvLookup& env) {
  return choice.config ? choice.config : lookup(env, "PONS_CONFIG");
}

Target choose_target(const HostChoice& choice, const EnvLookup& env, const std::function<std::optional<HostConfig>()>& config) {
  if (choice.adapter_path) return {{}, true};
  if (choice.socket) return {*choice.socket, false};
  const bool may_embed = !choice.no_embedded;
  if (choice.name) return {default_socket_path(*choice.name, env), may_embed};
  if (const auto socket = lookup(env, "PONS_SOCKET")) return {*socket, false, true};
  if (const auto chosen = config()) return {socket_of(*chosen, env), may_embed};
  return {default_socket_path(HostConfig{}.name, env), may_embed};
}

std::optional<std::string> choose_listener(const Options& options, const EnvLookup& env, const Config& config) {
  if (options.host.socket) return std::filesystem::absolute(*options.host.socket).string();
  if (options.host.name) return default_socket_path(*options.host.name, env);
  if (options.stdio) return std::nullopt;
  if (const auto socket = lookup(env, "PONS_SOCKET")) return std::filesystem::absolute(*socket).string();
  return socket_of(config.host, env);
}

std::string host_title(const std::string& name, const std::string& socket, const EnvLookup& env) {
  const bool named = name != HostConfig{}.name || socket == default_socket_path(name, env);
  return named ? name : "the host at " + socket;
}

std::optional<std::string> choose_state_dir(const Options& options, const EnvLookup& env, const Config& config,
                                            const std::optional<std::string>& socket) {
  if (!socket) return std::nullopt;
  if (!config.host.state_dir.empty()) return config.host.state_dir;
  const auto name = options.host.name.value_or(config.host.name);
  const bool named = options.host.name || name != HostConfig{}.name || *socket == default_socket_path(name, env);
  return default_state_dir(named ? name : name_of_socket(*socket), env);
}

}  // namespace pons::cli
