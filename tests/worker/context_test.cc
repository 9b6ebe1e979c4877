// The handshake, deadlines, cancellation, partial replies and sessions.
#include "worker/context.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/worker/test_host.h"
#include "worker/worker.h"

namespace pons::test {
namespace {

using namespace std::chrono_literals;

json whole(const json& /*args*/, Context& context) {
  json result{{"command", context.command()},
              {"codec", to_string(context.codec())},
              {"stream", context.stream()},
              {"meta", context.meta()},
              {"worker_id", context.worker().worker_id},
              {"adapter", context.worker().adapter},
              {"options", context.worker().options},
              {"cancelled", context.cancelled()}};
  result["session_id"] = context.session_id() ? json(*context.session_id()) : json();
  result["remaining_ms"] = context.remaining() != Context::Duration::max() ? json(context.remaining().count()) : json();
  return result;
}

/// Says that it runs, then works until cancelled: by looking again and again, or asleep.
json spin(const json& args, Context& context) {
  context.send_partial("running");
  if (args.value("asleep", false)) {
    while (!context.sleep(20ms)) {
    }
  } else {
    while (!context.cancelled()) {
    }
  }
  if (!args.value("quiet", false)) context.throw_if_cancelled();
  return "stopped";
}

int serve_context(int fd) {
  std::map<std::string, int> counts;
  std::string ended;
  int cleanups = 0;
  Worker worker("ctx", "1", ChannelFds{fd, fd});
  worker.command("whole", whole)
      .command("spin", spin)
      .command("chunks",
               [](const json& args, Context& context) {
                 for (int i = 0; i < args.value("n", 3); ++i) context.send_partial({{"i", i}});
                 return json{{"n", args.value("n", 3)}};
               })
      .command("bad_chunk",
               [](const json& /*args*/, Context& context) {
                 context.send_partial(json::binary({1}));
                 return json();
               })
      .command("steps",
               [](const json& /*args*/, Context& context) {
                 for (int i = 0; i < 1000; ++i) context.progress(i, 1000, "step");
                 return json();
               })
      .command("sleep", [](const json& args, Context& context) { return json(context.sleep(Context::Duration(args.at("ms").get<int>()))); })
      .command("count", [&](const json& /*args*/, Context& context) { return json(++counts[context.session_id().value()]); })
      .command("seen",
               [&](const json& /*args*/) {
                 return json{{"ended", ended}, {"cleanups", cleanups}};
               })
      .on_end_session([&](const std::string& session) {
        counts.erase(session);
        ended += session + ";";
      })
      .on_cleanup([&] { ++cleanups; })
      .on_configure([](const json& options) {
        if (options.contains("wrong")) throw Exception(ErrorCode::invalid_configuration, "options.wrong is wrong");
        if (options.contains("fails")) throw std::runtime_error("no memory");
      });
  return worker.run();
}

class ContextTest : public testing::Test {
 protected:
  json handshake(json options = json::object()) {
    return host_.call("ping", {{"initialization", true},
                               {"worker_id", "ctx#0.1"},
                               {"protocol", {{"min", 1}, {"max", 1}}},
                               {"adapter", "mine"},
                               {"options", std::move(options)}});
  }
  /// A spinning request with this id, once it really runs.
  void start_spin(int id, json args = json::object(), json more = json::object()) {
    more.update({{"id", id}, {"command", "spin"}, {"stream", true}, {"args", std::move(args)}});
    host_.send(more);
    EXPECT_EQ(host_.receive()["result"], "running");
  }

  Served served_{serve_context};
  TestHost& host_ = served_.host;
};

TEST_F(ContextTest, TheHandshakeTellsTheWorkerWhoItIs) {
  const json pong = handshake({{"model", "small"}})["result"];
  EXPECT_EQ(pong["status"], "ok");
  EXPECT_EQ(pong["protocol"], 1);
  EXPECT_EQ(pong["worker_id"], "ctx#0.1");
  const json seen = host_.result("mine:whole");  // the adapter's name is a namespace now
  EXPECT_EQ(seen["worker_id"], "ctx#0.1");
  EXPECT_EQ(seen["adapter"], "mine");
  EXPECT_EQ(seen["options"], (json{{"model", "small"}}));
}

TEST_F(ContextTest, AHandshakeCountsOnlyInTheFirstRequest) {
  host_.result("ping");
  EXPECT_EQ(handshake({{"model", "small"}})["success"], true);
  EXPECT_EQ(host_.result("whole")["options"], json::object());
}

TEST_F(ContextTest, WrongConfigurationIsSaidAndEndsTheWorkerWithStatus78) {
  const json reply = handshake({{"wrong", 1}});
  EXPECT_EQ(reply["code"], "invalid_configuration");
  EXPECT_EQ(reply["error"], "options.wrong is wrong");
  host_.expect_end();
  EXPECT_EQ(served_.child.exit_status(), 78);
}

TEST_F(ContextTest, AnotherFailureToConfigureIsSaidToo) {
  const json reply = handshake({{"fails", 1}});
  EXPECT_EQ(reply["code"], "worker_error");
  EXPECT_EQ(reply["error"], "no memory");
}

TEST_F(ContextTest, AHostOfAnotherProtocolIsRefused) {
  const json reply = host_.call("ping", {{"initialization", true}, {"protocol", {{"min", 2}, {"max", 3}}}});
  EXPECT_EQ(reply["code"], "invalid_configuration");
  EXPECT_EQ(served_.child.exit_status(), 78);
}

TEST_F(ContextTest, ShowsTheRequest) {
  const json more{{"session_id", "s1"}, {"meta", {{"user_id", "ada"}}}, {"stream", true}, {"timeout_ms", 60'000}};
  const json seen = host_.call("whole", json::object(), Codec::msgpack, more)["result"];
  EXPECT_EQ(seen["command"], "whole");
  EXPECT_EQ(seen["codec"], "msgpack");
  EXPECT_EQ(seen["stream"], true);
  EXPECT_EQ(seen["meta"], (json{{"user_id", "ada"}}));
  EXPECT_EQ(seen["session_id"], "s1");
  EXPECT_EQ(seen["cancelled"], false);
  EXPECT_GT(seen["remaining_ms"], 30'000);
  EXPECT_LE(seen["remaining_ms"], 60'000);
  const json bare = host_.result("whole");
  EXPECT_EQ(bare["remaining_ms"], nullptr);
  EXPECT_EQ(bare["session_id"], nullptr);
  EXPECT_EQ(bare["meta"], json::object());
  EXPECT_EQ(bare["stream"], false);
}

TEST_F(ContextTest, ARunningRequestIsCancelled) {
  for (const bool asleep : {false, true}) {
    start_spin(7, {{"asleep", asleep}});
    host_.send({{"id", 8}, {"command", "common:cancel"}, {"args", {{"id", 7}}}});
    const json cancel = host_.receive();
    EXPECT_EQ(cancel["id"], 8) << asleep;
    EXPECT_EQ(cancel["result"], (json{{"found", true}}));
    const json reply = host_.receive();
    EXPECT_EQ(reply["id"], 7);
    EXPECT_EQ(reply["code"], "cancelled");
  }
  EXPECT_EQ(host_.result("whole")["cancelled"], false);
}

TEST_F(ContextTest, WhatComesWhileARequestRunsIsAnsweredAfterIt) {
  start_spin(1, {{"quiet", true}});
  host_.send({{"id", 2}, {"command", "ping"}});
  host_.send({{"id", 3}, {"command", "whole"}}, Codec::msgpack);
  host_.send_body("no frame body");
  host_.send({{"id", 4}, {"command", "common:cancel"}, {"args", {{"id", 1}}}});
  EXPECT_EQ(host_.receive()["code"], "bad_frame");
  EXPECT_EQ(host_.receive()["id"], 4);
  EXPECT_EQ(host_.receive()["result"], "stopped");
  EXPECT_EQ(host_.receive()["id"], 2);
  EXPECT_EQ(host_.receive(Codec::msgpack)["id"], 3);
}

TEST_F(ContextTest, AReplyIsNotHeldBackByTheRequestAfterIt) {
  const json ping{{"id", 1}, {"command", "ping"}};
  const json work{{"id", 2}, {"command", "spin"}};
  host_.result("ping");
  host_.send_bytes(TestHost::framed(ping.dump()) + TestHost::framed(work.dump()));
  EXPECT_EQ(host_.receive()["id"], 1);
  host_.send({{"id", 3}, {"command", "common:cancel"}, {"args", {{"id", 2}}}});
  EXPECT_EQ(host_.receive()["id"], 3);
  EXPECT_EQ(host_.receive()["id"], 2);
}

TEST_F(ContextTest, MoreRequestsThanMayWaitAreAllAnswered) {
  constexpr int kCount = 3'000;
  start_spin(1, json::object(), {{"timeout_ms", 200}});
  std::string batch;
  for (int id = 2; id <= kCount; ++id) batch += TestHost::framed(json{{"id", id}, {"command", "count"}, {"session_id", "s"}}.dump());
  host_.send_bytes(batch);
  EXPECT_EQ(host_.receive()["code"], "deadline_exceeded");
  for (int id = 2; id <= kCount; ++id) ASSERT_EQ(host_.receive()["result"], id - 1);
}

TEST_F(ContextTest, AWaitingRequestIsCancelledWithoutRunning) {
  start_spin(1);
  host_.send({{"id", "two"}, {"command", "count"}, {"session_id", "s"}});
  host_.send({{"id", 3}, {"command", "common:cancel"}, {"args", {{"id", "two"}}}});
  EXPECT_EQ(host_.receive()["id"], 3);
  const json second = host_.receive();  // while the first one runs
  EXPECT_EQ(second["id"], "two");
  EXPECT_EQ(second["code"], "cancelled");
  host_.send({{"id", 4}, {"command", "common:cancel"}, {"args", {{"id", 1}}}});
  EXPECT_EQ(host_.receive()["id"], 4);
  EXPECT_EQ(host_.receive()["id"], 1);
  EXPECT_EQ(host_.call("count", json::object(), Codec::json, {{"session_id", "s"}})["result"], 1);
}

TEST_F(ContextTest, CancellingWhatIsNotThereIsNoError) {
  EXPECT_EQ(host_.result("common:cancel", {{"id", 12345}})["found"], false);
  EXPECT_EQ(host_.result("common:cancel", {{"id", 0}})["found"], false);
  EXPECT_EQ(host_.call("common:cancel")["code"], "invalid_args");
  EXPECT_EQ(host_.call("common:cancel", {{"id", -1}})["code"], "invalid_args");
}

TEST_F(ContextTest, TheDeadlineCountsAsCancelled) {
  for (const bool asleep : {false, true}) {
    const json reply = host_.call("spin", {{"asleep", asleep}}, Codec::json, {{"timeout_ms", 30}});
    EXPECT_EQ(reply["code"], "deadline_exceeded");
  }
}

TEST_F(ContextTest, ARequestWhoseDeadlinePassedWhileItWaitedDoesNotRun) {
  start_spin(1, json::object(), {{"timeout_ms", 50}});
  host_.send({{"id", 2}, {"command", "count"}, {"session_id", "s"}, {"timeout_ms", 1}});
  EXPECT_EQ(host_.receive()["id"], 1);
  EXPECT_EQ(host_.receive()["code"], "deadline_exceeded");
  EXPECT_EQ(host_.call("count", json::object(), Codec::json, {{"session_id", "s"}})["result"], 1);
}

TEST_F(ContextTest, TheEndOfTheHostCountsAsCancelled) {
  start_spin(1);
  host_.close();
  EXPECT_EQ(served_.child.exit_status(), 0);
}

TEST_F(ContextTest, SleepLastsAsLongAsItShould) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(host_.result("sleep", {{"ms", 40}}), false);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 40ms);
  EXPECT_EQ(host_.result("sleep", {{"ms", 0}}), false);
}

TEST_F(ContextTest, PartialRepliesComeInOrderBeforeTheTerminalOne) {
  for (const Codec codec : {Codec::json, Codec::msgpack}) {
    const json reply = host_.call("chunks", {{"n", 300}}, codec, {{"stream", true}});
    EXPECT_EQ(reply["result"]["n"], 300);
    ASSERT_EQ(host_.partials().size(), 300u);
    for (int i = 0; i < 300; ++i) {
      json expected{{"id", reply["id"]}, {"success", true}, {"partial", true}, {"seq", i}, {"result", {{"i", i}}}};
      EXPECT_EQ(host_.partials()[static_cast<std::size_t>(i)], expected);
    }
  }
}

TEST_F(ContextTest, NothingPartialIsSentWithoutStream) {
  EXPECT_EQ(host_.result("chunks", {{"n", 5}})["n"], 5);
  host_.result("steps");
  EXPECT_TRUE(host_.partials().empty());
}

TEST_F(ContextTest, AChunkThatCannotBeSaidFailsTheRequest) {
  EXPECT_EQ(host_.call("bad_chunk", json::object(), Codec::json, {{"stream", true}})["code"], "unsupported_codec");
  EXPECT_EQ(host_.call("bad_chunk", json::object(), Codec::msgpack, {{"stream", true}})["success"], true);
}

TEST_F(ContextTest, ProgressIsSentAtMostTenTimesASecond) {
  const auto begin = std::chrono::steady_clock::now();
  host_.call("steps", json::object(), Codec::json, {{"stream", true}});
  const auto tenths = (std::chrono::steady_clock::now() - begin) / 100ms;
  ASSERT_GE(host_.partials().size(), 1u);
  EXPECT_LE(static_cast<long>(host_.partials().size()), tenths + 1);
  const json first = host_.partials().front();
  EXPECT_EQ(first["progress"], (json{{"done", 0.0}, {"total", 1000.0}, {"message", "step"}}));
  EXPECT_FALSE(first.contains("seq"));
  EXPECT_FALSE(first.contains("result"));
}

TEST_F(ContextTest, AnEndedSessionIsForgotten) {
  const json in_session{{"session_id", "a"}};
  EXPECT_EQ(host_.call("count", json::object(), Codec::json, in_session)["result"], 1);
  EXPECT_EQ(host_.call("count", json::object(), Codec::json, in_session)["result"], 2);
  EXPECT_EQ(host_.result("common:end_session", {{"session_id", "a"}})["found"], true);
  EXPECT_EQ(host_.result("common:end_session", {{"session_id", "a"}})["found"], false);
  EXPECT_EQ(host_.call("common:end_session")["code"], "invalid_args");
  EXPECT_EQ(host_.result("seen")["ended"], "a;");
  EXPECT_EQ(host_.call("count", json::object(), Codec::json, in_session)["result"], 1);
}

TEST_F(ContextTest, CleanupEndsEverySession) {
  for (const std::string session : {"a", "b"}) host_.call("count", json::object(), Codec::json, {{"session_id", session}});
  EXPECT_EQ(host_.result("cleanup")["sessions_removed"], 2);
  EXPECT_EQ(host_.result("seen"), (json{{"ended", "a;b;"}, {"cleanups", 1}}));
}

}  // namespace
}  // namespace pons::test
