// Requests through the real program: order, deadlines, cancellation, crashes, floods.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <fstream>
#include <set>
#include <thread>

#include "tests/host/host_under_test.h"
#include "tests/sanitized.h"

namespace pons::test {
namespace {

TEST(Requests, ManyClientsGetTheirOwnAnswers) {
  HostUnderTest host(echo_config("pool: {size: 3, in_flight: 4, queue: 10000}"));
  std::vector<std::thread> threads;
  for (int c = 0; c < 8; ++c) {
    threads.emplace_back([&host, c] {
      auto client = host.connect();
      for (int i = 1; i <= 300; ++i) {
        client.send({{"id", i}, {"command", "echo:echo"}, {"args", {{"client", c}, {"n", i}}}}, i % 2 == 0 ? Codec::json : Codec::msgpack);
      }
      std::set<int> seen;
      for (int i = 1; i <= 300; ++i) {
        const auto reply = client.receive();
        const auto result = result_of(reply);
        EXPECT_EQ(result["client"], c);
        EXPECT_EQ(result["n"], reply["id"]);
        seen.insert(reply["id"].get<int>());
      }
      EXPECT_EQ(seen.size(), 300u);
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(Requests, AreAnsweredOutOfOrder) {
  HostUnderTest host(echo_config("pool: {size: 2}"));
  auto client = host.connect();
  client.send({{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}});
  client.send({{"id", 2}, {"command", "echo:echo"}, {"args", {{"quick", true}}}});
  const auto first = client.receive();
  EXPECT_EQ(first["id"], 2);
  EXPECT_EQ(result_of(first)["quick"], true);
}

TEST(Requests, ADeadlineIsKeptAndTheLateAnswerReachesNobody) {
  // The worker answers only once a file is there; the file appears after the caller was told that time is up.
  const TempDir dir;
  const auto file = dir / "go";
  HostUnderTest host(bad_config("late, " + file.string(), "timeouts: {cancel_grace: 10m}"));
  auto client = host.connect();
  client.call("bad:ping");
  EXPECT_EQ(code_of(client.call("bad:work", {{"n", 1}}, {{"timeout_ms", 50}})), "deadline_exceeded");
  client.send({{"id", 2}, {"command", "bad:work"}, {"args", {{"n", 2}}}});  // waits for the slot, which is not free yet
  std::ofstream(file) << "go";
  EXPECT_TRUE(client.await(2)["success"].get<bool>());
  const auto stats = result_of(client.call("host:get_stats"));
  EXPECT_EQ(stats["host"]["late_replies"], 1);
}

TEST(Requests, AWorkerThatMissedADeadlineIsReplaced) {
  HostUnderTest host(bad_config("hang", "timeouts: {cancel_grace: 50ms, stop: 100ms}"));
  auto client = host.connect();
  client.call("host:subscribe", {{"events", {"worker.*"}}});
  result_of(client.call("host:start_bridge", {{"name", "bad"}}));
  EXPECT_EQ(code_of(client.call("bad:work", json::object(), {{"timeout_ms", 50}})), "deadline_exceeded");
  EXPECT_EQ(client.await_event("worker.ready")["data"]["worker_id"], "bad#0.1");
  EXPECT_EQ(client.await_event("worker.exited")["data"]["worker_id"], "bad#0.1");
  EXPECT_EQ(client.await_event("worker.ready")["data"]["worker_id"], "bad#0.2");
}

TEST(Requests, ACancelledRequestIsAnsweredAtOnceAndItsWorkerGoesOn) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  const auto pid = result_of(client.call("echo:whoami"))["pid"];
  client.send({{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}});
  client.send({{"id", 2}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}});
  const auto queued = result_of(client.call("host:cancel", {{"id", 2}}));
  EXPECT_EQ(queued, (json{{"found", true}, {"state", "queued"}}));
  EXPECT_EQ(code_of(client.await(2)), "cancelled");
  const auto running = result_of(client.call("host:cancel", {{"id", 1}}));
  EXPECT_EQ(running, (json{{"found", true}, {"state", "running"}}));
  EXPECT_EQ(code_of(client.await(1)), "cancelled");
  EXPECT_EQ(result_of(client.call("host:cancel", {{"id", 1}}))["found"], false);
  EXPECT_EQ(result_of(client.call("echo:whoami"))["pid"], pid) << "the worker had to be replaced";
}

TEST(Requests, ACrashAnswersWhatRanAndSendsTheRestElsewhere) {
  HostUnderTest host(echo_config("pool: {size: 1, in_flight: 3}"));
  auto client = host.connect();
  client.send({{"id", 1}, {"command", "echo:crash"}, {"args", {{"signal", 9}}}});
  client.send({{"id", 2}, {"command", "echo:echo"}, {"args", {{"n", 2}}}});
  client.send({{"id", 3}, {"command", "echo:echo"}, {"args", {{"n", 3}}}});
  const auto crashed = client.await(1);
  EXPECT_EQ(code_of(crashed), "worker_crashed");
  EXPECT_EQ(crashed["details"]["signal"], 9);
  EXPECT_EQ(result_of(client.await(2))["n"], 2);
  EXPECT_EQ(result_of(client.await(3))["n"], 3);
}

TEST(Requests, ACrashTellsStatusAndLastWords) {
  HostUnderTest host(bad_config("exit-on-request, \"7\""));
  auto client = host.connect();
  const auto reply = client.call("bad:work");
  EXPECT_EQ(code_of(reply), "worker_crashed");
  EXPECT_EQ(reply["details"]["exit_status"], 7);
  EXPECT_NE(reply["error"].get<std::string>().find("exited with status 7"), std::string::npos) << reply;
}

TEST(Requests, AnAnswerBeforeDeathIsNotLost) {
  HostUnderTest host(bad_config("reply-and-die", "restart: {max: 100, backoff: 1ms, backoff_max: 1ms}"));
  auto client = host.connect();
  client.call("host:subscribe", {{"events", {"worker.exited"}}});
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(client.call("bad:work")["success"].get<bool>());
    client.await_event("worker.exited");
  }
}

TEST(Requests, AFullQueueIsOverloadedAndDelaysNobodyElse) {
  HostUnderTest host(echo_config("pool: {size: 1, queue: 1}") + "  other:\n    adapter: " PONS_ECHO_FOLDER "\n");
  auto client = host.connect();
  client.send({{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}});
  client.send({{"id", 2}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}});
  const auto refused = client.call("echo:echo");
  EXPECT_EQ(code_of(refused), "overloaded");
  EXPECT_EQ(refused["retryable"], true);
  EXPECT_GT(refused["details"]["retry_after_ms"].get<int>(), 0);
  EXPECT_TRUE(client.call("other:echo")["success"].get<bool>());
}

TEST(Requests, ThoseThatGoToAllWorkersAreBoundedLikeOthers) {
  HostUnderTest host(echo_config("pool: {size: 2, lazy: false, min_ready: 2, queue: 3}"));
  auto client = host.connect();
  await_stats(client, [](const json& stats) { return stats["adapters"]["echo"]["ready"] == 2; });
  for (const int id : {1, 2}) client.send({{"id", id}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}});
  for (const int id : {3, 4, 5}) client.send({{"id", id}, {"command", "echo:get_stats"}});
  for (const auto* command : {"get_stats", "cleanup", "echo"}) {
    const auto refused = client.call(std::string("echo:") + command);
    EXPECT_EQ(code_of(refused), "overloaded") << command;
    EXPECT_GT(refused["details"]["retry_after_ms"].get<int>(), 0) << command;
  }
  for (const int id : {1, 2}) client.call("host:cancel", {{"id", id}});
  for (const int id : {3, 4, 5}) EXPECT_EQ(result_of(client.await(id))["workers"].size(), 2u);
}

TEST(Requests, TheQueueHasALimitOfTime) {
  HostUnderTest host(echo_config("timeouts: {queue: 50ms}"));
  auto client = host.connect();
  result_of(client.call("host:start_bridge", {{"name", "echo"}}));  // else the first might wait too long for its worker
  client.send({{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}});
  EXPECT_EQ(code_of(client.call("echo:echo")), "queue_timeout");
}

TEST(Requests, ACallerWhoNeverReadsStopsNobodyElse) {
  HostUnderTest host("host: {output_limit: 1MiB, stream_limit: 1MiB}\n" + echo_config("pool: {size: 2, queue: 100000}"));
  auto deaf = host.connect();
  result_of(deaf.call("host:start_bridge", {{"name", "echo"}}));  // until a worker answers, there is nothing that is not taken
  const std::string text(100'000, 'x');
  ::fcntl(deaf.fd(), F_SETFL, O_NONBLOCK);
  const json request{{"command", "echo:echo"}, {"args", {{"text", text}}}};
  const auto body = request.dump();
  const auto header = frame_header(static_cast<std::uint32_t>(body.size()));
  const auto frame = std::string(header.bytes, 4) + body;
  // Until the host reads no more from it.
  std::size_t sent = 0;
  for (int blocked = 0; blocked < 20;) {
    const auto n = ::send(deaf.fd(), frame.data() + sent % frame.size(), frame.size() - sent % frame.size(), MSG_NOSIGNAL);
    if (n > 0) {
      sent += static_cast<std::size_t>(n);
      blocked = 0;
    } else {
      pollfd wait{deaf.fd(), POLLOUT, 0};
      ::poll(&wait, 1, 20);
      ++blocked;
    }
    ASSERT_LT(sent, 1u << 30) << "the host reads on from a caller that takes no answers";
  }
  auto client = host.connect();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(result_of(client.call("echo:echo", {{"n", i}}))["n"], i);
}

TEST(Requests, AStreamThatNobodyReadsIsPausedAtItsWorker) {
  HostUnderTest host("host: {stream_limit: 64KiB}\n" + bad_config("flood", "pool: {size: 2}"));
  auto deaf = host.connect();
  deaf.send({{"id", 1}, {"command", "bad:flood"}, {"stream", true}});
  auto client = host.connect();
  EXPECT_EQ(result_of(client.call("bad:ping"))["status"], "ok");
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(client.call("host:ping")["success"].get<bool>());
  const auto stats = result_of(client.call("host:get_stats"))["host"];
  EXPECT_LT(stats["held_bytes"].get<std::size_t>(), 8u << 20);
}

bool holds_a_stream(const json& stats) { return stats["host"]["held_bytes"].get<std::size_t>() > (64u << 10); }

TEST(Requests, APausedStreamThatIsCancelledLetsItsWorkerGo) {
  // Far more than fits into socket buffers; the grace would not end while the test waits.
  HostUnderTest host("host: {stream_limit: 64KiB}\n" + bad_config("chunks, \"300\"", "timeouts: {cancel_grace: 1h}"));
  auto deaf = host.connect();
  deaf.send({{"id", 1}, {"command", "bad:stream"}, {"stream", true}});
  auto client = host.connect();
  await_stats(client, holds_a_stream);
  deaf.send({{"id", 2}, {"command", "host:cancel"}, {"args", {{"id", 1}}}});
  EXPECT_EQ(result_of(client.call("bad:work")), "done");
  EXPECT_EQ(code_of(deaf.await(1)), "cancelled");
  EXPECT_EQ(result_of(client.call("host:workers"))["workers"][0]["worker_id"], "bad#0.1");
}

TEST(Requests, APausedStreamIsWholeOnceItsCallerReads) {
  HostUnderTest host("host: {stream_limit: 64KiB}\n" + bad_config("chunks, \"300\""));
  auto slow = host.connect();
  slow.send({{"id", 1}, {"command", "bad:stream"}, {"stream", true}});
  auto client = host.connect();
  await_stats(client, holds_a_stream);
  for (int seq = 0; seq < 300; ++seq) EXPECT_EQ(slow.receive()["seq"], seq);
  EXPECT_EQ(result_of(slow.receive()), "done");
}

TEST(Requests, APausedStreamIsCancelledWhenItsWorkerGetsAnotherRequest) {
  HostUnderTest host("host: {stream_limit: 64KiB}\n" + bad_config("flood", "pool: {in_flight: 2}"));
  auto deaf = host.connect();
  deaf.send({{"id", 1}, {"command", "bad:flood"}, {"stream", true}});
  auto client = host.connect();
  await_stats(client, holds_a_stream);
  client.send({{"id", 1}, {"command", "bad:flood"}});
  const auto stats = await_stats(client, [](const json& s) { return s["adapters"]["bad"]["errors"].value("cancelled", 0) == 1; });
  EXPECT_LT(stats["host"]["held_bytes"].get<std::size_t>(), 8u << 20);
}

TEST(Requests, AStreamIsNotBlamedForWhatElseItsCallerHasToRead) {
  HostUnderTest host("host: {stream_limit: 64KiB}\n" + echo_config("pool: {size: 1, in_flight: 3}"));
  auto slow = host.connect();
  slow.send({{"id", 1}, {"command", "echo:echo"}, {"args", {{"text", std::string(4u << 20, 'x')}}}});
  slow.send({{"id", 2}, {"command", "echo:stream"}, {"args", {{"n", 5}}}, {"stream", true}});
  slow.send({{"id", 3}, {"command", "echo:echo"}});  // on the same worker: the stream cannot be paused
  auto client = host.connect();
  await_stats(client, [](const json& stats) { return stats["adapters"]["echo"]["requests"] == 3; });
  EXPECT_TRUE(slow.await(1)["success"].get<bool>());
  auto reply = slow.receive();
  while (reply["id"] == 2 && reply.value("partial", false)) reply = slow.receive();
  EXPECT_EQ(reply["id"], 2);
  EXPECT_TRUE(reply["success"].get<bool>()) << reply;
}

TEST(Requests, ACancellationIsNotHeldUpByWhatWaitsAtTheWorker) {
  HostUnderTest host(echo_config("pool: {size: 1, in_flight: 4}\n    timeouts: {cancel_grace: 1h}"));
  auto client = host.connect();
  client.send({{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}});
  const std::string text(25u << 20, 'x');
  for (int id = 2; id <= 4; ++id) client.send({{"id", id}, {"command", "echo:whoami"}, {"args", {{"text", text}}}});
  client.send({{"id", 5}, {"command", "host:cancel"}, {"args", {{"id", 1}}}});
  for (int id = 2; id <= 4; ++id) EXPECT_TRUE(client.await(id)["success"].get<bool>());
  EXPECT_EQ(code_of(client.await(1)), "cancelled");
}

TEST(Requests, AFrameMayBeAsLargeAsTheHostSays) {
  HostUnderTest host("host: {max_frame: 80MiB}\n" + echo_config());
  auto client = host.connect();
  const std::size_t size = kSanitized ? 8u << 20 : 66u << 20;  // the latter is more than anybody takes who was not told of it
  const std::string text(size, 'x');
  client.send_frame(R"({"id":1,"command":"echo:echo","args":{"text":")" + text + R"("}})");
  const auto reply = client.receive_frame();
  ASSERT_TRUE(reply);
  EXPECT_NE(reply->substr(0, 100).find(R"("success":true)"), std::string::npos) << reply->substr(0, 300);
  EXPECT_GT(reply->size(), text.size());
}

TEST(Requests, IdleCallersLeaveDescriptorsForWorkers) {
  HostUnderTest host(echo_config("pool: {size: 1}\n    restart: {backoff: 1ms, backoff_max: 1ms}"));
  auto client = host.connect();
  const rlimit few{200, 200};
  ASSERT_EQ(::prlimit(host.pid(), RLIMIT_NOFILE, &few, nullptr), 0);
  std::vector<RawClient> idle;
  for (int i = 0; i < 300; ++i) idle.push_back(host.connect());
  EXPECT_EQ(code_of(idle.back().receive()), "overloaded");
  EXPECT_EQ(code_of(client.call("echo:crash")), "worker_crashed");
  EXPECT_TRUE(result_of(client.call("echo:whoami")).contains("pid")) << "another worker could be started";
}

TEST(Requests, NothingIsHeldOnceAllIsAnswered) {
  HostUnderTest host("host: {stream_limit: 64KiB}\n" + echo_config("pool: {size: 2, in_flight: 2, queue: 4}"));
  auto client = host.connect();
  {
    auto doomed = host.connect();
    auto halved = host.connect();
    const std::string text(300'000, 'x');
    for (int id = 1; id <= 12; ++id) {
      doomed.send(
          {{"id", id}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}, {"text", text}}}});  // some run, some wait, some fit nowhere
    }
    doomed.send({{"id", 20}, {"command", "host:cancel"}, {"args", {{"id", 1}}}});
    EXPECT_TRUE(result_of(doomed.await(20))["found"].get<bool>());
    halved.send({{"id", 1}, {"command", "echo:echo"}, {"args", {{"text", text}}}});
    halved.send({{"id", 2}, {"command", "echo:stream"}, {"args", {{"n", 5}}}, {"stream", true}});
    halved.send_frame("{broken");
    halved.half_close();
    doomed.close();
    while (halved.receive_frame()) {
    }
  }
  client.call("echo:echo", {{"text", std::string(300'000, 'y')}});
  client.call("echo:sleep", {{"ms", kForEver}}, {{"timeout_ms", 50}});
  const json last{{"id", 1}, {"command", "host:get_stats"}};
  await_stats(client, [](const json& stats) { return stats["host"]["connections"] == 1; });
  client.send(last);
  EXPECT_EQ(result_of(client.await(1))["host"]["held_bytes"], last.dump().size());  // itself
}

TEST(Requests, AreCancelledOnTheirOwnConnectionOnly) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  client.send({{"id", 7}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}});
  EXPECT_EQ(result_of(client.call("host:ping"))["status"], "ok");
  auto other = host.connect();
  EXPECT_EQ(result_of(other.call("host:cancel", {{"id", 7}}))["found"], false);
  EXPECT_EQ(result_of(client.call("host:cancel", {{"id", 7}}))["found"], true);
  EXPECT_EQ(code_of(client.await(7)), "cancelled");
}

TEST(Requests, ACallerThatDiesFreesItsWorker) {
  HostUnderTest host(echo_config());
  {
    auto doomed = host.connect();
    doomed.call("echo:ping");
    doomed.send({{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}});
    EXPECT_EQ(result_of(doomed.call("host:ping"))["status"], "ok");  // so the host has read what came before it
  }
  auto client = host.connect();
  EXPECT_EQ(result_of(client.call("echo:echo", {{"a", 1}})), (json{{"a", 1}}));
}

TEST(Requests, PartialRepliesComeInOrderAndOnlyToWhoAskedForThem) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  client.send({{"id", 1}, {"command", "echo:stream"}, {"args", {{"n", 5}}}, {"stream", true}});
  for (int i = 0; i < 5; ++i) {
    auto partial = client.receive();
    while (partial.contains("progress")) partial = client.receive();
    EXPECT_EQ(partial["id"], 1);
    EXPECT_EQ(partial["partial"], true);
    EXPECT_EQ(partial["seq"], i);
  }
  EXPECT_TRUE(client.await(1)["success"].get<bool>());
  client.send({{"id", 2}, {"command", "echo:stream"}, {"args", {{"n", 5}}}});
  EXPECT_FALSE(client.receive().contains("partial"));
}

TEST(Requests, ReservedCommandsAreTheHostsOwn) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  for (const auto* command :
       {"common:cancel", "common:end_session", "echo:common:cancel", "echo:common:anything", "common:import_session"}) {
    EXPECT_EQ(code_of(client.call(command, {{"id", 1}})), "unknown_command") << command;
  }
  for (const auto* command : {"ping", "common:ping", "echo:ping", "echo:common:ping"}) {
    EXPECT_EQ(result_of(client.call(command))["status"], "ok") << command;
  }
}

TEST(Requests, UnknownTargetsAreNamed) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  const auto space = client.call("ecko:echo");
  EXPECT_EQ(space["error"], "Unknown namespace: ecko");
  EXPECT_EQ(code_of(space), "unknown_namespace");
  const auto command = client.call("echo:nope");
  EXPECT_EQ(command["error"], "Unknown command: nope");
  EXPECT_EQ(code_of(command), "unknown_command");
}

}  // namespace
}  // namespace pons::test
