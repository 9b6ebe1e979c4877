// Snapshots of a pool's sessions: exported by their workers, kept in a store, imported by others.
#include <filesystem>

#include "pool/messages.h"
#include "pool/pool.h"
#include "protocol/base64.h"
#include "protocol/document.h"

namespace pons {

namespace {

/// What common:export_session answered.
Result<Snapshot> snapshot_of(const Result<Message>& reply) {
  const auto result = result_document(reply);
  if (!result) return result.error();
  const auto field = [&](const char* name) { return result->is_object() ? result->value(name, nlohmann::json()) : nlohmann::json(); };
  const auto format = field("format");
  const auto state = field("state");
  const auto covers = field("covers");
  if (!format.is_string() || !state.is_string() || !covers.is_number_unsigned()) {
    return Error{ErrorCode::worker_error, "its export is no {format, state, covers}"};
  }
  auto bytes = base64_decode(state.get_ref<const std::string&>());
  if (!bytes) return Error{ErrorCode::worker_error, "the state in its export is no base64"};
  return Snapshot{format, std::string(bytes->begin(), bytes->end()), covers};
}

}  // namespace

void Pool::keep_snapshots(std::string folder) {
  snapshot_folder_ = std::move(folder);
  keeps_snapshots_ = true;
  std::error_code ignored;
  // Where earlier runs have left something, their sessions are known from the start; else the store waits for a worker that needs it.
  if (!snapshot_folder_.empty() && std::filesystem::exists(snapshot_folder_ + "/" + options_.adapter, ignored)) open_snapshots();
}

void Pool::open_snapshots() {
  if (snapshots_ || !keeps_snapshots_) return;
  SnapshotStore::Callbacks callbacks;
  callbacks.on_warning = [this](const std::string& text) { observer_.warning(options_.adapter, text); };
  callbacks.on_given_up = [this](const std::string& session) { note_latest_snapshot(session); };
  auto opened = SnapshotStore::open(executor_, snapshot_folder_, options_.adapter, options_.sessions.snapshot, std::move(callbacks));
  if (!opened) {
    keeps_snapshots_ = false;
    observer_.warning(options_.adapter, "no snapshots of sessions are kept: " + opened.error().message);
    return;
  }
  snapshots_ = std::move(*opened);
  for (const auto& known : snapshots_->known()) {
    const auto covers = known.has_snapshot ? std::optional(known.covers) : std::nullopt;
    const auto answered = known.certain ? known.answered : std::max(known.answered, known.covers + 1);
    if (!dispatcher_.adopt_session(known.session, covers, answered, Clock::now())) snapshots_->forget(known.session);
  }
}

std::optional<SnapshotStore::WallTime> Pool::snapshot_time(const std::string& session) const {
  const auto known = snapshots_ ? snapshots_->find(session) : std::nullopt;
  return known && known->has_snapshot ? std::optional(known->saved_at) : std::nullopt;
}

void Pool::note_session_event(const Action& action) {
  const std::string_view event = action.event;
  const auto worker = action.worker ? worker_id(options_.adapter, action.worker) : std::string();
  observer_.session(options_.adapter, event, action.session, worker);
  const bool begins_anew = event == "lost" && options_.sessions.on_loss == OnLoss::restart;
  if (snapshots_ && (event == "ended" || begins_anew)) snapshots_->forget(action.session);
}

void Pool::export_session(const Action& action) {
  auto on_reply = [this, key = action.request, worker = action.worker, session = action.session](const Result<Message>& reply) {
    const auto now = Clock::now();
    if (const auto member = members_.find(worker); member != members_.end()) member->second.health.answered(now);
    auto snapshot = snapshot_of(reply);
    if (!snapshot) observer_.warning(options_.adapter, "the session \"" + session + "\" was not exported: " + snapshot.error().message);
    const auto covers = dispatcher_.exported(key, snapshot ? std::optional(snapshot->covers) : std::nullopt, now, actions_);
    if (covers) {
      snapshot->covers = *covers;
      snapshots_->save(session, std::move(*snapshot),
                       [this, session, covers](const Result<void>& saved) { note_saved(session, *covers, saved); });
    }
    apply(now);
  };
  auto& worker = *find(action.worker);
  worker.channel().pause(false);  // a slow caller of a stream may no longer hold it up
  send_own(worker, "common:export_session", {{"session_id", action.session}}, std::move(on_reply));
}

void Pool::note_saved(const std::string& session, std::uint64_t covers, const Result<void>& saved) {
  if (!snapshots_->find(session)) return;  // it has ended meanwhile
  if (saved) {
    const auto now = Clock::now();
    dispatcher_.snapshot_kept(session, covers, now, actions_);
    return apply(now);
  }
  observer_.warning(options_.adapter, "the snapshot of the session \"" + session + "\" was not kept: " + saved.error().message);
  note_latest_snapshot(session);
}

/// One was given up, or could not be written: another is what there is, or none.
void Pool::note_latest_snapshot(const std::string& session) {
  const auto known = snapshots_->find(session);
  const auto now = Clock::now();
  dispatcher_.set_snapshot(session, known && known->has_snapshot ? std::optional(known->covers) : std::nullopt, now, actions_);
  apply(now);
}

void Pool::import_session(const Action& action) {
  snapshots_->load(action.session, [this, key = action.request, worker = action.worker,
                                    session = action.session](const Result<std::shared_ptr<const Snapshot>>& loaded) {
    auto* process = find(worker);
    if (process == nullptr || process->state() != WorkerLife::State::ready) return;  // it will be told elsewhere
    if (!loaded) return finish_import(key, session, std::nullopt, loaded.error().message);
    process->channel().pause(false);
    const auto& snapshot = **loaded;
    const nlohmann::json args{{"session_id", session},
                              {"format", snapshot.format},
                              {"state", base64_encode({snapshot.state.begin(), snapshot.state.end()})},
                              {"covers", snapshot.covers}};
    send_own(*process, "common:import_session", args, [this, key, session, covers = snapshot.covers](const Result<Message>& reply) {
      const auto result = result_document(reply);
      finish_import(key, session, result ? std::optional(covers) : std::nullopt, result ? std::string() : result.error().message);
    });
  });
}

void Pool::finish_import(RequestKey key, const std::string& session, std::optional<std::uint64_t> covers, const std::string& problem) {
  const auto now = Clock::now();
  if (!problem.empty()) observer_.warning(options_.adapter, "the session \"" + session + "\" was not restored: " + problem);
  dispatcher_.imported(key, covers, now, actions_);
  apply(now);
}

}  // namespace pons
