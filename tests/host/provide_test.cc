// Parents that serve namespaces (docs/protocol.md, section 8), through the real program.
#include <gtest/gtest.h>

#include "tests/host/host_under_test.h"

namespace pons::test {
namespace {

/// A parent that provides `tools`, and one that asks.
struct Parents {
  explicit Parents(Codec codec = Codec::json, const std::string& name = "tools") : provider(host.connect()), caller(host.connect()) {
    EXPECT_EQ(result_of(provider.call("host:provide", {{"namespace", name}}, json::object(), codec))["namespace"], name);
  }
  /// The next request that the provider gets.
  json asked() { return provider.receive(); }
  void answer(const json& request, const json& result) { provider.send({{"id", request["id"]}, {"success", true}, {"result", result}}); }

  HostUnderTest host{echo_config("pool: {size: 1}")};
  RawClient provider;
  RawClient caller;
};

TEST(Provide, AParentServesOthersAndWorkers) {
  Parents parents;
  parents.caller.send({{"id", 1}, {"command", "tools:add"}, {"args", {{"a", 1}, {"b", 2}}}, {"meta", {{"user_id", "u"}}}});
  auto request = parents.asked();
  EXPECT_EQ(request["command"], "tools:add");
  EXPECT_EQ(request["args"], (json{{"a", 1}, {"b", 2}}));
  EXPECT_EQ(request["meta"], (json{{"user_id", "u"}}));
  EXPECT_GT(request["timeout_ms"].get<int>(), 0);
  parents.answer(request, 3);
  EXPECT_EQ(result_of(parents.caller.await(1)), 3);

  const json call{{"command", "tools:add"}, {"args", {{"a", 2}, {"b", 2}}}};
  parents.caller.send({{"id", 2}, {"command", "echo:call"}, {"args", call}, {"session_id", "s"}});
  request = parents.asked();
  EXPECT_EQ(request["session_id"], "s");
  EXPECT_FALSE(request.contains("parent_id"));
  parents.answer(request, 4);
  EXPECT_EQ(result_of(parents.caller.await(2)), 4);
}

TEST(Provide, ServesItself) {
  Parents parents;
  parents.provider.send({{"id", 1}, {"command", "tools:add"}});
  const auto request = parents.asked();
  parents.answer(request, "own");
  EXPECT_EQ(result_of(parents.provider.await(1)), "own");
}

TEST(Provide, AnswersMayComeInAnyOrder) {
  Parents parents;
  for (int id = 1; id <= 3; ++id) parents.caller.send({{"id", id}, {"command", "tools:x"}, {"args", {{"n", id}}}});
  std::vector<json> requests;
  for (int i = 0; i < 3; ++i) requests.push_back(parents.asked());
  for (auto request = requests.rbegin(); request != requests.rend(); ++request) parents.answer(*request, (*request)["args"]["n"]);
  for (int id = 1; id <= 3; ++id) EXPECT_EQ(result_of(parents.caller.await(id)), id);
}

TEST(Provide, EachSideHasItsOwnCodec) {
  Parents parents(Codec::msgpack);
  parents.caller.send({{"id", 1}, {"command", "tools:x"}, {"args", {{"n", 1}}}});
  const auto frame = parents.provider.receive_frame();
  ASSERT_TRUE(frame);
  const auto request = json::from_msgpack(*frame);
  EXPECT_EQ(request["args"], (json{{"n", 1}}));
  parents.provider.send({{"id", request["id"]}, {"success", true}, {"result", json::binary({1})}}, Codec::msgpack);
  EXPECT_EQ(code_of(parents.caller.await(1)), "unsupported_codec");
}

TEST(Provide, ErrorsGetACode) {
  Parents parents;
  parents.caller.send({{"id", 1}, {"command", "tools:x"}});
  parents.caller.send({{"id", 2}, {"command", "tools:x"}});
  parents.caller.send({{"id", 3}, {"command", "tools:x"}});
  parents.provider.send({{"id", parents.asked()["id"]}, {"success", false}, {"error", "No"}});
  parents.provider.send({{"id", parents.asked()["id"]}, {"success", false}, {"error", "No"}, {"code", "my_own"}, {"retryable", true}});
  const auto plain = parents.caller.await(1);
  EXPECT_EQ(code_of(plain), "worker_error");
  EXPECT_EQ(plain["retryable"], false);
  EXPECT_EQ(parents.caller.await(2)["code"], "my_own");
  parents.provider.send({{"id", parents.asked()["id"]}, {"success", false}, {"code", "my_own"}});
  const auto silent = parents.caller.await(3);
  EXPECT_EQ(silent["code"], "my_own");
  EXPECT_EQ(silent["error"], "It failed without saying why");
}

TEST(Provide, PartialResultsOnlyForThoseWhoAskForThem) {
  Parents parents;
  parents.caller.send({{"id", 1}, {"command", "tools:x"}, {"stream", true}});
  parents.caller.send({{"id", 2}, {"command", "tools:x"}});
  for (int i = 0; i < 2; ++i) {
    const auto request = parents.asked();
    parents.provider.send({{"id", request["id"]}, {"success", true}, {"partial", true}, {"seq", 0}, {"result", "part"}});
    parents.answer(request, "end");
  }
  const auto part = parents.caller.receive();
  EXPECT_EQ(part["id"], 1);
  EXPECT_EQ(part["result"], "part");
  EXPECT_EQ(parents.caller.receive()["result"], "end");
  const auto second = parents.caller.receive();
  EXPECT_EQ(second["id"], 2);
  EXPECT_EQ(second["result"], "end");
}

TEST(Provide, ADeadlineIsKeptAndTheProviderIsTold) {
  Parents parents;
  parents.caller.send({{"id", 1}, {"command", "tools:x"}, {"timeout_ms", 30}});
  const auto request = parents.asked();
  EXPECT_EQ(code_of(parents.caller.await(1)), "deadline_exceeded");
  const auto cancel = parents.asked();
  EXPECT_EQ(cancel["command"], "common:cancel");
  EXPECT_EQ(cancel["args"]["id"], request["id"]);
  parents.answer(request, "late");
  parents.answer(cancel, {{"found", false}});
  const auto stats = await_stats(parents.caller, [](const json& now) { return now["host"]["late_replies"] == 1; });
  EXPECT_EQ(stats["host"]["late_replies"], 1);
}

TEST(Provide, ACallerMayCancel) {
  Parents parents;
  parents.caller.send({{"id", 1}, {"command", "tools:x"}, {"timeout_ms", kForEver}});
  const auto request = parents.asked();
  EXPECT_EQ(result_of(parents.caller.call("host:cancel", {{"id", 1}}))["state"], "running");
  EXPECT_EQ(code_of(parents.caller.await(1)), "cancelled");
  EXPECT_EQ(parents.asked()["args"]["id"], request["id"]);
}

TEST(Provide, EndsWithItsConnection) {
  for (const bool half : {false, true}) {
    Parents parents;
    parents.caller.send({{"id", 1}, {"command", "tools:x"}, {"timeout_ms", kForEver}});
    parents.asked();
    if (half) {
      parents.provider.half_close();
    } else {
      parents.provider.close();
    }
    const auto reply = parents.caller.await(1);
    EXPECT_EQ(code_of(reply), "worker_crashed");
    EXPECT_EQ(reply["details"]["reason"], half ? "half_closed" : "provider_gone");
    EXPECT_EQ(code_of(parents.caller.call("tools:x")), "unknown_namespace");
    EXPECT_EQ(result_of(parents.caller.call("host:provide", {{"namespace", "tools"}}))["namespace"], "tools");
  }
}

TEST(Provide, ANameInUseIsRefused) {
  Parents parents;
  for (const auto* name : {"tools", "echo"}) {
    EXPECT_EQ(code_of(parents.caller.call("host:provide", {{"namespace", name}})), "bad_request") << name;
  }
  for (const auto* name : {"host", "common", "no good", ""}) {
    EXPECT_EQ(code_of(parents.caller.call("host:provide", {{"namespace", name}})), "invalid_args") << name;
  }
  const json config{{"adapter", PONS_ECHO_FOLDER}};
  EXPECT_EQ(code_of(parents.caller.call("host:register_bridge", {{"name", "tools"}, {"config", config}})), "invalid_args");
  EXPECT_EQ(result_of(parents.provider.call("host:provide", {{"namespace", "more"}}))["namespace"], "more");
  EXPECT_EQ(result_of(parents.caller.call("host:list_frameworks"))["provided"], (json{"more", "tools"}));
}

TEST(Provide, AConnectionHasSixtyFourNamespacesAtMost) {
  Parents parents;  // has one
  for (int i = 1; i < 64; ++i) {
    EXPECT_EQ(code_of(parents.provider.call("host:provide", {{"namespace", "n" + std::to_string(i)}})), "success") << i;
  }
  EXPECT_EQ(code_of(parents.provider.call("host:provide", {{"namespace", "more"}})), "bad_request");
  EXPECT_EQ(code_of(parents.caller.call("host:provide", {{"namespace", "more"}})), "success");
}

TEST(Provide, WhoProvidesNothingMaySendNoReplies) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  client.send({{"id", 1}, {"success", true}, {"result", 1}});
  EXPECT_EQ(code_of(client.receive()), "bad_request");
}

TEST(Provide, ADrainingHostWaitsForItAndThenDoesNot) {
  Parents parents;
  parents.caller.send({{"id", 1}, {"command", "tools:x"}, {"timeout_ms", kForEver}});
  parents.caller.send({{"id", 2}, {"command", "tools:x"}, {"timeout_ms", kForEver}});
  const auto request = parents.asked();
  parents.asked();
  parents.caller.call("host:shutdown", {{"timeout_ms", 600'000}});
  parents.answer(request, "in time");
  EXPECT_EQ(result_of(parents.caller.await(1)), "in time");
  parents.caller.call("host:shutdown", {{"timeout_ms", 0}});
  EXPECT_EQ(code_of(parents.caller.await(2)), "shutting_down");
  EXPECT_EQ(parents.host.wait(), 0);
}

TEST(Provide, OneThatNeverAnswersHoldsAThousandAndNoMore) {
  Parents parents;
  for (int id = 10'001; id <= 11'025; ++id) parents.caller.send({{"id", id}, {"command", "tools:x"}, {"timeout_ms", kForEver}});
  EXPECT_EQ(code_of(parents.caller.await(11'025)), "overloaded");
  EXPECT_EQ(result_of(parents.caller.call("echo:echo", {{"n", 1}}))["n"], 1);
}

}  // namespace
}  // namespace pons::test
