// Workers that start, fail to start, lie, and die.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "tests/host/host_under_test.h"

namespace pons::test {
namespace {

std::string command_config(const std::string& command, const std::string& entry = {}) {
  return "adapters:\n  bad:\n    command: [" + command + "]\n" + (entry.empty() ? "" : "    " + entry + "\n");
}

/// The error of the first request to a pool whose worker does not start.
json start_error(const std::string& config) {
  HostUnderTest host(config);
  auto client = host.connect();
  auto reply = client.call("bad:work");
  EXPECT_EQ(code_of(reply), "worker_start_failed") << reply;
  return reply;
}

bool mentions(const json& reply, const std::string& text) { return reply.value("error", "").find(text) != std::string::npos; }

/// A host whose worker's file is changed between its start and the first use of the pool.
json start_error_of_file(const std::string& text, const std::function<void(const std::filesystem::path&)>& change) {
  const TempDir dir;
  const auto file = dir / "worker";
  std::ofstream(file) << text;
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  HostUnderTest host(command_config(file.string()));
  auto client = host.connect();
  change(file);
  auto reply = client.call("bad:work");
  EXPECT_EQ(code_of(reply), "worker_start_failed") << reply;
  return reply;
}

TEST(Workers, AFileThatCannotBeExecutedSaysWhy) {
  const auto nothing = [](const std::filesystem::path&) {};
  EXPECT_TRUE(mentions(start_error_of_file("#!/no/such/interpreter\n", nothing), "/no/such/interpreter"));
  const auto plain = start_error_of_file("no first line\n", nothing);
  EXPECT_TRUE(mentions(plain, "no program")) << plain;
  const auto gone = start_error_of_file("#!/bin/sh\n", [](const auto& file) { std::filesystem::remove(file); });
  EXPECT_TRUE(mentions(gone, "No such file")) << gone;
  const auto forbid = [](const auto& file) { std::filesystem::permissions(file, std::filesystem::perms::owner_read); };
  const auto forbidden = start_error_of_file("#!/bin/sh\n", forbid);
  EXPECT_TRUE(mentions(forbidden, "not executable")) << forbidden;
}

TEST(Workers, TheLastLinesOfOneThatDiesAreInTheLog) {
  HostUnderTest host(command_config("/bin/sh, -c, 'echo last words; echo and these >&2; kill -9 $$'"));
  auto client = host.connect();
  EXPECT_EQ(code_of(client.call("bad:work")), "worker_start_failed");
  host.signal(SIGTERM);
  EXPECT_EQ(host.wait(), 0);  // then all that it had to log has been written
  EXPECT_NE(host.log().find("last words"), std::string::npos);
  EXPECT_NE(host.log().find("and these"), std::string::npos);
}

TEST(Workers, AReasonThatIsNoTextHarmsNobody) {
  const TempDir dir;
  std::ofstream(dir / "worker") << "#!/no/such/\xff\n";
  std::filesystem::permissions(dir / "worker", std::filesystem::perms::owner_all);
  HostUnderTest host(command_config((dir / "worker").string()));
  auto client = host.connect();
  client.call("host:subscribe", {{"events", {"*"}}});
  EXPECT_TRUE(mentions(client.call("bad:work"), "/no/such/"));
  EXPECT_NE(client.await_event("worker.exited")["data"]["what"].get<std::string>().find("/no/such/"), std::string::npos);
}

TEST(Workers, AProgramThatHasGoneFromThePathIsNamed) {
  const TempDir dir;
  const auto file = dir / "program-of-a-test";
  std::ofstream(file) << "#!/bin/sh\n";
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  HostUnderTest host(command_config("program-of-a-test", "env: {PATH: " + dir.path().string() + "}"));
  auto client = host.connect();
  std::filesystem::remove(file);
  const auto reply = client.call("bad:work");
  EXPECT_EQ(code_of(reply), "worker_start_failed") << reply;
  EXPECT_TRUE(mentions(reply, "program-of-a-test")) << reply;
  EXPECT_TRUE(mentions(reply, "PATH")) << reply;
}

TEST(Workers, OneThatEndsAtOnceIsReportedWithStatusAndLastWords) {
  const auto reply = start_error(bad_config("print-lines, \"30\", \"4\""));
  EXPECT_EQ(reply["details"]["exit_status"], 4);
  EXPECT_EQ(reply["details"]["stderr_tail"].size(), 20u);
  EXPECT_TRUE(mentions(reply, "before it was ready: line 30")) << reply;
}

TEST(Workers, OneThatEndsWithoutAWordIsPerhapsOnAnotherChannel) {
  const auto reply = start_error(bad_config("exit, \"0\""));
  EXPECT_TRUE(mentions(reply, "channel: stdio")) << reply;
}

TEST(Workers, OneThatIsNotReadyInTimeIsKilled) {
  const auto reply = start_error(bad_config("silent", "timeouts: {startup: 200ms}"));
  EXPECT_TRUE(mentions(reply, "timeouts.startup")) << reply;
}

TEST(Workers, TextOnTheChannelIsShown) {
  const auto reply = start_error(bad_config("print-on-channel", "channel: stdio"));
  EXPECT_TRUE(mentions(reply, "printed on the channel")) << reply;
}

TEST(Workers, ARefusedHandshakeIsReported) {
  EXPECT_TRUE(mentions(start_error(bad_config("refuse-ping")), "ping"));
  EXPECT_TRUE(mentions(start_error(bad_config("refuse-info")), "get_info"));
}

TEST(Workers, OneThatRefusesItsOptionsEndsWithAStatusThatSaysSo) {
  HostUnderTest host(echo_config("options: {concurrency: many}"));
  auto client = host.connect();
  const auto reply = client.call("echo:echo");
  EXPECT_EQ(code_of(reply), "pool_failed") << "to try again would be in vain";
  EXPECT_TRUE(mentions(reply, "concurrency")) << reply;
  EXPECT_EQ(reply["details"]["exit_status"], 78) << reply;
}

TEST(Workers, OneThatAsksWithoutReadingIsEnded) {
  HostUnderTest host(bad_config("nag"));
  auto client = host.connect();
  const auto reply = client.call("bad:work");
  EXPECT_EQ(code_of(reply), "worker_crashed");
  EXPECT_EQ(reply["details"]["reason"], "bad_reply");
  EXPECT_TRUE(mentions(reply, "does not read")) << reply;
}

TEST(Workers, AFailedPoolSaysSoAndTriesAgain) {
  HostUnderTest host(bad_config("exit, \"1\"", "restart: {max: 2, backoff: 1ms, trial: 1h}"));
  auto client = host.connect();
  client.call("host:subscribe", {{"events", {"pool.state"}}});
  EXPECT_EQ(code_of(client.call("bad:work")), "worker_start_failed");
  for (;;) {
    if (client.await_event("pool.state")["data"]["state"] == "failed") break;
  }
  const auto reply = client.call("bad:work");
  EXPECT_EQ(code_of(reply), "pool_failed");
  EXPECT_EQ(reply["retryable"], true);
  EXPECT_GT(reply["details"]["retry_after_ms"].get<std::int64_t>(), 0);
  EXPECT_EQ(result_of(client.call("host:list_frameworks"))["frameworks"][0]["state"], "failed");
}

TEST(Workers, AnExitStatusCanSayThatRestartingIsPointless) {
  HostUnderTest host(bad_config("exit, \"78\""));
  auto client = host.connect();
  EXPECT_EQ(code_of(client.call("bad:work")), "pool_failed");
}

TEST(Workers, GarbageEndsTheWorkerAndNamesTheReason) {
  for (const auto* mode : {"garbage", "empty", "no-success", "huge-header"}) {
    HostUnderTest host(bad_config(mode));
    auto client = host.connect();
    const auto reply = client.call("bad:work");
    EXPECT_EQ(code_of(reply), "worker_crashed") << mode << reply;
    EXPECT_EQ(result_of(client.call("bad:ping"))["status"], "ok") << mode;
  }
}

TEST(Workers, HalfAnAnswerIsACrash) {
  HostUnderTest host(bad_config("half-frame"));
  auto client = host.connect();
  EXPECT_EQ(code_of(client.call("bad:work")), "worker_crashed");
}

TEST(Workers, AClosedChannelIsACrash) {
  HostUnderTest host(bad_config("close-channel"));
  auto client = host.connect();
  EXPECT_EQ(code_of(client.call("bad:work")), "worker_crashed");
}

TEST(Workers, AnswersThatNobodyAskedForAreDroppedAndCounted) {
  for (const auto* mode : {"unknown-id", "twice"}) {
    HostUnderTest host(bad_config(mode));
    auto client = host.connect();
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(client.call("bad:work", {{"n", i}})["success"].get<bool>()) << mode;
    EXPECT_GE(result_of(client.call("host:get_stats"))["host"]["late_replies"].get<int>(), 9) << mode;
  }
}

TEST(Workers, AnAnswerWithoutAnIdCountsAsTheOnlyOne) {
  HostUnderTest host(bad_config("no-id"));
  auto client = host.connect();
  EXPECT_EQ(result_of(client.call("bad:work")), "no id");
}

TEST(Workers, AnOversizedAnswerFailsOnlyItsRequest) {
  HostUnderTest host(bad_config("oversized"));
  auto client = host.connect();
  EXPECT_EQ(code_of(client.call("bad:big")), "frame_too_large");
  EXPECT_TRUE(client.call("bad:work")["success"].get<bool>());
}

TEST(Workers, ALevelZeroErrorGetsACode) {
  HostUnderTest host(bad_config("level-0", R"(errors: {"Value*": {code: invalid_args, retryable: false}})"));
  auto client = host.connect();
  EXPECT_EQ(code_of(client.call("bad:fail")), "invalid_args");
  HostUnderTest plain(bad_config("level-0"));
  auto other = plain.connect();
  EXPECT_EQ(code_of(other.call("bad:fail")), "worker_error");
}

TEST(Workers, ABareLoopServesUnchangedOverStdio) {
  HostUnderTest host(command_config("python3, " PONS_BARE_WORKER, "channel: stdio"));
  auto client = host.connect();
  EXPECT_EQ(result_of(client.call("bad:add", {{"numbers", {2, 3}}}))["sum"], 5);
  EXPECT_EQ(result_of(client.call("bad:ping"))["status"], "ok");
  EXPECT_EQ(code_of(client.call("bad:nope")), "worker_error");
  // It reads only JSON: the other codec is translated both ways, and what JSON cannot carry is refused.
  EXPECT_EQ(result_of(client.call("bad:add", {{"numbers", {2, 3}}}, json::object(), Codec::msgpack))["sum"], 5);
  const auto refused = client.call("bad:add", {{"numbers", json::binary({1, 2})}}, json::object(), Codec::msgpack);
  EXPECT_EQ(code_of(refused), "unsupported_codec");
  EXPECT_TRUE(mentions(refused, "bad")) << refused;
}

TEST(Workers, TheirOutputIsInTheLog) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  EXPECT_TRUE(client.call("echo:spam", {{"bytes", 200}})["success"].get<bool>());
  client.call("host:shutdown");
  EXPECT_EQ(host.wait(), 0);
  const auto log = host.log();
  EXPECT_NE(log.find("\"stream\":\"stdout\""), std::string::npos) << log;
  EXPECT_NE(log.find("\"stream\":\"stderr\""), std::string::npos) << log;
  EXPECT_NE(log.find("\"worker\":\"echo#0.1\""), std::string::npos) << log;
}

TEST(Workers, SilentOnesAreReplaced) {
  HostUnderTest host(
      bad_config("stop", "health: {interval: 20ms, timeout: 50ms, misses: 2}\n    timeouts: {stop: 50ms, cancel_grace: 1h}"));
  auto client = host.connect();
  client.call("host:subscribe", {{"events", {"worker.*"}}});
  client.call("bad:ping");
  const auto first = client.await_event("worker.ready")["data"]["pid"].get<pid_t>();
  ::kill(first, SIGSTOP);  // a worker of a host of ours
  const auto exited = client.await_event("worker.exited")["data"];
  EXPECT_EQ(exited["worker_id"], "bad#0.1");
  EXPECT_NE(exited["what"].get<std::string>().find("pings"), std::string::npos) << exited;
  EXPECT_EQ(client.await_event("worker.ready")["data"]["worker_id"], "bad#0.2");
}

}  // namespace
}  // namespace pons::test
