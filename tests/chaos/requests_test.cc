// Which requests are run again, and which never, when their worker dies: as the workers' journal tells it.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/chaos/history.h"
#include "tests/chaos/random.h"
#include "tests/host/host_under_test.h"

namespace pons::chaos {
namespace {

using test::json;

/// A pool of one journal worker that takes eight requests at once.
class OneWorker {
 public:
  OneWorker()
      : host_("adapters:\n  journal:\n    command: [" PONS_JOURNAL_WORKER "]\n    options: {journal: " + (dir_ / "journal").string() +
              "}\n    pool: {in_flight: 8}\n    restart: {max: 0, backoff: 1ms, backoff_max: 5ms}\n"),
        client_(host_.connect()) {
    client_.call("journal:ping");
  }
  [[nodiscard]] test::RawClient& client() { return client_; }
  [[nodiscard]] auto runs_of(const std::string& execution) const {
    const auto runs = read_journal(dir_ / "journal");
    return std::count_if(runs.begin(), runs.end(), [&](const Run& run) { return run.execution == execution; });
  }
  json call(const std::string& command, json args, json extra = json::object()) {
    args["execution"] = command;
    return client_.call("journal:" + command, std::move(args), std::move(extra));
  }

 private:
  test::TempDir dir_;
  test::HostUnderTest host_;
  test::RawClient client_;
};

TEST(RequestsBesideOneThatKillsTheirWorker, AreEachRunOnce) {
  Random random(test_seed());
  OneWorker one;
  for (int round = 0; round < 30; ++round) {
    const int before = random.between(0, 3);
    const int all = before + 1 + random.between(1, 4);
    const auto name = [&](int i) { return std::to_string(round) + "." + std::to_string(i); };
    for (int i = 0; i < all; ++i) {
      const bool last = i == before;
      json args{{"execution", name(i)}, {"die", last}};
      const auto command = last || random.chance(50) ? "journal:run" : "journal:run_again";
      one.client().send({{"id", i + 1}, {"command", command}, {"args", std::move(args)}});
    }
    for (int i = 0; i < all; ++i) {
      const auto code = test::code_of(one.client().await(i + 1));
      EXPECT_EQ(code, i == before ? "worker_crashed" : "success")
          << "request " << i << " of " << all << ", " << before << " is the one that kills";
      EXPECT_EQ(one.runs_of(name(i)), 1) << "request " << i << " of " << all << ", " << before << " is the one that kills";
    }
  }
}

/// The worker is given up for the first request, finishes it regardless, and takes the second from what was written to it.
TEST(ARequestBesideOneThatIsOverdue, IsRunOnceThoughItsWorkerGoesOnRegardless) {
  const test::TempDir dir;
  const auto journal = (dir / "runs").string();
  test::HostUnderTest host(
      test::bad_config("stubborn, " + journal, "pool: {in_flight: 2}\n    timeouts: {cancel_grace: 50ms, stop: 500ms}"));
  auto client = host.connect();
  client.call("bad:ping");
  client.send({{"id", 1}, {"command", "bad:work"}, {"args", {{"execution", "first"}, {"ms", 300}}}, {"timeout_ms", 50}});
  client.send({{"id", 2}, {"command", "bad:work"}, {"args", {{"execution", "second"}, {"ms", 1'000}}}, {"timeout_ms", 60'000}});
  EXPECT_EQ(test::code_of(client.await(1)), "deadline_exceeded");
  const auto code = test::code_of(client.await(2));
  EXPECT_TRUE(code == "success" || code == "worker_crashed") << code;
  const auto runs = read_journal(journal);
  EXPECT_EQ(std::count_if(runs.begin(), runs.end(), [](const auto& run) { return run.execution == "second"; }), 1);
}

TEST(ARequestWhoseWorkerDies, IsRunAgainOnlyIfItMayBe) {
  OneWorker one;
  EXPECT_EQ(test::code_of(one.call("run", {{"die", true}})), "worker_crashed");
  EXPECT_EQ(one.runs_of("run"), 1);
  EXPECT_EQ(test::code_of(one.call("run_again", {{"die", true}})), "worker_crashed");
  EXPECT_EQ(one.runs_of("run_again"), 2) << "retry.max_attempts";
}

TEST(ARequestWhoseWorkerDies, IsRunAgainIfItsCallerSaysSo) {
  OneWorker one;
  EXPECT_EQ(test::code_of(one.call("run", {{"die", true}}, {{"idempotent", true}})), "worker_crashed");
  EXPECT_EQ(one.runs_of("run"), 2);
  EXPECT_EQ(test::code_of(one.call("run_again", {{"die", true}}, {{"idempotent", false}})), "worker_crashed");
  EXPECT_EQ(one.runs_of("run_again"), 1);
}

TEST(ARequestWhoseWorkerDies, IsNotRunAgainOnceItsCallerHasSeenAPartOfTheAnswer) {
  OneWorker one;
  json args{{"execution", "x"}, {"partials", 2}, {"ms", 1}, {"die", true}};
  one.client().send({{"id", 1}, {"command", "journal:run_again"}, {"stream", true}, {"args", std::move(args)}});
  EXPECT_EQ(one.client().receive()["seq"], 0);
  EXPECT_EQ(one.client().receive()["seq"], 1);
  EXPECT_EQ(test::code_of(one.client().receive()), "worker_crashed");
  EXPECT_EQ(one.runs_of("x"), 1);
}

}  // namespace
}  // namespace pons::chaos
