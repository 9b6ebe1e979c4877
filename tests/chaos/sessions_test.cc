// Sessions whose workers, or whose host, are killed: what a client was told before is continued exactly, or the session says that it is
// lost; never does it begin anew in silence.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <deque>

#include "tests/chaos/trouble.h"

namespace pons::chaos {
namespace {

using test::json;
using test::RawClient;

/// What one client knows of its sessions, each of which counts its requests.
class Counting {
 public:
  /// Asks one of its sessions to count on; there is at most one request of each session under way.
  void send(RawClient& client, Random& random) {
    const auto session = "s" + std::to_string(random.below(kSessions));
    if (std::any_of(open_.begin(), open_.end(), [&](const auto& open) { return open.session == session; })) return;
    const auto id = ++last_id_;
    open_.push_back({id, session});
    client.send({{"id", id}, {"command", "echo:count"}, {"session_id", session}, {"timeout_ms", 60'000}});
  }
  [[nodiscard]] std::size_t open() const { return open_.size(); }

  /// Takes the next reply. A lost session is ended, and may begin anew.
  void receive(RawClient& client) {
    const auto reply = client.receive();
    const auto found = std::find_if(open_.begin(), open_.end(), [&](const auto& open) { return open.id == reply["id"]; });
    if (found == open_.end()) return;  // of host:end_session
    const auto session = found->session;
    open_.erase(found);
    const auto code = test::code_of(reply);
    ++codes_[code];
    if (code == "session_lost") {
      known_.erase(session);
      client.send({{"id", ++last_id_}, {"command", "host:end_session"}, {"args", {{"session_id", session}}}});
    } else if (code == "success") {
      check(session, reply["result"]["count"].get<int>());
    } else {
      // It was under way when the worker died, or it was not even begun: the session goes on from before it, or is lost.
      EXPECT_TRUE(code == "worker_crashed" || reply.value("retryable", false)) << reply;
    }
  }
  /// The host was killed: what was under way may have been counted, or not.
  void host_died() {
    for (const auto& open : open_) ++unknown_[open.session];
    open_.clear();
  }
  [[nodiscard]] const std::map<std::string, int>& codes() const { return codes_; }

 private:
  static constexpr std::size_t kSessions = 12;
  struct Open {
    int id;
    std::string session;
  };

  void check(const std::string& session, int count) {
    const int least = known_[session] + 1;
    const int most = least + unknown_[session];
    EXPECT_GE(count, least) << session << " has lost what it had acknowledged";
    EXPECT_LE(count, most) << session << " has counted what nobody asked for";
    known_[session] = count;
    unknown_.erase(session);
  }

  std::map<std::string, int> known_;    ///< the last count that it was told, by session
  std::map<std::string, int> unknown_;  ///< requests since then whose outcome nobody knows
  std::deque<Open> open_;
  int last_id_ = 0;
  std::map<std::string, int> codes_;
};

std::string session_config() {
  return "defaults:\n  timeouts: {queue: 60s}\n  restart: {max: 0, backoff: 1ms, backoff_max: 20ms}\n" +
         test::echo_config("pool: {size: 3, in_flight: 2, lazy: false, min_ready: 3}");
}

TEST(SessionsOfKilledWorkers, AreContinuedExactlyOrSayThatTheyAreLost) {
  Random random(test_seed());
  test::HostUnderTest host(session_config());
  auto client = host.connect();
  auto control = host.connect();
  test::await_stats(control, [](const json& stats) { return stats["adapters"]["echo"]["ready"] == 3; });
  const auto instance = host.instance();
  auto events = host.connect();
  events.call("host:subscribe", {{"events", {"session.restored"}}});
  Counting counting;
  for (int kills = 0; kills < rounds(100);) {
    for (int replies = random.between(0, 60); replies > 0; --replies) {
      while (counting.open() < 4) counting.send(client, random);
      counting.receive(client);
    }
    const auto victim = random_worker(control, instance, random);
    if (victim && victim->signal(SIGKILL)) ++kills;
    if (HasFailure()) FAIL() << "after " << kills << " kills";
  }
  while (counting.open() > 0) counting.receive(client);
  EXPECT_TRUE(events.await_event("session.restored").contains("data"));
  std::printf("%s\n", describe(counting.codes()).c_str());
}

TEST(SessionsOfAKilledHost, AreContinuedExactlyOrSayThatTheyAreLost) {
  Random random(test_seed());
  const test::TempDir state;
  Counting counting;
  int restored = 0;
  for (int round = 0; round < rounds(30); ++round) {
    test::HostUnderTest host(session_config(), {.arguments = {"--name", "sessions"}, .stdio = false, .state_home = state.path()});
    auto client = host.connect();
    const auto sessions = test::result_of(client.call("host:sessions"))["sessions"];
    restored += std::any_of(sessions.begin(), sessions.end(), [](const json& session) { return session["state"] == "restoring"; }) ? 1 : 0;
    for (int replies = random.between(0, 60); replies > 0; --replies) {
      while (counting.open() < 4) counting.send(client, random);
      counting.receive(client);
    }
    host.signal(SIGKILL);
    host.wait();
    counting.host_died();
    if (HasFailure()) FAIL() << "in round " << round;
  }
  EXPECT_GT(restored, 0);
  std::printf("%s; %d hosts had sessions of the one before\n", describe(counting.codes()).c_str(), restored);
}

}  // namespace
}  // namespace pons::chaos
