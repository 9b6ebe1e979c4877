// Workers that die again and again: exactly as many are started as the configuration allows, no more, and the other pool goes on.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tests/host/host_under_test.h"

namespace pons::chaos {
namespace {

using test::code_of;
using test::HostUnderTest;
using test::json;
using test::RawClient;
using test::result_of;

/// A pool called "loop" of `bad-worker MODE...` in which each start writes a line, the time in nanoseconds, beside the echo pool.
class CrashLoop {
 public:
  CrashLoop(const std::string& mode, const std::string& entry)
      : host_(test::echo_config() + "  loop:\n    command: [sh, -c, 'date +%s%N >>" + starts_file().string() +
              R"(; exec "$0" "$@"', )" PONS_BAD_WORKER ", " + mode + "]\n    " + entry + "\n"),
        client_(host_.connect()) {
    client_.call("host:subscribe", {{"events", {"pool.state", "worker.exited"}}});
  }
  ~CrashLoop() { EXPECT_TRUE(client_.call("echo:echo")["success"].get<bool>()) << "the other pool is harmed"; }
  CrashLoop(const CrashLoop&) = delete;

  [[nodiscard]] RawClient& client() { return client_; }
  [[nodiscard]] json ask() { return client_.call("loop:work", json::object(), {{"timeout_ms", 60'000}}); }
  [[nodiscard]] std::vector<std::int64_t> starts() const {
    std::ifstream file(starts_file());
    return {std::istream_iterator<std::int64_t>(file), {}};
  }
  /// Waits until one more worker has ended.
  void await_exit() { client_.await_event("worker.exited"); }
  /// Waits until the pool says that it has failed, and returns why.
  std::string await_failure() {
    for (;;) {
      const auto data = client_.await_event("pool.state")["data"];
      if (data["adapter"] == "loop" && data["state"] == "failed") return data.value("reason", "");
    }
  }
  /// Requests to a failed pool are refused at once, say when to come back and why it failed, and start nothing.
  void expect_refusals(const std::string& reason) {
    const auto before = starts();
    for (int i = 0; i < 20; ++i) {
      const auto reply = ask();
      EXPECT_EQ(code_of(reply), "pool_failed") << reply;
      EXPECT_TRUE(reply["retryable"].get<bool>());
      EXPECT_NE(reply["error"].get<std::string>().find(reason), std::string::npos) << reply;
    }
    EXPECT_EQ(starts(), before);
  }

 private:
  [[nodiscard]] std::filesystem::path starts_file() const { return dir_ / "starts"; }
  test::TempDir dir_;
  HostUnderTest host_;
  RawClient client_;
};

// A worker that ends within `min_uptime` counts: no machine is so slow that it takes an hour.
constexpr const char* kThree = "restart: {max: 3, window: 1h, backoff: 1ms, backoff_max: 5ms, min_uptime: 1h, trial: 1h}";

TEST(ACrashLoop, BeforeTheHandshakeEndsAfterSoManyRestarts) {
  CrashLoop loop("exit, \"7\"", kThree);
  EXPECT_EQ(code_of(loop.ask()), "worker_start_failed");
  EXPECT_NE(loop.await_failure().find("status 7"), std::string::npos);
  EXPECT_EQ(loop.starts().size(), 4u) << "one start and three restarts";
  loop.expect_refusals("status 7");
}

TEST(ACrashLoop, OfWorkersThatAreReadyAndEndEndsAfterSoManyRestarts) {
  CrashLoop loop("end-when-ready, \"7\"", kThree);
  const auto code = code_of(loop.ask());
  EXPECT_TRUE(code == "worker_start_failed" || code == "worker_crashed" || code == "pool_failed") << code;
  EXPECT_NE(loop.await_failure().find("status 7"), std::string::npos);
  EXPECT_EQ(loop.starts().size(), 4u);
  loop.expect_refusals("status 7");
}

TEST(ACrashLoop, AtTheFirstRequestEndsAfterSoManyRestarts) {
  CrashLoop loop("die", kThree);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(code_of(loop.ask()), "worker_crashed") << "request " << i;
  loop.await_failure();
  EXPECT_EQ(loop.starts().size(), 4u);
  loop.expect_refusals("SIGKILL");
}

TEST(ACrashLoop, OfWorkersThatAnswerNeverEndsInFailure) {
  constexpr int kDeaths = 20;
  CrashLoop loop("reply-and-die", kThree);
  for (int i = 0; i < kDeaths; ++i) {
    EXPECT_TRUE(loop.ask()["success"].get<bool>()) << "request " << i;
    loop.await_exit();  // until then a request could still be given to the dying one
  }
  // The one that takes the next request is the last that was started.
  test::await_stats(loop.client(), [](const json& stats) { return stats["adapters"]["loop"]["ready"] == 1; });
  EXPECT_EQ(loop.starts().size(), kDeaths + 1u);
}

TEST(ACrashLoop, DoesNotEvenBeginWithAStatusThatForbidsIt) {
  CrashLoop loop("exit, \"78\"", kThree);
  EXPECT_EQ(code_of(loop.ask()), "pool_failed");
  EXPECT_EQ(loop.starts().size(), 1u);
  loop.expect_refusals("status 78");
}

TEST(AFailedPool, TriesOneWorkerAfterEachTrial) {
  constexpr std::int64_t kTrial = 200'000'000;
  CrashLoop loop("exit, \"7\"", "restart: {max: 1, window: 1h, backoff: 1ms, backoff_max: 5ms, min_uptime: 1h, trial: 200ms}");
  EXPECT_EQ(code_of(loop.ask()), "worker_start_failed");
  for (int ended = 0; ended < 5; ++ended) loop.await_exit();
  const auto starts = loop.starts();
  ASSERT_GE(starts.size(), 5u) << "one start, one restart, then a trial for each end";
  for (std::size_t i = 2; i < starts.size(); ++i) EXPECT_GE(starts[i] - starts[i - 1], kTrial) << "trial " << i;
}

}  // namespace
}  // namespace pons::chaos
