#include "pool/worker_process.h"

#include <signal.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <cstring>
#include <fstream>

#include "pool/worker_launch.h"
#include "protocol/document.h"
#include "protocol/utf8.h"

namespace pons {

namespace {

constexpr std::size_t kMaxUnread = 1u << 20;  // bytes of refusals of a worker's own requests
constexpr int kMostLooks = 1'000;             // at the channel of a dead worker: turns of the loop, each of which reads

/// The result of a reply to a request of the host's own, as a document.
Result<nlohmann::json> result_of(const Result<Message>& reply) {
  if (!reply) return reply.error();
  auto document = decode(reply->envelope.codec, reply->frame.body);
  if (!document) return document.error();
  if (!reply->envelope.success) return Error{ErrorCode::worker_start_failed, document->value("error", std::string("it failed"))};
  return Result<nlohmann::json>(boost::system::in_place_value, document->value("result", nlohmann::json::object()));
}

}  // namespace

WorkerProcess::WorkerProcess(Executor executor, const PoolOptions& options, WorkerKey key, std::string id, Owner& owner)
    : executor_(executor),
      options_(options),
      key_(key),
      id_(std::move(id)),
      owner_(owner),
      life_(options.timeouts, Clock::now()),
      timer_(executor) {}

WorkerProcess::~WorkerProcess() {
  // Only when the host itself is taken down without waiting: the process must not outlive us.
  if (process_.pidfd && life_.state() != WorkerLife::State::dead) {
    signal_group(process_.pidfd.get(), process_.pid, SIGKILL);
  }
}

void WorkerProcess::start(ProcessLauncher& launcher, Result<SpawnSpec> spec) {
  auto spawned = spec ? launcher.spawn(*spec) : Result<Spawned>(spec.error());
  if (spec) spec_ = std::move(*spec);
  if (spawned) {
    adopt(std::move(*spawned));
    return;
  }
  reason_ = spawned.error().message;
  asio::post(executor_, [self = shared_from_this()] {
    self->handle(WorkerLife::Event::handshake_failed);
    self->handle(WorkerLife::Event::channel_ended);
    self->handle(WorkerLife::Event::output_ended);
    self->handle(WorkerLife::Event::process_ended);
  });
}

void WorkerProcess::adopt(Spawned spawned) {
  process_ = std::move(spawned);
  const auto weak = weak_from_this();
  const auto reader = [&](UniqueFd fd, std::string_view stream, bool is_err) {
    LineReader::Callbacks callbacks;
    callbacks.on_line = [weak, stream](std::string line, bool cut) {
      if (const auto self = weak.lock()) self->owner_.on_worker_line(*self, stream, std::move(line), cut);
    };
    callbacks.on_dropped = [weak, stream](std::uint64_t count) {
      if (const auto self = weak.lock()) {
        self->owner_.on_worker_line(*self, stream, std::to_string(count) + " lines dropped (log_rate)", false);
      }
    };
    if (is_err) {
      callbacks.on_end = [weak] {
        if (const auto self = weak.lock()) self->handle(WorkerLife::Event::output_ended);
      };
    }
    return LineReader::create(executor_, std::move(fd), options_.log_rate, std::move(callbacks));
  };
  if (process_.out) out_ = reader(std::move(process_.out), "stdout", false);
  err_ = reader(std::move(process_.err), "stderr", true);

  Channel::Callbacks callbacks;
  callbacks.on_late_reply = [weak] {
    if (const auto self = weak.lock()) self->owner_.on_late_reply(*self);
  };
  callbacks.on_request = [weak](Message&& request) {
    if (const auto self = weak.lock()) self->owner_.on_worker_request(*self, std::move(request));
  };
  callbacks.on_written = [weak](std::size_t unsent) {
    if (const auto self = weak.lock(); self && self->writing_watched_) self->owner_.on_worker_written(*self, unsent);
  };
  callbacks.on_end = [weak](std::string reason) {
    const auto self = weak.lock();
    if (!self) return;
    if (!reason.empty() && self->cause_.empty()) self->cause_ = "bad_reply";  // what it sent cannot be used
    if (self->reason_.empty()) self->reason_ = std::move(reason);
    self->handle(WorkerLife::Event::channel_ended);
  };
  FrameStream::Options stream;
  stream.max_frame = options_.max_frame;
  stream.output_limit = 0;  // what waits for a worker is bounded by its in_flight, by kMaxUnread, and by who serves its own requests
  channel_ =
      std::make_unique<Channel>(executor_, std::move(process_.channel_in), std::move(process_.channel_out), stream, std::move(callbacks));
  if (process_.dump) stacks_ = std::make_unique<StackDump>(executor_, std::move(process_.dump));
  await_exit();
  await_exec();
  arm_timer();
}

void WorkerProcess::refuse(Codec codec, const RequestId& id, const Error& error) {
  if (channel_->given() - channel_->unsent() >= refused_until_) refused_ = 0;
  if (refused_ > kMaxUnread) return kill("bad_reply", "it sends requests, and does not read the answers");
  auto body = error_body(codec, id, error);
  refused_ += body.size();
  channel_->send(OutFrame::of(std::move(body)));
  refused_until_ = channel_->given();
}

void WorkerProcess::await_exit() {
  if (!exit_watch_) exit_watch_.emplace(executor_, ::dup(process_.pidfd.get()));
  exit_watch_->async_wait(Descriptor::wait_read, [self = shared_from_this()](error_code ec) {
    if (ec) return;
    // The loop also wakes us for what became of a closed descriptor whose place in the reactor we were given.
    if (!has_ended(self->process_.pidfd.get())) return self->await_exit();
    // What it had started and left in its group goes with it; the leader is not reaped yet, so the group's number is its own.
    signal_group(self->process_.pidfd.get(), self->process_.pid, SIGKILL);
    self->process_.group.reset();
    self->exit_ = reap(self->process_.pidfd.get());
    self->exit_.ours = self->signalled_;
    // Why exec failed may still lie in the pipe, or have been read just now: the child wrote it before it ended.
    if (self->exec_watch_ && self->exec_failure_.step == 0) {
      [[maybe_unused]] const auto n = ::read(self->exec_watch_->native_handle(), &self->exec_failure_, sizeof(SpawnFailure));
    }
    if (self->exec_failure_.step != 0) self->fail_start(explain_exec_failure(self->spec_, self->exec_failure_));
    self->handle(WorkerLife::Event::process_ended);
  });
}

void WorkerProcess::await_exec() {
  exec_watch_.emplace(executor_);
  exec_watch_->assign(process_.exec_status.release());
  exec_watch_->async_read_some(asio::buffer(&exec_failure_, sizeof exec_failure_),
                               [self = shared_from_this()](error_code ec, std::size_t n) {
                                 self->exec_watch_.reset();
                                 if (ec == asio::error::operation_aborted) return;
                                 if (n == sizeof(SpawnFailure)) {
                                   self->fail_start(explain_exec_failure(self->spec_, self->exec_failure_));
                                 } else {
                                   self->begin_handshake();
                                 }
                               });
}

void WorkerProcess::ask(std::string_view command, nlohmann::json args, void (WorkerProcess::*then)(const Result<Message>&)) {
  const auto id = channel_->next_id();
  nlohmann::json body{{"id", id}, {"command", command}, {"args", std::move(args)}};
  channel_->expect(id, [this, then](const Result<Message>& reply) { (this->*then)(reply); });
  channel_->send(OutFrame::of(encode_or_throw(Codec::json, body)));
}

void WorkerProcess::begin_handshake() {
  if (life_.state() != WorkerLife::State::starting) return;
  ask("ping", handshake_args(options_, id_), &WorkerProcess::on_ping);
}

void WorkerProcess::on_ping(const Result<Message>& reply) {
  const auto result = result_of(reply);
  if (!result) return fail_start("its answer to ping: " + result.error().message);
  const auto protocol = result->is_object() ? result->find("protocol") : result->end();
  if (result->is_object() && protocol != result->end()) {
    if (*protocol != 1) return fail_start("it speaks protocol " + protocol->dump() + ", this host speaks 1");
    info_.level = 1;
  }
  if (const auto signal = result->is_object() ? result->find("stack_signal") : result->end();
      result->is_object() && signal != result->end() && signal->is_number_integer() && *signal > 0 && *signal <= SIGRTMAX) {
    info_.stack_signal = signal->get<int>();
  }
  ask("get_info", nlohmann::json::object(), &WorkerProcess::on_info);
}

void WorkerProcess::on_info(const Result<Message>& reply) {
  auto result = result_of(reply);
  if (!result) return fail_start("its answer to get_info: " + result.error().message);
  if (!result->is_object()) return fail_start("its answer to get_info is no map");
  if (const auto codecs = result->find("codecs"); codecs != result->end() && codecs->is_array()) {
    const auto lists = [&](const char* name) { return std::find(codecs->begin(), codecs->end(), name) != codecs->end(); };
    info_.reads_json = lists("json");
    info_.reads_msgpack = lists("msgpack");
    if (!info_.reads_json) return fail_start("get_info lists no codec \"json\", in which the host itself speaks");
  }
  const auto concurrency = result->find("concurrency");
  info_.in_order = concurrency == result->end() || !concurrency->is_number_integer() || *concurrency == 1;
  const auto capabilities = result->find("capabilities");
  info_.can_snapshot = info_.level >= 1 && capabilities != result->end() && capabilities->is_array() &&
                       std::find(capabilities->begin(), capabilities->end(), "session_snapshot") != capabilities->end();
  if (const auto commands = result->find("commands"); commands != result->end() && commands->is_array()) {
    for (const auto& command : *commands) {
      if (!command.is_object() || command.value("idempotent", nlohmann::json()) != true) continue;
      if (const auto name = command.find("name"); name != command.end() && name->is_string()) info_.idempotent.insert(*name);
    }
  }
  info_.info = std::move(*result);
  ready_since_ = Clock::now();
  handle(WorkerLife::Event::handshake_done);
}

void WorkerProcess::fail_start(std::string reason) {
  if (life_.was_ready() || life_.asked_to_stop()) return;
  if (reason_.empty()) reason_ = std::move(reason);  // also where its end was noticed first
  handle(WorkerLife::Event::handshake_failed);
}

void WorkerProcess::give_up(std::string cause, std::string reason) {
  if (cause_.empty()) cause_ = std::move(cause);
  if (reason_.empty()) reason_ = std::move(reason);
  handle(WorkerLife::Event::give_up);
}

void WorkerProcess::kill(std::string cause, std::string reason) {
  if (cause_.empty()) cause_ = std::move(cause);
  if (reason_.empty()) reason_ = std::move(reason);
  handle(WorkerLife::Event::kill);
}

void WorkerProcess::dump_stacks(std::function<void(const std::string&)> callback) {
  if (stacks_->ask(std::move(callback))) send_signal(process_.pidfd.get(), info_.stack_signal);
}

void WorkerProcess::clean_up() { ask("cleanup", nlohmann::json::object(), &WorkerProcess::on_cleaned); }

void WorkerProcess::on_cleaned(const Result<Message>&) { handle(WorkerLife::Event::cleaned); }

void WorkerProcess::handle(WorkerLife::Event event) {
  const auto self = shared_from_this();
  const bool was_ready = life_.state() == WorkerLife::State::ready;
  const auto todo = life_.on(event, Clock::now());
  arm_timer();
  if (was_ready && life_.state() != WorkerLife::State::ready) owner_.on_worker_leaving(*this);
  signalled_ = signalled_ || todo.terminate || todo.kill;
  if (todo.clean_up) clean_up();
  if (todo.close_channel && channel_) channel_->close();
  if (todo.close_channel) handle(WorkerLife::Event::channel_ended);
  if (todo.terminate && process_.pidfd) signal_group(process_.pidfd.get(), process_.pid, SIGTERM);
  if (todo.kill && process_.pidfd) signal_group(process_.pidfd.get(), process_.pid, SIGKILL);
  if (todo.announce_ready) owner_.on_worker_ready(*this);
  if (todo.report) report();
}

void WorkerProcess::arm_timer() {
  if (life_.timer() == TimePoint::max()) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(life_.timer());
  timer_.async_wait([weak = weak_from_this()](error_code ec) {
    const auto self = weak.lock();
    if (!ec && self) self->on_timer();
  });
}

void WorkerProcess::on_timer() {
  if (life_.state() == WorkerLife::State::settling) return settle(0);
  handle(WorkerLife::Event::timer);
}

/// It is dead, and the time for what it has left to be read is over. If the loop was held up for so long, that has not been read yet:
/// what lies in the channel, or has been read and waits for its turn in the loop.
void WorkerProcess::settle(int looks) {
  asio::post(executor_, [weak = weak_from_this(), looks] {
    const auto self = weak.lock();
    if (!self || self->life_.state() != WorkerLife::State::settling) return;
    if (self->channel_ && self->channel_->has_input() && looks < kMostLooks) return self->settle(looks + 1);
    self->handle(WorkerLife::Event::timer);
  });
}

void WorkerProcess::report() {
  Exit exit;
  exit.status = exit_;
  exit.was_ready = life_.was_ready();
  exit.asked = life_.asked_to_stop();
  exit.cause = cause_;
  exit.reason = repaired_utf8(reason_);  // it may quote a file or the environment
  if (exit.was_ready) exit.uptime = std::chrono::duration_cast<Millis>(Clock::now() - ready_since_);
  if (life_.timed_out() && exit.reason.empty()) {
    exit.reason = "not ready within timeouts.startup (" + std::to_string(options_.timeouts.startup.count()) + " ms)";
  }
  if (stacks_) stacks_->finish();
  if (out_) out_->finish();
  if (err_) {
    err_->finish();
    exit.stderr_tail.assign(err_->tail().begin(), err_->tail().end());
  }
  if (channel_) channel_->close();
  if (exec_watch_) exec_watch_->cancel();
  timer_.cancel();
  // Closing it would not take it out of the reactor while the other descriptor of the same process is open.
  if (exit_watch_) UniqueFd(exit_watch_->release()).reset();
  exit_watch_.reset();
  owner_.on_worker_exited(*this, std::move(exit));
}

}  // namespace pons
