// What operators ask of a pool, and the host's end.
#include <boost/asio/post.hpp>

#include "pool/pool.h"

namespace pons {

// ---- One operation at a time -------------------------------------------------------------------------------------------------------

/// What asked for it, without `host:`.
std::string Pool::verb(Operation::Kind kind) {
  switch (kind) {
    case Operation::Kind::open:
      return "start_bridge";
    case Operation::Kind::drain:
      return "drain";
    case Operation::Kind::close:
      return "stop_bridge";
    case Operation::Kind::restart:
      return "restart";
    case Operation::Kind::scale:
      return "scale";
    case Operation::Kind::reconfigure:
      return "update_config";
  }
  return {};
}

/// False: it was refused, and its Done has been called.
bool Pool::begin(Operation operation) {
  if (operation_ || final_) {
    Error error = final_ ? Error{ErrorCode::shutting_down, "The host is shutting down"}
                         : Error{ErrorCode::bad_request, options_.adapter + " is busy: an earlier " + verb(operation_->kind) + " goes on"};
    if (!final_) error.details = {{"reason", "busy"}, {"command", verb(operation_->kind)}};
    operation.done(std::move(error));
    return false;
  }
  operation_ = std::move(operation);
  return true;
}

/// Other options hold from now on.
void Pool::take_options() {
  dispatcher_.configure(options_);
  staff_.configure(options_);
  if (snapshots_) snapshots_->configure(options_.sessions.snapshot);
}

void Pool::finish(Result<void> outcome) {
  auto operation = std::move(*operation_);
  operation_.reset();
  if (!outcome && operation.old_options) {
    options_ = std::move(*operation.old_options);
    if (operation.kind == Operation::Kind::reconfigure) {
      translate_ = std::move(operation.old_translate);
      prepare_ = std::move(operation.old_prepare);
    }
    take_options();
    // Those that run by the refused options are replaced once more.
    for (auto& [key, member] : members_) {
      if (operation.kind == Operation::Kind::reconfigure && member.generation == generation_) staff_.replace(key);
    }
    ++generation_;
    review_again_ = true;
  }
  operation.done(std::move(outcome));
}

void Pool::check_operation(TimePoint now) {
  if (!operation_) return;
  const bool quiet = requests_.empty() && gathered_.empty();
  const auto left = requests_.size();
  switch (operation_->kind) {
    case Operation::Kind::open:
      if (state_ == PoolState::failed) return finish(failure_);
      if (staff_.serving() >= std::min(options_.min_ready, options_.size)) finish({});
      return;
    case Operation::Kind::drain:
      if (quiet) return finish({});
      if (now < operation_->deadline) return;
      return finish(Error{ErrorCode::deadline_exceeded, options_.adapter + " has " + std::to_string(left) +
                                                            (left == 1 ? " request" : " requests") + " left; it goes on draining"});
    case Operation::Kind::close:
      if (mode_ == Mode::closed) return finish({});
      if (now < operation_->deadline) return;
      operation_->deadline = TimePoint::max();
      if (quiet) return;  // only its workers have not ended yet
      return abort(Error{ErrorCode::shutting_down, options_.adapter + " was stopped"});
    case Operation::Kind::restart:
    case Operation::Kind::reconfigure:
      if (staff_.rolling() == Staff::Rolling::done) finish({});
      return;
    case Operation::Kind::scale:
      if (staff_.complete()) finish({});
      return;
  }
}

/// `worker` did not start.
void Pool::fail_operation(WorkerKey worker, const Error& error) {
  if (!operation_) return;
  switch (operation_->kind) {
    case Operation::Kind::open:
      if (staff_.serving() == 0 || staff_.failed()) finish(error);
      return;
    case Operation::Kind::drain:
    case Operation::Kind::close:
      return;
    case Operation::Kind::scale:
      if (worker.slot < options_.size) finish(error);  // others are to go anyway
      return;
    case Operation::Kind::restart:
    case Operation::Kind::reconfigure:
      if (staff_.rolling() == Staff::Rolling::failed) finish(error);  // not if it was one that is to go anyway
      return;
  }
}

// ---- Operations --------------------------------------------------------------------------------------------------------------------

void Pool::open(Done done) {
  if (!begin({.kind = Operation::Kind::open, .done = std::move(done)})) return;
  const bool runs = mode_ == Mode::serving && staff_.phase() == Staff::Phase::open && !staff_.failed();
  mode_ = Mode::serving;
  if (!runs) staff_.open();
  review();
}

void Pool::drain(std::optional<Millis> timeout, Done done) {
  const auto deadline = timeout ? Clock::now() + *timeout : TimePoint::max();
  if (!begin({.kind = Operation::Kind::drain, .done = std::move(done), .deadline = deadline})) return;
  if (mode_ == Mode::serving) mode_ = Mode::draining;
  review();
}

void Pool::close(Millis timeout, Done done) {
  if (operation_ && operation_->kind != Operation::Kind::close) {
    finish(Error{ErrorCode::shutting_down, options_.adapter + " is being stopped"});
  }
  if (!begin({.kind = Operation::Kind::close, .done = std::move(done), .deadline = Clock::now() + timeout})) return;
  exported_all_ = hurry_ = false;
  if (mode_ != Mode::closed) mode_ = Mode::closing;
  staff_.close();  // a stop beats a restart
  review();
}

void Pool::restart(Done done) {
  if (!begin({.kind = Operation::Kind::restart, .done = std::move(done)})) return;
  if (staff_.phase() == Staff::Phase::idle) return finish({});  // its first request starts it
  mode_ = Mode::serving;
  if (staff_.failed() || staff_.phase() == Staff::Phase::closed) staff_.open();
  staff_.restart_all();
  review();
}

void Pool::scale(std::size_t size, Done done) {
  if (!begin({.kind = Operation::Kind::scale, .done = std::move(done), .old_options = options_})) return;
  options_.size = size;
  options_.min_ready = std::min(options_.min_ready, size);
  take_options();
  if (staff_.phase() != Staff::Phase::open) return finish({});  // it holds when it is started
  review();
}

void Pool::reconfigure(PoolOptions options, Translate translate, Prepare prepare, Done done) {
  const bool start_anew = options.launch != options_.launch || options.limits != options_.limits || options.log_rate != options_.log_rate ||
                          options.timeouts.stop != options_.timeouts.stop;
  if (!begin({.kind = Operation::Kind::reconfigure,
              .done = std::move(done),
              .old_options = options_,
              .old_translate = translate_,
              .old_prepare = prepare_})) {
    return;
  }
  options_ = std::move(options);
  translate_ = std::move(translate);
  prepare_ = std::move(prepare);
  if (start_anew) ++generation_;
  take_options();
  for (auto& [key, member] : members_) {
    if (member.process->state() == WorkerLife::State::ready) member.health = Health(options_.health, Clock::now());
  }
  if (staff_.phase() != Staff::Phase::open || (!start_anew && !staff_.failed())) {
    finish({});
  } else {
    if (staff_.failed()) staff_.open();
    staff_.restart_all();
  }
  review();
}

// ---- The end -----------------------------------------------------------------------------------------------------------------------

void Pool::stop(std::function<void()> stopped) {
  stopped_ = std::move(stopped);
  final_ = true;
  mode_ = Mode::closing;
  exported_all_ = hurry_ = false;
  staff_.close();
  if (operation_) finish(Error{ErrorCode::shutting_down, "The host is shutting down"});
  asio::post(executor_, [this] { review(); });
}

void Pool::abort(const Error& error) {
  hurry_ = true;
  dispatcher_.refuse_all(error, actions_);
  apply();
  std::vector<RequestKey> keys;  // an answer may bring a new request
  for (const auto& [key, pending] : requests_) keys.push_back(key);
  for (const auto key : keys) {
    const auto found = requests_.find(key);
    if (found == requests_.end() || found->second.answered) continue;
    Error ended = error;
    ended.retryable = found->second.message.envelope.idempotent.value_or(false);  // it may have run
    answer(found->second, std::move(ended));
  }
  std::erase_if(requests_, [](const auto& entry) { return entry.second.answered; });
  review();
}

/// Once no request is left, the workers go; once they are gone, it is closed.
void Pool::continue_closing(TimePoint now) {
  if (mode_ != Mode::closing) return;
  if (members_.empty()) {
    // It replaces no worker any more: what waits would wait in vain.
    dispatcher_.refuse_all(Error{ErrorCode::shutting_down, final_ ? "The host is shutting down" : options_.adapter + " was stopped"},
                           actions_);
    apply();
  }
  if (!requests_.empty() || !gathered_.empty()) return;
  // What sessions hold goes on elsewhere, or after the next start; nobody will want what is only in our memory then.
  if (!hurry_ && snapshots_ && !(final_ && snapshot_folder_.empty())) {
    if (!std::exchange(exported_all_, true)) {
      dispatcher_.export_all(now, actions_);
      apply(now);
    }
    if (dispatcher_.own_requests() > 0) return;
  }
  stop_workers();
  if (!members_.empty()) return;
  mode_ = Mode::closed;
  if (!final_) return;
  update_state();
  timer_.cancel();
  if (!stopped_) return;
  if (!snapshots_) return std::exchange(stopped_, {})();
  snapshots_->close([stopped = std::exchange(stopped_, {})] { stopped(); });
}

std::vector<std::shared_ptr<WorkerProcess>> Pool::processes() const {
  std::vector<std::shared_ptr<WorkerProcess>> list;
  for (const auto& [key, member] : members_) list.push_back(member.process);
  return list;
}

void Pool::stop_workers() {
  for (const auto& process : processes()) {
    const auto state = process->state();
    if (state == WorkerLife::State::starting || state == WorkerLife::State::ready) process->stop();
  }
}

void Pool::kill() {
  for (const auto& process : processes()) process->kill();
}

}  // namespace pons
