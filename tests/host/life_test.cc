// How a host begins and ends, and what it leaves behind: nothing.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <fstream>

#include "pool/process.h"
#include "tests/host/host_under_test.h"

namespace pons::test {
namespace {

TEST(Life, AHangUpOfTheTerminalEndsItInOrder) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  client.call("echo:ping");
  host.signal(SIGHUP);
  EXPECT_EQ(client.receive_frame(), std::nullopt);
  EXPECT_EQ(host.wait(), 0);
  EXPECT_FALSE(std::filesystem::exists(host.socket()));
}

TEST(Life, SigtermDrains) {
  HostUnderTest host(echo_config());
  auto client = host.connect();
  client.call("echo:ping");
  client.send({{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", 300}}}});
  client.call("host:ping");
  auto late = host.connect();
  late.call("host:ping");
  host.signal(SIGTERM);
  while (result_of(late.call("host:ping"))["state"] != "draining") {  // the signal may be on its way
  }
  EXPECT_TRUE(client.await(1)["success"].get<bool>()) << "a running request did not finish";
  EXPECT_EQ(client.receive_frame(), std::nullopt);
  EXPECT_EQ(host.wait(), 0);
  EXPECT_FALSE(std::filesystem::exists(host.socket()));
}

TEST(Life, WhatDoesNotFinishInTimeIsToldSo) {
  HostUnderTest host("host: {shutdown_timeout: 50ms}\n" + echo_config());
  auto client = host.connect();
  client.call("echo:ping");
  client.send({{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}});
  client.call("host:ping");
  host.signal(SIGTERM);
  EXPECT_EQ(code_of(client.await(1)), "shutting_down");
  EXPECT_EQ(host.wait(), 0);
}

TEST(Life, WhatWaitsForAWorkerThatIsNotReplacedIsToldAtOnce) {
  HostUnderTest host(bad_config("hang", "timeouts: {request: 10m, queue: 10m}"));
  auto client = host.connect();
  EXPECT_EQ(result_of(client.call("bad:ping"))["status"], "ok");
  const auto worker = result_of(client.call("host:workers"))["workers"][0]["pid"].get<pid_t>();
  client.send({{"id", 1}, {"command", "bad:work"}});
  client.send({{"id", 2}, {"command", "bad:work"}});
  client.send({{"id", 3}, {"command", "host:stop_bridge"}, {"args", {{"name", "bad"}, {"timeout_ms", 600'000}}}});
  client.call("host:ping");
  ::kill(worker, SIGKILL);  // a worker of a host of ours
  EXPECT_EQ(code_of(client.await(1)), "worker_crashed");
  EXPECT_EQ(code_of(client.await(2)), "shutting_down");
  EXPECT_EQ(result_of(client.await(3))["state"], "stopped");
}

TEST(Life, WhatWaitedBeforeAHostDrainsIsServedThoughItsWorkerDies) {
  HostUnderTest host(echo_config("pool: {size: 1}"));
  auto client = host.connect();
  EXPECT_EQ(result_of(client.call("echo:ping"))["status"], "ok");
  const auto worker = result_of(client.call("host:workers"))["workers"][0]["pid"].get<pid_t>();
  client.send({{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}, {"timeout_ms", kForEver}, {"idempotent", false}});
  client.send({{"id", 2}, {"command", "echo:echo"}, {"args", {{"n", 2}}}});
  client.call("host:shutdown", {{"timeout_ms", 600'000}});
  ::kill(worker, SIGKILL);  // a worker of a host of ours
  EXPECT_EQ(code_of(client.await(1)), "worker_crashed");
  EXPECT_EQ(result_of(client.await(2))["n"], 2);
  EXPECT_EQ(host.wait(), 0);
}

TEST(Life, ASecondSignalStopsAtOnce) {
  HostUnderTest host("host: {shutdown_timeout: 10m}\n" + bad_config("hang", "timeouts: {stop: 10m}"));
  auto client = host.connect();
  client.call("bad:ping");
  client.send({{"id", 1}, {"command", "bad:work"}, {"timeout_ms", kForEver}});
  client.call("host:ping");
  host.signal(SIGINT);
  while (result_of(client.call("host:ping"))["state"] != "draining") {
  }
  host.signal(SIGINT);
  EXPECT_EQ(host.wait(), 0);
}

TEST(Life, WhatRanWhenTheTimeWasOverMayNotBeAskedForAgainUnseen) {
  HostUnderTest host("host: {shutdown_timeout: 50ms}\n" + echo_config("pool: {size: 1}"));
  auto client = host.connect();
  client.send({{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}});
  client.send({{"id", 2}, {"command", "echo:echo"}});
  auto witness = host.connect();
  await_stats(witness,
              [](const json& stats) { return stats["adapters"]["echo"]["busy"] == 1 && stats["adapters"]["echo"]["queued"] == 1; });
  host.signal(SIGTERM);
  const auto ran = client.await(1);
  EXPECT_EQ(code_of(ran), "shutting_down");
  EXPECT_EQ(ran["retryable"], false) << "it may have run, and nobody says that it may run twice";
  const auto waited = client.await(2);
  EXPECT_EQ(code_of(waited), "shutting_down");
  EXPECT_EQ(waited["retryable"], true);
}

TEST(Life, WithoutAShutdownTimeoutWhatRunsMayFinish) {
  HostUnderTest host("host: {shutdown_timeout: 0}\n" + echo_config("pool: {size: 1}"));
  auto client = host.connect();
  client.send({{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", 200}}}});
  auto witness = host.connect();
  await_stats(witness, [](const json& stats) { return stats["adapters"]["echo"]["busy"] == 1; });
  host.signal(SIGTERM);
  EXPECT_TRUE(client.await(1)["success"].get<bool>());
  EXPECT_EQ(host.wait(), 0);
}

TEST(Life, WorkersThatIgnoreTheEndAreKilled) {
  for (const auto* mode : {"ignore-the-end", "leave-group"}) {
    HostUnderTest host(bad_config(mode, "timeouts: {stop: 50ms}"));
    auto client = host.connect();
    client.call("bad:ping");
    const auto processes = host.instance_processes();
    EXPECT_EQ(processes.size(), 1u) << mode;
    EXPECT_TRUE(client.call("host:shutdown")["success"].get<bool>());
    EXPECT_EQ(host.wait(), 0) << mode;
    EXPECT_TRUE(HostUnderTest::await_gone(processes)) << mode;
  }
}

TEST(Life, NothingSurvivesAKilledHost) {
  for (const auto* mode : {"grandchild", "grandchild, own-session", "ignore-the-end"}) {
    HostUnderTest host(bad_config(mode));
    auto client = host.connect();
    EXPECT_TRUE(client.call("bad:work")["success"].get<bool>());
    const auto processes = host.instance_processes();
    EXPECT_GE(processes.size(), std::string(mode).starts_with("grandchild") ? 2u : 1u) << mode;
    host.signal(SIGKILL);
    host.wait();
    EXPECT_TRUE(HostUnderTest::await_gone(processes)) << mode;
  }
}

TEST(Life, NothingSurvivesAnOrderlyEnd) {
  HostUnderTest host(bad_config("grandchild, own-session"));
  auto client = host.connect();
  EXPECT_TRUE(client.call("bad:work")["success"].get<bool>());
  const auto processes = host.instance_processes();
  client.call("host:shutdown");
  EXPECT_EQ(host.wait(), 0);
  EXPECT_TRUE(HostUnderTest::await_gone(processes));
}

TEST(Life, ASecondStartNamesTheFirst) {
  HostUnderTest first(echo_config());
  first.connect();
  const auto command = std::string(PONS_PROGRAM) + " serve --socket " + first.socket() + " 2>&1";
  FILE* second = ::popen(command.c_str(), "r");
  std::string output(10'000, '\0');
  output.resize(std::fread(output.data(), 1, output.size(), second));
  const int status = ::pclose(second);
  EXPECT_EQ(WEXITSTATUS(status), 2);
  EXPECT_NE(output.find("pid " + std::to_string(first.pid())), std::string::npos) << output;
}

TEST(Life, TheSocketOfADeadHostIsReplaced) {
  HostUnderTest host(echo_config());
  host.connect();
  const auto path = host.socket();
  host.signal(SIGKILL);
  host.wait();
  HostUnderTest next(echo_config());
  const auto command = std::string("timeout -s TERM 60 ") + PONS_PROGRAM + " serve --socket " + path + " >/dev/null 2>&1 & echo $!";
  FILE* shell = ::popen(command.c_str(), "r");
  int pid = 0;
  ASSERT_EQ(std::fscanf(shell, "%d", &pid), 1);
  const auto ping = std::string(PONS_PROGRAM) + " --help >/dev/null; " + PONS_PROGRAM + " ping --socket " + path + " --wait 30s >/dev/null";
  EXPECT_EQ(std::system(ping.c_str()), 0);
  const auto stop = std::string(PONS_PROGRAM) + " stop --socket " + path + " >/dev/null";
  EXPECT_EQ(std::system(stop.c_str()), 0);
  ::pclose(shell);
}

TEST(Life, TheSocketIsTheUsersOwn) {
  HostUnderTest host(echo_config());
  host.connect();
  struct stat info {};
  ASSERT_EQ(::stat(host.socket().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(Stdio, AHalfCloseDrainsAndEndsTheHost) {
  HostUnderTest host(echo_config(), {{}, true});
  auto& parent = host.stdio();
  for (int i = 1; i <= 20; ++i) parent.send({{"id", i}, {"command", "echo:echo"}, {"args", {{"n", i}}}});
  parent.half_close();
  for (int i = 1; i <= 20; ++i) EXPECT_EQ(result_of(parent.await(i))["n"], i);
  EXPECT_EQ(parent.receive_frame(), std::nullopt);
  EXPECT_EQ(host.wait(), 0);
}

TEST(Stdio, AParentThatIsGoneStopsTheHostAtOnce) {
  HostUnderTest host("host: {shutdown_timeout: 10m}\n" + bad_config("hang", "timeouts: {stop: 10m}"), {{}, true});
  auto& parent = host.stdio();
  parent.call("bad:ping");
  parent.send({{"id", 1}, {"command", "bad:work"}, {"timeout_ms", kForEver}});
  parent.call("host:ping");
  const auto processes = host.instance_processes();
  EXPECT_EQ(processes.size(), 1u);
  parent.close();
  EXPECT_EQ(host.wait(), 0);
  EXPECT_TRUE(HostUnderTest::await_gone(processes));
}

TEST(Stdio, TwoHostsDoNotMeet) {
  HostUnderTest a(echo_config(), {{}, true});
  HostUnderTest b(echo_config(), {{}, true});
  EXPECT_EQ(result_of(a.stdio().call("echo:count", json::object(), {{"session_id", "s"}}))["count"], 1);
  EXPECT_EQ(result_of(b.stdio().call("echo:count", json::object(), {{"session_id", "s"}}))["count"], 1);
}

}  // namespace
}  // namespace pons::test
