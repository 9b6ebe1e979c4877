#include "clients/cpp/client.h"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>

#include "protocol/document.h"
#include "tests/client/fake_host.h"

namespace pons {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::FakeHost;

void answer_with_args(FakeHost& host, const json& request) { host.succeed(request, request.at("args")); }
void never_answer(FakeHost&, const json&) {}

struct Pair {
  explicit Pair(FakeHost::OnRequest on_request, const Client::Options& options = {})
      : host(io, std::move(on_request)), client(io, host.client_end(), options) {}
  asio::io_context io{1};
  FakeHost host;
  Client client;
};

class BothCodecs : public testing::TestWithParam<Codec> {};
INSTANTIATE_TEST_SUITE_P(Client, BothCodecs, testing::Values(Codec::json, Codec::msgpack),
                         [](const auto& tested) { return std::string(to_string(tested.param)); });

TEST_P(BothCodecs, CallBringsTheResult) {
  Pair pair(answer_with_args, {.codec = GetParam()});
  const json args{{"text", "hé"}, {"list", {1, 2.5, nullptr, true}}};
  const auto result = pair.client.call("echo:echo", args);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(*result, args);
  EXPECT_EQ(pair.host.codec, GetParam());
}

TEST_P(BothCodecs, PartialsAndProgressComeInOrderBeforeTheEnd) {
  Pair pair(
      [](FakeHost& host, const json& request) {
        for (int i = 0; i < 3; ++i) {
          host.reply({{"id", request["id"]}, {"success", true}, {"partial", true}, {"seq", i}, {"result", i * 10}});
          host.reply({{"id", request["id"]}, {"success", true}, {"partial", true}, {"progress", {{"done", i}}}});
        }
        host.succeed(request, "end");
      },
      {.codec = GetParam()});
  json seen = json::array();
  CallOptions options;
  options.on_partial = [&](const json& chunk) { seen.push_back(chunk); };
  options.on_progress = [&](const json& progress) { seen.push_back(progress); };
  EXPECT_EQ(pair.client.call("echo:stream", nullptr, options).value(), "end");
  EXPECT_EQ(seen, json::parse(R"([0, {"done": 0}, 10, {"done": 1}, 20, {"done": 2}])"));
  EXPECT_EQ(pair.host.requests.at(0).at("stream"), true);
}

TEST(Client, BinaryStaysBinaryOverMessagePack) {
  Pair pair(answer_with_args);
  const json args{{"blob", json::binary({0, 255, 7})}};
  EXPECT_EQ(pair.client.call("echo:echo", args, {.codec = Codec::msgpack}).value(), args);
  const auto refused = pair.client.call("echo:echo", args);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unsupported_codec);
  EXPECT_EQ(pair.host.requests.size(), 1u);
}

TEST(Client, EveryOptionIsOnTheWire) {
  Pair pair(answer_with_args);
  const CallOptions options{.session_id = "s", .resource_id = "r", .timeout = 1500ms, .idempotent = false, .meta = {{"user_id", "u"}}};
  ASSERT_TRUE(pair.client.call("a:b", nullptr, options));
  const auto& request = pair.host.requests.at(0);
  EXPECT_EQ(request, (json{{"id", request["id"]},
                           {"command", "a:b"},
                           {"args", json::object()},
                           {"session_id", "s"},
                           {"resource_id", "r"},
                           {"timeout_ms", 1500},
                           {"idempotent", false},
                           {"meta", {{"user_id", "u"}}}}));
}

TEST(Client, NothingIsOnTheWireThatWasNotAskedFor) {
  Pair pair(answer_with_args);
  ASSERT_TRUE(pair.client.call("a:b"));
  EXPECT_EQ(pair.host.requests.at(0).size(), 3u);
}

TEST(Client, FailedReplyIsAnErrorWithItsDetails) {
  Pair pair([](FakeHost& host, const json& request) { host.fail(request, "worker_crashed", "It died.", {{"signal", 11}}); });
  const auto result = pair.client.call("a:b");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::worker_crashed);
  EXPECT_EQ(result.error().message, "It died.");
  EXPECT_EQ(result.error().details, (json{{"signal", 11}}));
  EXPECT_EQ(result.error().retryable, true);
}

TEST(Client, CodeOfAnAdapterIsKeptInTheDetails) {
  Pair pair([](FakeHost& host, const json& request) { host.fail(request, "content_filter", "No."); });
  const auto error = pair.client.call("a:b").error();
  EXPECT_EQ(error.code, ErrorCode::worker_error);
  EXPECT_EQ(error.details.at("code"), "content_filter");
}

TEST(Client, RepliesOutOfOrderFindTheirCalls) {
  std::vector<json> held;
  Pair pair([&](FakeHost& host, const json& request) {
    held.push_back(request);
    if (held.size() < 3) return;
    for (auto one = held.rbegin(); one != held.rend(); ++one) answer_with_args(host, *one);
  });
  std::vector<Client::CallId> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(pair.client.start("a:b", {{"i", i}}));
  EXPECT_EQ(pair.client.outstanding(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pair.client.wait(ids[static_cast<std::size_t>(i)]).value().at("i"), i);
  EXPECT_EQ(pair.client.outstanding(), 0u);
}

TEST(Client, WaitingForAnUnknownCallIsAnError) {
  Pair pair(answer_with_args);
  EXPECT_EQ(pair.client.wait(99).error().code, ErrorCode::invalid_args);
}

TEST(Client, AsynchronousCallIsCompletedByTheLoop) {
  Pair pair(answer_with_args);
  std::optional<json> seen;
  pair.client.call_async("a:b", {{"x", 1}}, {}, [&](Result<json> result) { seen.emplace(result.value()); });
  EXPECT_FALSE(seen);
  EXPECT_TRUE(pair.client.run_until([&] { return seen.has_value(); }, 10s));
  EXPECT_EQ(*seen, (json{{"x", 1}}));
}

TEST(Client, LostConnectionFailsEverythingOutstanding) {
  int requests = 0;
  Pair pair([&](FakeHost& host, const json&) {
    if (++requests == 2) host.hang_up();
  });
  const auto first = pair.client.start("a:b");
  const auto second = pair.client.start("a:b", nullptr, {.idempotent = true});
  for (const auto id : {first, second}) {
    const auto result = pair.client.wait(id);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::internal);
    EXPECT_EQ(result.error().details.at("reason"), "connection_lost");
    EXPECT_EQ(result.error().retryable, id == second);
  }
  EXPECT_FALSE(pair.client.connected());
  EXPECT_EQ(pair.client.call("a:b").error().details.at("reason"), "connection_lost");
}

TEST(Client, PrintedTextOnTheConnectionIsNamed) {
  Pair pair([](FakeHost& host, const json&) { host.send_raw("no document"); });
  EXPECT_NE(pair.client.call("a:b").error().message.find("no valid envelope"), std::string::npos);
}

TEST(Client, SilentHostIsGivenUpAfterTimeoutAndMargin) {
  Pair pair(never_answer, {.margin = 10ms});
  const auto begin = std::chrono::steady_clock::now();
  const auto error = pair.client.call("a:b", nullptr, {.timeout = 20ms}).error();
  EXPECT_EQ(error.code, ErrorCode::deadline_exceeded);
  EXPECT_EQ(error.details.at("reason"), "no_reply");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 30ms);
  EXPECT_TRUE(pair.client.connected());
}

TEST(Client, CallWithoutTimeoutEndsAfterTheLongestWait) {
  Pair pair(never_answer, {.longest_wait = 20ms});
  EXPECT_EQ(pair.client.call("a:b").error().code, ErrorCode::deadline_exceeded);
}

TEST(Client, TimeoutMayBeLongerThanTheLongestWait) {
  asio::io_context io(1);
  Timer later(io.get_executor());
  FakeHost host(io, [&](FakeHost& self, const json& request) {
    later.expires_after(40ms);
    later.async_wait([&self, request](error_code) { answer_with_args(self, request); });
  });
  Client client(io, host.client_end(), {.longest_wait = 1ms});
  EXPECT_TRUE(client.call("a:b", nullptr, {.timeout = std::chrono::milliseconds::max()}));
}

TEST(Client, EarlierDeadlineOvertakesALaterOne) {
  Pair pair(never_answer, {.margin = 1ms});
  const auto late = pair.client.start("a:b", nullptr, {.timeout = 60ms});
  const auto early = pair.client.start("a:b", nullptr, {.timeout = 1ms});
  EXPECT_EQ(pair.client.wait(early).error().code, ErrorCode::deadline_exceeded);
  EXPECT_EQ(pair.client.outstanding(), 1u);
  EXPECT_EQ(pair.client.wait(late).error().code, ErrorCode::deadline_exceeded);
}

TEST(Client, CancelAsksTheHostAndTheCallEndsWithItsOwnReply) {
  json running;
  Pair pair([&](FakeHost& host, const json& request) {
    if (request["command"] != "host:cancel") {
      running = request;
      return;
    }
    EXPECT_EQ(request["args"]["id"], running["id"]);
    host.fail(running, "cancelled", "Cancelled by the caller.");
    host.succeed(request, {{"found", true}});
  });
  const auto id = pair.client.start("a:b");
  pair.client.cancel(id);
  EXPECT_EQ(pair.client.wait(id).error().code, ErrorCode::cancelled);
}

TEST(Client, CancelledCallOfASilentHostEndsAfterTheMargin) {
  Pair pair(never_answer, {.margin = 10ms});
  const auto id = pair.client.start("a:b");
  pair.client.cancel(id);
  EXPECT_EQ(pair.client.wait(id).error().code, ErrorCode::deadline_exceeded);
}

TEST(Client, RefusedFrameFailsTheCallItCameFrom) {
  std::vector<json> held;
  Pair pair([&](FakeHost&, const json& request) { held.push_back(request); });
  const auto small = pair.client.start("a:b", {{"x", 1}});
  const auto large = pair.client.start("a:b", {{"x", std::string(2u << 20, 'x')}});
  const auto error = pair.client.wait(large).error();
  EXPECT_EQ(error.code, ErrorCode::frame_too_large);
  EXPECT_GT(error.details.at("length").get<std::size_t>(), 2u << 20);
  pair.host.succeed(held.at(0), "fine");
  EXPECT_EQ(pair.client.wait(small).value(), "fine");
}

TEST(Client, ReplyAboveTheLimitFailsItsCallAndTheConnectionGoesOn) {
  Pair pair(answer_with_args, {.max_frame = 4096});
  EXPECT_EQ(pair.client.call("a:b", {{"x", std::string(10'000, 'x')}}).error().code, ErrorCode::frame_too_large);
  EXPECT_TRUE(pair.client.call("a:b"));
}

TEST(Client, ArgumentsThatAreNoObjectAreNotSent) {
  Pair pair(answer_with_args);
  EXPECT_EQ(pair.client.call("a:b", json::array({1})).error().code, ErrorCode::invalid_args);
  EXPECT_TRUE(pair.host.requests.empty());
}

TEST(Client, EventsOfASubscriptionAreDelivered) {
  Pair pair([](FakeHost& host, const json& request) {
    host.succeed(request, {{"events", request["args"]["events"]}});
    host.reply({{"event", "worker.ready"}, {"seq", 4}, {"data", {{"pid", 1}}}});
  });
  std::vector<Event> events;
  ASSERT_TRUE(pair.client.subscribe({"worker.*"}, [&](Event event) { events.push_back(std::move(event)); }));
  EXPECT_TRUE(pair.client.run_until([&] { return !events.empty(); }, 10s));
  EXPECT_EQ(events.at(0).name, "worker.ready");
  EXPECT_EQ(events.at(0).seq, 4u);
  EXPECT_EQ(events.at(0).data, (json{{"pid", 1}}));
}

TEST(Client, MayBeDestroyedByItsOwnCallback) {
  asio::io_context io(1);
  FakeHost host(io, answer_with_args);
  auto client = std::make_unique<Client>(io, host.client_end());
  bool called = false;
  client->call_async("a:b", nullptr, {}, [&](const Result<json>&) {
    client.reset();
    called = true;
  });
  while (!called) ASSERT_GT(io.run_one_for(10s), 0u);
  EXPECT_FALSE(client);
}

TEST(Client, DestroyedClientCallsNobody) {
  asio::io_context io(1);
  FakeHost host(io, answer_with_args);
  {
    Client client(io, host.client_end());
    client.call_async("a:b", nullptr, {}, [](const Result<json>&) { FAIL(); });
    client.call_async("a:b", json::array(), {}, [](const Result<json>&) { FAIL(); });
  }
  io.run_for(50ms);
}

TEST(Client, ConnectingToNobodySaysWhy) {
  const auto client = Client::connect("/nonexistent/pons.sock");
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().details.at("errno"), ENOENT);
}

// ---- Namespaces of the client's own

/// A host that asks `command` of the client as soon as that provides something.
struct Asking {
  explicit Asking(json request, Codec codec = Codec::json)
      : host(io,
             [this, request, codec](FakeHost& self, const json& got) {
               if (got.value("command", "") == "host:provide") {
                 self.succeed(got, {{"namespace", got["args"]["namespace"]}});
                 self.send_raw(encode_or_throw(codec, request));
               } else if (got.contains("success")) {
                 replies.push_back(got);
               }
             }),
        client(io, host.client_end()) {}
  bool await_replies(std::size_t count) {
    return client.run_until([&] { return replies.size() >= count; }, 10s);
  }
  asio::io_context io{1};
  std::vector<json> replies;
  FakeHost host;
  Client client;
};

TEST(ClientProvide, ServesWhatTheHostAsks) {
  for (const auto codec : {Codec::json, Codec::msgpack}) {
    Asking asking(
        {{"id", 9}, {"command", "tools:add"}, {"args", {{"a", 1}}}, {"session_id", "s"}, {"timeout_ms", 500}, {"meta", {{"m", 1}}}}, codec);
    ASSERT_TRUE(asking.client.provide("tools", [](Inquiry inquiry) {
      EXPECT_EQ(inquiry.session_id(), "s");
      EXPECT_EQ(inquiry.timeout(), 500ms);
      EXPECT_EQ(inquiry.meta(), (json{{"m", 1}}));
      EXPECT_FALSE(inquiry.cancelled());
      inquiry.send_partial("not asked for");
      inquiry.reply(json{{"command", inquiry.command()}, {"args", inquiry.args()}});
    }));
    ASSERT_TRUE(asking.await_replies(1));
    EXPECT_EQ(asking.replies[0]["id"], 9);
    EXPECT_EQ(asking.replies[0]["result"], (json{{"command", "tools:add"}, {"args", {{"a", 1}}}}));
    EXPECT_EQ(asking.host.codec, codec);
  }
}

TEST(ClientProvide, AnswersLaterInPartsOrWithAnError) {
  Asking asking({{"id", 9}, {"command", "tools:add"}, {"stream", true}});
  std::optional<Inquiry> held;
  ASSERT_TRUE(asking.client.provide("tools", [&](Inquiry inquiry) { held.emplace(std::move(inquiry)); }));
  ASSERT_TRUE(asking.client.run_until([&] { return held.has_value(); }, 10s));
  held->send_partial(1);
  held->send_partial(2);
  held->fail(Error{ErrorCode::rate_limited, "Slowly", {{"retry_after_ms", 7}}});
  held->reply("a second answer is none");
  held.reset();
  ASSERT_TRUE(asking.await_replies(3));
  EXPECT_EQ(asking.replies[0]["seq"], 0);
  EXPECT_EQ(asking.replies[1]["result"], 2);
  EXPECT_EQ(asking.replies[2]["code"], "rate_limited");
  EXPECT_EQ(asking.replies[2]["details"]["retry_after_ms"], 7);
}

TEST(ClientProvide, AnInquiryThatIsDroppedIsAnswered) {
  Asking asking({{"id", 9}, {"command", "tools:add"}});
  ASSERT_TRUE(asking.client.provide("tools", [](const Inquiry&) {}));
  ASSERT_TRUE(asking.await_replies(1));
  EXPECT_EQ(asking.replies[0]["code"], "worker_error");
}

TEST(ClientProvide, SeesThatNobodyWaitsAnyMore) {
  Asking asking({{"id", 9}, {"command", "tools:add"}});
  std::optional<Inquiry> held;
  ASSERT_TRUE(asking.client.provide("tools", [&](Inquiry inquiry) { held.emplace(std::move(inquiry)); }));
  ASSERT_TRUE(asking.client.run_until([&] { return held.has_value(); }, 10s));
  asking.host.send_raw(R"({"id":10,"command":"common:cancel","args":{"id":9}})");
  asking.host.send_raw(R"({"id":11,"command":"common:cancel","args":{"id":99}})");
  ASSERT_TRUE(asking.await_replies(2));
  EXPECT_EQ(asking.replies[0]["result"]["found"], true);
  EXPECT_EQ(asking.replies[1]["result"]["found"], false);
  EXPECT_TRUE(held->cancelled());
}

TEST(ClientProvide, WhatItDoesNotServeIsRefused) {
  Asking asking({{"id", 9}, {"command", "other:add"}});
  ASSERT_TRUE(asking.client.provide("tools", [](const Inquiry&) {}));
  ASSERT_TRUE(asking.await_replies(1));
  EXPECT_EQ(asking.replies[0]["code"], "unknown_namespace");
  EXPECT_EQ(asking.client.provide("tools", [](const Inquiry&) {}).error().code, ErrorCode::bad_request);
}

TEST(ClientProvide, AnInquiryMayOutliveItsClient) {
  std::optional<Inquiry> held;
  {
    Asking asking({{"id", 9}, {"command", "tools:add"}});
    ASSERT_TRUE(asking.client.provide("tools", [&](Inquiry inquiry) { held.emplace(std::move(inquiry)); }));
    ASSERT_TRUE(asking.client.run_until([&] { return held.has_value(); }, 10s));
  }
  EXPECT_TRUE(held->cancelled());
  held->reply("to nobody");
}

}  // namespace
}  // namespace pons
