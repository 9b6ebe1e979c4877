// What clients sent and were told, what workers noted that they ran, and whether the two agree with what Pons promises of requests.
// Passive: no I/O, no clock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace pons::chaos {

inline constexpr int kAnyRuns = -1;

/// A request as its client knows it.
struct Request {
  /// Names this one request, and its client, in payload, result and journal. Empty: no worker serves it (`host:cancel`).
  std::string execution;
  int most_runs = 1;  ///< how often workers may begin it; kAnyRuns: as often as they like
};

/// A terminal reply.
struct Outcome {
  std::string code;  ///< `success`, or an error's code
  std::string echo;  ///< the execution that a successful result names
};

/// A run that a worker began, as the journal has it.
struct Run {
  std::string execution;
  std::string worker;
};

/// What one client noted. Ids are never used twice by a client, whatever connections it had.
class ClientLog {
 public:
  using Id = std::int64_t;

  explicit ClientLog(std::string client) : client_(std::move(client)) {}

  void sent(Id id, Request request);
  void replied(Id id, Outcome outcome);
  /// A partial reply with this `seq`.
  void partial(Id id, std::int64_t seq);
  /// The client closed its connection, or lost it: what is open may stay without a reply.
  void disconnected();
  /// Something else that must not be; it shows among the faults.
  void note(std::string fault) { notes_.push_back(std::move(fault)); }

  [[nodiscard]] const std::string& client() const { return client_; }
  [[nodiscard]] std::size_t open() const { return open_.size(); }
  /// An open request, the oldest first.
  [[nodiscard]] std::optional<Id> oldest_open() const;

 private:
  friend class History;
  struct Entry {
    Request request;
    bool abandoned = false;
    std::int64_t partials = 0;
    std::vector<Outcome> outcomes;
  };
  std::string client_;
  std::map<Id, Entry> entries_;
  std::set<Id> open_;
  std::vector<std::string> notes_;
};

/// All clients' logs beside the workers' journal.
class History {
 public:
  History(std::vector<ClientLog> clients, const std::vector<Run>& journal);

  /// A sentence for each broken promise; empty if all were kept:
  /// - every request has exactly one terminal reply, or at most one if its client left;
  /// - a successful result is the request's own, and was run;
  /// - nothing was run more often than it may be, and nothing that nobody sent;
  /// - what was refused as not started was not started, unless it may run several times;
  /// - partial replies are numbered 0, 1, 2, ... and none follows the terminal one.
  [[nodiscard]] std::vector<std::string> faults() const;
  /// How many requests ended how; `none`: without a reply.
  [[nodiscard]] std::map<std::string, int> codes() const;
  /// Requests that were begun more than once.
  [[nodiscard]] int run_again() const;

 private:
  std::vector<ClientLog> clients_;
  std::map<std::string, std::vector<std::string>> runs_;  ///< the workers of each execution
};

/// Of the file of journal workers; none if it is not there.
std::vector<Run> read_journal(const std::string& path);

}  // namespace pons::chaos
