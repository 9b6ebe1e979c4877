#include "worker/worker.h"

#include <unistd.h>

#include <iostream>
#include <sstream>
#include <stdexcept>

#include "protocol/envelope.h"
#include "worker/server.h"
#include "worker/stack_report.h"
#include "worker/stop_signal.h"
#include "worker/worker_state.h"

namespace pons {
namespace {

constexpr int kUsageExit = 2;

void require_handler(const std::string& name, bool is_there) {
  if (!is_there) throw std::invalid_argument("Command " + name + " has no handler");
}

void print(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(fd, text.data(), text.size());
    if (count <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace

Worker::Worker(std::string name, std::string version, ChannelFds channel)
    : state_(std::make_shared<State>(std::move(name), std::move(version), channel)) {
  if (!valid_namespace(state_->name)) {
    throw std::invalid_argument("\"" + state_->name + "\" is no worker name: 1 to 64 letters, digits and _ - are allowed");
  }
  state_->add_common_commands();
}

Worker::~Worker() = default;

Worker& Worker::command(std::string name, CommandOptions options, CommandHandler handler) {
  require_handler(name, static_cast<bool>(handler));
  state_->commands.add_by_adapter(std::move(name), Command{.options = std::move(options), .handler = std::move(handler), .raw = {}});
  return *this;
}

Worker& Worker::raw_command(std::string name, CommandOptions options, RawHandler handler) {
  require_handler(name, static_cast<bool>(handler));
  state_->commands.add_by_adapter(std::move(name), Command{.options = std::move(options), .handler = {}, .raw = std::move(handler)});
  return *this;
}

Worker& Worker::polled_command(std::string name, CommandOptions options) {
  state_->commands.add_by_adapter(std::move(name), Command{.options = std::move(options), .handler = {}, .raw = {}});
  return *this;
}

void Worker::add_store(std::unique_ptr<ResourceStore> store, const ResourceDeclaration& declaration, CommandHandler create) {
  const std::string& type = store->type();
  if (!valid_namespace(type)) {
    throw std::invalid_argument("\"" + type + "\" is no resource type: 1 to 64 letters, digits and _ - are allowed");
  }
  const std::string list_key = type + "s";
  ResourceStore& resources = *store;
  if (create) command("create_" + type, {declaration.description, false, declaration.create_schema}, std::move(create));
  command("list_" + list_key, {.description = "The resources of type " + type + ".", .idempotent = true},
          [&resources, list_key](const nlohmann::json& /*args*/) {
            return nlohmann::json{{list_key, resources.list()}};
          });
  if (state_->stores.empty()) state_->add_resource_commands();
  state_->stores.push_back(std::move(store));
}

Worker& Worker::on_configure(std::function<void(const nlohmann::json& options)> hook) {
  state_->configure = std::move(hook);
  return *this;
}

Worker& Worker::on_end_session(std::function<void(const std::string& session_id)> hook) {
  state_->end_session = std::move(hook);
  return *this;
}

Worker& Worker::session_snapshot(std::string format, SaveSession save, RestoreSession restore) {
  if (state_->snapshot) throw std::invalid_argument("session_snapshot is declared twice");
  if (format.empty() || !save || !restore) throw std::invalid_argument("session_snapshot needs a format, a save and a restore");
  state_->snapshot = State::Snapshot{std::move(format), std::move(save), std::move(restore)};
  state_->add_snapshot_commands();
  return capability("session_snapshot");
}

Worker& Worker::on_cleanup(std::function<void()> hook) {
  state_->cleanup = std::move(hook);
  return *this;
}

Worker& Worker::on_stats(std::function<nlohmann::json()> hook) {
  state_->stats = std::move(hook);
  return *this;
}

Worker& Worker::on_info(std::function<nlohmann::json()> hook) {
  state_->info = std::move(hook);
  return *this;
}

Worker& Worker::capability(std::string name) {
  state_->capabilities.push_back(std::move(name));
  return *this;
}

Worker& Worker::concurrency(std::size_t requests) {
  if (requests == 0) throw std::invalid_argument("A worker serves at least one request");
  state_->concurrency = requests;
  return *this;
}

const WorkerIdentity& Worker::identity() const { return state_->identity; }

std::optional<Request> Worker::poll(TimePoint deadline) { return server().poll(deadline); }

bool Worker::ended() const { return server().is_over(); }

Server& Worker::server() const {
  if (state_->server == nullptr) throw std::logic_error("A worker is polled inside the loop that is given to run()");
  return *state_->server;
}

int Worker::run(const Loop& loop) {
  const auto polled = state_->commands.any_polled();
  if (!loop && !polled.empty()) throw std::logic_error("Command " + std::string(polled) + " has no handler, and no loop polls for it");
  if (!loop && state_->concurrency > 1) throw std::logic_error("Only a loop that polls serves several requests together");
  if (state_->channel.in < 0) {
    std::cerr << state_->name << " " << state_->version << " is a Pons worker: a host starts it and speaks to it in frames. Try\n"
              << "  pons call --adapter DIR COMMAND [ARGS]     with the folder of its adapter.yaml, or --help for its commands\n";
    return kUsageExit;
  }
  const StopSignal stop;
  const StackReport report(state_->dump_fd);
  state_->stack_signal = report.signal();
  Server server(state_, stop);
  if (loop) {
    loop();
  } else {
    while (!server.is_over()) server.poll(kForever);
  }
  return server.finish();
}

int Worker::run(int argc, const char* const* argv, const Loop& loop) {
  const std::string_view option = argc > 1 ? argv[1] : "";
  const bool on_stdio = state_->channel.out != state_->channel.in;  // then stdout has been moved away
  const int out = on_stdio ? state_->channel.out : STDOUT_FILENO;
  if (option == "--version") {
    print(out, state_->name + " " + state_->version + "\n");
    return 0;
  }
  if (option == "--help" || option == "-h") {
    std::ostringstream text;
    text << state_->name << " " << state_->version << ", a Pons worker. A host starts it. Its commands:\n";
    for (const auto& [name, command] : state_->commands) {
      if (!command.common) text << "  " << name << "  " << command.options.description << "\n";
    }
    text << "and ping, get_info, get_stats, cleanup.\n";
    print(out, text.str());
    return 0;
  }
  return run(loop);
}

}  // namespace pons
