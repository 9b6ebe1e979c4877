#include "pool/snapshot_store.h"

#include <signal.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <map>
#include <unordered_map>
#include <utility>

#include "pool/answer_counts.h"
#include "pool/snapshot_folder.h"
#include "pool/snapshot_index.h"

namespace pons {

namespace {

using Job = SnapshotIndex::Job;
using Outcome = SnapshotIndex::Outcome;

constexpr std::chrono::seconds kGrowAgainAfter{10};  // where the counts' file could not grow

/// How a job ended, and what it has read.
struct JobResult {
  Outcome outcome = Outcome::done;
  Error why{};
  SnapshotIndex::SharedSnapshot snapshot{};
};

/// A thread that no signal disturbs.
std::unique_ptr<asio::thread_pool> make_thread() {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  auto thread = std::make_unique<asio::thread_pool>(1);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

JobResult failed(const Error& why) { return {why.code == ErrorCode::resource_not_found ? Outcome::gone : Outcome::failed, why, {}}; }

/// On the store's thread.
JobResult run(const SnapshotFolder& folder, const std::string& adapter, const Job& job) {
  switch (job.kind) {
    case Job::Kind::write: {
      auto head = SnapshotHead::of(adapter, job.session, *job.snapshot);
      head.saved_at = job.saved_at;
      const auto written = folder.write(job.name, std::move(head), job.snapshot->state);
      return written ? JobResult() : failed(written.error());
    }
    case Job::Kind::read: {
      const auto bytes = folder.read(job.name);
      if (!bytes) return failed(bytes.error());
      auto snapshot = parse_snapshot(*bytes, adapter, job.session);
      if (!snapshot) return {Outcome::gone, snapshot.error(), {}};
      return {Outcome::done, {}, std::make_shared<const Snapshot>(std::move(*snapshot))};
    }
    case Job::Kind::remove:
      folder.remove(job.name);
      return {};
  }
  return {};
}

}  // namespace

class SnapshotStore::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Executor executor, std::string adapter, const SnapshotOptions& options, Callbacks callbacks)
      : executor_(executor), adapter_(std::move(adapter)), index_(options), callbacks_(std::move(callbacks)) {}

  Result<void> open_folder(const std::string& path);
  void close(std::function<void()> done);
  void stop();

  void configure(const SnapshotOptions& options);
  void save(const std::string& session, Snapshot snapshot, Saved saved);
  void load(const std::string& session, Loaded loaded);
  void forget(const std::string& session);
  void note_answered(const std::string& session, std::uint64_t answered);
  [[nodiscard]] std::vector<Known> known() const;
  [[nodiscard]] std::optional<Known> find(const std::string& session) const;

 private:
  void adopt_files(const SnapshotFolder::Contents& contents);
  void set_count(const std::string& session, std::uint64_t answered);
  void grow_counts();
  [[nodiscard]] Known known_of(const std::string& session, const SnapshotIndex::Stored* stored) const;
  void later(std::function<void()> call);
  void warn(const std::string& text);
  void apply(const SnapshotIndex::Effects& effects);
  void pump();
  void in_background(std::function<std::function<void()>()> work);
  void perform(const Job& job);
  void finish(const Job& job, const JobResult& result);
  void close_when_idle();

  Executor executor_;
  std::string adapter_;
  SnapshotIndex index_;
  Callbacks callbacks_;
  std::optional<SnapshotFolder> folder_;                                   // none: in memory
  std::unordered_map<std::string, SnapshotIndex::SharedSnapshot> memory_;  // instead of the folder: file names -> snapshots
  AnswerCounts counts_;
  bool growing_ = false;
  TimePoint grow_again_{};  // not before
  std::map<SnapshotIndex::Ticket, Saved> saves_;
  std::map<SnapshotIndex::Ticket, Loaded> loads_;
  SnapshotIndex::Ticket last_ticket_ = 0;
  std::function<void()> on_closed_;
  std::unique_ptr<asio::thread_pool> thread_;
};

// ---- Life --------------------------------------------------------------------------------------------------------------------------

Result<void> SnapshotStore::Impl::open_folder(const std::string& path) {
  auto folder = SnapshotFolder::open(path + '/' + adapter_);
  if (!folder) return folder.error();
  const auto warnings = counts_.open(folder->path() + "/answered", AnswerFile::boot_id());
  if (!warnings) return warnings.error();
  for (const auto& warning : *warnings) warn(warning);
  folder_ = std::move(*folder);
  adopt_files(folder_->list(adapter_));
  thread_ = make_thread();
  apply(index_.trim());
  pump();
  return {};
}

void SnapshotStore::Impl::adopt_files(const SnapshotFolder::Contents& contents) {
  for (const auto& warning : contents.warnings) warn(warning);
  std::unordered_map<std::string, const SnapshotFolder::File*> latest;
  // What a session has left that ended, and whose name another has now, is not removed yet if the host was killed just then.
  const auto of_this_life = [this](const SnapshotFolder::File& file) {
    const auto* const count = counts_.find(file.head.session);
    return count == nullptr || count->slot == nullptr || count->life == file.head.life;
  };
  for (const auto& file : contents.files) {
    if (of_this_life(file)) latest[file.head.session] = &file;  // the oldest come first
  }
  for (const auto& file : contents.files) {
    const auto& session = file.head.session;
    if (latest[session] != &file) {
      folder_->remove(file.name);
      continue;
    }
    index_.adopt(session, {file.name, file.head.covers, static_cast<std::size_t>(file.size), file.head.saved_at});
    counts_.suppose(session, file.head.covers, file.head.life);
  }
}

void SnapshotStore::Impl::close(std::function<void()> done) {
  on_closed_ = std::move(done);
  pump();
}

void SnapshotStore::Impl::close_when_idle() {
  if (!on_closed_ || growing_ || !index_.idle()) return;
  auto done = std::exchange(on_closed_, nullptr);
  if (!folder_) return later(std::move(done));
  in_background([this, done = std::move(done)] {
    counts_.file()->close();
    return done;
  });
}

void SnapshotStore::Impl::stop() {
  if (!thread_) return;
  thread_->stop();
  thread_->join();  // what runs on it uses this object
}

void SnapshotStore::Impl::later(std::function<void()> call) {
  asio::post(executor_, [weak = weak_from_this(), call = std::move(call)] {
    if (const auto self = weak.lock()) call();
  });
}

void SnapshotStore::Impl::in_background(std::function<std::function<void()>()> work) {
  asio::post(*thread_, [this, weak = weak_from_this(), guard = asio::make_work_guard(executor_), work = std::move(work)] {
    asio::post(executor_, [weak, then = work()] {
      if (const auto self = weak.lock()) then();
    });
  });
}

void SnapshotStore::Impl::warn(const std::string& text) {
  later([this, text] {
    if (callbacks_.on_warning) callbacks_.on_warning(text);
  });
}

// ---- Counts ------------------------------------------------------------------------------------------------------------------------

void SnapshotStore::Impl::set_count(const std::string& session, std::uint64_t answered) {
  counts_.set(session, answered);
  grow_counts();
}

void SnapshotStore::Impl::grow_counts() {
  if (growing_ || !counts_.wants_segment() || Clock::now() < grow_again_) return;
  growing_ = true;
  in_background([this]() -> std::function<void()> {
    return [this, segment = counts_.file()->make_segment()] {
      growing_ = false;
      if (segment) counts_.adopt(*segment);
      if (!segment) {
        grow_again_ = Clock::now() + kGrowAgainAfter;
        warn(segment.error().message);
      }
      grow_counts();
      close_when_idle();
    };
  });
}

void SnapshotStore::Impl::note_answered(const std::string& session, std::uint64_t answered) {
  set_count(session, answered);
  index_.touch(session);
}

// ---- Snapshots ---------------------------------------------------------------------------------------------------------------------

void SnapshotStore::Impl::configure(const SnapshotOptions& options) {
  apply(index_.configure(options));
  pump();
}

void SnapshotStore::Impl::save(const std::string& session, Snapshot snapshot, Saved saved) {
  const auto* const count = counts_.find(session);
  set_count(session, count != nullptr ? std::max(count->answered, snapshot.covers) : snapshot.covers);
  snapshot.life = counts_.find(session)->life;
  const auto shared = std::make_shared<const Snapshot>(std::move(snapshot));
  const auto ticket = ++last_ticket_;
  const auto refuse = [&](const Error& error) { later([saved = std::move(saved), error] { saved(error); }); };
  const auto head = SnapshotHead::of(adapter_, session, *shared).size();
  if (head > SnapshotHead::kLongest) return refuse(Error{ErrorCode::bad_request, "the name of the snapshot's format is too long"});
  const auto effects = index_.save(session, shared, head + shared->state.size(), ticket, std::chrono::system_clock::now());
  if (!effects) return refuse(effects.error());
  saves_.emplace(ticket, std::move(saved));
  apply(*effects);
  pump();
}

void SnapshotStore::Impl::load(const std::string& session, Loaded loaded) {
  const auto ticket = ++last_ticket_;
  const auto snapshot = index_.load(session, ticket);
  if (!snapshot) {
    later([loaded = std::move(loaded), error = snapshot.error()] { loaded(error); });
  } else if (*snapshot) {
    later([loaded = std::move(loaded), snapshot] { loaded(snapshot); });
  } else {
    loads_.emplace(ticket, std::move(loaded));
    pump();
  }
}

void SnapshotStore::Impl::forget(const std::string& session) {
  counts_.forget(session);
  apply(index_.forget(session));
  pump();
}

void SnapshotStore::Impl::apply(const SnapshotIndex::Effects& effects) {
  for (const auto& [ticket, error] : effects.saved) {
    later(
        [saved = std::move(saves_.extract(ticket).mapped()), outcome = error ? Result<void>(*error) : Result<void>()] { saved(outcome); });
  }
  for (const auto& session : effects.given_up) {
    later([this, session] {
      if (callbacks_.on_given_up) callbacks_.on_given_up(session);
    });
  }
}

void SnapshotStore::Impl::pump() {
  if (const auto job = index_.next()) return perform(*job);
  close_when_idle();
}

void SnapshotStore::Impl::perform(const Job& job) {
  if (folder_) {
    in_background(
        [this, job]() -> std::function<void()> { return [this, job, result = run(*folder_, adapter_, job)] { finish(job, result); }; });
    return;
  }
  JobResult result;
  switch (job.kind) {
    case Job::Kind::write:
      memory_[job.name] = job.snapshot;
      break;
    case Job::Kind::read:
      result.snapshot = memory_.at(job.name);
      break;
    case Job::Kind::remove:
      memory_.erase(job.name);
      break;
  }
  later([this, job, result = std::move(result)] { finish(job, result); });
}

void SnapshotStore::Impl::finish(const Job& job, const JobResult& result) {
  if (job.kind == Job::Kind::read) {
    auto loaded = std::move(loads_.extract(job.ticket).mapped());
    if (result.outcome == Outcome::gone) warn(result.why.message);
    later([loaded = std::move(loaded), result] {
      if (result.outcome == Outcome::done) return loaded(result.snapshot);
      loaded(result.why);
    });
  }
  apply(index_.finished(result.outcome, result.why));
  pump();
}

// ---- What is known -----------------------------------------------------------------------------------------------------------------

SnapshotStore::Known SnapshotStore::Impl::known_of(const std::string& session, const SnapshotIndex::Stored* stored) const {
  Known known;
  known.session = session;
  if (const auto* const count = counts_.find(session); count != nullptr) {
    known.answered = count->answered;
    known.certain = count->certain;
  }
  if (stored != nullptr) {
    known.has_snapshot = true;
    known.covers = stored->covers;
    known.bytes = stored->bytes;
    known.saved_at = stored->saved_at;
  }
  return known;
}

std::vector<SnapshotStore::Known> SnapshotStore::Impl::known() const {
  std::vector<Known> all;
  all.reserve(counts_.all().size());
  for (const auto& [session, count] : counts_.all()) {  // whoever has a snapshot has a count
    const auto stored = index_.find(session);
    all.push_back(known_of(session, stored ? &*stored : nullptr));
  }
  return all;
}

std::optional<SnapshotStore::Known> SnapshotStore::Impl::find(const std::string& session) const {
  if (counts_.find(session) == nullptr) return std::nullopt;
  const auto stored = index_.find(session);
  return known_of(session, stored ? &*stored : nullptr);
}

// ---- SnapshotStore is a handle on Impl ---------------------------------------------------------------------------------------------

Result<std::unique_ptr<SnapshotStore>> SnapshotStore::open(Executor executor, const std::string& folder, const std::string& adapter,
                                                           const SnapshotOptions& options, Callbacks callbacks) {
  const auto impl = std::make_shared<Impl>(executor, adapter, options, std::move(callbacks));
  if (!folder.empty()) {
    if (const auto opened = impl->open_folder(folder); !opened) return opened.error();
  }
  return std::unique_ptr<SnapshotStore>(new SnapshotStore(impl));
}

SnapshotStore::~SnapshotStore() { impl_->stop(); }
std::vector<SnapshotStore::Known> SnapshotStore::known() const { return impl_->known(); }
std::optional<SnapshotStore::Known> SnapshotStore::find(const std::string& session) const { return impl_->find(session); }
void SnapshotStore::configure(const SnapshotOptions& options) { impl_->configure(options); }

void SnapshotStore::save(const std::string& session, Snapshot snapshot, Saved saved) {
  impl_->save(session, std::move(snapshot), std::move(saved));
}
void SnapshotStore::load(const std::string& session, Loaded loaded) { impl_->load(session, std::move(loaded)); }
void SnapshotStore::forget(const std::string& session) { impl_->forget(session); }
void SnapshotStore::note_answered(const std::string& session, std::uint64_t answered) { impl_->note_answered(session, answered); }
void SnapshotStore::close(std::function<void()> done) { impl_->close(std::move(done)); }

}  // namespace pons
