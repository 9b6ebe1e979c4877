// A worker: the program at the other end of a host's channel. This is the whole of one:
//
//   #include <pons/worker/worker.h>
//
//   int main(int argc, char** argv) {
//     pons::Worker worker("hello", "1.0");
//     worker.command("greet", {.description = "Says hello.", .idempotent = true}, [](const nlohmann::json& args) {
//       return nlohmann::json{{"text", "Hello " + args.value("name", "you")}};
//     });
//     return worker.run(argc, argv);
//   }
//
// The worker answers ping, get_info, get_stats and cleanup by itself. It serves one request after the other, in the thread that
// called run(): handlers and hooks need no locks. What a handler throws becomes the error reply of its request, and the worker lives:
//   - pons::Exception: its code, message and details, as they are;
//   - a wrong type or a missing key while reading `args` (nlohmann's exceptions): invalid_args;
//   - any other std::exception: worker_error, with the exception's class in `details.type`.
//
// A second thread of the SDK reads the channel while a handler runs, and calls nothing of the program's: so Context::cancelled() shows
// at once that the host cancelled or is gone, and a request that is cancelled before it begins is answered without being run.
//
// A program that serves many requests together has a loop of its own, and asks for them. A command without a handler comes out of poll():
//
//   pons::Worker worker("batches", "1.0");
//   worker.polled_command("generate", {.description = "Continues a text."}).concurrency(8);
//   return worker.run(argc, argv, [&] {
//     std::vector<Sequence> active;                       // each holds its pons::Request
//     while (!worker.ended()) {
//       while (auto request = worker.poll(active.empty() ? pons::kForever : pons::kAtOnce)) active.emplace_back(std::move(*request));
//       step(active);                                     // of each: request.reply(...) when it is done, request.fail(...) if cancelled
//     }
//   });
//
// poll() answers everything else by itself: the commands that have handlers, and what every worker answers.
//
// Objects that a handler captures by reference must outlive the Worker.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "worker/context.h"
#include "worker/request.h"
#include "worker/resources.h"

namespace pons {

class Server;

/// The descriptors that a worker speaks on: the same one twice for a socket. -1: there is no host.
struct ChannelFds {
  int in = -1;
  int out = -1;
};

/// Finds this process's channel: the descriptor that PONS_FD names, else stdin and stdout unless stdin is a terminal. In that last
/// case it moves them to private descriptors, and leaves /dev/null at 0 and stderr at 1, so that a stray print from anywhere cannot
/// harm the protocol. Call once, before anything reads or prints. Throws std::system_error if PONS_FD names no open descriptor.
ChannelFds claim_channel();

struct CommandOptions {
  std::string description{};     ///< one sentence, for get_info
  bool idempotent = false;       ///< may be run again after a worker was lost while it ran
  nlohmann::json args_schema{};  ///< JSON Schema of `args`, for get_info; null: none
};

/// For Worker::poll().
inline constexpr std::chrono::steady_clock::time_point kAtOnce = std::chrono::steady_clock::time_point::min();
inline constexpr std::chrono::steady_clock::time_point kForever = std::chrono::steady_clock::time_point::max();

class Worker {
 public:
  using CommandHandler = Handler<nlohmann::json(const nlohmann::json& args)>;
  using RawHandler = Handler<RawResult(const RawArgs& args)>;
  using Bytes = std::vector<std::uint8_t>;
  using SaveSession = std::function<Bytes(const std::string& session_id)>;
  using RestoreSession = std::function<void(const std::string& session_id, const Bytes& state)>;
  using Loop = std::function<void()>;
  using TimePoint = std::chrono::steady_clock::time_point;

  /// `name` is what get_info says, and, until the handshake tells the adapter's name, the namespace. The channel is claimed at once:
  /// construct the worker first in main(). Throws std::invalid_argument for a name that is no namespace.
  Worker(std::string name, std::string version, ChannelFds channel = claim_channel());
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Declarations, before run(). Those that take a name throw std::invalid_argument if it is taken, reserved or malformed.

  /// `[](const json& args) -> json`, or `[](const json& args, Context&) -> json`. MessagePack `bin` is nlohmann's binary.
  Worker& command(std::string name, CommandOptions options, CommandHandler handler);
  Worker& command(std::string name, CommandHandler handler) { return command(std::move(name), {}, std::move(handler)); }
  /// For payloads that need no document: `[](const RawArgs&) -> RawResult`, with a Context& after it if wanted.
  Worker& raw_command(std::string name, CommandOptions options, RawHandler handler);
  /// Without a handler: requests for it come out of poll().
  Worker& polled_command(std::string name, CommandOptions options = {});

  /// Gives `create_<type>` (if there is a `create`), `list_<type>s`, and makes `execute_resource` and `delete_resource` know the type.
  /// The reference lasts as long as the worker: other commands use it to look resources up and to add some.
  template <class T>
  Resources<T>& resource(std::string type, ResourceType<T> functions) {
    const ResourceDeclaration declaration{functions.description, functions.create_schema};
    auto create = std::move(functions.create);
    auto store = std::make_unique<Resources<T>>(std::move(type), std::move(functions));
    Resources<T>& resources = *store;
    CommandHandler handler;
    if (create) {
      handler = [&resources, create](const nlohmann::json& args, Context& context) {
        return resources.describe(resources.add(create(args, context)));
      };
    }
    add_store(std::move(store), declaration, std::move(handler));
    return resources;
  }

  /// Called with the adapter's `options` (an object) during the handshake; may take as long as `timeouts.startup`. If it throws, the
  /// worker does not get ready, and ends with status 78 (which the host does not restart) if the code is invalid_configuration.
  Worker& on_configure(std::function<void(const nlohmann::json& options)> hook);
  /// A session ended: free what it held.
  Worker& on_end_session(std::function<void(const std::string& session_id)> hook);
  /// Lets the host keep what a session is made of, and go on with it in another worker: the capability `session_snapshot`. `format` names
  /// the adapter's own layout and its version, such as `chat/2`; a snapshot of another format is refused. `save` is called between two
  /// requests of the session, which has had at least one; `restore` replaces what there is of that session. What they throw fails the
  /// snapshot. Throws std::invalid_argument if there is one already, or something is empty.
  Worker& session_snapshot(std::string format, SaveSession save, RestoreSession restore);
  /// `cleanup` was called: free everything. Resources are gone already, and every session has had its on_end_session.
  Worker& on_cleanup(std::function<void()> hook);
  /// More fields for get_stats and get_info; they win over the SDK's.
  Worker& on_stats(std::function<nlohmann::json()> hook);
  Worker& on_info(std::function<nlohmann::json()> hook);
  /// Adds a word to `capabilities`.
  Worker& capability(std::string name);
  /// How many requests poll() has handed out at most and are not answered yet; get_info says it to the host. 1 unless set; only
  /// poll() can serve more than one. May still be set by on_configure. Throws std::invalid_argument for 0.
  Worker& concurrency(std::size_t requests);

  /// What the host said in the handshake.
  [[nodiscard]] const WorkerIdentity& identity() const;

  /// Serves until the host is gone, inside `loop` if there is one. The exit status for main(): 0 after end of file, after SIGTERM once
  /// what had begun is answered, or when `loop` returned; 1 if the channel carried something that is no frame; 2, with an explanation on
  /// stderr, if there is no host at all; 78 if the configuration was refused.
  /// When the host is gone, handlers and `loop` have a second to return; then the process ends at once, with status 3 and without
  /// destructors. Requests that have not begun by then are not run.
  /// Ignores SIGINT (the host decides) and SIGPIPE. SIGRTMIN+4 writes the stack of this thread to where the host collects it, if the
  /// host has asked for that (PONS_DUMP_FD) and the program does not use the signal. What `loop` throws is passed on.
  /// Throws std::logic_error if there is no `loop`, but there are polled commands, or a concurrency above 1.
  int run(const Loop& loop = {});
  /// The same, after `--help` and `--version`.
  int run(int argc, const char* const* argv, const Loop& loop = {});

  // Inside the loop. Throw std::logic_error elsewhere.

  /// The next request of a polled command, in the order in which they came; waits for it until `deadline`. No more than `concurrency`
  /// are handed out. Nothing at the deadline; before it if a request that is held was cancelled, once if SIGTERM has come (finish what
  /// is held), and when the worker has ended. Replies that were given are sent before it waits, at the latest a few milliseconds after
  /// they were given. Call it often, with kAtOnce while there is work.
  std::optional<Request> poll(TimePoint deadline = kForever);
  /// The host is gone, or SIGTERM has come and no request is held any more: poll() gives nothing more. Leave the loop.
  [[nodiscard]] bool ended() const;

  struct State;  ///< of the SDK's own files

 private:
  struct ResourceDeclaration {
    std::string description;
    nlohmann::json create_schema;
  };
  void add_store(std::unique_ptr<ResourceStore> store, const ResourceDeclaration& declaration, CommandHandler create);
  [[nodiscard]] Server& server() const;

  std::shared_ptr<State> state_;  // requests may outlive the worker
};

}  // namespace pons
