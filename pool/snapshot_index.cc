#include "pool/snapshot_index.h"

#include <algorithm>
#include <array>
#include <utility>

namespace pons {

namespace {

constexpr std::uint64_t kFnvOffset = 14695981039346656037u;
constexpr std::uint64_t kFnvPrime = 1099511628211u;

Error given_up() { return Error{ErrorCode::resource_not_found, "the session's snapshot was given up meanwhile"}; }

}  // namespace

std::string snapshot_file_name(std::string_view session, unsigned attempt) {
  std::uint64_t hash = kFnvOffset;
  for (const char c : session) hash = (hash ^ static_cast<unsigned char>(c)) * kFnvPrime;
  static constexpr char kHex[] = "0123456789abcdef";
  std::string name;
  for (int shift = 60; shift >= 0; shift -= 4) name.push_back(kHex[(hash >> shift) & 15]);
  if (attempt > 0) name += '-' + std::to_string(attempt);
  return name + ".snapshot";
}

std::size_t SnapshotIndex::Entry::bytes() const {
  return std::max({stored ? stored->bytes : 0, writing ? writing->bytes : 0, waiting ? waiting->bytes : 0});
}

std::string SnapshotIndex::free_name(const std::string& session) const {
  for (unsigned attempt = 0;; ++attempt) {
    auto name = snapshot_file_name(session, attempt);
    if (!names_.contains(name)) return name;
  }
}

SnapshotIndex::Entry& SnapshotIndex::entry_of(const std::string& session) {
  const auto [found, added] = entries_.try_emplace(session);
  auto& entry = found->second;
  if (added) {
    entry.name = free_name(session);
    names_.emplace(entry.name, session);
    entry.age = ages_.insert(ages_.end(), session);
  }
  return entry;
}

bool SnapshotIndex::adopt(const std::string& session, Stored stored) {
  if (entries_.contains(session)) return false;
  names_.emplace(stored.name, session);
  auto& entry = entries_[session];
  entry.name = stored.name;
  entry.age = ages_.insert(ages_.end(), session);
  entry.stored = std::move(stored);
  total_ += entry.bytes();
  return true;
}

Result<SnapshotIndex::Effects> SnapshotIndex::save(const std::string& session, SharedSnapshot snapshot, std::size_t bytes, Ticket ticket,
                                                   WallTime now) {
  const auto refused = [&](const char* key, std::size_t most) {
    return Error{ErrorCode::bad_request, "the session's snapshot has " + std::to_string(snapshot->state.size()) +
                                             " bytes, more than sessions.snapshot." + key + " (" + std::to_string(most) + ")"};
  };
  if (options_.max_bytes > 0 && snapshot->state.size() > options_.max_bytes) return refused("max_bytes", options_.max_bytes);
  if (options_.max_total > 0 && bytes > options_.max_total) return refused("max_total", options_.max_total);
  auto& entry = entry_of(session);
  const auto before = entry.bytes();
  if (!entry.waiting) {
    entry.waiting = Pending{};
    if (!entry.writing) writes_.push_back(session);
  }
  entry.waiting->snapshot = std::move(snapshot);
  entry.waiting->bytes = bytes;
  entry.waiting->saved_at = now;
  entry.waiting->tickets.push_back(ticket);
  count(entry, before);
  touch(session);
  Effects effects;
  make_room(session, effects);
  return effects;
}

Result<SnapshotIndex::SharedSnapshot> SnapshotIndex::load(const std::string& session, Ticket ticket) {
  const auto found = entries_.find(session);
  if (found == entries_.end()) return Error{ErrorCode::resource_not_found, "the session has no snapshot"};
  touch(session);
  const auto& entry = found->second;
  if (entry.waiting) return entry.waiting->snapshot;
  if (entry.writing) return entry.writing->snapshot;
  reads_.push_back({.kind = Job::Kind::read, .name = entry.name, .session = session, .ticket = ticket});
  return SharedSnapshot();
}

void SnapshotIndex::touch(const std::string& session) {
  if (const auto found = entries_.find(session); found != entries_.end()) ages_.splice(ages_.end(), ages_, found->second.age);
}

SnapshotIndex::Effects SnapshotIndex::forget(const std::string& session) {
  Effects effects;
  if (const auto found = entries_.find(session); found != entries_.end()) drop(found, given_up(), effects);
  return effects;
}

SnapshotIndex::Effects SnapshotIndex::configure(const SnapshotOptions& options) {
  options_ = options;
  return trim();
}

SnapshotIndex::Effects SnapshotIndex::trim() {
  Effects effects;
  make_room({}, effects);
  return effects;
}

void SnapshotIndex::drop(Entries::iterator found, const Error& why, Effects& effects) {
  const auto& entry = found->second;
  for (const auto* const pending : {&entry.writing, &entry.waiting}) {
    if (!*pending) continue;
    for (const auto ticket : (*pending)->tickets) effects.saved.emplace_back(ticket, why);
  }
  // Before any write that is yet to come: also before one of a session that gets the name now.
  if (entry.stored || entry.writing) removals_.insert(entry.name);
  if (entry.writing) dropped_ = true;
  total_ -= entry.bytes();
  names_.erase(entry.name);
  ages_.erase(entry.age);
  entries_.erase(found);
}

void SnapshotIndex::make_room(const std::string& for_session, Effects& effects) {
  while (options_.max_total > 0 && total_ > options_.max_total) {
    const auto oldest = std::find_if(ages_.begin(), ages_.end(), [&](const std::string& session) { return session != for_session; });
    if (oldest == ages_.end()) return;
    effects.given_up.push_back(*oldest);
    drop(entries_.find(*oldest), given_up(), effects);
  }
}

std::optional<SnapshotIndex::Job> SnapshotIndex::next() {
  if (running_) return std::nullopt;
  if (!reads_.empty()) {
    running_ = std::move(reads_.front());
    reads_.pop_front();
    return running_;
  }
  if (!removals_.empty()) {
    running_ = Job{.kind = Job::Kind::remove, .name = std::move(removals_.extract(removals_.begin()).value())};
    return running_;
  }
  while (!writes_.empty()) {
    const auto session = std::move(writes_.front());
    writes_.pop_front();
    const auto found = entries_.find(session);
    if (found == entries_.end() || !found->second.waiting) continue;  // dropped meanwhile
    auto& entry = found->second;
    entry.writing = std::exchange(entry.waiting, std::nullopt);
    running_ = Job{.kind = Job::Kind::write,
                   .name = entry.name,
                   .session = session,
                   .snapshot = entry.writing->snapshot,
                   .saved_at = entry.writing->saved_at};
    dropped_ = false;
    return running_;
  }
  return std::nullopt;
}

SnapshotIndex::Effects SnapshotIndex::finished(Outcome outcome, const Error& why) {
  Effects effects;
  const auto job = std::exchange(running_, std::nullopt);
  switch (job->kind) {
    case Job::Kind::write:
      finish_write(*job, outcome, why, effects);
      break;
    case Job::Kind::read: {
      const auto found = entries_.find(job->session);
      const bool same = found != entries_.end() && found->second.stored && found->second.name == job->name;
      if (outcome == Outcome::gone && same && !found->second.waiting) {
        effects.given_up.push_back(job->session);
        drop(found, given_up(), effects);
      }
      break;
    }
    case Job::Kind::remove:
      break;  // what could not be removed is found, and given up, at the next start
  }
  return effects;
}

void SnapshotIndex::finish_write(const Job& job, Outcome outcome, const Error& why, Effects& effects) {
  if (dropped_) return;
  const auto found = entries_.find(job.session);
  auto& entry = found->second;
  const auto before = entry.bytes();
  const auto written = std::exchange(entry.writing, std::nullopt);
  const bool done = outcome == Outcome::done;
  for (const auto ticket : written->tickets) effects.saved.emplace_back(ticket, done ? std::nullopt : std::optional(why));
  if (done) entry.stored = Stored{job.name, written->snapshot->covers, written->bytes, written->saved_at};
  if (entry.waiting) writes_.push_back(job.session);
  count(entry, before);
  if (entry.bytes() == 0) drop(found, why, effects);
}

std::optional<SnapshotIndex::Stored> SnapshotIndex::find(const std::string& session) const {
  const auto found = entries_.find(session);
  if (found == entries_.end()) return std::nullopt;
  const auto& entry = found->second;
  for (const auto* const pending : {&entry.waiting, &entry.writing}) {
    if (*pending) return Stored{entry.name, (*pending)->snapshot->covers, (*pending)->bytes, (*pending)->saved_at};
  }
  return entry.stored;
}

void SnapshotIndex::each(const std::function<void(const std::string&, const Stored&)>& visit) const {
  for (const auto& session : ages_) visit(session, *find(session));
}

}  // namespace pons
