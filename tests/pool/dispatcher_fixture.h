// A dispatcher with a clock of its own, and what it said after each event.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pool/dispatcher.h"

namespace pons {

class DispatcherTest : public testing::Test {
 protected:
  using Kind = Action::Kind;

  struct Setup {
    std::size_t in_flight = 1;
    std::size_t queue = 100;
    Selection selection = Selection::least_loaded;
    SessionOptions sessions{};
    Millis cancel_grace{2'000};
    std::size_t queue_bytes = 0;
    int max_attempts = 2;
    std::size_t size = 1;
    std::size_t overflow = 0;
  };
  struct Options {
    std::optional<std::string> session{};
    std::optional<std::string> resource{};
    std::optional<WorkerKey> only_on{};
    Millis deadline{30'000};
    Millis queue{10'000};
    std::size_t bytes = 0;
    RequestKey gathered = 0;
    bool reverse = false;
    std::vector<RequestKey> ancestors{};
  };

  static constexpr WorkerKey kA{0, 1};
  static constexpr WorkerKey kB{1, 1};
  static constexpr WorkerKey kC{2, 1};

  void make(const Setup& setup) {
    PoolOptions options;
    options.adapter = "echo";
    options.in_flight = setup.in_flight;
    options.queue = setup.queue;
    options.queue_bytes = setup.queue_bytes;
    options.selection = setup.selection;
    options.sessions = setup.sessions;
    options.retry.max_attempts = setup.max_attempts;
    options.size = setup.size;
    options.overflow = setup.overflow;
    options.timeouts.cancel_grace = setup.cancel_grace;
    dispatcher = std::make_unique<Dispatcher>(options);
  }
  void make() { make(Setup{}); }

  // Each event: the actions it caused are kept in `actions`, those of earlier events are gone.
  RequestKey submit(const Options& options) {
    actions.clear();
    const auto key = ++last_key;
    dispatcher->submit({key, options.session, options.resource, options.only_on, now + options.deadline, now + options.queue, options.bytes,
                        options.gathered, options.reverse, options.ancestors},
                       now, actions);
    return key;
  }
  RequestKey submit() { return submit(Options{}); }
  /// A request that goes to all of `targets`: what refuses it, nothing if its shares were submitted.
  std::optional<ErrorCode> submit_to_all(const std::vector<WorkerKey>& targets, std::size_t bytes = 0) {
    if (const auto room = dispatcher->room_for_shares(targets, bytes); !room) return room.error().code;
    const auto gathered = ++last_key;
    for (const auto target : targets) submit({.only_on = target, .bytes = bytes, .gathered = gathered});
    return std::nullopt;
  }
  /// What a worker asks for while it serves the first of `ancestors`; the others wait for that one, or serve what does.
  RequestKey call(std::vector<RequestKey> ancestors, Options options) {
    options.reverse = true;
    options.ancestors = std::move(ancestors);
    return submit(options);
  }
  RequestKey call(std::vector<RequestKey> ancestors) { return call(std::move(ancestors), Options{}); }
  RequestKey submit_session(const std::string& id) { return submit({.session = id}); }
  RequestKey submit_resource(const std::string& id) { return submit({.resource = id}); }
  void up(WorkerKey worker, Dispatcher::Traits traits = {}) {
    actions.clear();
    dispatcher->worker_up(worker, traits, now, actions);
  }
  std::vector<RequestKey> down(WorkerKey worker) {
    actions.clear();
    return dispatcher->worker_down(
        worker, [this](RequestKey key) { return idempotent.contains(key); }, now, actions);
  }
  void retire(WorkerKey worker) {
    actions.clear();
    dispatcher->retire(worker, now, actions);
  }
  /// `kept`: the store has written it, too.
  void exported(RequestKey key, std::optional<std::uint64_t> covers, bool kept = true) {
    std::string session;
    for (const auto& action : actions) {
      if (action.kind == Kind::export_session && action.request == key) session = action.session;
    }
    actions.clear();
    const auto counts = dispatcher->exported(key, covers, now, actions);
    if (counts && kept) dispatcher->snapshot_kept(session, *counts, now, actions);
  }
  void imported(RequestKey key, std::optional<std::uint64_t> covers) {
    actions.clear();
    dispatcher->imported(key, covers, now, actions);
  }
  void answered(RequestKey key) {
    actions.clear();
    dispatcher->answered(key, now, actions);
  }
  bool cancel(RequestKey key, CancelBy by = CancelBy::caller) {
    actions.clear();
    return dispatcher->cancel(key, by, now, actions);
  }
  void tick() {
    actions.clear();
    dispatcher->tick(now, actions);
  }
  bool end_session(const std::string& id) {
    actions.clear();
    return dispatcher->end_session(id, now, actions);
  }
  void pass(Millis time) { now += time; }

  // What the last event caused.
  [[nodiscard]] std::optional<WorkerKey> dispatched(RequestKey key) const {
    for (const auto& action : actions) {
      if (action.kind == Kind::dispatch && action.request == key) return action.worker;
    }
    return std::nullopt;
  }
  /// The key of the export or import that was sent to a worker for `session`.
  [[nodiscard]] std::optional<RequestKey> sent(Kind kind, const std::string& session, std::optional<WorkerKey> to = std::nullopt) const {
    for (const auto& action : actions) {
      if (action.kind == kind && action.session == session && (!to || action.worker == *to)) return action.request;
    }
    return std::nullopt;
  }
  [[nodiscard]] std::optional<ErrorCode> error_of(Kind kind, RequestKey key) const {
    for (const auto& action : actions) {
      if (action.kind == kind && action.request == key) return action.error.code;
    }
    return std::nullopt;
  }
  [[nodiscard]] std::optional<ErrorCode> refused(RequestKey key) const { return error_of(Kind::refuse, key); }
  [[nodiscard]] std::optional<ErrorCode> expired(RequestKey key) const { return error_of(Kind::expire, key); }
  [[nodiscard]] std::size_t count(Kind kind) const {
    std::size_t n = 0;
    for (const auto& action : actions) n += action.kind == kind ? 1u : 0u;
    return n;
  }
  [[nodiscard]] bool event(const std::string& name, const std::string& session) const {
    for (const auto& action : actions) {
      if (action.kind == Kind::session_event && action.session == session && action.event == name) return true;
    }
    return false;
  }
  [[nodiscard]] bool told_to_end(WorkerKey worker, const std::string& session) const {
    for (const auto& action : actions) {
      if (action.kind == Kind::end_session && action.worker == worker && action.session == session) return true;
    }
    return false;
  }
  void expect_empty() const {
    EXPECT_EQ(dispatcher->waiting(), 0u);
    EXPECT_EQ(dispatcher->running(), 0u);
  }

  std::unique_ptr<Dispatcher> dispatcher;
  Actions actions;
  TimePoint now{std::chrono::hours(1)};
  RequestKey last_key = 0;
  std::set<RequestKey> idempotent;
};

}  // namespace pons
