// Which session has which snapshot, and what is to be written, read and removed next. Entirely passive: the store does what next() says,
// one job at a time, and tells finished().
//
// A session has at most one snapshot in the folder, one that is being written, and one that waits for that: a newer one takes the place
// of the one that waits. Above max_total, the sessions that have been unused the longest lose theirs.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "pool/options.h"
#include "pool/snapshot_file.h"
#include "protocol/error.h"

namespace pons {

class SnapshotIndex {
 public:
  using Ticket = std::uint64_t;  ///< of a save or a load
  using WallTime = std::chrono::system_clock::time_point;
  using SharedSnapshot = std::shared_ptr<const Snapshot>;

  /// A snapshot as it lies in the folder.
  struct Stored {
    std::string name;  ///< of its file
    std::uint64_t covers = 0;
    std::size_t bytes = 0;
    WallTime saved_at{};
  };
  struct Job {
    enum class Kind : std::uint8_t { write, read, remove };
    Kind kind = Kind::write;
    std::string name{};
    std::string session{};
    SharedSnapshot snapshot{};  ///< what to write
    WallTime saved_at{};        ///< of that
    Ticket ticket = 0;          ///< of a read: who is told
  };
  /// How a job ended.
  enum class Outcome : std::uint8_t {
    done,
    failed,  ///< all is as it was
    gone,    ///< of a read: there is no such snapshot any more
  };
  /// What is to be told.
  struct Effects {
    std::vector<std::pair<Ticket, std::optional<Error>>> saved;
    std::vector<std::string> given_up;  ///< sessions that have no snapshot any more
  };

  explicit SnapshotIndex(const SnapshotOptions& options) : options_(options) {}

  /// Other limits from now on.
  Effects configure(const SnapshotOptions& options);

  /// One that was found in the folder, in order of age: the oldest first. False if the session has one already.
  bool adopt(const std::string& session, Stored stored);

  /// The ticket is told when it, or a newer one of the session, has been written; or why not. Refused (bad_request) if it is too large.
  /// `bytes`: of its file.
  Result<Effects> save(const std::string& session, SharedSnapshot snapshot, std::size_t bytes, Ticket ticket, WallTime now);
  /// The latest, if it is still in memory; else it is read, and the ticket stands in that job; resource_not_found: there is none.
  Result<SharedSnapshot> load(const std::string& session, Ticket ticket);
  /// The session is used: others lose their snapshots before it does.
  void touch(const std::string& session);
  /// It has no snapshot any more; saves that are not finished fail.
  Effects forget(const std::string& session);
  /// Makes the total hold, after adopt().
  Effects trim();

  /// What to do now; nothing while a job runs, or when there is none. Reads come first, then what frees space.
  std::optional<Job> next();
  /// The job that next() gave has ended.
  Effects finished(Outcome outcome, const Error& why = {});

  /// The latest that was accepted: also one that is not written yet.
  [[nodiscard]] std::optional<Stored> find(const std::string& session) const;
  [[nodiscard]] std::size_t total_bytes() const { return total_; }
  /// Nothing runs, and next() has said that there is nothing to do.
  [[nodiscard]] bool idle() const { return !running_ && reads_.empty() && removals_.empty() && writes_.empty(); }
  /// Calls visit(session, stored) for each that has one.
  void each(const std::function<void(const std::string&, const Stored&)>& visit) const;

 private:
  struct Pending {
    SharedSnapshot snapshot;
    std::size_t bytes = 0;
    WallTime saved_at{};
    std::vector<Ticket> tickets;
  };
  struct Entry {
    std::string name;
    std::optional<Stored> stored;
    std::optional<Pending> writing;
    std::optional<Pending> waiting;
    std::list<std::string>::iterator age;
    [[nodiscard]] std::size_t bytes() const;
  };
  using Entries = std::unordered_map<std::string, Entry>;

  Entry& entry_of(const std::string& session);
  std::string free_name(const std::string& session) const;
  void drop(Entries::iterator found, const Error& why, Effects& effects);
  void make_room(const std::string& for_session, Effects& effects);
  void finish_write(const Job& job, Outcome outcome, const Error& why, Effects& effects);
  void count(Entry& entry, std::size_t before) { total_ = total_ - before + entry.bytes(); }

  SnapshotOptions options_;
  Entries entries_;
  std::list<std::string> ages_;               // sessions, the longest unused first
  std::map<std::string, std::string> names_;  // of files -> sessions
  std::deque<Job> reads_;
  std::set<std::string> removals_;  // names of files
  std::deque<std::string> writes_;  // sessions that may have one waiting
  std::optional<Job> running_;
  bool dropped_ = false;  // what is being written is no longer wanted
  std::size_t total_ = 0;
};

/// The name of a session's file; `attempt` counts the names that other sessions have already.
std::string snapshot_file_name(std::string_view session, unsigned attempt);

}  // namespace pons
