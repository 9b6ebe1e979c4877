// Requests of workers, through the real program (docs/protocol.md, section 6).
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/host/host_under_test.h"

namespace pons::test {
namespace {

/// Echo adapters of these names, each with the same further lines.
std::string echoes(const std::vector<std::string>& names, const std::string& entry = "pool: {size: 1}") {
  std::string config = "adapters:\n";
  for (const auto& name : names) config += "  " + name + ":\n    adapter: " PONS_ECHO_FOLDER "\n    " + entry + "\n";
  return config;
}

/// Two adapters: `asking`, which sends what it is told to, and `echo`.
std::string asking_config(const std::string& entry = "pool: {size: 1}") {
  return echoes({"echo"}) + "  asking:\n    command: [" PONS_ASKING_WORKER "]\n    " + entry + "\n";
}

/// A request that the asking worker is to send: {id, command, parent_id, args}, changed by `more`.
json frame(int id, const std::string& command, const json& more = json::object()) {
  json out{{"id", id}, {"command", command}, {"parent_id", "$parent"}, {"args", json::object()}};
  out.merge_patch(more);
  return out;
}

json asked(RawClient& client, const std::vector<json>& frames, const json& extra = json::object()) {
  return client.call("asking:ask", {{"frames", frames}}, extra);
}

/// `call` on the first, of `call` on the second, and so on, the last of them `command` with `args`.
json chain(const std::vector<std::string>& through, const std::string& command, const json& args) {
  json request{{"command", command}, {"args", args}};
  for (auto name = through.rbegin(); name != through.rend(); ++name) request = {{"command", *name + ":call"}, {"args", request}};
  return request;
}

TEST(Reverse, AWorkerAsksAnotherAndGetsTheAnswer) {
  HostUnderTest host(echoes({"a", "b"}));
  auto client = host.connect();
  for (const auto codec : {Codec::json, Codec::msgpack}) {
    const auto request = chain({"a"}, "b:echo", {{"text", "hé"}, {"n", 2}});
    EXPECT_EQ(result_of(client.call(request["command"], request["args"], json::object(), codec)), (json{{"text", "hé"}, {"n", 2}}));
  }
  const auto stats = result_of(client.call("host:get_stats"))["adapters"];
  EXPECT_EQ(stats["a"]["requests"], 2);
  EXPECT_EQ(stats["b"]["requests"], 2);
}

TEST(Reverse, ErrorsComeBackWithCodeAndDetails) {
  HostUnderTest host(echoes({"a", "b"}));
  auto client = host.connect();
  const auto reply =
      client.call("a:call", {{"command", "b:fail"}, {"args", {{"message", "No"}, {"code", "rate_limited"}, {"details", {{"x", 1}}}}}});
  EXPECT_EQ(code_of(reply), "rate_limited");
  EXPECT_EQ(reply["error"], "No");
  EXPECT_EQ(reply["details"]["x"], 1);
  EXPECT_EQ(code_of(client.call("a:call", {{"command", "c:echo"}})), "unknown_namespace");
  EXPECT_EQ(code_of(client.call("a:call", {{"command", "b:nonsense"}})), "unknown_command");
  EXPECT_EQ(code_of(client.call("a:call", {{"command", "b:common:end_session"}})), "unknown_command");
  EXPECT_EQ(code_of(client.call("a:call", {{"command", "b:crash"}, {"args", {{"signal", 9}}}})), "worker_crashed");
}

TEST(Reverse, StreamsComeThrough) {
  HostUnderTest host(echoes({"a", "b"}));
  auto client = host.connect();
  client.send({{"id", 5}, {"command", "a:call"}, {"args", {{"command", "b:stream"}, {"args", {{"n", 3}}}}}, {"stream", true}});
  json chunks = json::array();
  for (;;) {
    const auto reply = client.receive();
    if (!reply.value("partial", false)) {
      EXPECT_EQ(result_of(reply), (json{{"n", 3}}));
      break;
    }
    if (reply.contains("result")) chunks.push_back(reply["result"]["i"]);
  }
  EXPECT_EQ(chunks, (json{0, 1, 2}));
}

TEST(Reverse, ASessionIsInheritedTowardsAnotherAdapterUnlessDeclined) {
  HostUnderTest host(echoes({"a", "b"}));
  auto client = host.connect();
  const json count{{"command", "b:count"}};
  EXPECT_EQ(result_of(client.call("a:call", count, {{"session_id", "s"}})), (json{{"session_id", "s"}, {"count", 1}}));
  EXPECT_EQ(result_of(client.call("b:count", json::object(), {{"session_id", "s"}}))["count"], 2);
  const json own{{"command", "b:count"}, {"session_id", "other"}};
  EXPECT_EQ(result_of(client.call("a:call", own, {{"session_id", "s"}})), (json{{"session_id", "other"}, {"count", 1}}));
  const json none{{"command", "b:whoami"}, {"session_id", nullptr}};
  EXPECT_TRUE(result_of(client.call("a:call", none, {{"session_id", "s"}}))["request"]["session_id"].is_null());
  EXPECT_EQ(result_of(client.call("a:call", {{"command", "b:whoami"}}, {{"session_id", "s"}}))["request"]["session_id"], "s");
}

TEST(Reverse, OfTheSameAdapterInheritsNoSession) {
  HostUnderTest host(echoes({"a"}, "pool: {size: 2}"));
  auto client = host.connect();
  EXPECT_TRUE(result_of(client.call("a:call", {{"command", "a:whoami"}}, {{"session_id", "s"}}))["request"]["session_id"].is_null());
}

TEST(Reverse, TheParentsDeadlineBoundsIt) {
  HostUnderTest host(echoes({"a", "b"}));
  auto client = host.connect();
  client.call("a:ping");
  client.call("b:ping");
  const json sleep{{"command", "b:sleep"}, {"args", {{"ms", kForEver}}}, {"timeout_ms", kForEver}};
  EXPECT_EQ(code_of(client.call("a:call", sleep, {{"timeout_ms", 50}})), "deadline_exceeded");
  // Both let go of it: neither is lost.
  await_stats(client, [](const json& stats) { return stats["adapters"]["a"]["busy"] == 0 && stats["adapters"]["b"]["busy"] == 0; });
  EXPECT_EQ(result_of(client.call("host:get_stats"))["adapters"]["b"]["restarts"], 0);
}

TEST(Reverse, ItsOwnTimeMayBeShorter) {
  HostUnderTest host(echoes({"a", "b"}));
  auto client = host.connect();
  client.call("b:ping");  // its start does not count
  const json sleep{{"command", "b:sleep"}, {"args", {{"ms", kForEver}}}, {"timeout_ms", 50}};
  EXPECT_EQ(code_of(client.call("a:call", sleep, {{"timeout_ms", kForEver}})), "deadline_exceeded");
}

TEST(Reverse, IsCancelledWithItsParent) {
  HostUnderTest host(echoes({"a", "b"}));
  auto client = host.connect();
  const json sleep{{"command", "b:sleep"}, {"args", {{"ms", kForEver}}}, {"say", true}};
  client.send({{"id", 5}, {"command", "a:call"}, {"args", sleep}, {"timeout_ms", kForEver}, {"stream", true}});
  EXPECT_EQ(client.receive()["result"], "calling");
  await_stats(client, [](const json& stats) { return stats["adapters"]["b"]["busy"] == 1; });
  EXPECT_EQ(result_of(client.call("host:cancel", {{"id", 5}}))["found"], true);
  EXPECT_EQ(code_of(client.await(5)), "cancelled");
  await_stats(client, [](const json& stats) { return stats["adapters"]["a"]["busy"] == 0 && stats["adapters"]["b"]["busy"] == 0; });
  EXPECT_EQ(result_of(client.call("b:echo", {{"n", 1}}))["n"], 1);
}

TEST(Reverse, IsCancelledWhenItsWorkerDies) {
  HostUnderTest host(echoes({"a", "b"}));
  auto client = host.connect();
  client.call("a:ping");
  const json sleep{{"command", "b:sleep"}, {"args", {{"ms", kForEver}}}};
  client.send({{"id", 5}, {"command", "a:call"}, {"args", sleep}, {"timeout_ms", kForEver}});
  await_stats(client, [](const json& stats) { return stats["adapters"]["b"]["busy"] == 1; });
  const auto workers = result_of(client.call("host:workers"))["workers"];
  for (const auto& worker : workers) {
    if (worker["adapter"] == "a") ::kill(worker["pid"].get<pid_t>(), SIGKILL);  // a worker of a host of ours
  }
  EXPECT_EQ(code_of(client.await(5)), "worker_crashed");
  await_stats(client, [](const json& stats) { return stats["adapters"]["b"]["busy"] == 0; });
}

TEST(Reverse, GoesBeforeWhatWaits) {
  HostUnderTest host(asking_config());
  auto client = host.connect();
  client.call("echo:ping");
  client.send({{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}, {"timeout_ms", kForEver}});
  client.send({{"id", 2}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}, {"timeout_ms", kForEver}});
  await_stats(client, [](const json& stats) { return stats["adapters"]["echo"]["queued"] == 1; });
  client.send({{"id", 3}, {"command", "asking:ask"}, {"args", {{"frames", {frame(1, "echo:echo")}}}}});
  await_stats(client, [](const json& stats) { return stats["adapters"]["echo"]["queued"] == 2; });
  client.call("host:cancel", {{"id", 1}});
  EXPECT_EQ(result_of(client.await(3))[0]["success"], true);  // behind the second it would never be served
}

TEST(Reverse, ACycleIsRefusedAtOnce) {
  HostUnderTest host(echoes({"a", "b"}));
  auto client = host.connect();
  EXPECT_EQ(code_of(client.call("a:call", {{"command", "a:echo"}}, {{"timeout_ms", kForEver}})), "call_cycle");
  const auto around = chain({"a", "b"}, "a:echo", json::object());
  EXPECT_EQ(code_of(client.call(around["command"], around["args"], {{"timeout_ms", kForEver}})), "call_cycle");
  EXPECT_EQ(result_of(client.call("a:call", {{"command", "b:echo"}})), json::object());
}

TEST(Reverse, AChainIsAtMostEightDeep) {
  HostUnderTest host(echoes({"a"}, "pool: {size: 12, min_ready: 12}"));
  auto client = host.connect();
  const auto deep = [](std::size_t calls) { return chain(std::vector<std::string>(calls, "a"), "a:echo", {{"n", 1}}); };
  EXPECT_EQ(result_of(client.call("a:call", deep(8)["args"]))["n"], 1);
  EXPECT_EQ(code_of(client.call("a:call", deep(9)["args"], {{"timeout_ms", kForEver}})), "call_cycle");
}

TEST(Reverse, OfTheHostOnlyWhatDoesNoHarm) {
  HostUnderTest host(asking_config());
  auto client = host.connect();
  const auto replies = result_of(
      asked(client, {frame(1, "host:ping"), frame(2, "host:get_info"), frame(3, "host:list_frameworks"), frame(4, "host:shutdown"),
                     frame(5, "host:workers"), frame(6, "host:nonsense"), frame(7, "host:cancel", {{"args", {{"id", 99}}}})}));
  ASSERT_EQ(replies.size(), 7u);
  EXPECT_EQ(result_of(replies[0])["worker_id"], "host");
  EXPECT_EQ(result_of(replies[1])["name"], "default");
  EXPECT_EQ(result_of(replies[2])["frameworks"].size(), 2u);
  EXPECT_EQ(code_of(replies[3]), "forbidden");
  EXPECT_EQ(code_of(replies[4]), "forbidden");
  EXPECT_EQ(code_of(replies[5]), "unknown_command");
  EXPECT_EQ(result_of(replies[6])["found"], false);
}

TEST(Reverse, AWorkerCancelsItsOwn) {
  HostUnderTest host(asking_config());
  auto client = host.connect();
  const auto sleep = frame(1, "echo:sleep", {{"args", {{"ms", kForEver}}}});
  const auto replies = result_of(asked(client, {sleep, frame(2, "host:cancel", {{"args", {{"id", 1}}}})}));
  EXPECT_EQ(replies[0]["id"], 1);
  EXPECT_EQ(code_of(replies[0]), "cancelled");
  EXPECT_EQ(result_of(replies[1])["found"], true);
}

TEST(Reverse, WhatNamesNoLivingParentIsRefused) {
  HostUnderTest host(asking_config());
  auto client = host.connect();
  json without = frame(1, "echo:echo");
  without.erase("parent_id");
  const auto replies =
      result_of(asked(client, {without, frame(2, "echo:echo", {{"parent_id", 4'242}}), frame(3, "echo:echo", {{"parent_id", 1}}),
                               frame(4, "nothing:here"), frame(5, "echo:echo")}));
  ASSERT_EQ(replies.size(), 5u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(replies[i]["id"], i + 1);
    EXPECT_EQ(code_of(replies[i]), "bad_request");
  }
  EXPECT_EQ(code_of(replies[3]), "unknown_namespace");
  EXPECT_EQ(replies[4]["success"], true);
}

TEST(Reverse, AfterItsParentsAnswerNothingIsServed) {
  HostUnderTest host(asking_config());
  auto client = host.connect();
  client.call("asking:ask", {{"frames", {frame(1, "echo:echo")}}, {"first", true}});
  const auto replies = result_of(client.call("asking:collect", {{"replies", 1}}));
  EXPECT_EQ(code_of(replies[0]), "bad_request");
}

TEST(Reverse, WhatIsOpenAtItsParentsAnswerIsCancelledAndAnswered) {
  HostUnderTest host(asking_config());
  auto client = host.connect();
  const auto sleep = frame(1, "echo:sleep", {{"args", {{"ms", kForEver}}}, {"timeout_ms", kForEver}});
  EXPECT_EQ(result_of(client.call("asking:ask", {{"frames", {sleep}}, {"replies", 0}})), json::array());
  const auto replies = result_of(client.call("asking:collect", {{"replies", 1}}));
  EXPECT_EQ(replies[0]["id"], 1);
  EXPECT_EQ(code_of(replies[0]), "cancelled");
  await_stats(client, [](const json& stats) { return stats["adapters"]["echo"]["busy"] == 0; });
}

TEST(Reverse, AnIdMayNotBeUsedTwiceAtATime) {
  HostUnderTest host(asking_config());
  auto client = host.connect();
  const auto sleep = frame(1, "echo:sleep", {{"args", {{"ms", kForEver}}}});
  const auto replies = result_of(asked(client, {sleep, sleep, frame(2, "host:cancel", {{"args", {{"id", 1}}}})}));
  EXPECT_EQ(replies[0]["id"], 0);
  EXPECT_EQ(code_of(replies[0]), "bad_request");
  EXPECT_EQ(replies[1]["id"], 1);
  EXPECT_EQ(code_of(replies[1]), "cancelled");
}

TEST(Reverse, AHostThatDrainsStillServesWhatItsRequestsNeed) {
  HostUnderTest host(echoes({"a", "b"}));
  auto client = host.connect();
  client.call("a:ping");
  client.send({{"id", 1}, {"command", "a:sleep"}, {"args", {{"ms", kForEver}}}, {"timeout_ms", kForEver}});
  client.send({{"id", 2}, {"command", "a:call"}, {"args", {{"command", "b:echo"}, {"args", {{"n", 2}}}}}});
  client.call("host:shutdown", {{"timeout_ms", 600'000}});
  client.call("host:cancel", {{"id", 1}});
  EXPECT_EQ(result_of(client.await(2))["n"], 2);  // by b, which was not even started
  EXPECT_EQ(host.wait(), 0);
}

TEST(Reverse, AThousandAtATimeAreEnough) {
  HostUnderTest host(asking_config());
  auto client = host.connect();
  std::vector<json> frames;
  for (int id = 1; id <= 1'100; ++id) frames.push_back(frame(id, "echo:sleep", {{"args", {{"ms", kForEver}}}}));
  client.send({{"id", 1}, {"command", "asking:ask"}, {"args", {{"frames", frames}, {"replies", 1'100 - 257}}}});
  const auto replies = result_of(client.await(1));
  for (const auto& reply : replies) EXPECT_EQ(code_of(reply), "overloaded");
  EXPECT_EQ(result_of(client.call("asking:collect", {{"replies", 257}})).size(), 257u);  // cancelled with their parent
}

}  // namespace
}  // namespace pons::test
