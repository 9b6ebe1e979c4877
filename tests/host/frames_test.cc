// What a host makes of all that can come in on a connection.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <random>
#include <thread>

#include "protocol/document.h"
#include "tests/host/host_under_test.h"

namespace pons::test {
namespace {

TEST(Frames, BothCodecsAreAnsweredInTheirOwnOnOneConnection) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  for (int i = 0; i < 20; ++i) {
    const auto codec = i % 2 == 0 ? Codec::json : Codec::msgpack;
    client.send({{"id", i + 1}, {"command", "echo:echo"}, {"args", {{"n", i}}}}, codec);
    const auto body = client.receive_frame().value();
    EXPECT_EQ(body.front() == '{', codec == Codec::json);
    EXPECT_EQ(decode(codec, body).value()["result"], (json{{"n", i}}));
  }
}

TEST(Frames, LargePayloadsComeBackEqual) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  std::mt19937 random(7);
  std::vector<std::uint8_t> bytes(32u << 20);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  const auto blob = json::binary(bytes);
  std::string text(32u << 20, 'x');
  for (std::size_t i = 0; i < text.size(); i += 97) text[i] = static_cast<char>('a' + random() % 26);

  // Sent from another thread: a parent must read while it writes.
  const auto round_trip = [&](const json& args, Codec codec) {
    std::thread sender([&] { client.send({{"id", 1}, {"command", "echo:echo"}, {"args", args}}, codec); });
    const auto reply = client.receive();
    sender.join();
    return result_of(reply);
  };
  EXPECT_TRUE(round_trip({{"blob", blob}}, Codec::msgpack)["blob"] == blob);
  EXPECT_TRUE(round_trip({{"text", text}}, Codec::json)["text"] == text);
}

TEST(Frames, ABrokenBodyIsAnsweredAndTheConnectionGoesOn) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  for (const std::string body : {"{\"id\":1,", "", "[1]", "\x91\x01", "{\"id\":1,\"command\":\"echo:echo\"} x"}) {
    client.send_frame(body);
    const auto reply = client.receive();
    EXPECT_EQ(code_of(reply), "bad_frame") << body;
    EXPECT_EQ(reply["id"], 0) << body;
  }
  EXPECT_EQ(result_of(client.call("echo:echo", {{"a", 1}})), (json{{"a", 1}}));
}

TEST(Frames, AnOversizedFrameIsSkippedAndTheConnectionGoesOn) {
  HostUnderTest host("host: {max_frame: 1MiB}\n" + echo_config());
  auto client = host.connect();
  const std::uint32_t length = 5u << 20;
  client.send_bytes({frame_header(length).bytes, 4});
  const auto reply = client.receive();  // as soon as the length is read
  EXPECT_EQ(code_of(reply), "frame_too_large");
  EXPECT_EQ(reply["details"], (json{{"length", length}, {"max_frame", 1u << 20}}));
  client.send_bytes(std::string(length, '{'));
  EXPECT_EQ(result_of(client.call("echo:echo", {{"a", 1}})), (json{{"a", 1}}));
}

TEST(Frames, TextOnTheChannelEndsTheConnectionWithAnErrorThatShowsIt) {
  HostUnderTest host(echo_config());
  for (const std::string text : {"Hello, is anybody there?\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"}) {
    auto client = host.connect();
    client.send_bytes(text);
    const auto reply = client.receive();
    EXPECT_EQ(code_of(reply), "bad_frame");
    EXPECT_NE(reply["error"].get<std::string>().find(text.substr(0, 4)), std::string::npos) << reply;
    EXPECT_EQ(client.receive_frame(), std::nullopt);
  }
}

TEST(Frames, HalfAFrameLosesNothingThatCameWhole) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  client.send({{"id", 1}, {"command", "echo:echo"}, {"args", {{"a", 1}}}});
  client.send_bytes(std::string("\0\0\0\x40{\"id\"", 9));
  client.half_close();
  EXPECT_EQ(result_of(client.receive()), (json{{"a", 1}}));
  EXPECT_EQ(client.receive_frame(), std::nullopt);
}

TEST(Frames, AHalfCloseIsAnsweredInFull) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  for (int i = 1; i <= 50; ++i) client.send({{"id", i}, {"command", "echo:echo"}, {"args", {{"n", i}}}});
  client.half_close();
  for (int i = 1; i <= 50; ++i) EXPECT_EQ(result_of(client.await(i))["n"], i);
  EXPECT_EQ(client.receive_frame(), std::nullopt);
}

TEST(Frames, GarbageOfAllKindsHarmsNobody) {
  HostUnderTest host(echo_config());
  auto witness = host.connect();
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    auto client = host.connect();
    std::string bytes(random() % 400, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    if (round % 2 == 0) {
      client.send_frame(bytes);
    } else {
      client.send_bytes(bytes);
    }
    if (round % 3 == 0) client.half_close();
  }
  EXPECT_EQ(result_of(witness.call("echo:echo", {{"a", 1}})), (json{{"a", 1}}));
}

TEST(Frames, AnIdMayNotBeUsedTwiceAtATime) {
  HostUnderTest host(echo_config("pool: {size: 2}"));
  auto client = host.connect();
  client.send({{"id", "x"}, {"command", "echo:sleep"}, {"args", {{"ms", 100'000}}}});
  client.send({{"id", "x"}, {"command", "echo:echo"}});
  const auto refused = client.receive();
  EXPECT_EQ(code_of(refused), "bad_request");
  EXPECT_EQ(refused["id"], 0);
  EXPECT_EQ(result_of(client.call("host:cancel", {{"id", "x"}}))["found"], true);
  EXPECT_EQ(code_of(client.await("x")), "cancelled");
  client.send({{"id", "x"}, {"command", "echo:echo"}, {"args", {{"a", 1}}}});
  EXPECT_EQ(result_of(client.await("x")), (json{{"a", 1}}));
}

TEST(Frames, WhatIsRefusedNeverAnswersForAnotherRequest) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  client.send({{"id", 7}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}});
  for (const json& bad : {json{{"id", 7}, {"command", "echo:echo"}, {"timeout_ms", -1}}, json{{"id", 7}, {"args", json::object()}}}) {
    client.send(bad);
    const auto refused = client.receive();
    EXPECT_EQ(code_of(refused), "bad_request") << refused;
    EXPECT_EQ(refused["id"], 0) << refused;
  }
  host.signal(SIGTERM);  // what is refused while the host drains is no answer to 7 either
  auto witness = host.connect();
  await_stats(witness, [](const json& stats) { return stats["host"]["state"] == "draining"; });
  client.send({{"id", 7}, {"command", "echo:echo"}});
  EXPECT_EQ(client.receive()["id"], 0);
  EXPECT_EQ(result_of(witness.call("host:ping"))["status"], "ok");
}

TEST(Frames, WhatCameBeforeGarbageIsAnswered) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  std::string bytes;
  for (int id = 1; id <= 5; ++id) {
    const auto body = json{{"id", id}, {"command", "echo:echo"}, {"args", {{"n", id}}}}.dump();
    bytes += std::string(frame_header(static_cast<std::uint32_t>(body.size())).bytes, 4) + body;
  }
  client.send_bytes(bytes + "\xff\xff\xff\xff");  // a length that nobody can mean
  for (int id = 1; id <= 5; ++id) EXPECT_EQ(result_of(client.await(id))["n"], id);
  EXPECT_EQ(code_of(client.await(0)), "bad_frame");
  EXPECT_EQ(client.receive_frame(), std::nullopt);
}

TEST(Frames, IdsComeBackAsTheyCame) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  for (const json& id : {json("a\"\\\u00e4\n"), json(9223372036854775807), json(1), json(0)}) {
    client.send({{"id", id}, {"command", "echo:echo"}});
    EXPECT_EQ(client.receive()["id"], id);
    client.send({{"id", id}, {"command", "echo:echo"}}, Codec::msgpack);
    EXPECT_EQ(client.receive()["id"], id);
  }
  client.send({{"command", "echo:echo"}});
  EXPECT_EQ(client.receive()["id"], 0);
}

}  // namespace
}  // namespace pons::test
