// Requests, replies and the commands that every worker has.
#include <gtest/gtest.h>

#include <thread>

#include "tests/worker/test_host.h"
#include "worker/worker.h"

namespace pons::test {
namespace {

int serve_hello(int fd) {
  Worker worker("hello", "1.2", ChannelFds{fd, fd});
  worker
      .command("greet", {.description = "Says hello.", .idempotent = true, .args_schema = {{"type", "object"}}},
               [](const json& args) {
                 return json{{"text", "Hello " + args.value("name", "you")}};
               })
      .command("size_of_bin",
               [](const json& args) {
                 return json{{"bytes", args.at("data").get_binary().size()}, {"data", args["data"]}};
               })
      .command("b:c.d", [](const json& /*args*/) { return "colon"; })
      .raw_command("raw", {}, [](const RawArgs& args) { return RawResult(args.bytes); })
      .raw_command("raw_fixed", {},
                   [](const RawArgs& args) { return RawResult(std::string(args.codec == Codec::json ? "[1]" : "\x91\x01")); })
      .command("big", [](const json& args) { return json(std::string(args.at("bytes").get<std::size_t>(), 'x')); })
      .raw_command("raw_big", {}, [](const RawArgs& /*args*/) { return RawResult('"' + std::string(64u << 20, 'x') + '"'); })
      .capability("greeting")
      .on_info([] {
        return json{{"framework", "none"}};
      })
      .on_stats([] {
        return json{{"greetings", 7}};
      });
  return worker.run();
}

class BothCodecs : public testing::TestWithParam<Codec> {
 protected:
  Served served_{serve_hello};
  TestHost& host_ = served_.host;
};

INSTANTIATE_TEST_SUITE_P(Commands, BothCodecs, testing::Values(Codec::json, Codec::msgpack),
                         [](const auto& codec) { return std::string(to_string(codec.param)); });

TEST_P(BothCodecs, AHandlerGetsArgsAndItsResultIsTheReply) {
  EXPECT_EQ(host_.result("greet", {{"name", "Ada"}}, GetParam()), (json{{"text", "Hello Ada"}}));
  EXPECT_EQ(host_.result("greet", json::object(), GetParam()), (json{{"text", "Hello you"}}));
}

TEST_P(BothCodecs, ARequestWithoutArgsHasEmptyOnes) {
  host_.send({{"id", 3}, {"command", "greet"}}, GetParam());
  EXPECT_EQ(host_.receive(GetParam()), (json{{"id", 3}, {"success", true}, {"result", {{"text", "Hello you"}}}}));
  host_.send({{"id", 4}, {"command", "raw"}}, GetParam());
  EXPECT_EQ(host_.receive(GetParam())["result"], json::object());
}

TEST_P(BothCodecs, AStringIdComesBackAsItWas) {
  host_.send({{"id", "a\"b\\c"}, {"command", "greet"}}, GetParam());
  EXPECT_EQ(host_.receive(GetParam())["id"], "a\"b\\c");
  host_.send({{"id", "x"}, {"command", "nothing"}}, GetParam());
  EXPECT_EQ(host_.receive(GetParam())["id"], "x");
}

TEST_P(BothCodecs, AMissingIdCountsAsZero) {
  host_.send({{"command", "ping"}}, GetParam());
  EXPECT_EQ(host_.receive(GetParam())["id"], 0);
}

TEST_P(BothCodecs, CommonCommandsAnswerUnderAllThreeNames) {
  for (const std::string name : {"ping", "get_info", "get_stats", "cleanup"}) {
    for (const std::string prefix : {"", "hello:", "common:"}) {
      EXPECT_TRUE(host_.call(prefix + name, json::object(), GetParam())["success"]) << prefix << name;
    }
  }
}

TEST_P(BothCodecs, UnknownNamesAreSaidInTheProtocolsWords) {
  const json no_space = host_.call("foo:greet", json::object(), GetParam());
  EXPECT_EQ(no_space["error"], "Unknown namespace: foo");
  EXPECT_EQ(no_space["code"], "unknown_namespace");
  for (const std::string command : {"nope", "hello:nope", "common:nope"}) {
    const json reply = host_.call(command, json::object(), GetParam());
    EXPECT_EQ(reply["error"], "Unknown command: nope") << command;
    EXPECT_EQ(reply["code"], "unknown_command") << command;
    EXPECT_EQ(reply["retryable"], false);
  }
  EXPECT_EQ(host_.call("common:greet", json::object(), GetParam())["error"], "Unknown command: greet");
  EXPECT_EQ(host_.call("hello:common:end_session", {{"session_id", "s"}}, GetParam())["code"], "unknown_command");
}

TEST_P(BothCodecs, ANameMayHoldColons) {
  EXPECT_EQ(host_.result("b:c.d", json::object(), GetParam()), "colon");
  EXPECT_EQ(host_.result("hello:b:c.d", json::object(), GetParam()), "colon");
}

TEST_P(BothCodecs, RawHandlersSeeTheBytesOfTheRequest) {
  const json args{{"text", "h\u00e4"}, {"n", {1, 2.5, nullptr, true}}};
  EXPECT_EQ(host_.result("raw", args, GetParam()), args);
  EXPECT_EQ(host_.result("raw_fixed", args, GetParam()), json::array({1}));
}

TEST_P(BothCodecs, LargePayloadsGoBothWays) {
  const json args{{"text", std::string(2u << 20, 'y')}};
  EXPECT_EQ(host_.result("raw", args, GetParam()), args);
  EXPECT_EQ(host_.result("big", {{"bytes", 1u << 20}}, GetParam()).get_ref<const std::string&>().size(), 1u << 20);
}

TEST_P(BothCodecs, AResultAboveTheFrameLimitIsAnErrorAndTheWorkerLives) {
  const json reply = host_.call("raw_big", json::object(), GetParam());
  EXPECT_EQ(reply["code"], "frame_too_large");
  EXPECT_EQ(reply["details"]["max_frame"], 64u << 20);
  EXPECT_EQ(host_.result("ping", json::object(), GetParam())["status"], "ok");
}

TEST_P(BothCodecs, TenThousandPipelinedRequestsAreAnsweredInOrder) {
  constexpr int kCount = 10'000;
  std::thread writer([&] {
    std::string batch;
    for (int i = 1; i <= kCount; ++i) {
      const json request{{"id", i}, {"command", i % 2 == 0 ? "greet" : "raw"}, {"args", {{"name", std::to_string(i)}}}};
      batch += TestHost::framed(TestHost::encoded(request, GetParam()));
    }
    host_.send_bytes(batch);
  });
  int wrong = 0;
  for (int i = 1; i <= kCount; ++i) {
    const json reply = host_.receive(GetParam());
    const json expected = i % 2 == 0 ? json{{"text", "Hello " + std::to_string(i)}} : json{{"name", std::to_string(i)}};
    if (reply["id"] != i || reply["result"] != expected) ++wrong;
  }
  writer.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(host_.result("get_stats")["requests_processed"], kCount);
}

TEST(Commands, MessagePackBinIsKept) {
  Served served(serve_hello);
  const json data = json::binary({0, 1, 255});
  const json result = served.host.result("size_of_bin", {{"data", data}}, Codec::msgpack);
  EXPECT_EQ(result["bytes"], 3);
  EXPECT_EQ(result["data"], data);
  EXPECT_EQ(served.host.result("raw", {{"data", data}}, Codec::msgpack)["data"], data);
}

TEST(Commands, BothCodecsAreAnsweredInTheirOwn) {
  Served served(serve_hello);
  for (const Codec codec : {Codec::json, Codec::msgpack, Codec::json, Codec::msgpack}) {
    EXPECT_EQ(served.host.result("greet", {{"name", "x"}}, codec)["text"], "Hello x");
  }
}

TEST(Commands, InfoTellsWhatWasDeclared) {
  Served served(serve_hello);
  const json info = served.host.result("get_info");
  EXPECT_EQ(info["name"], "hello");
  EXPECT_EQ(info["version"], "1.2");
  EXPECT_EQ(info["codecs"], (json{"json", "msgpack"}));
  EXPECT_EQ(info["concurrency"], 1);
  EXPECT_EQ(info["capabilities"], json::array({"greeting"}));
  EXPECT_EQ(info["framework"], "none");
  json greet;
  for (const auto& command : info["commands"]) {
    EXPECT_NE(command["name"], "ping");
    if (command["name"] == "greet") greet = command;
  }
  EXPECT_EQ(greet, (json{{"name", "greet"}, {"description", "Says hello."}, {"idempotent", true}, {"args_schema", {{"type", "object"}}}}));
}

TEST(Commands, StatsCount) {
  Served served(serve_hello);
  served.host.result("greet");
  served.host.call("nothing");
  served.host.call("greet", json::object(), Codec::json, {{"session_id", "s1"}});
  served.host.call("greet", json::object(), Codec::json, {{"session_id", "s1"}});
  const json stats = served.host.result("get_stats");
  EXPECT_EQ(stats["requests_processed"], 4);
  EXPECT_EQ(stats["errors"], 1);
  EXPECT_EQ(stats["sessions"], 1);
  EXPECT_EQ(stats["active_resources"], 0);
  EXPECT_EQ(stats["greetings"], 7);
  EXPECT_GT(stats["memory_rss_bytes"], 100'000);
  EXPECT_GE(stats["uptime_s"], 0.0);
  EXPECT_TRUE(stats["start_time"].is_string());
  const json cleaned = served.host.result("cleanup");
  EXPECT_EQ(cleaned, (json{{"status", "cleaned"}, {"resources_removed", 0}, {"sessions_removed", 1}}));
  EXPECT_EQ(served.host.result("get_stats")["sessions"], 0);
}

TEST(Commands, WrongDeclarationsThrowAtOnce) {
  Worker worker("hello", "1", ChannelFds{});
  const Worker::CommandHandler handler = [](const json& /*args*/) { return json(); };
  worker.command("twice", handler);
  for (const std::string name :
       {"twice", "", "with space", "a.b:c", ":", "\xc3\xa4", "ping", "cleanup", "common:x", "common:end_session"}) {
    EXPECT_THROW(worker.command(name, handler), std::invalid_argument) << name;
  }
  EXPECT_THROW(worker.command(std::string(129, 'a'), handler), std::invalid_argument);
  EXPECT_THROW(worker.command("empty", Worker::CommandHandler()), std::invalid_argument);
  EXPECT_THROW(Worker("a b", "1", ChannelFds{}), std::invalid_argument);
  EXPECT_THROW(worker.resource<int>("a:b", {}), std::invalid_argument);
  worker.resource<int>("thing", {});
  EXPECT_THROW(worker.resource<int>("thing", {}), std::invalid_argument);
  EXPECT_THROW(worker.command("list_things", handler), std::invalid_argument);
  EXPECT_THROW(worker.command("execute_resource", handler), std::invalid_argument);
}

}  // namespace
}  // namespace pons::test
