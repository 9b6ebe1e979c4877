// The way of requests into a pool. Their replies are in pool_replies.cc, how workers come and go in pool_workers.cc.
#include "pool/pool.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cmath>
#include <sstream>

#include "protocol/document.h"

namespace pons {

namespace {

/// "models" of "list_models"; empty if it is no such command.
std::string_view listed_type(std::string_view name) {
  return name.starts_with("list_") && name.ends_with('s') && name.size() > 6 ? name.substr(5) : std::string_view{};
}

bool lists_command(const nlohmann::json& info, const std::string& name) {
  const auto commands = info.find("commands");
  if (commands == info.end() || !commands->is_array() || commands->empty()) return true;  // it does not say what it has
  return std::any_of(commands->begin(), commands->end(),
                     [&](const auto& c) { return c.is_object() && c.value("name", nlohmann::json()) == name; });
}

}  // namespace

Pool::Pool(Executor executor, PoolOptions options, std::string instance, ProcessLauncher& launcher, ProcessSampler& sampler,
           PoolObserver& observer, Translate translate)
    : executor_(executor),
      options_(std::move(options)),
      instance_(std::move(instance)),
      launcher_(launcher),
      sampler_(sampler),
      observer_(observer),
      translate_(std::move(translate)),
      random_(std::random_device{}()),
      dispatcher_(options_),
      staff_(options_, [this] { return std::uniform_real_distribution<double>(0, 1)(random_); }),
      timer_(executor) {}

Pool::~Pool() { kill(); }

// ---- In ----------------------------------------------------------------------------------------------------------------------------

RequestKey Pool::submit(Message&& request, Reply reply, TimePoint now, const ReverseOrigin& origin) {
  ++requests_total_;
  if (goes_to_all(request.envelope)) return submit_to_all(request, std::move(reply), now, origin);
  return submit_one(std::move(request), std::move(reply), now, origin);
}

RequestKey Pool::submit_one(Message&& request, Reply reply, TimePoint now, const ReverseOrigin& origin, std::optional<WorkerKey> only_on,
                            RequestKey gathered) {
  const auto key = ++last_key_;
  const auto& envelope = request.envelope;
  const auto max = static_cast<double>(options_.timeouts.max.count());
  const auto timeout = envelope.timeout_ms ? std::min(*envelope.timeout_ms, max) : static_cast<double>(options_.timeouts.request.count());
  const auto deadline = std::min(now + std::chrono::microseconds(static_cast<std::int64_t>(timeout * 1000)), origin.deadline);

  Dispatcher::Job job{key,      envelope.session_id,           envelope.resource_id,      only_on,
                      deadline, now + options_.timeouts.queue, request.frame.body.size(), gathered};
  job.reverse = origin.lineage != nullptr;
  for (auto ancestor = origin.lineage.get(); ancestor != nullptr; ancestor = ancestor->parent.get()) {
    if (ancestor->pool == this) job.ancestors.push_back(ancestor->key);
  }
  if (only_on) job.session = job.resource = std::nullopt;
  auto& pending = requests_[key];
  pending.message = std::move(request);
  pending.reply = std::move(reply);
  pending.submitted = now;
  pending.deadline = deadline;
  pending.origin = origin.lineage;
  pending.share = only_on.has_value();
  if (auto refused = refusal(!job.ancestors.empty())) {
    answer(pending, std::move(*refused));
    requests_.erase(key);
    return key;
  }
  if (staff_.phase() == Staff::Phase::idle) {
    staff_.open();
    review(now);
  }
  dispatcher_.submit(std::move(job), now, actions_);
  apply(now);
  if (state_ == PoolState::failed) look_again();
  return key;
}

/// Why no request is taken now. `is_awaited`: one that runs here cannot end without it.
std::optional<Error> Pool::refusal(bool is_awaited) const {
  if (final_) return Error{ErrorCode::shutting_down, "The host is shutting down"};
  switch (mode_) {
    case Mode::serving:
      if (state_ == PoolState::failed && !unfit_) return failed_error();
      return std::nullopt;
    case Mode::draining:
    case Mode::closing:
      if (is_awaited) return std::nullopt;
      return Error{ErrorCode::shutting_down, options_.adapter + " is draining"};
    case Mode::closed:
      Error error{ErrorCode::pool_failed, options_.adapter + " was stopped; start it to use it"};
      error.details = {{"reason", "stopped"}};
      return error;
  }
  return std::nullopt;
}

bool Pool::goes_to_all(const Envelope& envelope) const {
  const auto name = plain_name(envelope);
  if (name == "cleanup" || name == "get_stats") return true;
  const auto type = listed_type(name);
  if (type.empty() || envelope.resource_id || envelope.session_id) return false;
  if (last_info_.is_null()) return false;  // nothing was made yet, and what it lists may be something else
  return lists_command(last_info_, "create_" + std::string(type.substr(0, type.size() - 1)));
}

RequestKey Pool::submit_to_all(const Message& request, Reply reply, TimePoint now, const ReverseOrigin& origin) {
  std::vector<WorkerKey> targets;
  for (const auto& [worker_key, member] : members_) {
    if (member.process->state() == WorkerLife::State::ready) targets.push_back(worker_key);
  }
  const auto key = ++last_key_;
  if (auto room = dispatcher_.room_for_shares(targets, request.frame.body.size()); !room && !refusal()) {
    Result<Message> refused(room.error());
    count_answer(refused, Clock::now() - now);
    reply(std::move(refused));
    return key;
  }
  const auto list_key = std::string(listed_type(request.envelope.name()));
  const auto shares = std::max<std::size_t>(1, targets.size());
  gathered_.emplace(key, GatheredRequest{Gather(shares, list_key), request.envelope.codec, std::move(reply), now, {}});
  for (std::size_t i = 0; i < shares; ++i) {
    const auto target = targets.empty() ? std::nullopt : std::optional(targets[i]);
    const auto worker = target ? worker_id(options_.adapter, *target) : options_.adapter;
    auto take = [this, key, worker](const Result<Message>& share) {
      const auto found = gathered_.find(key);
      if (found == gathered_.end() || (share && share->envelope.partial)) return;
      if (found->second.gather.add(worker, result_document(share))) finish_gathered(key);
    };
    const auto share_key = submit_one(Message(request), std::move(take), now, origin, target, key);
    const auto found = gathered_.find(key);
    if (found != gathered_.end()) found->second.shares.push_back(share_key);
  }
  return key;
}

void Pool::finish_gathered(RequestKey key) {
  auto node = gathered_.extract(key);
  const auto& gathered = node.mapped();
  const auto result = gathered.gather.result();
  auto reply = result ? message_of(result_body(gathered.codec, std::uint64_t{0}, *result)) : Result<Message>(result.error());
  count_answer(reply, Clock::now() - gathered.submitted);
  gathered.reply(std::move(reply));
}

bool Pool::is_running(RequestKey key) const {
  const auto gathered = gathered_.find(key);
  if (gathered == gathered_.end()) return dispatcher_.is_running(key);
  const auto& shares = gathered->second.shares;
  return std::any_of(shares.begin(), shares.end(), [this](RequestKey share) { return dispatcher_.is_running(share); });
}

bool Pool::cancel(RequestKey key, CancelBy by) {
  if (auto node = gathered_.extract(key)) {
    for (const auto share : node.mapped().shares) cancel(share, by);
    Result<Message> reply(Error{ErrorCode::cancelled, "Cancelled by the caller"});
    count_answer(reply, Clock::now() - node.mapped().submitted);
    node.mapped().reply(std::move(reply));
    return true;
  }
  const auto pending = requests_.find(key);
  if (pending == requests_.end() || pending->second.answered) return false;
  pending->second.ended_by = by;
  const bool found = dispatcher_.cancel(key, by, Clock::now(), actions_);
  apply();
  return found;
}

bool Pool::pause_stream(RequestKey key, bool paused) {
  const auto found = requests_.find(key);
  if (found == requests_.end() || found->second.channel_id == 0) return false;
  auto* worker = find(found->second.worker);
  if (worker == nullptr) return false;
  if (worker->state() != WorkerLife::State::ready) return true;  // it ends: little is left on its channel, and that is read
  if (paused && dispatcher_.in_flight(worker->key()) > 1) return false;
  worker->channel().pause(paused);
  return true;
}

bool Pool::end_session(const std::string& id) {
  const bool found = dispatcher_.end_session(id, Clock::now(), actions_);
  apply();
  return found;
}

// ---- What the dispatcher said ------------------------------------------------------------------------------------------------------

void Pool::apply(TimePoint now) {
  if (applying_) return;
  applying_ = true;
  for (std::size_t i = 0; i < actions_.size(); ++i) {
    auto action = std::move(actions_[i]);  // performing it may add others
    perform(action, now);
  }
  actions_.clear();
  applying_ = false;
  if (dispatcher_.next_deadline() < armed_) arm_timer();
  if (mode_ != Mode::serving || staff_.watches_load()) review(now);
}

void Pool::perform(Action& action, TimePoint now) {
  if (action.kind == Action::Kind::dispatch) {
    dispatch(action.request, action.worker, now);
    return;
  }
  const auto found = requests_.find(action.request);
  switch (action.kind) {
    case Action::Kind::dispatch:
      return;
    case Action::Kind::refuse:
      if (found == requests_.end()) return;
      answer(found->second, std::move(action.error));
      requests_.erase(action.request);
      return;
    case Action::Kind::expire:
      if (found == requests_.end()) return;
      expire(action.request, action.worker, std::move(action.error));
      return;
    case Action::Kind::retry:
      ++retries_total_;
      observer_.request_retried(options_.adapter, action.attempt, worker_id(options_.adapter, action.worker));
      return;
    case Action::Kind::abandon:
      if (auto* worker = find(action.worker)) worker->give_up("hung", "it did not let go of a request in time");
      return;
    case Action::Kind::end_session:
      if (auto* worker = find(action.worker); worker != nullptr && worker->info().level >= 1) {
        send_own(*worker, "common:end_session", {{"session_id", action.session}});
      }
      return;
    case Action::Kind::export_session:
      return export_session(action);
    case Action::Kind::import_session:
      return import_session(action);
      return;
    case Action::Kind::session_event:
      return note_session_event(action);
  }
}

void Pool::dispatch(RequestKey key, WorkerKey worker_key, TimePoint now) {
  auto& pending = requests_.at(key);
  auto& worker = *find(worker_key);
  pending.worker = worker_key;
  pending.channel_id = worker.channel().next_id();
  auto frame = outgoing(pending, worker, now);
  if (!frame) {
    answer(pending, frame.error());
    requests_.erase(key);
    dispatcher_.not_sent(key, now, actions_);
    return;
  }
  ++members_.at(worker_key).requests;
  ++slots_[worker_key.slot].requests;
  worker.channel().pause(false);  // a slow caller of a stream may no longer hold it up: it is not alone any more
  auto on_answer = [this, key](Result<Message>&& reply) { on_reply(key, std::move(reply)); };
  worker.channel().expect(pending.channel_id, std::move(on_answer), makes_resource(pending.message.envelope.name()), key);
  worker.channel().send(std::move(*frame));
}

Result<OutFrame> Pool::outgoing(Pending& pending, const WorkerProcess& worker, TimePoint now) {
  const auto left = std::chrono::duration<double, std::milli>(pending.deadline - now).count();
  const auto& envelope = pending.message.envelope;
  RequestPatch patch{pending.channel_id, envelope.name(), std::max(1.0, std::floor(left))};
  if (envelope.session_id && envelope.session_range.empty()) patch.session_id = *envelope.session_id;  // inherited
  return forwarded(pending.message, patch, worker.info().reads_msgpack ? envelope.codec : Codec::json, options_.adapter);
}

/// The caller gets its answer now, the worker should stop. Of one that hangs we want to know where.
void Pool::expire(RequestKey key, WorkerKey worker_key, Error error) {
  auto& pending = requests_.at(key);
  error.details["worker"] = worker_id(options_.adapter, worker_key);
  auto* worker = find(worker_key);
  if (error.code != ErrorCode::deadline_exceeded || worker == nullptr || !worker->can_dump_stacks()) {
    answer(pending, std::move(error));
    interrupt(key, worker_key);
    return;
  }
  pending.stacks = true;
  worker->dump_stacks([this, key, worker_key, error = std::move(error)](const std::string& stacks) mutable {
    log_stacks(worker_key, stacks);
    auto found = requests_.find(key);
    if (found == requests_.end()) return;
    found->second.stacks = false;
    if (!found->second.answered) {
      if (!stacks.empty()) error.details["stack"] = stacks;
      answer(found->second, std::move(error));
      found = requests_.find(key);  // anew: who was answered may have ended other requests, and this with them
      if (found == requests_.end()) return;
    }
    if (found->second.finished) {
      requests_.erase(found);  // its worker has let go of it, or died
    } else {
      interrupt(key, worker_key);
    }
    if (mode_ != Mode::serving) review();
  });
}

/// As if the worker had printed them: its deadline may have been nobody's fault but the caller's.
void Pool::log_stacks(WorkerKey worker_key, std::string_view stacks) {
  const auto* worker = find(worker_key);
  if (worker == nullptr) return;
  constexpr std::size_t kLogged = 16u << 10;  // the answer has them whole
  std::istringstream lines{std::string(stacks.substr(0, kLogged))};
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) observer_.worker_line(options_.adapter, *worker, "stacks", line, false);
  }
}

/// Tells the worker that nobody waits any more.
void Pool::interrupt(RequestKey key, WorkerKey worker_key) {
  auto* worker = find(worker_key);
  if (worker != nullptr && worker->info().level >= 1 && worker->state() == WorkerLife::State::ready) {
    send_own(*worker, "common:cancel", {{"id", requests_.at(key).channel_id}});
  }
}

// ---- What workers ask for ----------------------------------------------------------------------------------------------------------

void Pool::on_worker_request(WorkerProcess& worker, Message&& request) {
  const auto& envelope = request.envelope;
  const auto refuse = [&](ErrorCode code, const char* why) { worker.refuse(envelope.codec, envelope.id, Error{code, why}); };
  if (worker.info().level < 1 || reverse_ == nullptr) return refuse(ErrorCode::bad_request, "This worker has said no protocol level");
  if (!envelope.parent_id) return refuse(ErrorCode::bad_request, "A worker's request names in parent_id the request that it serves");
  const auto parent = requests_.find(worker.channel().tag_of(*envelope.parent_id));
  if (parent == requests_.end()) return refuse(ErrorCode::bad_request, "No request with the id of parent_id is being served here");
  if (parent->second.answered) return refuse(ErrorCode::cancelled, "The request that this is for has ended");
  const auto key = parent->first;
  auto& pending = parent->second;
  if (!pending.lineage) {
    const auto depth = pending.origin ? pending.origin->depth + 1 : 0;
    pending.lineage = std::make_shared<Lineage>(Lineage{this, key, depth, pending.origin});
  }
  const ReverseOrigin origin{pending.lineage, pending.deadline, pending.message.envelope.session_id};
  const auto now = Clock::now();
  dispatcher_.spoke(key, now, actions_);
  apply(now);
  reverse_->serve_worker(*this, worker, std::move(request), origin);
}

void Pool::on_worker_written(WorkerProcess& worker, std::size_t unsent) { reverse_->worker_written(*this, worker.key(), unsent); }

std::uint64_t Pool::send_own(WorkerProcess& worker, std::string_view command, nlohmann::json args, Channel::OnReply on_reply) {
  const auto id = worker.channel().next_id();
  const nlohmann::json body{{"id", id}, {"command", command}, {"args", std::move(args)}};
  worker.channel().expect(
      id, on_reply ? std::move(on_reply) : [](const Result<Message>&) {});
  worker.channel().send(OutFrame::of(encode_or_throw(Codec::json, body)));
  return id;
}

}  // namespace pons
