// The way of replies through a pool, from a worker's channel to the caller.
#include "pool/messages.h"
#include "pool/pool.h"
#include "protocol/document.h"

namespace pons {

namespace {

constexpr std::size_t kMaxErrorCodes = 64;  // counted each on its own

}  // namespace

void Pool::on_reply(RequestKey key, Result<Message>&& reply) {
  const auto found = requests_.find(key);
  if (found == requests_.end()) return;
  auto& pending = found->second;
  if (reply && reply->envelope.partial) {
    dispatcher_.spoke(key, Clock::now(), actions_);
    if (!pending.answered) on_partial(pending, std::move(reply));
    return apply();
  }
  const auto now = Clock::now();
  auto& member = members_.at(pending.worker);
  member.health.answered(now);
  ++member.answered;
  if (const auto& session = pending.message.envelope.session_id; session && snapshots_) {
    // Before the caller can have it: a host that is killed then knows at its next start what it has answered.
    if (const auto number = dispatcher_.answer_number(key)) snapshots_->note_answered(*session, *number);
  }
  const bool dumping = pending.stacks;
  if (pending.answered || dumping) {
    ++late_replies_;
  } else {
    if (!reply || !reply->envelope.success) ++slots_[pending.worker.slot].errors;
    if (reply) note_reply(pending, *reply);
    adapt(pending, reply);
    if (pending.message.envelope.session_id) note_restored(key, reply);
    if (!pending.answered) answer(pending, std::move(reply), now);
  }
  // Found anew: who was answered may have ended other requests, and this with them.
  if (const auto left = requests_.find(key); left != requests_.end() && dumping) {
    left->second.finished = true;
  } else if (left != requests_.end()) {
    requests_.erase(left);
  }
  dispatcher_.answered(key, now, actions_);
  apply(now);
}

void Pool::on_partial(Pending& pending, Result<Message>&& message) {
  if (!pending.message.envelope.stream) return;
  adapt(pending, message);
  if (!message) return;
  pending.partly_sent = true;
  pending.reply(std::move(message));
}

void Pool::adapt(const Pending& pending, Result<Message>& reply) const {
  const auto& request = pending.message.envelope;
  adapt_reply(reply, request.codec, request.idempotent.value_or(false), translate_);
}

/// What a successful reply says of resources.
void Pool::note_reply(Pending& pending, const Message& message) {
  const auto& request = pending.message.envelope;
  if (!message.envelope.success) return;
  const auto name = plain_name(request);
  if (makes_resource(name) && message.envelope.result_resource_id) {
    if (dispatcher_.bind_resource(*message.envelope.result_resource_id, pending.worker)) return;
    const auto text = "The worker gave out the resource id \"" + *message.envelope.result_resource_id + "\", which another worker holds";
    answer(pending, Error{ErrorCode::worker_error, text});
  } else if (name == "delete_resource" && request.resource_id) {
    dispatcher_.drop_resource(*request.resource_id);
  } else if (name == "cleanup") {
    dispatcher_.forget_worker_state(pending.worker, actions_);
  }
}

/// The first reply after a session went on from a snapshot that does not know of its last answers says so.
void Pool::note_restored(RequestKey key, Result<Message>& reply) {
  const auto restored = dispatcher_.take_restored(key);
  if (!restored || !reply) return;
  const auto codec = reply->envelope.codec;
  auto document = decode(codec, reply->frame.body);
  if (!document) return;
  (*document)["restored"] = {{"covers", restored->covers}, {"answered", restored->answered}};
  auto body = std::string();
  if (encode(codec, *document, body)) reply = message_of(std::move(body));
}

void Pool::answer(Pending& pending, Result<Message>&& reply, TimePoint now) {
  pending.answered = true;
  if (!pending.share) count_answer(reply, now - pending.submitted);
  const auto callback = std::move(pending.reply);
  if (const auto own = pending.lineage) reverse_->end_calls(*this, pending.worker, own->key, pending.ended_by);
  callback(std::move(reply));
}

void Pool::count_answer(const Result<Message>& reply, Clock::duration took) {
  latency_.record(took);
  if (!reply) {
    ++errors_[std::string(to_string(reply.error().code))];
  } else if (!reply->envelope.success) {
    const auto& code = reply->envelope.code;  // whatever the worker wrote
    ++errors_[errors_.contains(code) || errors_.size() < kMaxErrorCodes ? code : "other"];
  }
}

/// Whether it may run a second time after its worker died, which had declared these commands idempotent.
bool Pool::may_rerun(RequestKey key, const std::set<std::string>& declared) const {
  const auto found = requests_.find(key);
  if (found == requests_.end()) return false;  // its caller was told that we stop
  const auto& pending = found->second;
  if (pending.partly_sent || pending.share || pending.answered) return false;
  const auto& envelope = pending.message.envelope;
  return envelope.idempotent ? *envelope.idempotent : declared.contains(std::string(plain_name(envelope)));
}

}  // namespace pons
