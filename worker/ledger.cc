#include "worker/ledger.h"

#include <utility>

namespace pons {
namespace {

/// What the host asks about a session is no request of the session.
bool belongs_to_session(const Envelope& request) {
  if (!request.session_id) return false;
  const std::string_view command = request.command;
  return command != "common:end_session" && command != "common:export_session" && command != "common:import_session";
}

}  // namespace

void Ledger::begin(const Envelope& request) {
  if (!belongs_to_session(request)) return;
  const std::lock_guard lock(mutex_);
  answered_.try_emplace(*request.session_id, 0);
}

void Ledger::answer(const Envelope& request, bool success) {
  ++requests_;
  if (!success) ++errors_;
  if (!belongs_to_session(request)) return;
  const std::lock_guard lock(mutex_);
  if (const auto at = answered_.find(*request.session_id); at != answered_.end()) ++at->second;
}

Ledger::Totals Ledger::totals() const {
  const std::lock_guard lock(mutex_);
  return {requests_.load(), errors_.load(), answered_.size()};
}

std::optional<std::uint64_t> Ledger::covers(std::string_view session) const {
  const std::lock_guard lock(mutex_);
  const auto at = answered_.find(session);
  if (at == answered_.end()) return std::nullopt;
  return at->second;
}

void Ledger::restore(std::string session, std::uint64_t covers) {
  const std::lock_guard lock(mutex_);
  answered_.insert_or_assign(std::move(session), covers);
}

bool Ledger::end(std::string_view session) {
  const std::lock_guard lock(mutex_);
  const auto at = answered_.find(session);
  if (at == answered_.end()) return false;
  answered_.erase(at);
  return true;
}

std::vector<std::string> Ledger::end_all() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [session, answered] : answered_) names.push_back(session);
  answered_.clear();
  return names;
}

}  // namespace pons
