#include "tests/chaos/history.h"

#include <algorithm>
#include <array>
#include <fstream>

namespace pons::chaos {

namespace {

// What the protocol says of them: nothing was begun.
constexpr std::array<std::string_view, 6> kNotStarted{"overloaded",  "queue_timeout",       "rate_limited",
                                                      "pool_failed", "worker_start_failed", "circuit_open"};

bool says_not_started(const std::string& code) { return std::find(kNotStarted.begin(), kNotStarted.end(), code) != kNotStarted.end(); }

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const auto& text : texts) all += (all.empty() ? "" : ", ") + text;
  return all;
}

}  // namespace

void ClientLog::sent(Id id, Request request) {
  entries_[id].request = std::move(request);
  open_.insert(id);
}

void ClientLog::replied(Id id, Outcome outcome) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return note("a reply with the id " + std::to_string(id) + ", which it never used: " + outcome.code);
  found->second.outcomes.push_back(std::move(outcome));
  open_.erase(id);
}

void ClientLog::partial(Id id, std::int64_t seq) {
  if (!open_.contains(id)) return note("a partial reply with the id " + std::to_string(id) + ", which is not open");
  auto& entry = entries_.at(id);
  if (seq != entry.partials) {
    note(entry.request.execution + ": partial reply " + std::to_string(seq) + " in place of " + std::to_string(entry.partials));
  }
  entry.partials = seq + 1;
}

void ClientLog::disconnected() {
  for (const auto id : open_) entries_.at(id).abandoned = true;
  open_.clear();
}

std::optional<ClientLog::Id> ClientLog::oldest_open() const { return open_.empty() ? std::nullopt : std::optional(*open_.begin()); }

History::History(std::vector<ClientLog> clients, const std::vector<Run>& journal) : clients_(std::move(clients)) {
  for (const auto& run : journal) runs_[run.execution].push_back(run.worker);
}

std::vector<std::string> History::faults() const {
  std::vector<std::string> faults;
  auto unclaimed = runs_;
  for (const auto& log : clients_) {
    const auto fault = [&](const std::string& text) { faults.push_back("client " + log.client() + ": " + text); };
    for (const auto& text : log.notes_) fault(text);
    for (const auto& [id, entry] : log.entries_) {
      const auto& execution = entry.request.execution;
      const auto name = execution.empty() ? "id " + std::to_string(id) : execution;
      unclaimed.erase(execution);
      const auto found = runs_.find(execution);
      const auto& workers = found == runs_.end() ? std::vector<std::string>() : found->second;
      const auto runs = static_cast<int>(workers.size());
      const int most = entry.request.most_runs;
      if (most != kAnyRuns && runs > most) fault(name + " was run " + std::to_string(runs) + " times, by " + joined(workers));
      if (entry.outcomes.empty() && !entry.abandoned) fault(name + " has no reply");
      if (entry.outcomes.size() > 1) fault(name + " has " + std::to_string(entry.outcomes.size()) + " replies");
      for (const auto& outcome : entry.outcomes) {
        const bool success = outcome.code == "success";
        if (success && outcome.echo != execution) fault(name + " was answered with the result of " + outcome.echo);
        if (success && !execution.empty() && runs == 0) fault(name + " was answered, and never run");
        if (most == 1 && runs > 0 && says_not_started(outcome.code)) fault(name + " was run, and answered " + outcome.code);
      }
    }
  }
  for (const auto& [execution, workers] : unclaimed) faults.push_back(execution + " was run, and never sent");
  return faults;
}

std::map<std::string, int> History::codes() const {
  std::map<std::string, int> codes;
  for (const auto& log : clients_) {
    for (const auto& [id, entry] : log.entries_) ++codes[entry.outcomes.empty() ? "none" : entry.outcomes.front().code];
  }
  return codes;
}

int History::run_again() const {
  return static_cast<int>(std::count_if(runs_.begin(), runs_.end(), [](const auto& entry) { return entry.second.size() > 1; }));
}

std::vector<Run> read_journal(const std::string& path) {
  std::ifstream file(path);
  std::vector<Run> runs;
  for (Run run; file >> run.execution >> run.worker;) runs.push_back(run);
  return runs;
}

}  // namespace pons::chaos
