// Commands that change one adapter of a running host, and what can still be asked of a host that drains.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "tests/host/host_under_test.h"

namespace pons::test {
namespace {

/// A host that drains while the request with id 1 of `client` runs.
void begin_to_drain(HostUnderTest& host, RawClient& client) {
  client.call("echo:ping");
  client.send({{"id", 1}, {"command", "echo:sleep"}, {"args", {{"ms", kForEver}}}, {"timeout_ms", kForEver}});
  client.call("host:ping");
  host.signal(SIGTERM);
  while (result_of(client.call("host:ping"))["state"] != "draining") {  // the signal may be on its way
  }
}

const std::string kPatient = "host: {shutdown_timeout: 10m}\n";

TEST(Draining, ReadingAndCancellingGoOnAndNothingStarts) {
  HostUnderTest host(kPatient + echo_config());
  auto client = host.connect();
  begin_to_drain(host, client);
  for (const auto* command : {"ping", "get_info", "get_stats", "list_frameworks", "workers", "sessions"}) {
    EXPECT_TRUE(client.call(std::string("host:") + command)["success"].get<bool>()) << command;
  }
  EXPECT_EQ(result_of(client.call("host:get_stats"))["host"]["state"], "draining");
  EXPECT_EQ(code_of(client.call("host:get_framework_info", {{"name", "echo"}})), "shutting_down");
  EXPECT_EQ(code_of(client.call("echo:echo")), "shutting_down");
  EXPECT_EQ(code_of(client.call("host:nope")), "unknown_command");
  EXPECT_EQ(result_of(client.call("host:cancel", {{"id", 1}}))["found"], true);
  EXPECT_EQ(code_of(client.await(1)), "cancelled");
  EXPECT_EQ(host.wait(), 0);
}

TEST(Draining, ASecondShutdownJoinsAndMayBringTheEndNearer) {
  HostUnderTest host(kPatient + echo_config());
  auto client = host.connect();
  begin_to_drain(host, client);
  const auto joined = result_of(client.call("host:shutdown"));
  EXPECT_EQ(joined["state"], "draining");
  EXPECT_EQ(joined["requests"], 1);
  EXPECT_EQ(joined["workers"], 1);
  EXPECT_EQ(result_of(client.call("host:ping"))["state"], "draining");
  client.call("host:shutdown", {{"timeout_ms", 0}});
  EXPECT_EQ(code_of(client.await(1)), "shutting_down");
  EXPECT_EQ(host.wait(), 0);
}

TEST(Draining, AShutdownSaysWhatThereIsToEnd) {
  HostUnderTest host(echo_config("pool: {size: 2, lazy: false, min_ready: 2}"));
  auto client = host.connect();
  client.call("echo:count", json::object(), {{"session_id", "s"}});
  await_stats(client, [](const json& stats) { return stats["adapters"]["echo"]["ready"] == 2; });
  const auto said = result_of(client.call("host:shutdown"));
  EXPECT_EQ(said["pid"], host.pid());
  EXPECT_EQ(said["name"], "default");
  EXPECT_EQ(said["workers"], 2);
  EXPECT_EQ(said["sessions"], 1);
  EXPECT_EQ(said["requests"], 0);
  EXPECT_EQ(host.wait(), 0);
}

TEST(Draining, WhatIsBegunAndNotDoneIsAnsweredToo) {
  HostUnderTest host(bad_config("silent"));
  auto client = host.connect();
  client.send({{"id", 1}, {"command", "host:start_bridge"}, {"args", {{"name", "bad"}}}});
  client.call("host:ping");
  client.call("host:shutdown");
  EXPECT_EQ(code_of(client.await(1)), "shutting_down");
  EXPECT_EQ(host.wait(), 0);
}

// ---- One adapter -------------------------------------------------------------------------------------------------------------------

/// An adapter "w" whose program is a script that a test can change: it runs the echo worker, or what `break_it` puts there.
class Script {
 public:
  static constexpr const char* kEcho = "exec " PONS_ECHO_FOLDER "/pons-worker-echo";
  explicit Script(const std::string& line = kEcho) { write(line); }
  void mend() { write(kEcho); }
  void break_it(int status = 3) { write("echo out of order >&2; exit " + std::to_string(status)); }
  [[nodiscard]] std::string config(const std::string& entry = {}) const {
    return "adapters:\n  w:\n    command: [" + (dir_ / "worker").string() + "]\n" + (entry.empty() ? "" : "    " + entry + "\n");
  }

 private:
  void write(const std::string& line) {
    // Aside and renamed: a script is read while it runs.
    std::ofstream(dir_ / "new") << "#!/bin/sh\n" << line << "\n";
    std::filesystem::permissions(dir_ / "new", std::filesystem::perms::owner_all);
    std::filesystem::rename(dir_ / "new", dir_ / "worker");
  }
  TempDir dir_;
};

json call_on(RawClient& client, const std::string& command, json args = json::object(), const std::string& name = "w") {
  args["name"] = name;
  return client.call("host:" + command, args);
}

std::vector<std::string> worker_ids(RawClient& client) {
  std::vector<std::string> ids;
  const auto listed = result_of(client.call("host:workers"));
  for (const auto& worker : listed["workers"]) ids.push_back(worker["worker_id"]);
  return ids;
}

using Names = std::vector<std::string>;

TEST(Control, NamesAreChecked) {
  const Script script;
  HostUnderTest host(script.config());
  auto client = host.connect();
  const json more{{"size", 1}, {"patch", json::object()}};
  for (const auto* command : {"start_bridge", "stop_bridge", "restart", "drain", "scale", "update_config"}) {
    const auto unknown = call_on(client, command, more, "ww");
    EXPECT_EQ(code_of(unknown), "unknown_namespace") << command;
    EXPECT_EQ(unknown["details"]["nearest"], json::array({"w"})) << command;
    const auto missing = client.call(std::string("host:") + command, more);
    EXPECT_EQ(code_of(missing), "invalid_args") << command;
    EXPECT_EQ(missing["details"]["errors"][0]["path"], "/name") << command;
  }
}

TEST(Control, StartIsDoneWhenWorkersAreReady) {
  const Script script;
  HostUnderTest host(script.config("pool: {size: 2, min_ready: 2}"));
  auto client = host.connect();
  EXPECT_TRUE(worker_ids(client).empty());
  const auto started = result_of(call_on(client, "start_bridge"));
  EXPECT_EQ(started, (json{{"name", "w"}, {"state", "ready"}}));
  EXPECT_EQ(worker_ids(client).size(), 2u);
}

TEST(Control, AStopThatTakesItsTimeCostsNothing) {
  HostUnderTest host(bad_config("ignore-the-end", "timeouts: {stop: 300ms}"));
  auto client = host.connect();
  client.call("bad:work");
  const auto used = [&] {  // of the processor, by the host
    std::ifstream file("/proc/" + std::to_string(host.pid()) + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    long user = 0;
    long system = 0;
    fields >> user >> system;
    return (user + system) * 1'000 / ::sysconf(_SC_CLK_TCK);
  };
  const auto before = used();
  EXPECT_EQ(result_of(call_on(client, "stop_bridge", {{"timeout_ms", 1}}, "bad"))["state"], "stopped");
  EXPECT_LT(used() - before, 200) << "milliseconds, of the 600 that the worker was given";
}

TEST(Control, StartFailsWithTheReason) {
  Script script;
  script.break_it();
  HostUnderTest host(script.config());
  auto client = host.connect();
  const auto reply = call_on(client, "start_bridge");
  EXPECT_EQ(code_of(reply), "worker_start_failed") << reply;
  EXPECT_EQ(reply["details"]["exit_status"], 3);
  EXPECT_EQ(reply["details"]["stderr_tail"], json::array({"out of order"}));
}

TEST(Control, StopEndsTheWorkersUntilStart) {
  const Script script;
  HostUnderTest host(script.config());
  auto client = host.connect();
  client.call("w:ping");
  client.send({{"id", 1}, {"command", "w:sleep"}, {"args", {{"ms", 200}}}});
  EXPECT_EQ(result_of(call_on(client, "stop_bridge"))["state"], "stopped");
  EXPECT_TRUE(client.await(1)["success"].get<bool>()) << "a running request did not finish";
  EXPECT_TRUE(worker_ids(client).empty());
  EXPECT_TRUE(host.instance_processes().empty());
  const auto refused = client.call("w:echo");
  EXPECT_EQ(code_of(refused), "pool_failed") << refused;
  EXPECT_EQ(refused["details"]["reason"], "stopped");
  EXPECT_EQ(result_of(client.call("host:list_frameworks"))["frameworks"][0]["state"], "stopped");
  EXPECT_EQ(result_of(call_on(client, "start_bridge"))["state"], "ready");
  EXPECT_TRUE(client.call("w:echo")["success"].get<bool>());
}

TEST(Control, StopWaitsNoLongerThanItMay) {
  const Script script;
  for (const bool by_argument : {true, false}) {
    HostUnderTest host((by_argument ? kPatient : "host: {shutdown_timeout: 50ms}\n") + script.config("timeouts: {stop: 50ms}"));
    auto client = host.connect();
    client.call("w:ping");
    client.send({{"id", 1}, {"command", "w:sleep"}, {"args", {{"ms", kForEver}}}, {"timeout_ms", kForEver}});
    const auto stopped = call_on(client, "stop_bridge", by_argument ? json{{"timeout_ms", 50}} : json::object());
    EXPECT_EQ(code_of(client.await(1)), "shutting_down");
    EXPECT_EQ(result_of(stopped)["state"], "stopped");
  }
}

TEST(Control, RestartLeavesNoGap) {
  const Script script;
  HostUnderTest host(script.config("pool: {size: 2, min_ready: 2}"));
  auto client = host.connect();
  auto caller = host.connect();
  call_on(client, "start_bridge");
  client.send({{"id", 1}, {"command", "host:restart"}, {"args", {{"name", "w"}}}});
  client.send({{"id", 2}, {"command", "host:ping"}});
  client.await(2);
  int served = 0;
  for (bool done = false; !done; ++served) {
    const auto reply = caller.call("w:echo", {{"n", served}});
    EXPECT_TRUE(reply["success"].get<bool>()) << reply;
    const auto ids = worker_ids(caller);
    done = ids == Names{"w#0.2", "w#1.2"} || ids.size() > 4;
  }
  EXPECT_EQ(result_of(client.await(1)), (json{{"name", "w"}, {"state", "ready"}}));
  EXPECT_EQ(result_of(client.call("host:get_stats"))["adapters"]["w"]["errors"], json::object());
}

TEST(Control, ARestartThatFailsLeavesTheOldWorkers) {
  Script script;
  HostUnderTest host(script.config("pool: {size: 2, min_ready: 2}"));
  auto client = host.connect();
  call_on(client, "start_bridge");
  const auto before = worker_ids(client);
  script.break_it();
  const auto reply = call_on(client, "restart");
  EXPECT_EQ(code_of(reply), "worker_start_failed") << reply;
  EXPECT_EQ(reply["details"]["stderr_tail"], json::array({"out of order"}));
  EXPECT_EQ(worker_ids(client), before);
  EXPECT_TRUE(client.call("w:echo")["success"].get<bool>());
  script.mend();
  EXPECT_TRUE(call_on(client, "restart")["success"].get<bool>());
  EXPECT_NE(worker_ids(client), before);
}

TEST(Control, RestartRevivesAFailedAdapter) {
  Script script;
  script.break_it(78);
  HostUnderTest host(script.config());
  auto client = host.connect();
  EXPECT_EQ(code_of(client.call("w:echo")), "pool_failed");
  EXPECT_FALSE(call_on(client, "restart")["success"].get<bool>());
  script.mend();
  EXPECT_EQ(result_of(call_on(client, "restart"))["state"], "ready");
  EXPECT_TRUE(client.call("w:echo")["success"].get<bool>());
}

TEST(Control, DrainRefusesAndWaits) {
  const Script script;
  HostUnderTest host(script.config());
  auto client = host.connect();
  client.call("w:ping");
  client.send({{"id", 1}, {"command", "w:sleep"}, {"args", {{"ms", kForEver}}}, {"timeout_ms", kForEver}});
  const auto late = call_on(client, "drain", {{"timeout_ms", 20}});
  EXPECT_EQ(code_of(late), "deadline_exceeded") << late;
  EXPECT_EQ(result_of(client.call("host:list_frameworks"))["frameworks"][0]["state"], "draining");
  EXPECT_EQ(code_of(client.call("w:echo")), "shutting_down");
  client.send({{"id", 2}, {"command", "host:drain"}, {"args", {{"name", "w"}}}});
  EXPECT_EQ(result_of(client.call("host:cancel", {{"id", 1}}))["found"], true);
  EXPECT_EQ(result_of(client.await(2)), (json{{"name", "w"}, {"state", "draining"}}));
  EXPECT_EQ(result_of(call_on(client, "start_bridge"))["state"], "ready");
  EXPECT_TRUE(client.call("w:echo")["success"].get<bool>());
}

TEST(Control, ScaleIsDoneWhenTheWorkersAreThereOrGone) {
  const Script script;
  HostUnderTest host(script.config("pool: {size: 2, min_ready: 2}"));
  auto client = host.connect();
  call_on(client, "start_bridge");
  EXPECT_EQ(result_of(call_on(client, "scale", {{"size", 4}})), (json{{"name", "w"}, {"state", "ready"}}));
  auto stats = result_of(client.call("host:get_stats"))["adapters"]["w"];
  EXPECT_EQ(stats["ready"], 4);
  EXPECT_EQ(stats["size"], 4);
  EXPECT_EQ(result_of(call_on(client, "scale", {{"size", 1}}))["state"], "ready");
  stats = result_of(client.call("host:get_stats"))["adapters"]["w"];
  EXPECT_EQ(stats["workers"], 1);
  EXPECT_TRUE(client.call("w:echo")["success"].get<bool>());
}

TEST(Control, ScaleDownIsNotTakenBackForAWorkerThatIsToGo) {
  const TempDir dir;
  const auto go = dir / "go";
  ASSERT_EQ(::mkfifo(go.c_str(), 0600), 0);
  // Nobody writes to it before the third worker waits for that.
  Script script("case $PONS_WORKER_ID in *2.1) read -r line < " + go.string() + "; exit 3;; esac; " + Script::kEcho);
  HostUnderTest host(script.config("pool: {size: 3, min_ready: 2}"));
  auto client = host.connect();
  call_on(client, "start_bridge");
  while (worker_ids(client).size() < 3) {
  }
  client.send({{"id", 1}, {"command", "host:scale"}, {"args", {{"name", "w"}, {"size", 1}}}});
  client.call("host:ping");
  std::ofstream(go) << "\n";
  EXPECT_EQ(result_of(client.await(1)), (json{{"name", "w"}, {"state", "ready"}}));
  EXPECT_EQ(worker_ids(client), Names{"w#0.1"});
  EXPECT_EQ(result_of(client.call("host:get_stats"))["adapters"]["w"]["size"], 1);
}

TEST(Control, ScaleTakesOnlyNumbersOfWorkers) {
  const Script script;
  HostUnderTest host(script.config());
  auto client = host.connect();
  for (const auto& size : {json(0), json(-1), json("two"), json(1.5), json(), json(10'001), json(1'000'000'000'000)}) {
    const auto reply = call_on(client, "scale", {{"size", size}});
    EXPECT_EQ(code_of(reply), "invalid_args") << size;
    EXPECT_EQ(reply["details"]["errors"][0]["path"], "/size") << size;
  }
}

TEST(Control, UpdateTakesEffectAtOnceWhereItCan) {
  const Script script;
  HostUnderTest host(script.config());
  auto client = host.connect();
  call_on(client, "start_bridge");
  const auto workers = worker_ids(client);
  EXPECT_EQ(result_of(call_on(client, "update_config", {{"patch", {{"timeouts", {{"request", "100ms"}}}}}})),
            (json{{"name", "w"}, {"state", "ready"}}));
  EXPECT_EQ(worker_ids(client), workers);
  EXPECT_EQ(code_of(client.call("w:sleep", {{"ms", kForEver}})), "deadline_exceeded");
}

TEST(Control, UpdateReplacesWorkersWhereItMust) {
  const Script script;
  HostUnderTest host(script.config("env: {A: old, B: kept}"));
  auto client = host.connect();
  call_on(client, "start_bridge");
  EXPECT_TRUE(call_on(client, "update_config", {{"patch", {{"env", {{"A", "new"}}}}}})["success"].get<bool>());
  EXPECT_TRUE(call_on(client, "update_config", {{"patch", {{"options", {{"model", "x"}}}}}})["success"].get<bool>());
  const auto who = result_of(client.call("w:whoami", {{"env", {"A", "B"}}}));
  EXPECT_EQ(who["values"], (json{{"A", "new"}, {"B", "kept"}}));
  EXPECT_EQ(who["options"], (json{{"model", "x"}}));
  EXPECT_TRUE(call_on(client, "update_config", {{"patch", {{"env", {{"B", nullptr}}}}}})["success"].get<bool>());
  EXPECT_EQ(result_of(client.call("w:whoami", {{"env", {"A", "B"}}}))["values"], (json{{"A", "new"}, {"B", nullptr}}));
}

TEST(Control, AnInvalidUpdateChangesNothing) {
  const Script script;
  HostUnderTest host(script.config());
  auto client = host.connect();
  call_on(client, "start_bridge");
  const auto workers = worker_ids(client);
  const auto reply = call_on(client, "update_config", {{"patch", {{"log_rate", 1}, {"pool", {{"size", "two"}}}}}});
  EXPECT_EQ(code_of(reply), "invalid_args");
  EXPECT_EQ(reply["error"], "args.patch: pool.size: expected an integer >= 1, got \"two\"");
  EXPECT_EQ(reply["details"]["errors"],
            json::array({{{"path", "/patch/pool/size"}, {"message", "expected an integer >= 1, got \"two\""}}}));
  const auto lower = call_on(client, "update_config", {{"patch", {{"pool", {{"min_ready", 2}}}}}});
  EXPECT_EQ(lower["details"]["errors"][0]["path"], "/patch/pool/min_ready");
  EXPECT_EQ(code_of(call_on(client, "update_config", {{"patch", 5}})), "invalid_args");
  EXPECT_EQ(code_of(call_on(client, "update_config")), "invalid_args");
  EXPECT_EQ(worker_ids(client), workers);
}

TEST(Control, AnUpdateWhoseWorkersDoNotStartIsTakenBack) {
  const Script script;
  HostUnderTest host(script.config());
  auto client = host.connect();
  call_on(client, "start_bridge");
  const auto reply = call_on(client, "update_config", {{"patch", {{"command", {PONS_BAD_WORKER, "exit", "4"}}}}});
  EXPECT_EQ(code_of(reply), "worker_start_failed") << reply;
  EXPECT_TRUE(client.call("w:echo")["success"].get<bool>());
  EXPECT_TRUE(call_on(client, "update_config", {{"patch", {{"env", {{"A", "1"}}}}}})["success"].get<bool>());
  EXPECT_EQ(result_of(client.call("w:whoami", {{"env", {"A"}}}))["values"]["A"], "1");
}

TEST(Control, OneThingAtATime) {
  HostUnderTest host(bad_config("silent"));
  auto client = host.connect();
  client.send({{"id", 1}, {"command", "host:start_bridge"}, {"args", {{"name", "bad"}}}});
  const auto second = call_on(client, "restart", {}, "bad");
  EXPECT_EQ(code_of(second), "bad_request") << second;
  EXPECT_EQ(second["details"]["reason"], "busy");
  EXPECT_TRUE(second["details"]["command"].is_string()) << second;
}

TEST(Control, ACallersTimeEndsTheWaitingNotTheWork) {
  const TempDir dir;
  const auto go = (dir / "go").string();
  HostUnderTest host(bad_config("slow-start, " + go));
  auto client = host.connect();
  client.call("host:subscribe", {{"events", {"worker.ready"}}});
  EXPECT_EQ(code_of(client.call("host:start_bridge", {{"name", "bad"}}, {{"timeout_ms", 30}})), "deadline_exceeded");
  client.send({{"id", 1}, {"command", "host:restart"}, {"args", {{"name", "bad"}}}});
  EXPECT_EQ(code_of(client.await(1)), "bad_request");
  std::ofstream(go) << "";
  EXPECT_EQ(client.await_event("worker.ready")["data"]["worker_id"], "bad#0.1");
}

TEST(Control, CancellingEndsTheWaitingToo) {
  HostUnderTest host(bad_config("silent"));
  auto client = host.connect();
  client.send({{"id", 1}, {"command", "host:start_bridge"}, {"args", {{"name", "bad"}}}});
  EXPECT_EQ(result_of(client.call("host:cancel", {{"id", 1}})), (json{{"found", true}, {"state", "running"}}));
  EXPECT_EQ(code_of(client.await(1)), "cancelled");
  EXPECT_EQ(result_of(client.call("host:cancel", {{"id", 1}}))["found"], false);
}

}  // namespace
}  // namespace pons::test
