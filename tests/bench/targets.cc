#include "tests/bench/targets.h"

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <vector>

namespace pons::bench {
namespace {

/// The path of something new in the folder: a folder of its own.
std::string fresh_path(const Paths& paths, const std::string& name) {
  std::string folder = paths.folder + "/XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) throw std::system_error(errno, std::generic_category(), folder);
  return folder + "/" + name;
}

Target start(const Paths& paths, std::vector<std::string> command, std::optional<int> core, const std::string& socket) {
  ProcessOptions options;
  options.command = std::move(command);
  options.stderr_path = paths.folder + "/stderr.log";
  options.core = core;
  auto process = std::make_unique<Process>(options);
  Connection connection = Connection::to(socket, *process);
  return {std::move(process), std::move(connection), socket};
}

/// Its descriptors `places` are one end of a socket pair.
Target start_on_pair(const Paths& paths, std::vector<std::string> command, std::optional<int> core, const std::vector<int>& places) {
  auto [ours, theirs] = socket_pair();
  ProcessOptions options;
  options.command = std::move(command);
  options.stderr_path = paths.folder + "/stderr.log";
  options.core = core;
  for (const int place : places) options.descriptors.emplace_back(theirs.get(), place);
  if (places.front() > 2) options.environment = {{"PONS_FD", std::to_string(places.front())}};
  auto process = std::make_unique<Process>(options);
  return {std::move(process), Connection(std::move(ours)), {}};
}

}  // namespace

std::string write_config(const Paths& paths, const std::string& adapters) {
  const std::string path = fresh_path(paths, "pons.yaml");
  std::ofstream file(path);
  file << "host:\n  name: bench\n  state_dir: " << path << ".state\nadapters:\n" << adapters;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
  return path;
}

Target start_host(const Paths& paths, const std::string& adapters, std::optional<int> core) {
  const std::string config = write_config(paths, adapters);
  const std::string socket = config + ".sock";
  return start(paths, {paths.pons, "serve", "--socket", socket, "-c", config}, core, socket);
}

void end_host(Target& host) {
  host.connection.exchange_ok(Request::json_args("host:shutdown", "{}").frame());
  const auto status = host.process->wait(std::chrono::seconds(30));
  if (!status) throw std::runtime_error("the host did not end within 30 s of host:shutdown");
  if (*status != 0) throw std::runtime_error("the host ended with status " + std::to_string(*status));
}

Target start_stdio_host(const Paths& paths, const std::string& config) {
  return start_on_pair(paths, {paths.pons, "serve", "--stdio", "-c", config}, std::nullopt, {0, 1});
}

Target start_relay(const Paths& paths, const std::string& mode, int workers, std::optional<int> core) {
  const std::string socket = fresh_path(paths, "relay.sock");
  return start(paths, {paths.relay, mode, std::to_string(workers), socket}, core, socket);
}

Target start_relay_to_python(const Paths& paths, std::optional<int> core) {
  const std::string socket = fresh_path(paths, "relay.sock");
  const auto worker = paths.sources + "/plain_worker.py";
  return start(paths, {paths.relay, "blocking", "1", socket, "--", "python3", worker}, core, socket);
}

Target start_relay_on_pair(const Paths& paths, const std::string& mode, int workers, std::optional<int> core) {
  return start_on_pair(paths, {paths.relay, mode, std::to_string(workers), "-"}, core, {0});
}

Target start_echo_worker(const Paths& paths, std::optional<int> core) {
  Target worker = start_on_pair(paths, {paths.echo_worker}, core, {3});
  const std::string handshake =
      R"({"initialization":true,"worker_id":"bench#0.1","protocol":{"min":1,"max":1},"adapter":"bench","options":{}})";
  worker.connection.exchange_ok(Request::json_args("ping", handshake).frame());
  worker.connection.exchange_ok(Request::json_args("get_info", "{}").frame());
  return worker;
}

}  // namespace pons::bench
