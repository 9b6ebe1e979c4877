// What the pool promises when workers hang, die, grow or wait: through the real program.
#include <gtest/gtest.h>
#include <signal.h>

#include <set>
#include <thread>

#include "tests/host/host_under_test.h"

namespace pons::test {
namespace {

json workers_of(RawClient& client) { return result_of(client.call("host:workers"))["workers"]; }
pid_t pid_of(RawClient& client, std::size_t index = 0) { return workers_of(client)[index]["pid"].get<pid_t>(); }

/// Kills a worker, and returns once the host has seen it.
void kill_worker(RawClient& client, pid_t pid) {
  client.call("host:subscribe", {{"events", {"worker.exited"}}});
  ::kill(pid, SIGKILL);
  while (client.await_event("worker.exited")["data"]["pid"] != pid) {
  }
}

/// Until `done`; false after the limit.
template <class Step>
bool repeat_until(Step&& done) {
  for (const auto end = std::chrono::steady_clock::now() + kLimit; std::chrono::steady_clock::now() < end;) {
    if (done()) return true;
  }
  return false;
}

/// Sends a request, and returns once a worker runs it.
void send_and_await_running(RawClient& client, const json& request) {
  client.send(request);
  await_stats(client, [](const json& stats) { return stats["adapters"]["echo"]["busy"] >= 1; });
}

// ---- Retries

TEST(Retries, AnIdempotentRequestRunsAgainAndSaysSo) {
  HostUnderTest host(echo_config("pool: {size: 1}"));
  auto client = host.connect();
  client.call("host:subscribe", {{"events", {"request.retried"}}});
  client.call("echo:echo");
  send_and_await_running(client, {{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", 300}}}});
  ::kill(pid_of(client), SIGKILL);
  EXPECT_EQ(client.await_event("request.retried")["data"]["attempt"], 1);
  EXPECT_EQ(result_of(client.await(1))["slept_ms"], 300);
  EXPECT_EQ(result_of(client.call("host:get_stats"))["adapters"]["echo"]["retries"], 1);
}

TEST(Retries, NoMoreThanMaxAttempts) {
  HostUnderTest host(echo_config("retry: {max_attempts: 2}"));
  auto client = host.connect();
  client.call("echo:echo");
  client.send({{"id", 1}, {"command", "echo:crash"}, {"args", {{"signal", 9}}}, {"idempotent", true}});
  EXPECT_EQ(code_of(client.await(1)), "worker_crashed");
  EXPECT_EQ(result_of(client.call("host:get_stats"))["adapters"]["echo"]["retries"], 1);
}

TEST(Retries, TheCallerHasTheLastWordOnWhatIsIdempotent) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  client.call("echo:echo");
  send_and_await_running(client, {{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}, {"idempotent", false}});
  ::kill(pid_of(client), SIGKILL);
  EXPECT_EQ(code_of(client.await(1)), "worker_crashed");
}

TEST(Retries, NeverOnceAPartOfTheAnswerWasForwarded) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  client.send({{"id", 1}, {"command", "echo:stream"}, {"args", {{"n", 1'000}, {"interval_ms", kForEver / 1'000}}}, {"stream", true}});
  EXPECT_EQ(client.receive()["partial"], true);
  ::kill(pid_of(client), SIGKILL);
  EXPECT_EQ(code_of(client.await(1)), "worker_crashed");
}

// ---- Hangs

TEST(Hangs, TheAnswerSaysWhereTheWorkerWas) {
  HostUnderTest host(echo_config("timeouts: {cancel_grace: 100ms, stop: 100ms}"));
  for (const bool spin : {false, true}) {
    auto client = host.connect();
    client.call("echo:echo");
    const auto reply = client.call("echo:hang", {{"spin", spin}}, {{"timeout_ms", 300}});
    EXPECT_EQ(code_of(reply), "deadline_exceeded");
    EXPECT_NE(reply["details"].value("stack", "").find("hang"), std::string::npos) << reply;
    EXPECT_EQ(result_of(client.call("echo:echo", {{"a", 1}}, {{"timeout_ms", 9'000}}))["a"], 1);
  }
}

TEST(Hangs, AWorkerThatHangsTakesNoNewOnesAndItsNeighboursAreTold) {
  HostUnderTest host(echo_config("options: {concurrency: 64}\n    pool: {size: 1, in_flight: 64}\n    timeouts: {cancel_grace: 50ms}"));
  auto client = host.connect();
  client.call("echo:echo");
  const auto worker = pid_of(client);
  client.send({{"id", 1}, {"command", "echo:wait"}, {"args", {{"ms", kForEver}}}, {"timeout_ms", 60'000}, {"idempotent", false}});
  client.send({{"id", 2}, {"command", "echo:hang"}, {"timeout_ms", 200}});
  EXPECT_EQ(code_of(client.await(2)), "deadline_exceeded");
  // It is not killed: the first has begun there too, and has time. But from the end of the grace on nothing new is sent to it.
  EXPECT_TRUE(repeat_until([&] { return code_of(client.call("echo:echo", json::object(), {{"timeout_ms", 100}})) == "queue_timeout"; }));
  EXPECT_EQ(workers_of(client)[0]["state"], "cancelling");
  EXPECT_EQ(pid_of(client), worker);
  ::kill(worker, SIGKILL);
  const auto reply = client.await(1);
  EXPECT_EQ(code_of(reply), "worker_crashed");
  EXPECT_EQ(reply["details"]["reason"], "neighbour") << reply;
}

TEST(Hangs, AStoppedWorkerWithWorkIsKilled) {
  HostUnderTest host(echo_config("health: {interval: 50ms, timeout: 20ms, misses: 2}"));
  auto client = host.connect();
  client.call("echo:echo");
  send_and_await_running(client, {{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}, {"idempotent", false}});
  ::kill(pid_of(client), SIGSTOP);
  const auto reply = client.await(1);
  EXPECT_EQ(code_of(reply), "worker_crashed");
  EXPECT_EQ(reply["details"]["reason"], "stopped") << reply;
}

TEST(Hangs, ASlowWorkerIsNeverKilledForBeingSlow) {
  HostUnderTest host(echo_config("health: {interval: 5ms, timeout: 5ms, misses: 1}"));
  auto client = host.connect();
  EXPECT_EQ(result_of(client.call("echo:sleep", {{"ms", 500}}))["slept_ms"], 500);
  EXPECT_EQ(workers_of(client)[0]["restarts"], 0);
}

TEST(Pools, LivenessAndReadinessAreTwoThings) {
  HostUnderTest host(bad_config("exit, '3'", "pool: {lazy: false}\n    restart: {max: 1, backoff: 1ms, backoff_max: 1ms}") +
                     "  echo:\n    adapter: " PONS_ECHO_FOLDER "\n");
  auto client = host.connect();
  const auto failed = await_stats(client, [](const json& stats) { return stats["adapters"]["bad"]["state"] == "failed"; })["adapters"];
  EXPECT_EQ(failed["bad"]["live"], false);
  EXPECT_EQ(failed["echo"]["live"], true);
  EXPECT_EQ(failed["echo"]["takes_requests"], false) << "lazy, not started";
  client.call("echo:echo");
  EXPECT_EQ(result_of(client.call("host:get_stats"))["adapters"]["echo"]["takes_requests"], true);
  const auto reply = client.call("bad:work");
  EXPECT_EQ(code_of(reply), "pool_failed");
  EXPECT_EQ(reply["details"]["exit_status"], 3) << reply;
}

// ---- Overflow and queue

TEST(Overflow, AWorkerMoreWhileSomebodyWaits) {
  HostUnderTest host(echo_config("pool: {size: 1, overflow: 1, overflow_after: 20ms, overflow_linger: 50ms}"));
  auto client = host.connect();
  client.call("host:subscribe", {{"events", {"worker.*"}}});
  client.call("echo:echo");
  client.send({{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}});
  EXPECT_EQ(result_of(client.call("echo:echo", {{"a", 1}}))["a"], 1) << "the only worker of its size sleeps";
  const auto recycled = client.await_event("worker.recycled")["data"];
  EXPECT_EQ(recycled["reason"], "overflow_linger");
  EXPECT_EQ(recycled["slot"], 1);
  EXPECT_EQ(client.await_event("worker.exited")["data"]["asked"], true);
  EXPECT_EQ(workers_of(client).size(), 1u);
}

TEST(Queue, IsBoundedByBytes) {
  HostUnderTest host(echo_config("pool: {size: 1, queue_bytes: 100KiB}"));
  auto client = host.connect();
  client.call("echo:echo");
  client.send({{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}});
  const std::string text(60'000, 'x');
  client.send({{"id", 2}, {"command", "echo:echo"}, {"args", {{"text", text}}}});
  client.send({{"id", 3}, {"command", "echo:echo"}, {"args", {{"text", text}}}});
  const auto reply = client.await(3);
  EXPECT_EQ(code_of(reply), "overloaded");
  EXPECT_TRUE(reply["details"].contains("retry_after_ms"));
  EXPECT_NE(reply["error"].get<std::string>().find("queue_bytes"), std::string::npos);
}

// ---- Recycling and limits

TEST(Recycling, AfterSoManyRequestsWithoutALostOne) {
  HostUnderTest host(echo_config("pool: {size: 1}\n    recycle: {max_requests: 5}"));
  auto client = host.connect();
  std::set<pid_t> pids;
  EXPECT_TRUE(repeat_until([&] {
    pids.insert(result_of(client.call("echo:whoami"))["pid"].get<pid_t>());
    return pids.size() >= 3 || testing::Test::HasFailure();
  }));
  EXPECT_EQ(result_of(client.call("host:get_stats"))["adapters"]["echo"]["restarts"], 0);
}

TEST(Recycling, ASessionWhoseSnapshotIsNotKeptHoldsItsWorker) {
  HostUnderTest host(
      echo_config("pool: {size: 1}\n    recycle: {max_requests: 3, max_drain: 1h}\n    sessions: {snapshot: {max_total: 10B}}"));
  auto client = host.connect();
  client.call("host:subscribe", {{"events", {"worker.recycled"}}});
  for (int i = 1; i <= 20; ++i) {
    EXPECT_EQ(result_of(client.call("echo:count", json::object(), {{"session_id", "s"}}))["count"], i);
  }
  EXPECT_EQ(client.await_event("worker.recycled")["data"]["reason"], "max_requests") << "it was to go";
}

TEST(Recycling, BeginsWithAnUpdate) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  const auto pid = result_of(client.call("echo:whoami"))["pid"];
  result_of(client.call("host:update_config", {{"name", "echo"}, {"patch", {{"recycle", {{"max_requests", 3}}}}}}));
  EXPECT_TRUE(repeat_until([&] { return result_of(client.call("echo:whoami"))["pid"] != pid; }));
}

TEST(Snapshots, LimitsHoldFromAnUpdateOn) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  const auto count = [&] { return client.call("echo:count", json::object(), {{"session_id", "s"}}); };
  EXPECT_EQ(result_of(count())["count"], 1);
  kill_worker(client, pid_of(client));
  EXPECT_EQ(result_of(count())["count"], 2) << "its snapshot was kept";
  result_of(client.call("host:update_config", {{"name", "echo"}, {"patch", {{"sessions", {{"snapshot", {{"max_total", "10B"}}}}}}}}));
  EXPECT_EQ(result_of(count())["count"], 3);
  kill_worker(client, pid_of(client));
  EXPECT_EQ(code_of(count()), "session_lost");
}

TEST(Snapshots, ASessionThatACleanupTookBeginsAnewAndIsKeptAgain) {
  HostUnderTest host(echo_config("pool: {size: 1, in_flight: 2}"));
  auto client = host.connect();
  const json session{{"session_id", "s"}};
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(result_of(client.call("echo:count", json::object(), session))["count"], i);
  std::string bytes;
  for (const json& request :
       {json{{"id", 1}, {"command", "echo:cleanup"}}, json{{"id", 2}, {"command", "echo:count"}, {"session_id", "s"}}}) {
    const auto body = request.dump();
    bytes += std::string(frame_header(static_cast<std::uint32_t>(body.size())).bytes, 4) + body;
  }
  client.send_bytes(bytes);  // the second is at its worker before the first is answered
  EXPECT_TRUE(client.await(1)["success"].get<bool>());
  EXPECT_EQ(result_of(client.await(2))["count"], 1);
  kill_worker(client, pid_of(client));
  EXPECT_EQ(result_of(client.call("echo:count", json::object(), session))["count"], 2);
}

TEST(Recycling, ASessionMovesWithItsSnapshot) {
  HostUnderTest host(echo_config("pool: {size: 1}\n    recycle: {max_requests: 5}"));
  auto client = host.connect();
  std::set<std::string> workers;
  int counted = 0;
  EXPECT_TRUE(repeat_until([&] {
    EXPECT_EQ(result_of(client.call("echo:count", json::object(), {{"session_id", "s"}}))["count"], ++counted);
    workers.insert(result_of(client.call("host:sessions"))["sessions"][0]["worker_id"].dump());
    return workers.size() >= 4 || testing::Test::HasFailure();
  }));
}

TEST(Recycling, ALargeWorkerIsReplacedByMaxMemory) {
  HostUnderTest host(echo_config("recycle: {max_memory: 100MiB}"));
  auto client = host.connect();
  client.call("host:subscribe", {{"events", {"worker.recycled"}}});
  client.call("echo:grow", {{"bytes", 150 << 20}});
  EXPECT_EQ(client.await_event("worker.recycled")["data"]["reason"], "max_memory");
}

TEST(Recycling, WhenTheyAreOldOrUnused) {
  for (const auto& [key, reason] : {std::pair("max_age: 50ms", "max_age"), std::pair("idle_timeout: 50ms", "idle_timeout")}) {
    HostUnderTest host(echo_config("recycle: {" + std::string(key) + "}"));
    auto client = host.connect();
    client.call("host:subscribe", {{"events", {"worker.recycled"}}});
    client.call("echo:echo");
    EXPECT_EQ(client.await_event("worker.recycled")["data"]["reason"], reason);
    EXPECT_EQ(result_of(client.call("echo:echo", {{"a", 1}}))["a"], 1);
  }
}

TEST(Limits, NumericLibrariesShareTheProcessors) {
  HostUnderTest host(echo_config("pool: {size: 2}\n    env: {MKL_NUM_THREADS: '7'}"));
  auto client = host.connect();
  const auto said = result_of(client.call("echo:whoami", {{"env", {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}}}));
  const auto& values = said["values"];
  const auto share = std::to_string(std::max(1u, std::thread::hardware_concurrency() / 2));
  EXPECT_EQ(values["OMP_NUM_THREADS"], share);
  EXPECT_EQ(values["OPENBLAS_NUM_THREADS"], share);
  EXPECT_EQ(values["MKL_NUM_THREADS"], "7") << "what the user says holds";
}

TEST(Snapshots, AStopSavesWhatHasNoSnapshotYet) {
  const TempDir state;
  const json session{{"session_id", "s"}};
  for (int counted = 0; counted < 6; counted += 3) {
    HostUnderTest host(echo_config("sessions: {snapshot: {every: 100, after: 0s}}"),
                       {.arguments = {"--name", "saved"}, .stdio = false, .state_home = state.path()});
    auto client = host.connect();
    for (int i = 1; i <= 3; ++i) {
      EXPECT_EQ(result_of(client.call("echo:count", json::object(), session))["count"], counted + i);
    }
    host.signal(SIGTERM);
    EXPECT_EQ(host.wait(), 0);
  }
}

TEST(Limits, AWorkerAboveItsMemoryIsKilledAndTheErrorSaysSo) {
  HostUnderTest host(echo_config("limits: {memory: 100MiB}"));
  auto client = host.connect();
  // Its end may come at any time: while it grows, when it has, or when it does something else.
  json reply;
  const auto crashed = [&] {
    reply = client.call("echo:grow", {{"bytes", 300 << 20}});
    if (code_of(reply) == "success") reply = client.call("echo:sleep", {{"ms", 500}}, {{"idempotent", false}});
    return code_of(reply) != "success";
  };
  ASSERT_TRUE(repeat_until(crashed));
  EXPECT_EQ(code_of(reply), "worker_crashed") << reply;
  EXPECT_EQ(reply["details"]["reason"], "memory") << reply;
  EXPECT_EQ(result_of(client.call("echo:echo", {{"a", 1}}))["a"], 1);
}

TEST(Limits, DevicesAreHandedOutBySlot) {
  HostUnderTest host(echo_config("pool: {size: 2, lazy: false}\n    devices: {variable: CUDA_VISIBLE_DEVICES, values: ['5', '7']}"));
  auto client = host.connect();
  await_stats(client, [](const json& stats) { return stats["adapters"]["echo"]["ready"] == 2; });
  std::set<std::string> seen;
  for (int i = 0; i < 4; ++i) {
    const auto values = result_of(client.call("echo:whoami", {{"env", {"CUDA_VISIBLE_DEVICES"}}}))["values"];
    seen.insert(values["CUDA_VISIBLE_DEVICES"].get<std::string>());
  }
  EXPECT_EQ(seen, (std::set<std::string>{"5", "7"}));
}

// ---- Snapshots

TEST(Snapshots, ASessionGoesOnWhereItsKilledWorkerLeftIt) {
  HostUnderTest host(echo_config("pool: {size: 2}"));
  auto client = host.connect();
  client.call("host:subscribe", {{"events", {"session.restored"}}});
  const json session{{"session_id", "s"}};
  int counted = 0;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(result_of(client.call("echo:count", json::object(), session))["count"], ++counted);
    // Behind this the snapshot is there.
    EXPECT_EQ(result_of(client.call("echo:count", json::object(), session))["count"], ++counted);
    await_stats(client, [](const json& stats) { return stats["adapters"]["echo"]["busy"] == 0; });
    const auto holder = result_of(client.call("host:sessions"))["sessions"][0]["worker_id"];
    for (const auto& worker : workers_of(client)) {
      if (worker["worker_id"] == holder) kill_worker(client, worker["pid"].get<pid_t>());
    }
    EXPECT_EQ(result_of(client.call("echo:count", json::object(), session))["count"], ++counted);
    EXPECT_EQ(client.await_event("session.restored")["data"]["session_id"], "s");
  }
}

TEST(Snapshots, AStaleOneIsRefused) {
  HostUnderTest host(echo_config("sessions: {snapshot: {every: 2, after: 0s}}"));
  auto client = host.connect();
  const json session{{"session_id", "s"}};
  for (int i = 0; i < 3; ++i) client.call("echo:count", json::object(), session);
  kill_worker(client, pid_of(client));
  const auto reply = client.call("echo:count", json::object(), session);
  EXPECT_EQ(code_of(reply), "session_lost");
  EXPECT_EQ(reply["details"]["covers"], 2);
  EXPECT_EQ(reply["details"]["answered"], 3);
}

TEST(Snapshots, AStaleOneIsRestoredWhereThatIsAllowed) {
  HostUnderTest host(echo_config("sessions: {snapshot: {every: 2, after: 0s, stale: allow}}"));
  for (const auto codec : {Codec::json, Codec::msgpack}) {
    auto client = host.connect();
    const json session{{"session_id", codec == Codec::json ? "j" : "m"}};
    for (int i = 0; i < 3; ++i) client.call("echo:count", json::object(), session, codec);
    kill_worker(client, pid_of(client));
    const auto reply = client.call("echo:count", json::object(), session, codec);
    EXPECT_EQ(result_of(reply)["count"], 3);
    EXPECT_EQ(reply["restored"], (json{{"covers", 2}, {"answered", 3}}));
    EXPECT_FALSE(client.call("echo:count", json::object(), session, codec).contains("restored"));
  }
}

TEST(Snapshots, OnLossRestartBeginsAnew) {
  HostUnderTest host(echo_config("sessions: {on_loss: restart, snapshot: {every: 0, after: 0s}}"));
  auto client = host.connect();
  const json session{{"session_id", "s"}};
  for (int i = 0; i < 3; ++i) client.call("echo:count", json::object(), session);
  kill_worker(client, pid_of(client));
  EXPECT_EQ(result_of(client.call("echo:count", json::object(), session))["count"], 1);
}

}  // namespace
}  // namespace pons::test
