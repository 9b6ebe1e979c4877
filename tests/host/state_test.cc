// Sessions, resources, several workers, and the host's own commands.
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "tests/host/host_under_test.h"

namespace pons::test {
namespace {

TEST(Sessions, StayOnTheirWorkerAndInOrder) {
  HostUnderTest host(echo_config("pool: {size: 3, in_flight: 2}"));
  auto client = host.connect();
  for (int i = 1; i <= 60; ++i) {
    client.send({{"id", i}, {"command", "echo:count"}, {"session_id", "s" + std::to_string(i % 4)}});
  }
  for (int i = 1; i <= 60; ++i) EXPECT_EQ(result_of(client.await(i))["count"], (i + 3) / 4) << i;
  const auto sessions = result_of(client.call("host:sessions"))["sessions"];
  ASSERT_EQ(sessions.size(), 4u);
  for (const auto& session : sessions) {
    EXPECT_EQ(session["state"], "bound");
    EXPECT_EQ(session["requests"], 15);
    EXPECT_EQ(session["adapter"], "echo");
  }
}

TEST(Sessions, AreSharedByAllConnectionsAndEnded) {
  HostUnderTest host(echo_config("pool: {size: 2}"));
  auto a = host.connect();
  auto b = host.connect();
  const json session{{"session_id", "s"}};
  EXPECT_EQ(result_of(a.call("echo:count", json::object(), session))["count"], 1);
  EXPECT_EQ(result_of(b.call("echo:count", json::object(), session))["count"], 2);
  EXPECT_EQ(result_of(a.call("host:end_session", session))["found"], true);
  EXPECT_EQ(result_of(a.call("host:end_session", session))["found"], false);
  EXPECT_EQ(result_of(b.call("echo:count", json::object(), session))["count"], 1) << "the worker kept the state of an ended session";
}

TEST(Sessions, AreLostWithTheirWorkerUntilTheyAreEnded) {
  HostUnderTest host(echo_config("pool: {size: 2}\n    sessions: {snapshot: {every: 0, after: 0s}}"));
  auto client = host.connect();
  const json session{{"session_id", "s"}};
  client.call("host:subscribe", {{"events", {"session.*"}}});
  EXPECT_EQ(result_of(client.call("echo:count", json::object(), session))["count"], 1);
  client.send({{"id", 1}, {"command", "echo:crash"}, {"args", {{"signal", 9}}}, {"session_id", "s"}});
  client.send({{"id", 2}, {"command", "echo:count"}, {"session_id", "s"}});
  EXPECT_EQ(code_of(client.await(1)), "worker_crashed");
  EXPECT_EQ(code_of(client.await(2)), "session_lost");
  EXPECT_EQ(client.await_event("session.lost")["data"]["session_id"], "s");
  EXPECT_EQ(code_of(client.call("echo:count", json::object(), session)), "session_lost");
  EXPECT_EQ(result_of(client.call("host:sessions"))["sessions"][0]["state"], "lost");
  client.call("host:end_session", session);
  EXPECT_EQ(result_of(client.call("echo:count", json::object(), session))["count"], 1);
}

TEST(Sessions, Expire) {
  HostUnderTest host(echo_config("sessions: {ttl: 50ms}"));
  auto client = host.connect();
  client.call("host:subscribe", {{"events", {"session.ended"}}});
  const json session{{"session_id", "s"}};
  EXPECT_EQ(result_of(client.call("echo:count", json::object(), session))["count"], 1);
  client.await_event("session.ended");
  EXPECT_EQ(result_of(client.call("echo:count", json::object(), session))["count"], 1);
}

TEST(Sessions, HaveALimit) {
  HostUnderTest host(echo_config("sessions: {max: 2}"));
  auto client = host.connect();
  for (const auto* id : {"a", "b"}) EXPECT_TRUE(client.call("echo:count", json::object(), {{"session_id", id}})["success"].get<bool>());
  EXPECT_EQ(code_of(client.call("echo:count", json::object(), {{"session_id", "c"}})), "session_limit");
}

TEST(Resources, AreServedWhereTheyWereMade) {
  HostUnderTest host(echo_config("pool: {size: 3, lazy: false, min_ready: 3}"));
  auto client = host.connect();
  std::vector<std::string> ids;
  for (int i = 0; i < 9; ++i) ids.push_back(result_of(client.call("echo:create_counter", {{"start", i}}))["resource_id"]);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 9u);
  for (int i = 0; i < 9; ++i) {
    const auto result =
        result_of(client.call("echo:execute_resource", {{"resource_id", ids[static_cast<std::size_t>(i)]}, {"inputs", {{"add", 10}}}}));
    EXPECT_EQ(result["value"], i + 10);
  }
  EXPECT_EQ(result_of(client.call("echo:list_counters"))["counters"].size(), 9u);
  EXPECT_EQ(result_of(client.call("host:get_stats"))["adapters"]["echo"]["resources"], 9);
  EXPECT_TRUE(client.call("echo:delete_resource", {{"resource_id", ids[0]}})["success"].get<bool>());
  EXPECT_EQ(code_of(client.call("echo:execute_resource", {{"resource_id", ids[0]}, {"inputs", json::object()}})), "resource_not_found");
  EXPECT_EQ(result_of(client.call("host:get_stats"))["adapters"]["echo"]["resources"], 8);
  EXPECT_EQ(result_of(client.call("echo:cleanup"))["resources_removed"], 8);
  EXPECT_EQ(result_of(client.call("host:get_stats"))["adapters"]["echo"]["resources"], 0);
}

TEST(Resources, MayBeNamedInTheEnvelope) {
  HostUnderTest host(echo_config("pool: {size: 2}"));
  auto client = host.connect();
  const auto id = result_of(client.call("echo:create_counter", {{"start", 5}}))["resource_id"];
  EXPECT_EQ(result_of(client.call("echo:execute_resource", {{"inputs", {{"add", 2}}}}, {{"resource_id", id}}))["value"], 7);
  EXPECT_TRUE(client.call("echo:delete_resource", json::object(), {{"resource_id", id}})["success"].get<bool>());
  EXPECT_EQ(result_of(client.call("host:get_stats"))["adapters"]["echo"]["resources"], 0);
}

TEST(Resources, AreLostWithTheirWorker) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  const auto id = result_of(client.call("echo:create_counter", {{"start", 1}}))["resource_id"];
  EXPECT_EQ(code_of(client.call("echo:crash", {{"signal", 9}})), "worker_crashed");
  const auto reply = client.call("echo:execute_resource", {{"resource_id", id}, {"inputs", json::object()}});
  EXPECT_EQ(code_of(reply), "resource_not_found");
  EXPECT_EQ(reply["details"]["reason"], "worker_lost");
}

TEST(AllWorkers, AreAskedAndTheirAnswersMerged) {
  HostUnderTest host(echo_config("pool: {size: 3, lazy: false, in_flight: 1}"));
  auto client = host.connect();
  client.call("host:subscribe", {{"events", {"worker.ready"}}});
  while (result_of(client.call("host:get_stats"))["adapters"]["echo"]["ready"] != 3) client.await_event("worker.ready");
  for (int i = 0; i < 12; ++i) client.call("echo:echo");
  const auto stats = result_of(client.call("echo:get_stats"));
  EXPECT_GE(stats["requests_processed"].get<int>(), 12);
  ASSERT_EQ(stats["workers"].size(), 3u);
  for (const auto& [worker, rest] : stats["workers"].items()) EXPECT_TRUE(rest.contains("start_time")) << worker << rest;
  EXPECT_EQ(result_of(client.call("cleanup"))["status"].is_null(), true);
  EXPECT_EQ(result_of(client.call("cleanup"))["workers"].size(), 3u);
  EXPECT_FALSE(result_of(client.call("echo:get_info")).contains("workers"));
}

TEST(AllWorkers, AreAskedUnderCommonToo) {
  HostUnderTest host(echo_config("pool: {lazy: false}"));
  auto client = host.connect();
  client.call("echo:ping");
  for (const auto* command : {"cleanup", "common:cleanup", "echo:cleanup", "echo:common:cleanup"}) {
    EXPECT_TRUE(result_of(client.call(command)).contains("workers")) << command;
  }
}

TEST(HostCommands, HaveTheShapesThatAreWrittenDown) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  client.call("echo:echo");
  EXPECT_EQ(result_of(client.call("host:ping"))["status"], "ok");
  const auto info = result_of(client.call("host:get_info"));
  for (const auto* key : {"name", "version", "protocol", "codecs", "max_frame", "capabilities", "limits"})
    EXPECT_TRUE(info.contains(key)) << key;
  const auto stats = result_of(client.call("host:get_stats"));
  for (const auto* key : {"uptime_s", "pid", "memory_rss_bytes", "connections", "frames_in", "frames_out", "late_replies"}) {
    EXPECT_TRUE(stats["host"].contains(key)) << key;
  }
  EXPECT_EQ(stats["host"]["pid"], host.pid());
  const auto& echo = stats["adapters"]["echo"];
  for (const auto* key :
       {"size", "workers", "ready", "busy", "queued", "sessions", "resources", "requests", "errors", "restarts", "latency_ms"}) {
    EXPECT_TRUE(echo.contains(key)) << key;
  }
  EXPECT_EQ(echo["requests"], 1);
  const auto list = result_of(client.call("host:list_frameworks"));
  EXPECT_EQ(list["default"], "echo");
  EXPECT_EQ(list["frameworks"][0]["name"], "echo");
  EXPECT_EQ(list["frameworks"][0]["state"], "ready");
  const auto worker = result_of(client.call("host:workers"))["workers"][0];
  for (const auto* key : {"adapter", "worker_id", "slot", "incarnation", "pid", "state", "level", "in_flight", "sessions", "resources",
                          "requests", "errors", "restarts", "uptime_s", "memory_rss_bytes"}) {
    EXPECT_TRUE(worker.contains(key)) << key;
  }
  EXPECT_EQ(worker["worker_id"], "echo#0.1");
  EXPECT_EQ(worker["level"], 1);
  const auto framework = result_of(client.call("host:get_framework_info", {{"name", "echo"}}));
  EXPECT_EQ(framework["name"], "echo");
  EXPECT_EQ(framework["state"], "ready");
  EXPECT_EQ(code_of(client.call("host:get_framework_info", {{"name", "nope"}})), "unknown_namespace");
  EXPECT_EQ(code_of(client.call("host:nope")), "unknown_command");
  EXPECT_EQ(code_of(client.call("host:cancel", {{"id", -1}})), "invalid_args");
  EXPECT_EQ(code_of(client.call("host:subscribe", {{"events", {"worker.exploded"}}})), "invalid_args");
}

TEST(HostCommands, AFrameworksInfoIsWhateverItsWorkerSays) {
  HostUnderTest host(bad_config("odd-info"));
  auto client = host.connect();
  const auto list = result_of(client.call("host:get_framework_info", {{"name", "bad"}}));
  EXPECT_EQ(list["info"], json::array({1, 2}));
  EXPECT_EQ(list["state"], "ready");
  EXPECT_EQ(code_of(client.call("host:get_framework_info", {{"name", "bad"}}, json::object(), Codec::msgpack)), "model_error");
}

TEST(HostCommands, TakeArgsOfAMegabyteAtMost) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  EXPECT_EQ(result_of(client.call("host:ping", {{"text", std::string(900'000, 'x')}}))["status"], "ok");
  const auto reply = client.call("host:ping", {{"text", std::string(1'100'000, 'x')}});
  EXPECT_EQ(code_of(reply), "frame_too_large");
  EXPECT_EQ(reply["details"]["max"], 1 << 20);
}

TEST(HostCommands, RefuseATimeThatIsNone) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(code_of(client.call("host:shutdown", {{"timeout_ms", nan}}, json::object(), Codec::msgpack)), "invalid_args");
  EXPECT_EQ(code_of(client.call("host:shutdown", {{"timeout_ms", -1}})), "invalid_args");
}

TEST(HostCommands, TheHostAnswersForADefaultThatIsNotThere) {
  HostUnderTest host(echo_config() + "  other:\n    adapter: " PONS_ECHO_FOLDER "\n");
  auto client = host.connect();
  EXPECT_EQ(result_of(client.call("ping"))["worker_id"], "host");
  EXPECT_EQ(code_of(client.call("echo")), "unknown_command");
}

TEST(Resources, AListingOfAnAdapterThatWasNeverStartedIsItsOwn) {
  HostUnderTest host("adapters: {asking: {command: [" PONS_ASKING_WORKER "]}}\n");
  auto client = host.connect();
  EXPECT_EQ(result_of(client.call("asking:list_planets")), json::object());  // perhaps no resources: nothing is merged
}

}  // namespace
}  // namespace pons::test
