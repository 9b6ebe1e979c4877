// Requests that a handler makes: Context::call().
#include <gtest/gtest.h>

#include "tests/worker/test_host.h"
#include "worker/context.h"
#include "worker/worker.h"

namespace pons::test {
namespace {

using namespace std::chrono_literals;

json described(const Exception& failure) {
  const auto& error = failure.error();
  return {{"code", to_string(error.code)}, {"message", error.message}, {"details", error.details}, {"retryable", error.may_retry(false)}};
}

int serve_calls(int fd) {
  Worker worker("caller", "1", ChannelFds{fd, fd});
  worker
      .command("ask",
               [](const json& args, Context& context) {
                 Context::CallOptions options;
                 if (args.contains("options")) {
                   options.timeout = 1500ms;
                   options.resource_id = "r-1";
                   options.idempotent = true;
                   options.meta = {{"own", true}};
                 }
                 if (args.contains("session")) options.session_id = args["session"].get<std::string>();
                 options.no_session = args.value("no_session", false);
                 json partials = json::array();
                 if (args.value("stream", false)) {
                   options.on_partial = [&](const json& chunk) { partials.push_back(chunk); };
                   options.on_progress = [&](const json& progress) { partials.push_back(progress["done"]); };
                 }
                 try {
                   const json result = context.call("other:do", args.value("args", json()), options);
                   return json{{"result", result}, {"partials", partials}};
                 } catch (const Exception& failure) {
                   return described(failure);
                 }
               })
      .command("ask_twice", [](const json& /*args*/, Context& context) {
        const json first = context.call("one");
        return json{first, context.call("two", {{"after", first}})};
      });
  return worker.run();
}

/// The request that the worker makes next.
json asked(TestHost& host) { return host.receive(Codec::msgpack); }

void answer(const TestHost& host, const json& request, const json& result) {
  host.send({{"id", request["id"]}, {"success", true}, {"result", result}}, Codec::msgpack);
}

TEST(ContextCall, NamesItsParentAndReturnsTheResult) {
  Served served(serve_calls);
  served.host.send({{"id", 7}, {"command", "ask"}, {"args", {{"args", {{"n", 1}}}}}, {"meta", {{"correlation_id", "c"}}}});
  const auto request = asked(served.host);
  EXPECT_EQ(request["parent_id"], 7);
  EXPECT_EQ(request["command"], "other:do");
  EXPECT_EQ(request["args"], (json{{"n", 1}}));
  EXPECT_EQ(request["meta"], (json{{"correlation_id", "c"}}));
  for (const auto* key : {"session_id", "timeout_ms", "stream", "resource_id", "idempotent"}) EXPECT_FALSE(request.contains(key)) << key;
  answer(served.host, request, {{"text", "done"}, {"bytes", json::binary({1, 2})}});
  const auto reply = served.host.receive();
  EXPECT_EQ(reply["id"], 7);
  EXPECT_EQ(reply["success"], false);  // JSON cannot say what it returns: bytes
  EXPECT_EQ(reply["code"], "unsupported_codec");
}

TEST(ContextCall, SendsWhatItsOptionsSay) {
  Served served(serve_calls);
  served.host.send({{"id", 7}, {"command", "ask"}, {"args", {{"options", true}, {"session", "s"}}}, {"meta", {{"not", "this"}}}});
  const auto request = asked(served.host);
  EXPECT_EQ(request["timeout_ms"], 1500);
  EXPECT_EQ(request["resource_id"], "r-1");
  EXPECT_EQ(request["idempotent"], true);
  EXPECT_EQ(request["session_id"], "s");
  EXPECT_EQ(request["meta"], (json{{"own", true}}));
  EXPECT_EQ(request["args"], json::object());
  answer(served.host, request, 5);
  EXPECT_EQ(served.host.receive()["result"]["result"], 5);
}

TEST(ContextCall, DeclinesItsSessionByNull) {
  Served served(serve_calls);
  served.host.send({{"id", 7}, {"command", "ask"}, {"args", {{"no_session", true}}}});
  const auto request = asked(served.host);
  EXPECT_TRUE(request.contains("session_id") && request["session_id"].is_null());
  answer(served.host, request, 5);
  served.host.receive();
}

TEST(ContextCall, HandsOnPartialResultsInOrder) {
  Served served(serve_calls);
  served.host.send({{"id", 7}, {"command", "ask"}, {"args", {{"stream", true}}}});
  const auto request = asked(served.host);
  EXPECT_EQ(request["stream"], true);
  for (int i = 0; i < 3; ++i) {
    served.host.send({{"id", request["id"]}, {"success", true}, {"partial", true}, {"seq", i}, {"result", i}}, Codec::msgpack);
  }
  served.host.send({{"id", request["id"]}, {"success", true}, {"partial", true}, {"progress", {{"done", 0.5}}}});
  answer(served.host, request, "end");
  EXPECT_EQ(served.host.receive()["result"], (json{{"result", "end"}, {"partials", {0, 1, 2, 0.5}}}));
}

TEST(ContextCall, ThrowsTheErrorThatItWasAnsweredWith) {
  Served served(serve_calls);
  const json known{
      {"success", false}, {"error", "Too much"}, {"code", "rate_limited"}, {"details", {{"retry_after_ms", 5}}}, {"retryable", true}};
  const json own{{"success", false}, {"error", "Odd"}, {"code", "my_own"}, {"retryable", false}};
  for (auto reply : {known, own}) {
    served.host.send({{"id", 7}, {"command", "ask"}});
    reply["id"] = asked(served.host)["id"];
    served.host.send(reply);
    const auto seen = served.host.receive()["result"];
    EXPECT_EQ(seen["message"], reply["error"]);
    EXPECT_EQ(seen["retryable"], reply["retryable"]);
    EXPECT_EQ(seen["code"], reply["code"] == "my_own" ? "worker_error" : "rate_limited");
    EXPECT_EQ(seen["details"], reply["code"] == "my_own" ? json({{"code", "my_own"}}) : reply["details"]);
  }
}

TEST(ContextCall, EndsWhenItsRequestIsCancelled) {
  Served served(serve_calls);
  served.host.send({{"id", 7}, {"command", "ask"}});
  const auto request = asked(served.host);
  served.host.send({{"id", 8}, {"command", "common:cancel"}, {"args", {{"id", 7}}}});
  EXPECT_EQ(served.host.receive()["id"], 8);
  EXPECT_EQ(served.host.receive()["result"]["code"], "cancelled");
  answer(served.host, request, "late");  // nobody waits for it
  EXPECT_EQ(served.host.result("ping")["status"], "ok");
}

TEST(ContextCall, EndsAtTheDeadlineOfItsRequest) {
  Served served(serve_calls);
  served.host.send({{"id", 7}, {"command", "ask"}, {"timeout_ms", 20}});
  asked(served.host);
  EXPECT_EQ(served.host.receive()["result"]["code"], "deadline_exceeded");
}

TEST(ContextCall, TakesAnswersInWhateverOrderTheyCome) {
  Served served(serve_calls);
  served.host.send({{"id", 7}, {"command", "ask_twice"}});
  const auto first = asked(served.host);
  served.host.send({{"id", 999}, {"success", true}, {"result", "to nothing"}});
  answer(served.host, first, 1);
  const auto second = asked(served.host);
  EXPECT_NE(first["id"], second["id"]);
  EXPECT_EQ(second["args"], (json{{"after", 1}}));
  answer(served.host, first, "a second time");
  answer(served.host, second, 2);
  EXPECT_EQ(served.host.receive()["result"], (json{1, 2}));
}

TEST(ContextCall, RefusesArgsThatAreNoObject) {
  Served served(serve_calls);
  const auto seen = served.host.result("ask", {{"args", {1, 2}}});
  EXPECT_EQ(seen["code"], "invalid_args");
}

}  // namespace
}  // namespace pons::test
