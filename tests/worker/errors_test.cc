// Exceptions of handlers, results that cannot be said, and requests that are none.
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <stdexcept>

#include "tests/worker/test_host.h"
#include "worker/host_link.h"
#include "worker/worker.h"

namespace pons::test {
namespace {

struct OwnError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

int serve_failures(int fd) {
  Worker worker("fails", "1", ChannelFds{fd, fd});
  worker.command("own", [](const json& /*args*/) -> json { throw OwnError("it is too small"); })
      .command("number", [](const json& /*args*/) -> json { throw 42; })
      .command("coded",
               [](const json& /*args*/) -> json {
                 throw Exception(Error{ErrorCode::rate_limit, "Slow down", {{"retry_after_ms", 50}}, true});
               })
      .command("not_utf8", [](const json& /*args*/) -> json { throw std::runtime_error("caf\xe9"); })
      .command("bad_details",
               [](const json& /*args*/) -> json {
                 throw Exception(Error{ErrorCode::model_error, "Details", {{"blob", json::binary({1})}}});
               })
      .command("typed",
               [](const json& args) {
                 return json{{"n", args.at("n").get<int>()}};
               })
      .command("nan",
               [](const json& /*args*/) {
                 return json{{"value", std::numeric_limits<double>::quiet_NaN()}};
               })
      .command("bin",
               [](const json& /*args*/) {
                 return json{{"value", json::binary({1, 2})}};
               })
      .command("bad_text", [](const json& /*args*/) {
        return json{{"value", "caf\xe9"}};
      });
  return worker.run();
}

class Errors : public testing::TestWithParam<Codec> {
 protected:
  json fails(const std::string& command, json args = json::object()) {
    json reply = host_.call(command, std::move(args), GetParam());
    EXPECT_EQ(reply["success"], false) << reply;
    EXPECT_EQ(host_.result("ping", json::object(), GetParam())["status"], "ok");
    return reply;
  }

  Served served_{serve_failures};
  TestHost& host_ = served_.host;
};

INSTANTIATE_TEST_SUITE_P(Errors, Errors, testing::Values(Codec::json, Codec::msgpack),
                         [](const auto& codec) { return std::string(to_string(codec.param)); });

TEST_P(Errors, AnExceptionBecomesWorkerErrorWithItsClass) {
  const json reply = fails("own");
  EXPECT_EQ(reply["code"], "worker_error");
  EXPECT_EQ(reply["error"], "it is too small");
  EXPECT_EQ(reply["details"]["type"], "pons::test::(anonymous namespace)::OwnError");
}

TEST_P(Errors, WhatIsNoExceptionIsReportedToo) {
  const json reply = fails("number");
  EXPECT_EQ(reply["code"], "worker_error");
  EXPECT_EQ(reply["details"]["type"], "int");
}

TEST_P(Errors, PonsExceptionsKeepCodeAndDetails) {
  const json reply = fails("coded");
  EXPECT_EQ(reply["code"], "rate_limit");
  EXPECT_EQ(reply["error"], "Slow down");
  EXPECT_EQ(reply["retryable"], true);
  EXPECT_EQ(reply["details"]["retry_after_ms"], 50);
}

TEST_P(Errors, TextThatIsNoUtf8IsRepaired) { EXPECT_EQ(fails("not_utf8")["error"], "caf\xef\xbf\xbd"); }

TEST_P(Errors, DetailsThatCannotBeSaidDoNotHideTheError) {
  const json reply = fails("bad_details");
  EXPECT_EQ(reply["code"], "model_error");
  EXPECT_EQ(reply["error"], "Details");
}

TEST_P(Errors, WrongArgsAreInvalidArgs) {
  const json missing = fails("typed");
  EXPECT_EQ(missing["code"], "invalid_args");
  EXPECT_EQ(missing["error"], "key 'n' not found");
  const json wrong = fails("typed", {{"n", "one"}});
  EXPECT_EQ(wrong["code"], "invalid_args");
  EXPECT_EQ(wrong["error"], "type must be number, but is string");
}

TEST_P(Errors, AResultThatIsNoTextIsAnError) { EXPECT_FALSE(fails("bad_text")["code"].get<std::string>().empty()); }

TEST_P(Errors, WhatTheCodecCannotSayIsAnErrorThatPointsAtIt) {
  if (GetParam() == Codec::msgpack) {
    EXPECT_EQ(host_.result("bin", json::object(), Codec::msgpack)["value"], json::binary({1, 2}));
    EXPECT_TRUE(std::isnan(host_.result("nan", json::object(), Codec::msgpack)["value"].get<double>()));
    return;
  }
  const json bin = fails("bin");
  EXPECT_EQ(bin["code"], "unsupported_codec");
  EXPECT_NE(bin["error"].get<std::string>().find("/value"), std::string::npos) << bin;
  const json nan = fails("nan");
  EXPECT_EQ(nan["code"], "worker_error");
  EXPECT_NE(nan["error"].get<std::string>().find("/value"), std::string::npos) << nan;
}

TEST_P(Errors, ErrorsAreCounted) {
  for (int i = 0; i < 3; ++i) fails("own");
  EXPECT_EQ(host_.result("get_stats", json::object(), GetParam())["errors"], 3);
}

struct BadBody {
  const char* name;
  std::string body;
  const char* code;
  Codec answered_in = Codec::json;
};

TEST(BadRequests, AreAnsweredWithIdZeroAndTheWorkerLives) {
  const BadBody bodies[] = {
      {"empty", "", "bad_frame"},
      {"text", "hello", "bad_frame"},
      {"cut short", R"({"id":1,"command":"ping")", "bad_frame"},
      {"broken inside", R"({"id":1,"command":"ping","args":{"a":[1,}})", "bad_frame"},
      {"followed by more", R"({"command":"ping"} x)", "bad_frame"},
      {"too deep", R"({"command":"ping","args":{"a":)" + std::string(100, '[') + std::string(100, ']') + "}}", "bad_frame"},
      {"command twice", R"({"command":"ping","command":"own"})", "bad_request"},
      {"neither request nor reply", R"({"id":0})", "bad_request"},
      {"MessagePack cut short", "\x82\xa2id", "bad_frame", Codec::msgpack},
  };
  Served served(serve_failures);
  for (const auto& bad : bodies) {
    served.host.send_body(bad.body);
    const json reply = served.host.receive(bad.answered_in);
    EXPECT_EQ(reply["id"], 0) << bad.name;
    EXPECT_EQ(reply["success"], false) << bad.name;
    EXPECT_EQ(reply["code"], bad.code) << bad.name << reply;
    EXPECT_EQ(served.host.result("ping")["status"], "ok") << bad.name;
  }
}

TEST_P(Errors, TypesAreNamedAsTheyAreWritten) {
  const json reply = fails("typed", {{"n", "x"}});
  EXPECT_EQ(reply["code"], "invalid_args");
  EXPECT_EQ(reply["details"]["type"], "nlohmann::detail::type_error") << "whatever version of the library";
}

TEST(BadRequests, AnOversizedFrameIsSkipped) {
  Served served(serve_failures);
  served.host.result("ping", {{"initialization", true}, {"max_frame", 1'000}});
  const std::size_t size = 1'000 + HostLink::kSpliced + 1;
  served.host.send_bytes(TestHost::framed(std::string(size, ' ')));
  const json reply = served.host.receive();
  EXPECT_EQ(reply["code"], "frame_too_large");
  EXPECT_EQ(reply["id"], 0);
  EXPECT_EQ(reply["details"], (json{{"length", size}, {"max_frame", 1'000}}));
  served.host.send_bytes(TestHost::framed(R"({"id":1,"command":"ping","args":{"text":")" + std::string(size - 100, 'x') + R"("}})"));
  EXPECT_EQ(served.host.receive()["result"]["status"], "ok") << "the host may put an id and a time into a body of 1,000 bytes";
}

TEST(BadRequests, RepliesAndEventsAreNotAnswered) {
  Served served(serve_failures);
  served.host.send({{"id", 5}, {"success", true}, {"result", 1}});
  served.host.send({{"event", "worker.exited"}, {"data", json::object()}});
  EXPECT_EQ(served.host.result("ping")["status"], "ok");
}

TEST(BadRequests, TextOnTheChannelEndsTheWorkerWithAMessage) {
  Served served(serve_failures);
  served.host.send_bytes("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(served.child.exit_status(), 1);
}

/// Random bodies, and good requests with bytes of them changed: whatever comes, there is one answer each and no death.
TEST(BadRequests, RandomBodiesAreAllAnswered) {
  Served served(serve_failures);
  std::mt19937 random(20240607);
  const std::string good = R"({"id":7,"command":"typed","args":{"n":1,"x":[true,null,"text"]},"timeout_ms":1000,"meta":{}})";
  const std::string packed = TestHost::encoded(json::parse(good), Codec::msgpack);
  for (int round = 0; round < 3'000; ++round) {
    std::string body = round % 3 == 0 ? good : round % 3 == 1 ? packed : std::string(random() % 60, '\0');
    const std::size_t changes = round % 3 == 2 ? body.size() : 1 + random() % 3;
    for (std::size_t i = 0; i < changes && !body.empty(); ++i) body[random() % body.size()] = static_cast<char>(random());
    served.host.send_body(body);
    served.host.send({{"id", "mark"}, {"command", "ping"}});
    // A changed key may turn the request into a reply or an event, which is not answered; nothing is ever answered twice.
    int answers = 0;
    for (;; ++answers) {
      const std::string reply = served.host.receive_body();
      if (reply.find("\"mark\"") != std::string::npos) break;
    }
    ASSERT_LE(answers, 1) << round;
  }
  served.host.close();
  EXPECT_EQ(served.child.exit_status(), 0);
}

TEST(BadRequests, RandomStreamsNeverCrashTheWorker) {
  std::mt19937 random(7);
  for (int round = 0; round < 30; ++round) {
    Served served(serve_failures);
    std::string noise(random() % 4'000, '\0');
    for (char& byte : noise) byte = static_cast<char>(random());
    try {
      served.host.send_bytes(TestHost::framed(R"({"command":"ping"})") + noise);
    } catch (const std::system_error&) {
      // it had seen enough
    }
    served.host.close();
    const int status = served.child.exit_status();
    EXPECT_TRUE(status == 0 || status == 1) << status;
  }
}

}  // namespace
}  // namespace pons::test
