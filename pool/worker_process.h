// One worker: its process, its channel, its output, its handshake. It does what WorkerLife says, and tells its pool what happened.
//
// Object lifetimes: owned by its Pool, which outlives it; asynchronous operations keep it alive until they are done. After on_exited
// nothing more is called. Thread safety: none; the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "pool/line_reader.h"
#include "pool/options.h"
#include "pool/process.h"
#include "pool/stack_dump.h"
#include "pool/worker_key.h"
#include "pool/worker_life.h"
#include "protocol/transport/channel.h"

namespace pons {

/// What the handshake said.
struct WorkerInfo {
  int level = 0;  ///< protocol level: 0 knows the four common commands only
  bool reads_json = true;
  bool reads_msgpack = false;
  bool in_order = true;                            ///< one request at a time: what lies behind the first has not begun
  bool can_snapshot = false;                       ///< it exports and imports sessions
  int stack_signal = 0;                            ///< makes it write its stacks to its dump pipe; 0: it cannot
  std::set<std::string> idempotent{};              ///< commands that it declares so
  nlohmann::json info = nlohmann::json::object();  ///< the result of get_info
};

class WorkerProcess : public std::enable_shared_from_this<WorkerProcess> {
 public:
  struct Exit {
    ExitStatus status;
    Millis uptime{0};  ///< since it was ready
    bool was_ready = false;
    bool asked = false;  ///< it was told to stop
    std::string cause;   ///< for details.reason, in one word: bad_reply, unresponsive, stopped, memory, hung; empty: by itself
    std::string reason;  ///< why its channel could not be used, or why it did not get ready; empty: it just ended
    std::vector<std::string> stderr_tail;
  };

  class Owner {
   public:
    virtual void on_worker_ready(WorkerProcess& worker) = 0;
    /// It was ready, and takes no more requests; on_worker_exited follows.
    virtual void on_worker_leaving(WorkerProcess& worker) = 0;
    /// It is dead, and its channel was read until empty. Nothing is called after this.
    virtual void on_worker_exited(WorkerProcess& worker, Exit exit) = 0;
    virtual void on_worker_line(WorkerProcess& worker, std::string_view stream, std::string line, bool cut) = 0;
    virtual void on_late_reply(WorkerProcess& worker) = 0;
    /// It asks for something; to be answered through its channel, or refuse().
    virtual void on_worker_request(WorkerProcess& worker, Message&& request) = 0;
    /// After watch_writing(): bytes have left on its channel.
    virtual void on_worker_written(WorkerProcess& worker, std::size_t unsent) = 0;

   protected:
    ~Owner() = default;
  };

  WorkerProcess(Executor executor, const PoolOptions& options, WorkerKey key, std::string id, Owner& owner);
  ~WorkerProcess();
  /// Failures, also of making the spec, come through on_worker_exited, in a later turn of the loop.
  void start(ProcessLauncher& launcher, Result<SpawnSpec> spec);

  /// End of file, then SIGTERM, then SIGKILL.
  void stop() { handle(WorkerLife::Event::stop); }
  /// Tells it to clean up, then the same.
  void finish() { handle(WorkerLife::Event::finish); }
  /// It does not answer: SIGTERM, then SIGKILL. `cause` and `reason` are what its exit will be reported with.
  void give_up(std::string cause, std::string reason);
  void kill() { handle(WorkerLife::Event::kill); }
  /// It must go at once.
  void kill(std::string cause, std::string reason);

  /// Whether it said how to be asked for its stacks.
  [[nodiscard]] bool can_dump_stacks() const { return info_.stack_signal > 0 && stacks_ != nullptr; }
  /// Asks it where it is, and calls back with what it wrote: at most StackDump::kLongest later, or when it has died. Once for all that
  /// ask meanwhile.
  void dump_stacks(std::function<void(const std::string&)> callback);

  /// Answers a request of its own with `error`. One that reads no such answers is ended.
  void refuse(Codec codec, const RequestId& id, const Error& error);
  void watch_writing() { writing_watched_ = true; }

  [[nodiscard]] WorkerKey key() const { return key_; }
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] pid_t pid() const { return process_.pid; }
  [[nodiscard]] const WorkerInfo& info() const { return info_; }
  [[nodiscard]] WorkerLife::State state() const { return life_.state(); }
  [[nodiscard]] TimePoint ready_since() const { return ready_since_; }
  /// Only while ready.
  [[nodiscard]] Channel& channel() { return *channel_; }

 private:
  void handle(WorkerLife::Event event);
  void arm_timer();
  void on_timer();
  void settle(int looks);
  void adopt(Spawned spawned);
  void await_exec();
  void await_exit();
  void begin_handshake();
  void on_ping(const Result<Message>& reply);
  void on_info(const Result<Message>& reply);
  void ask(std::string_view command, nlohmann::json args, void (WorkerProcess::*then)(const Result<Message>&));
  void fail_start(std::string reason);
  void clean_up();
  void on_cleaned(const Result<Message>& reply);
  void report();

  Executor executor_;
  const PoolOptions& options_;
  WorkerKey key_;
  std::string id_;
  Owner& owner_;
  WorkerLife life_;
  Timer timer_;
  Spawned process_;
  std::optional<Descriptor> exit_watch_;
  std::optional<Descriptor> exec_watch_;
  std::unique_ptr<Channel> channel_;
  std::shared_ptr<LineReader> out_;
  std::shared_ptr<LineReader> err_;
  std::unique_ptr<StackDump> stacks_;
  WorkerInfo info_;
  ExitStatus exit_;
  bool signalled_ = false;  ///< by us
  bool writing_watched_ = false;
  std::size_t refused_ = 0;          ///< bytes of refusals since the last time that all of them had left,
  std::uint64_t refused_until_ = 0;  ///< which is when so many bytes of the channel have
  std::string cause_;
  std::string reason_;
  TimePoint ready_since_{};
  SpawnFailure exec_failure_;
  SpawnSpec spec_;
};

}  // namespace pons
