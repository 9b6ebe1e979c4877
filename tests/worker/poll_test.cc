// The second form: requests that a program holds, and answers when it likes.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <exception>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tests/worker/test_host.h"
#include "worker/worker.h"

namespace pons::test {
namespace {

using namespace std::chrono_literals;

/// Holds every `hold` until `release`, which answers them in reverse, as they are then.
void serve_holds(Worker& worker) {
  std::vector<Request> held;
  while (!worker.ended()) {
    auto request = worker.poll();
    for (Request& one : held) {
      if (one && one.cancelled()) one.fail_cancelled();
    }
    std::erase_if(held, [](const Request& one) { return !one; });
    if (!request) continue;
    if (request->command() == "hold") {
      request->context().send_partial("held");
      held.push_back(std::move(*request));
    } else if (request->command() == "release") {
      for (; !held.empty(); held.pop_back()) held.back().reply({{"args", held.back().args()}});
      request->reply("released");
    } else {
      held.pop_back();  // `drop`: whatever is held last is forgotten, and so is this request
    }
  }
}

int serve(int fd, std::size_t concurrency) {
  Worker worker("holds", "1", ChannelFds{fd, fd});
  worker.polled_command("hold", {.description = "Waits for release.", .idempotent = true})
      .polled_command("release")
      .polled_command("drop")
      .command("greet", [](const json& /*args*/) { return "hello"; })
      .concurrency(concurrency);
  return worker.run([&worker] { serve_holds(worker); });
}

class PollTest : public testing::Test {
 protected:
  static constexpr std::size_t kConcurrency = 101;

  void hold(int id, Codec codec = Codec::json, bool until_it_is_held = true) {
    host_.send({{"id", id}, {"command", "hold"}, {"args", {{"n", id}}}, {"stream", until_it_is_held}}, codec);
    if (!until_it_is_held) return;
    EXPECT_EQ(host_.receive(codec)["result"], "held");
  }
  void cancel(int id) {
    host_.send({{"id", "cancel"}, {"command", "common:cancel"}, {"args", {{"id", id}}}});
    const json reply = host_.receive();
    EXPECT_EQ(reply["id"], "cancel");
    EXPECT_EQ(reply["result"], (json{{"found", true}}));
  }

  Served served_{[](int fd) { return serve(fd, kConcurrency); }};
  TestHost& host_ = served_.host;
};

TEST_F(PollTest, AHundredHeldRequestsAreAnsweredInReverseOrder) {
  for (const Codec codec : {Codec::json, Codec::msgpack}) {
    for (int id = 1; id <= 100; ++id) hold(id, codec, id % 2 == 0);
    host_.send({{"id", 101}, {"command", "release"}}, codec);
    for (int id = 100; id >= 1; --id) {
      const json reply = host_.receive(codec);
      ASSERT_EQ(reply["id"], id);
      ASSERT_EQ(reply["result"], (json{{"args", {{"n", id}}}}));
    }
    EXPECT_EQ(host_.receive(codec)["id"], 101);
  }
  EXPECT_EQ(host_.result("get_stats")["requests_processed"], 202);
}

TEST_F(PollTest, EverythingElseIsAnsweredWhileRequestsAreHeld) {
  hold(1);
  EXPECT_EQ(host_.result("ping")["status"], "ok");
  const json info = host_.result("get_info");
  EXPECT_EQ(info["concurrency"], kConcurrency);
  EXPECT_EQ(info["commands"].size(), 4u);
  EXPECT_EQ(host_.result("greet"), "hello");
  EXPECT_EQ(host_.call("nothing")["code"], "unknown_command");
}

TEST_F(PollTest, ACancelledRequestIsSeenAtOnce) {
  hold(1);
  hold(2);
  cancel(1);
  const json reply = host_.receive();
  EXPECT_EQ(reply["id"], 1);
  EXPECT_EQ(reply["code"], "cancelled");
  host_.send({{"id", 3}, {"command", "release"}});
  EXPECT_EQ(host_.receive()["id"], 2);
  EXPECT_EQ(host_.receive()["id"], 3);
}

TEST_F(PollTest, ACancelledRequestComesBeforeTheNextHandler) {
  hold(1);
  host_.send_bytes(TestHost::framed(R"({"id":2,"command":"common:cancel","args":{"id":1}})") +
                   TestHost::framed(R"({"id":3,"command":"greet"})"));
  EXPECT_EQ(host_.receive()["id"], 2);
  EXPECT_EQ(host_.receive()["code"], "cancelled");
  EXPECT_EQ(host_.receive()["result"], "hello");
}

TEST_F(PollTest, ADroppedRequestIsAnError) {
  hold(1);
  host_.send({{"id", 2}, {"command", "drop"}});
  for (const int id : {1, 2}) {
    const json reply = host_.receive();
    EXPECT_EQ(reply["id"], id);
    EXPECT_EQ(reply["code"], "worker_error");
    EXPECT_EQ(reply["details"]["reason"], "dropped");
  }
}

TEST_F(PollTest, TheEndOfTheHostEndsTheLoop) {
  hold(1);
  host_.close();
  EXPECT_EQ(served_.child.exit_status(), 0);
}

TEST(PollConcurrency, NoMoreThanThatManyAreHandedOut) {
  Served served([](int fd) { return serve(fd, 2); });
  TestHost& host = served.host;
  const auto hold = [&](int id) { host.send({{"id", id}, {"command", "hold"}, {"stream", true}}); };
  hold(1);
  EXPECT_EQ(host.receive()["id"], 1);
  hold(2);
  EXPECT_EQ(host.receive()["id"], 2);
  EXPECT_EQ(host.result("ping")["status"], "ok");  // it is not kept waiting
  hold(3);
  host.send({{"id", 4}, {"command", "common:cancel"}, {"args", {{"id", 3}}}});
  EXPECT_EQ(host.receive()["id"], 4);
  EXPECT_EQ(host.receive()["error"], "The request was cancelled before it ran");
  hold(5);
  host.send({{"id", 6}, {"command", "common:cancel"}, {"args", {{"id", 1}}}});
  EXPECT_EQ(host.receive()["id"], 6);
  EXPECT_EQ(host.receive()["id"], 1);  // which makes room
  const json begun = host.receive();
  EXPECT_EQ(begun["id"], 5);
  EXPECT_EQ(begun["result"], "held");
}

/// A worker in the form that a test gives it: `loop` gets what is asked for with `ask`.
Served served_by(void (*loop)(Worker& worker)) {
  return Served([loop](int fd) {
    Worker worker("polls", "1", ChannelFds{fd, fd});
    worker.polled_command("ask").concurrency(8);
    return worker.run([&] { loop(worker); });
  });
}

TEST(Poll, GivesNothingAtTheDeadline) {
  auto served = served_by([](Worker& worker) {
    auto request = worker.poll();
    const auto begin = std::chrono::steady_clock::now();
    const bool none_at_once = !worker.poll(kAtOnce);
    const bool none_later = !worker.poll(begin + 30ms) && std::chrono::steady_clock::now() >= begin + 30ms;
    request->reply({{"none_at_once", none_at_once}, {"none_later", none_later}});
  });
  EXPECT_EQ(served.host.result("ask"), (json{{"none_at_once", true}, {"none_later", true}}));
  EXPECT_EQ(served.child.exit_status(), 0);  // the loop has returned
}

TEST(Poll, ARequestIsAnsweredOnce) {
  auto served = served_by([](Worker& worker) {
    auto request = worker.poll();
    Request moved = std::move(*request);
    moved.reply("first");
    int refused = 0;
    for (Request* one : {&moved, &*request}) {
      try {
        one->reply("second");
      } catch (const std::logic_error&) {
        ++refused;
      }
    }
    worker.poll()->reply({{"refused", refused}, {"answered", !moved && !*request}});
  });
  EXPECT_EQ(served.host.result("ask"), "first");
  EXPECT_EQ(served.host.result("ask"), (json{{"refused", 2}, {"answered", true}}));
}

TEST(Poll, AssigningOverARequestDropsIt) {
  auto served = served_by([](Worker& worker) {
    auto first = worker.poll();
    auto second = worker.poll();
    *first = std::move(*second);
    first->reply("second");
  });
  served.host.send({{"id", 1}, {"command", "ask"}});
  served.host.send({{"id", 2}, {"command", "ask"}});
  EXPECT_EQ(served.host.receive()["details"]["reason"], "dropped");
  EXPECT_EQ(served.host.receive()["result"], "second");
}

TEST(Poll, WhatCannotBeSaidIsAnError) {
  auto served = served_by([](Worker& worker) {
    worker.poll()->reply(std::numeric_limits<double>::quiet_NaN());
    worker.poll()->reply("caf\xe9");
    worker.poll()->reply_raw(RawResult('"' + std::string(64u << 20, 'x') + '"'));
    worker.poll()->reply_raw(RawResult(std::string("[1]")));
  });
  EXPECT_EQ(served.host.call("ask")["code"], "worker_error");
  EXPECT_EQ(served.host.call("ask")["success"], false);
  EXPECT_EQ(served.host.call("ask")["code"], "frame_too_large");
  EXPECT_EQ(served.host.result("ask"), json::array({1}));
}

TEST(Poll, AnExceptionFailsARequestAsInAHandler) {
  auto served = served_by([](Worker& worker) {
    auto request = worker.poll();
    try {
      request->args().at("n").get<int>();
    } catch (...) {
      request->fail(std::current_exception());
    }
    worker.poll()->fail({ErrorCode::model_error, "No luck"});
  });
  EXPECT_EQ(served.host.call("ask")["error"], "key 'n' not found");
  EXPECT_EQ(served.host.call("ask")["code"], "model_error");
}

TEST(Poll, RepliesLeaveWhileTheProgramIsBusyElsewhere) {
  auto served = served_by([](Worker& worker) {
    auto request = worker.poll();
    auto other = worker.poll();
    request->reply("early");
    while (!other->cancelled()) {
    }
    other->fail_cancelled();
  });
  served.host.send({{"id", 1}, {"command", "ask"}});
  served.host.send({{"id", 2}, {"command", "ask"}});
  EXPECT_EQ(served.host.receive()["result"], "early");
  served.host.send({{"id", 3}, {"command", "common:cancel"}, {"args", {{"id", 2}}}});
  EXPECT_EQ(served.host.receive()["id"], 3);
  EXPECT_EQ(served.host.receive()["code"], "cancelled");
}

TEST(Poll, SigtermLetsHeldRequestsFinishAndTakesNoOther) {
  auto served = served_by([](Worker& worker) {
    auto request = worker.poll();
    request->context().send_partial("held");
    const bool comes_back = !worker.poll() && !worker.ended();
    request->context().send_partial("told");
    while (!request->cancelled()) {  // until what came later has been read
    }
    const bool takes_no_other = !worker.poll(std::chrono::steady_clock::now());
    request->reply({{"comes_back", comes_back}, {"takes_no_other", takes_no_other}});
    if (!worker.ended()) _exit(1);
  });
  served.host.send({{"id", 1}, {"command", "ask"}, {"stream", true}});
  EXPECT_EQ(served.host.receive()["result"], "held");
  served.child.signal(SIGTERM);
  EXPECT_EQ(served.host.receive()["result"], "told");
  served.host.send({{"id", 2}, {"command", "ping"}});
  served.host.send({{"id", 3}, {"command", "common:cancel"}, {"args", {{"id", 1}}}});
  EXPECT_EQ(served.host.receive()["id"], 3);
  EXPECT_EQ(served.host.receive()["result"], (json{{"comes_back", true}, {"takes_no_other", true}}));
  served.host.expect_end();
  EXPECT_EQ(served.child.exit_status(), 0);
}

TEST(Poll, ARequestMayOutliveTheWorker) {
  Served served([](int fd) {
    std::optional<Request> kept;
    {
      Worker worker("polls", "1", ChannelFds{fd, fd});
      worker.polled_command("ask");
      const int status = worker.run([&] {
        kept = worker.poll();
        worker.poll();
      });
      if (status != 0) return status;
    }
    return kept->cancelled() && kept->command() == "ask" ? 0 : 1;
  });
  served.host.send({{"id", 1}, {"command", "ask"}});
  served.host.close();
  EXPECT_EQ(served.child.exit_status(), 0);
}

TEST(Poll, ALoopThatDoesNotReturnDoesNotOutliveTheHost) {
  auto served = served_by([](Worker& worker) {
    worker.poll()->reply("here");
    for (;;) pause();
  });
  EXPECT_EQ(served.host.result("ask"), "here");
  served.host.close();
  EXPECT_EQ(served.child.exit_status(), 3);
}

TEST(Poll, WhatTheLoopThrowsIsPassedOn) {
  Served served([](int fd) {
    Worker worker("polls", "1", ChannelFds{fd, fd});
    try {
      worker.run([] { throw std::runtime_error("out of luck"); });
    } catch (const std::runtime_error&) {
      return 7;
    }
    return 1;
  });
  EXPECT_EQ(served.child.exit_status(), 7);
}

TEST(Poll, WrongUseThrows) {
  Worker worker("polls", "1", ChannelFds{});
  EXPECT_THROW(worker.poll(), std::logic_error);
  EXPECT_THROW(static_cast<void>(worker.ended()), std::logic_error);
  EXPECT_THROW(worker.concurrency(0), std::invalid_argument);
  worker.concurrency(2);
  EXPECT_THROW(worker.run(), std::logic_error);
  worker.concurrency(1).polled_command("ask");
  EXPECT_THROW(worker.run(), std::logic_error);
  EXPECT_THROW(worker.polled_command("ask"), std::invalid_argument);
}

}  // namespace
}  // namespace pons::test
