// Keeps the latest snapshot of each session of one adapter, and counts its answered requests, across runs of the host.
//
// With a folder: one file a session below FOLDER/ADAPTER (pool/snapshot_folder.h), and FOLDER/ADAPTER/answered, into which the counts are
// mapped (pool/answer_counts.h). Files are written and read by a thread of the store's own; a snapshot that has been told as saved is
// there after the host was killed, and a count is from the moment that note_answered returns. Without a folder (a host that keeps no
// state across runs) everything is in memory.
//
// When the machine itself goes down without warning, the last half minute may be missing: snapshots that are torn are left out, and counts
// that cannot be relied on are marked (Known::certain), so that an old state need not be taken for the newest.
//
// Whatever goes wrong on the disk (full, read-only, folder removed) fails the one save, with the reason; the snapshot before it stays. A
// folder that was removed is made again.
//
// Object lifetimes: the executor's context outlives it. Close it, wait until that is done, then destroy it; destroyed without that, what
// was not yet written is lost (its count says so after the next start). Thread safety: none; the loop's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pool/options.h"
#include "pool/snapshot_file.h"
#include "protocol/error.h"
#include "protocol/transport/task.h"

namespace pons {

class SnapshotStore {
 public:
  using WallTime = std::chrono::system_clock::time_point;
  using Saved = std::function<void(const Result<void>&)>;
  using Loaded = std::function<void(const Result<std::shared_ptr<const Snapshot>>&)>;

  /// Called in later turns of the loop, none after the store is gone.
  struct Callbacks {
    std::function<void(const std::string& text)> on_warning;      ///< a file that is none of ours, counts that cannot be written
    std::function<void(const std::string& session)> on_given_up;  ///< it has no snapshot any more: max_total, or its file was damaged
  };

  /// What is kept of a session.
  struct Known {
    std::string session;
    std::uint64_t answered = 0;
    bool certain = true;        ///< no more requests than that have been answered
    bool has_snapshot = false;  ///< the rest is about it: the latest, also one that is not written yet
    std::uint64_t covers = 0;
    std::size_t bytes = 0;
    WallTime saved_at{};
  };

  /// Reads the heads of what is there, within max_total (what is above is removed, the oldest first). internal, with path and reason, if
  /// the folder cannot be written. `folder` empty: in memory.
  static Result<std::unique_ptr<SnapshotStore>> open(Executor executor, const std::string& folder, const std::string& adapter,
                                                     const SnapshotOptions& options, Callbacks callbacks);
  ~SnapshotStore();
  SnapshotStore(const SnapshotStore&) = delete;
  SnapshotStore& operator=(const SnapshotStore&) = delete;

  /// Other limits from now on; what is above max_total is given up, the longest unused first.
  void configure(const SnapshotOptions& options);

  /// All sessions of which something is kept. After open(): what the runs before have left.
  [[nodiscard]] std::vector<Known> known() const;
  [[nodiscard]] std::optional<Known> find(const std::string& session) const;

  /// `saved` is told in a later turn: it is in the folder (it, or one of the same session that came after it: those that come faster than
  /// the disk are merged), or why not. bad_request: too large.
  void save(const std::string& session, Snapshot snapshot, Saved saved);
  /// The latest that was accepted, in a later turn. resource_not_found: there is none.
  void load(const std::string& session, Loaded loaded);
  /// The session has ended: nothing is kept of it.
  void forget(const std::string& session);
  /// So many requests of the session have been answered in all. No system call.
  void note_answered(const std::string& session, std::uint64_t answered);

  /// Writes everything, the counts to the disk itself, then calls `done`. Nothing but the destructor may be called after it.
  void close(std::function<void()> done);

 private:
  class Impl;
  explicit SnapshotStore(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace pons
