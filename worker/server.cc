#include "worker/server.h"

#include <algorithm>
#include <iostream>

#include "worker/held_request.h"
#include "worker/reply.h"

namespace pons {
namespace {

using Clock = std::chrono::steady_clock;

/// A command that lately took longer does not keep the replies before it waiting.
constexpr Clock::duration kShort = std::chrono::microseconds(50);

void throw_if_late(const Incoming& request) {
  if (request.deadline != SteadyTime::max() && Clock::now() >= request.deadline) {
    throw Exception(ErrorCode::deadline_exceeded, "The deadline passed before the request ran");
  }
}

/// Runs the rest of a scope and keeps how long it took; half the memory goes with each run.
class Stopwatch {
 public:
  explicit Stopwatch(Command& command) : command_(command) {}
  ~Stopwatch() {
    const auto took = Clock::now() - start_;
    const bool first = command_.recent == Clock::duration::max();
    command_.recent = first ? took : std::max(took, command_.recent / 2);
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  Command& command_;
  Clock::time_point start_ = Clock::now();
};

void run_raw_handler(Command& command, Exchange& exchange) {
  const auto result = [&] {
    const Stopwatch stopwatch(command);
    return command.raw(exchange.raw_args(), exchange);
  }();
  exchange.reply(result);
}

void run_handler(Command& command, Exchange& exchange) {
  const auto result = [&] {
    const Stopwatch stopwatch(command);
    return command.handler(exchange.args(), exchange);
  }();
  exchange.reply(result);
}

}  // namespace

Server::Server(std::shared_ptr<Worker::State> state, const StopSignal& stop)
    : state_(std::move(state)), link_(std::make_shared<HostLink>(state_->channel, stop, state_->ledger, state_->name)) {
  state_->server = this;
}

Server::~Server() {
  link_->close();
  state_->server = nullptr;
}

std::optional<Request> Server::poll(SteadyTime deadline) {
  while (!is_over()) {
    const IncomingPtr request = link_->next(deadline, [this](const Incoming& front, std::size_t begun) { return may_begin(front, begun); });
    if (request == nullptr) break;
    if (auto held = serve(request)) return held;
  }
  return std::nullopt;
}

bool Server::is_over() const { return state_->exit_status || link_->is_over(); }

int Server::finish() {
  link_->close();
  if (state_->exit_status) return *state_->exit_status;
  if (link_->state() != HostLink::State::broken) return 0;
  std::cerr << state_->name << ": this is no stream of frames, it begins with \"" << link_->broken_text() << "\"\n";
  return 1;
}

/// The host takes it that no more than `concurrency` requests have begun, the first ones. What is no command of the program changes
/// nothing that could not be done twice, and is not kept waiting by requests that are held.
bool Server::may_begin(const Incoming& request, std::size_t begun) const {
  if (begun < state_->concurrency) return true;
  const Command* command = state_->commands.look_up(request.envelope.command, {state_->name, state_->identity.adapter});
  return command == nullptr || command->common;
}

std::optional<Request> Server::serve(const IncomingPtr& request) {
  state_->ledger.begin(request->envelope);
  Exchange exchange(*state_, *link_, *request);
  exchange.set_idempotent(request->envelope.idempotent.value_or(false));
  std::optional<Request> held;
  try {
    held = dispatch(exchange, request);
  } catch (...) {
    exchange.fail(error_of_current_exception());
  }
  if (std::exchange(state_->is_first_request, false)) link_->set_max_frame(state_->max_frame);
  return held;
}

std::optional<Request> Server::dispatch(Exchange& exchange, const IncomingPtr& request) {
  Command& command = state_->commands.find(request->envelope.command, {state_->name, state_->identity.adapter});
  const bool idempotent = request->envelope.idempotent.value_or(command.options.idempotent);
  exchange.set_idempotent(idempotent);
  throw_if_late(*request);
  // Should this process die now, the host takes what it has no answer to for not begun, and runs it elsewhere: so nothing that must not
  // run twice begins before every earlier answer has left.
  if (!idempotent || command.recent > kShort) link_->flush();
  if (command.is_polled()) {
    auto held = std::make_unique<Request::Held>(state_, link_, request);
    held->exchange().set_idempotent(idempotent);
    return Request(std::move(held));
  }
  if (command.raw) {
    run_raw_handler(command, exchange);
  } else {
    run_handler(command, exchange);
  }
  return std::nullopt;
}

}  // namespace pons
