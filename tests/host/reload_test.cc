// Adapters that come and go while a host runs: host:register_bridge and host:reload.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "tests/host/host_under_test.h"

namespace pons::test {
namespace {

/// An entry of the echo adapter, in one line.
std::string echo_entry(const std::string& name, const std::string& more = {}) {
  return "  " + name + ": {adapter: " PONS_ECHO_FOLDER + (more.empty() ? "" : ", " + more) + "}\n";
}

class Served {
 public:
  explicit Served(const std::string& config) : host_(config), client_(host_.connect()) {}

  HostUnderTest& host() { return host_; }
  RawClient& client() { return client_; }
  json call(const std::string& command, json args = json::object()) { return client_.call(command, std::move(args)); }
  json add(const std::string& name, json config) { return call("host:register_bridge", {{"name", name}, {"config", std::move(config)}}); }
  void rewrite(const std::string& config) const { std::ofstream(host_.dir() / "pons.yaml") << config; }
  json reload(const std::string& config) {
    rewrite(config);
    return call("host:reload");
  }
  std::vector<std::string> names() {
    std::vector<std::string> found;
    const auto list = result_of(call("host:list_frameworks"));
    for (const auto& entry : list["frameworks"]) found.push_back(entry["name"]);
    return found;
  }

 private:
  HostUnderTest host_;
  RawClient client_;
};

using Names = std::vector<std::string>;

const json kEcho{{"adapter", PONS_ECHO_FOLDER}};

// ---- register_bridge ---------------------------------------------------------------------------------------------------------------

// Each is looked at beside the loop, for what its workers would lack, before it holds.
TEST(Update, OfTwoAtATimeNoneThatSucceededIsLost) {
  const TempDir folder;
  std::ofstream(folder / "adapter.yaml") << "name: m\ncommand: [" PONS_ECHO_FOLDER "/pons-worker-echo]\nmodels: [{name: m, file: m.bin}]\n";
  std::ofstream(folder / "m.bin") << "weights";
  Served served("adapters:\n  m: {adapter: " + folder.path().string() + "}\n");
  std::string both;
  for (const int id : {1, 2}) {
    const json patch{{"env", {{"N" + std::to_string(id), "new"}}}};
    const auto body = json{{"id", id}, {"command", "host:update_config"}, {"args", {{"name", "m"}, {"patch", patch}}}}.dump();
    const auto header = frame_header(static_cast<std::uint32_t>(body.size()));
    both += std::string(header.bytes, sizeof header.bytes) + body;
  }
  served.client().send_bytes(both);
  const auto codes = std::pair(code_of(served.client().await(1)), code_of(served.client().await(2)));
  const auto values = result_of(served.call("m:whoami", {{"env", {"N1", "N2"}}}))["values"];
  EXPECT_EQ(codes.first, "success");
  EXPECT_EQ(values.value("N1", json()), "new");
  EXPECT_EQ(codes.second == "success", values.value("N2", json()) == "new") << codes.second << " " << values;
}

TEST(Register, AddsAnAdapterThatIsServedAtOnce) {
  Served served("adapters: {}\n");
  EXPECT_EQ(code_of(served.call("new:echo")), "unknown_namespace");
  EXPECT_EQ(result_of(served.add("new", kEcho)), (json{{"name", "new"}, {"state", "idle"}}));
  EXPECT_EQ(result_of(served.call("new:echo", {{"n", 1}}))["n"], 1);
  EXPECT_EQ(served.names(), Names{"new"});
  EXPECT_EQ(result_of(served.call("host:get_stats"))["adapters"]["new"]["requests"], 1);
  EXPECT_EQ(result_of(served.call("host:workers"))["workers"][0]["worker_id"], "new#0.1");
}

TEST(Register, WaitsForWorkersThatAreToStart) {
  Served served("adapters: {}\n");
  auto entry = kEcho;
  entry["pool"] = {{"lazy", false}, {"size", 2}, {"min_ready", 2}};
  EXPECT_EQ(result_of(served.add("new", entry))["state"], "ready");
  EXPECT_EQ(result_of(served.call("host:get_stats"))["adapters"]["new"]["ready"], 2);
}

TEST(Register, OneThatDoesNotStartWasNeverThere) {
  Served served("adapters: {}\n");
  const json bad{{"command", {PONS_BAD_WORKER, "exit", "3"}}, {"pool", {{"lazy", false}}}};
  const auto reply = served.add("bad", bad);
  EXPECT_EQ(code_of(reply), "worker_start_failed") << reply;
  EXPECT_EQ(reply["details"]["exit_status"], 3);
  EXPECT_EQ(code_of(served.call("bad:echo")), "unknown_namespace");
  EXPECT_TRUE(served.names().empty());
  // Its name is free as soon as its last process is gone.
  json again;
  do again = served.add("bad", kEcho);
  while (code_of(again) == "bad_request" && again["details"]["reason"] == "busy");
  EXPECT_TRUE(again["success"].get<bool>()) << again;
}

TEST(Register, HasTheDefaultsOfTheFileBelowIt) {
  Served served("defaults: {env: {A: \"1\", B: \"2\"}}\nadapters: {}\n");
  auto entry = kEcho;
  entry["env"] = {{"B", "mine"}};
  served.add("new", entry);
  EXPECT_EQ(result_of(served.call("new:whoami", {{"env", {"A", "B"}}}))["values"], (json{{"A", "1"}, {"B", "mine"}}));
}

TEST(Register, PathsCountFromTheFolderThatIsGiven) {
  const TempDir dir;
  std::filesystem::create_symlink(PONS_ECHO_FOLDER "/pons-worker-echo", dir / "worker");
  Served served("adapters: {}\n");
  const json entry{{"command", {"./worker"}}};
  EXPECT_EQ(code_of(served.add("new", entry)), "invalid_args");
  const auto reply = served.call("host:register_bridge", {{"name", "new"}, {"config", entry}, {"folder", dir.path().string()}});
  EXPECT_TRUE(reply["success"].get<bool>()) << reply;
  EXPECT_EQ(result_of(served.call("new:whoami"))["cwd"], dir.path().string());
  EXPECT_EQ(code_of(served.call("host:register_bridge", {{"name", "n"}, {"config", entry}, {"folder", "here"}})), "invalid_args");
}

TEST(Register, WhatIsWrongIsPointedAt) {
  Served served("adapters:\n" + echo_entry("old"));
  const auto path_of = [&](const std::string& name, const json& config) {
    const auto reply = served.add(name, config);
    EXPECT_EQ(code_of(reply), "invalid_args") << reply;
    return reply["details"]["errors"][0]["path"].get<std::string>();
  };
  EXPECT_EQ(path_of("new", {{"command", {"x"}}, {"pool", {{"sise", 1}}}}), "/config/pool/sise");
  EXPECT_EQ(path_of("new", 5), "/config");
  EXPECT_EQ(path_of("new", "/no/such/file.py"), "/config");
  for (const auto* name : {"old", "host", "common", "a:b", ""}) EXPECT_EQ(path_of(name, kEcho), "/name") << name;
  EXPECT_EQ(served.names(), Names{"old"});
}

// ---- reload ------------------------------------------------------------------------------------------------------------------------

TEST(Reload, ServesExactlyWhatTheFileSaysNow) {
  Served served("adapters:\n" + echo_entry("a") + echo_entry("b") + echo_entry("c"));
  for (const auto* name : {"a", "b", "c"}) served.call(std::string(name) + ":ping");
  served.add("extra", kEcho);
  const auto reply = served.reload("default: d\nadapters:\n" + echo_entry("a") + echo_entry("b", "env: {X: new}") + echo_entry("d"));
  EXPECT_EQ(result_of(reply), (json{{"changed", {"b", "c", "d", "extra"}}, {"added", {"d"}}, {"removed", {"c", "extra"}}}));
  EXPECT_EQ(served.names(), (Names{"a", "b", "d"}));
  EXPECT_EQ(code_of(served.call("c:echo")), "unknown_namespace");
  EXPECT_EQ(code_of(served.call("extra:echo")), "unknown_namespace");
  EXPECT_EQ(result_of(served.call("a:whoami"))["worker_id"], "a#0.1");
  const auto b = result_of(served.call("b:whoami", {{"env", {"X"}}}));
  EXPECT_EQ(b["values"]["X"], "new");
  EXPECT_EQ(b["worker_id"], "b#0.2");
  EXPECT_EQ(result_of(served.call("whoami"))["adapter"], "d");
  EXPECT_EQ(result_of(served.call("host:reload")), (json{{"changed", json::array()}}));
}

TEST(Reload, AFileWithAFaultChangesNothing) {
  Served served("adapters:\n" + echo_entry("a"));
  const auto before = result_of(served.call("a:whoami"))["worker_id"];
  const auto reply = served.reload("adapters:\n" + echo_entry("b") + echo_entry("a", "pool: {sise: 2}"));
  EXPECT_EQ(code_of(reply), "invalid_configuration");
  EXPECT_NE(reply["error"].get<std::string>().find("pons.yaml:3:"), std::string::npos) << reply;
  EXPECT_NE(reply["error"].get<std::string>().find("adapters.a.pool.sise: unknown key"), std::string::npos) << reply;
  EXPECT_EQ(reply["details"]["issues"][0]["line"], 3);
  EXPECT_EQ(served.names(), Names{"a"});
  EXPECT_EQ(result_of(served.call("a:whoami"))["worker_id"], before);
  std::filesystem::remove(served.host().dir() / "pons.yaml");
  EXPECT_EQ(code_of(served.call("host:reload")), "invalid_configuration");
  EXPECT_EQ(served.names(), Names{"a"});
}

TEST(Reload, TakesBackWhatWasUpdated) {
  const auto config = "adapters:\n" + echo_entry("a");
  Served served(config);
  served.call("host:update_config", {{"name", "a"}, {"patch", {{"env", {{"X", "1"}}}}}});
  EXPECT_EQ(result_of(served.call("a:whoami", {{"env", {"X"}}}))["values"]["X"], "1");
  EXPECT_EQ(result_of(served.call("host:reload"))["changed"], json::array({"a"}));
  EXPECT_EQ(result_of(served.call("a:whoami", {{"env", {"X"}}}))["values"]["X"], json());
}

TEST(Reload, ARemovedAdapterFinishesWhatItRunsAndIsGone) {
  Served served("adapters:\n" + echo_entry("a") + echo_entry("b"));
  served.call("a:ping");
  auto other = served.host().connect();
  served.client().send({{"id", 1}, {"command", "a:sleep"}, {"args", {{"ms", 300}}}});
  served.call("host:ping");
  served.rewrite("adapters:\n" + echo_entry("b"));
  served.client().send({{"id", 2}, {"command", "host:reload"}});
  served.call("host:ping");
  EXPECT_EQ(code_of(other.call("a:echo")), "unknown_namespace");
  const auto busy = other.call("host:reload");
  EXPECT_EQ(busy["details"]["reason"], "busy") << busy;
  EXPECT_TRUE(served.client().await(1)["success"].get<bool>()) << "a running request did not finish";
  EXPECT_EQ(result_of(served.client().await(2))["changed"], json::array({"a"}));
  EXPECT_TRUE(served.host().instance_processes().empty());
}

TEST(Reload, ARemovedAdapterHasOnlyShutdownTimeout) {
  const std::string host = "host: {shutdown_timeout: 50ms}\n";
  Served served(host + "adapters:\n" + echo_entry("a", "timeouts: {stop: 50ms}"));
  served.call("a:ping");
  served.client().send({{"id", 1}, {"command", "a:sleep"}, {"args", {{"ms", kForEver}}}, {"timeout_ms", kForEver}});
  served.call("host:ping");
  EXPECT_EQ(result_of(served.reload(host + "adapters: {}\n"))["changed"], json::array({"a"}));
  EXPECT_EQ(code_of(served.client().await(1)), "shutting_down");
}

TEST(Reload, AHostThatEndsMeanwhileEndsTheRemovedOnesToo) {
  Served served("host: {shutdown_timeout: 10m}\nadapters:\n" + echo_entry("a", "timeouts: {stop: 10m}"));
  served.call("a:ping");
  served.client().send({{"id", 1}, {"command", "a:sleep"}, {"args", {{"ms", kForEver}}}, {"timeout_ms", kForEver}});
  served.call("host:ping");
  served.rewrite("host: {shutdown_timeout: 10m}\nadapters: {}\n");
  served.client().send({{"id", 2}, {"command", "host:reload"}});
  served.call("host:ping");
  const auto processes = served.host().instance_processes();
  EXPECT_EQ(processes.size(), 1u);
  served.call("host:shutdown", {{"timeout_ms", 20}});
  EXPECT_EQ(code_of(served.client().await(1)), "shutting_down");
  served.host().signal(SIGTERM);  // its worker has ten minutes
  EXPECT_EQ(served.host().wait(), 0);
  EXPECT_TRUE(HostUnderTest::await_gone(processes));
}

TEST(Reload, WhatDoesNotStartIsNamedAndTheRestIsDone) {
  Served served("adapters:\n" + echo_entry("a") + echo_entry("b"));
  for (const auto* name : {"a", "b"}) served.call(std::string(name) + ":ping");
  const std::string broken = "command: [" PONS_BAD_WORKER ", exit, \"3\"]";
  const auto reply = served.reload("adapters:\n  a: {" + broken + "}\n" + echo_entry("b", "env: {X: new}") + "  c: {" + broken +
                                   ", pool: {lazy: false}}\n");
  EXPECT_EQ(code_of(reply), "worker_start_failed") << reply;
  EXPECT_EQ(reply["details"]["changed"], json::array({"b"}));
  EXPECT_TRUE(reply["details"]["failed"].contains("a")) << reply;
  EXPECT_TRUE(reply["details"]["failed"].contains("c")) << reply;
  EXPECT_TRUE(served.call("a:echo")["success"].get<bool>()) << "the old workers are gone";
  EXPECT_EQ(result_of(served.call("b:whoami", {{"env", {"X"}}}))["values"]["X"], "new");
}

TEST(Reload, TakesWhatItCanOfTheHostAndNamesTheRest) {
  const auto adapters = "adapters:\n" + echo_entry("a");
  Served served(adapters);
  const auto reply = served.reload("host: {name: lab, max_connections: 1, log: {level: debug}}\n" + adapters);
  EXPECT_EQ(result_of(reply), (json{{"changed", json::array()}, {"restart_needed", {"host.name", "host.log"}}}));
  auto second = served.host().connect();
  EXPECT_EQ(code_of(second.receive()), "overloaded");
  EXPECT_EQ(result_of(served.call("host:get_info"))["name"], "default");
}

TEST(Reload, UnderLoadLosesNothing) {
  const auto config = [](int n) { return "adapters:\n" + echo_entry("a", "pool: {size: 2}, env: {N: \"" + std::to_string(n) + "\"}"); };
  Served served(config(0));
  served.call("a:ping");
  auto caller = served.host().connect();
  int sent = 0;
  for (int n = 1; n <= 5; ++n) {
    served.rewrite(config(n));
    served.client().send({{"id", n}, {"command", "host:reload"}});
    for (int i = 0; i < 40; ++i) caller.send({{"id", ++sent}, {"command", "a:echo"}, {"args", {{"n", sent}}}});
    EXPECT_EQ(result_of(served.client().await(n))["changed"], json::array({"a"}));
  }
  for (int i = 1; i <= sent; ++i) EXPECT_EQ(result_of(caller.await(i))["n"], i);
}

}  // namespace
}  // namespace pons::test
