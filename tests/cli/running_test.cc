// The program against a host that runs.
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace pons::test {
namespace {

using nlohmann::json;

TEST(Running, CommandsFindTheHostOfTheDefaultSocket) {
  Sandbox sandbox;
  const auto host = sandbox.serve();
  const auto pid = json::parse(sandbox.run({"ping"}).out).at("pid");
  EXPECT_EQ(pid, host);
  EXPECT_EQ(sandbox.run({"workers"}).out, "no workers\n");
  EXPECT_EQ(sandbox.run({"sessions"}).out, "no sessions\n");
  EXPECT_EQ(sandbox.run({"call", "echo:count", "--session", "alice"}).out, "{\"count\":1,\"session_id\":\"alice\"}\n");
  EXPECT_EQ(sandbox.run({"call", "echo:count", "--session", "alice"}).out, "{\"count\":2,\"session_id\":\"alice\"}\n");
  EXPECT_NE(sandbox.run({"workers"}).out.find("echo#0.1"), std::string::npos);
  EXPECT_NE(sandbox.run({"sessions"}).out.find("alice"), std::string::npos);
  EXPECT_NE(sandbox.run({"stats"}).out.find("pid " + std::to_string(host)), std::string::npos);
  EXPECT_NE(sandbox.run({"list"}).out.find("ready"), std::string::npos);
}

TEST(Running, EveryListingIsOneLineOfJson) {
  Sandbox sandbox;
  sandbox.serve();
  sandbox.run({"call", "echo:echo", "--session", "s"});
  const std::vector<std::pair<std::string, std::string>> listings{
      {"list", "frameworks"}, {"workers", "workers"}, {"sessions", "sessions"}, {"stats", "adapters"}};
  for (const auto& [command, key] : listings) {
    const auto ended = sandbox.run({command, "--json"});
    EXPECT_EQ(ended.status, 0);
    EXPECT_EQ(ended.out.find('\n'), ended.out.size() - 1) << command;
    EXPECT_FALSE(json::parse(ended.out).at(key).empty()) << command;
  }
}

TEST(Running, SessionIsEnded) {
  Sandbox sandbox;
  sandbox.serve();
  sandbox.run({"call", "echo:count", "--session", "alice"});
  const auto ended = json::parse(sandbox.run({"sessions", "end", "alice"}).out);
  EXPECT_EQ(ended.at("found"), true);
  EXPECT_EQ(sandbox.run({"sessions"}).out, "no sessions\n");
  EXPECT_EQ(json::parse(sandbox.run({"sessions", "end", "alice", "--in", "echo"}).out).at("found"), false);
}

TEST(Running, ResourceStatsAndCleanup) {
  Sandbox sandbox;
  sandbox.serve();
  const auto created = json::parse(sandbox.run({"call", "echo:create_counter", "start:=5"}).out);
  const auto id = created.at("resource_id").get<std::string>();
  EXPECT_EQ(json::parse(sandbox.run({"call", "echo:execute_resource", "resource_id=" + id, R"(inputs:={"add": 2})"}).out).at("value"), 7);
  EXPECT_EQ(json::parse(sandbox.run({"stats", "echo"}).out).at("active_resources"), 1);
  EXPECT_EQ(json::parse(sandbox.run({"cleanup", "echo"}).out).at("resources_removed"), 1);
  const auto gone = sandbox.run({"call", "echo:execute_resource", "resource_id=" + id});
  EXPECT_EQ(gone.status, 1);
  EXPECT_NE(gone.err.find("(resource_not_found)"), std::string::npos) << gone.err;
}

TEST(Running, OptionsReachTheWorker) {
  Sandbox sandbox;
  sandbox.serve();
  const auto seen = json::parse(
      sandbox.run({"call", "echo:whoami", "--session", "s", "--timeout", "9s", "--meta", "user_id=u", "--codec", "msgpack", "--stream"})
          .out);
  const auto& request = seen.at("request");
  EXPECT_EQ(request.at("session_id"), "s");
  EXPECT_EQ(request.at("codec"), "msgpack");
  EXPECT_EQ(request.at("stream"), true);
  EXPECT_EQ(request.at("meta").at("user_id"), "u");
  EXPECT_LE(request.at("remaining_ms"), 9000);
}

TEST(Running, NamedHostsStandSideBySide) {
  Sandbox sandbox;
  const auto lab = sandbox.serve({"--name", "lab"});
  const auto other = sandbox.serve({"--socket", (sandbox.folder() / "other.sock").string()});
  EXPECT_EQ(json::parse(sandbox.run({"ping", "--name", "lab"}).out).at("pid"), lab);
  const auto socket = (sandbox.folder() / "other.sock").string();
  EXPECT_EQ(json::parse(sandbox.run({"ping", "--socket", socket}).out).at("pid"), other);
  EXPECT_EQ(json::parse(sandbox.run(Start{.arguments = {"ping"}, .env = {{"PONS_SOCKET", socket}}}).out).at("pid"), other);
}

TEST(Running, ConfigurationNamesTheSocketForBothSides) {
  Sandbox sandbox;
  const auto file =
      sandbox.write_file("pons.yaml", std::string("host: {name: lab}\nadapters:\n  mine:\n    adapter: ") + PONS_ECHO_FOLDER + "\n");
  const auto host = sandbox.serve({"-c", file});
  EXPECT_EQ(json::parse(sandbox.run({"ping", "-c", file}).out).at("pid"), host);
  EXPECT_EQ(json::parse(sandbox.run({"ping", "--name", "lab"}).out).at("pid"), host);
}

TEST(Running, SecondHostOnTheSocketIsRefused) {
  Sandbox sandbox;
  const auto host = sandbox.serve();
  const auto second = sandbox.run({"serve"});
  EXPECT_EQ(second.status, 2);
  EXPECT_NE(second.err.find(std::to_string(host)), std::string::npos) << second.err;
}

TEST(Running, StopWaitsUntilTheHostHasGone) {
  Sandbox sandbox;
  const auto host = sandbox.serve();
  sandbox.run({"call", "echo:echo"});
  const auto stopped = sandbox.run({"stop"});
  EXPECT_EQ(stopped.status, 0) << stopped.err;
  EXPECT_EQ(stopped.out, "stopped default (pid " + std::to_string(host) + "): 1 worker, 0 sessions, 0 requests\n");
  EXPECT_EQ(sandbox.run({"ping", "--no-embedded"}).status, 3);
  EXPECT_EQ(sandbox.end(host).status, 0);
  EXPECT_TRUE(sandbox.left_behind().empty());
}

TEST(Running, HostWithoutANameIsCalledByItsSocket) {
  Sandbox sandbox;
  const auto socket = (sandbox.folder() / "lab.sock").string();
  const auto host = sandbox.serve({"--socket", socket});
  EXPECT_TRUE(sandbox.run({"stop", "--socket", socket}).out.starts_with("stopped the host at " + socket + " (pid "));
  EXPECT_EQ(sandbox.end(host).status, 0);
}

TEST(Running, HostIsFoundByAConfigurationWithFaults) {
  Sandbox sandbox;
  const auto host = sandbox.serve({"--name", "lab"});
  const auto file = sandbox.write_file("u.yaml", "host: {name: lab}\nadaptres: {}\n");
  const auto with = [&](const std::vector<std::string>& words) {
    return sandbox.run(Start{.arguments = words, .env = {{"PONS_CONFIG", file}}});
  };
  EXPECT_EQ(with({"workers"}).status, 0);
  EXPECT_EQ(with({"call", "echo:echo"}).status, 0);
  EXPECT_EQ(with({"stop"}).status, 0);
  EXPECT_EQ(sandbox.end(host).status, 0);
  const auto embedded = with({"call", "echo:echo"});
  EXPECT_EQ(embedded.status, 2) << "an embedded host needs all of it";
  EXPECT_TRUE(contains(embedded.err, "error: " + file + ":2:1: adaptres: unknown key")) << embedded.err;
}

TEST(Running, OtherWaysToAHostAreNamedWhereItsFileIsOfNoUse) {
  Sandbox sandbox;
  for (const auto* text : {"host: [\n", "host: {socket: 5}\n"}) {
    const auto ended = sandbox.run({"stop", "-c", sandbox.write_file("u.yaml", text)});
    EXPECT_EQ(ended.status, 2);
    EXPECT_TRUE(contains(ended.err, "(--socket PATH or --name NAME reach a running host, whatever its file says)")) << ended.err;
  }
}

TEST(Running, SocketOfTheVariableIsNamedAsSuch) {
  Sandbox sandbox;
  const auto socket = (sandbox.folder() / "env.sock").string();
  const auto file = sandbox.write_file("pons.yaml", "host: {name: lab}\n");
  const auto with = [&](const std::vector<std::string>& words) {
    return sandbox.run(Start{.arguments = words, .env = {{"PONS_SOCKET", socket}}});
  };
  const auto nobody = with({"workers", "-c", file});
  EXPECT_EQ(nobody.status, 3);
  EXPECT_TRUE(contains(nobody.err, socket)) << nobody.err;
  EXPECT_TRUE(contains(nobody.err, "(from PONS_SOCKET)")) << nobody.err;
  EXPECT_FALSE(contains(with({"workers", "--socket", "/none"}).err, "PONS_SOCKET"));
  sandbox.serve({"--socket", socket});
  const auto second = with({"serve", "-c", file});
  EXPECT_EQ(second.status, 2);
  EXPECT_TRUE(contains(second.err, "(from PONS_SOCKET)")) << second.err;
}

TEST(Running, WaitForAPathThatCannotBeEndsAtOnce) {
  Sandbox sandbox;
  EXPECT_EQ(sandbox.run({"ping", "--wait", "1h", "--socket", "/" + std::string(200, 'x')}).status, 2);
}

TEST(Running, StopLetsRunningRequestsFinishWithinItsTimeout) {
  Sandbox sandbox;
  const auto host = sandbox.serve();
  const auto call = sandbox.begin({.arguments = {"call", "echo:stream", "n:=20", "interval_ms:=20", "--stream"}});
  sandbox.wait_for_output(call, "{\"i\":0}\n");
  EXPECT_EQ(sandbox.run({"stop", "--timeout", "30s"}).status, 0);
  EXPECT_NE(sandbox.end(call).out.find("{\"n\":20}\n"), std::string::npos);
  EXPECT_EQ(sandbox.end(host).status, 0);
}

TEST(Running, SecondStopJoinsTheFirst) {
  Sandbox sandbox;
  const auto host = sandbox.serve();
  const auto call = sandbox.begin({.arguments = {"call", "echo:stream", "n:=100000", "interval_ms:=5", "--stream"}});
  sandbox.wait_for_output(call, "{\"i\":0}\n");
  const auto first = sandbox.begin({.arguments = {"stop", "--timeout", "10m", "--json"}});
  while (json::parse(sandbox.run({"ping"}).out).at("state") != "draining") {
  }
  const auto second = sandbox.run({"stop", "--timeout", "1ms", "--json"});
  EXPECT_EQ(second.status, 0) << second.err;
  EXPECT_EQ(json::parse(second.out).at("requests"), 1);
  EXPECT_EQ(sandbox.end(first).status, 0);
  const auto ended = sandbox.end(call);
  EXPECT_EQ(ended.status, 1);
  EXPECT_NE(ended.err.find("(shutting_down)"), std::string::npos) << ended.err;
  EXPECT_EQ(sandbox.end(host).status, 0);
}

TEST(Running, HostThatIsKilledFailsTheCall) {
  Sandbox sandbox;
  const auto host = sandbox.serve();
  const auto call = sandbox.begin({.arguments = {"call", "echo:stream", "n:=100000", "interval_ms:=5", "--stream"}});
  sandbox.wait_for_output(call, "{\"i\":0}\n");
  ::kill(host, SIGKILL);
  const auto ended = sandbox.end(call);
  EXPECT_EQ(ended.status, 1);
  EXPECT_NE(ended.err.find("connection to the host was lost"), std::string::npos) << ended.err;
  EXPECT_EQ(sandbox.end(host).status, 128 + SIGKILL);
}

TEST(Running, WaitGivesUpWithStatusThree) {
  Sandbox sandbox;
  const auto ended = sandbox.run({"ping", "--wait", "200ms"});
  EXPECT_EQ(ended.status, 3);
  EXPECT_NE(ended.err.find("no host answers"), std::string::npos);
}

TEST(Running, WaitEndsOnASignal) {
  Sandbox sandbox;
  const auto pid = sandbox.begin({.arguments = {"ping", "--wait", "1h"}});
  const auto host = sandbox.serve({"--name", "lab"});  // by now it has long begun to wait
  ::kill(pid, SIGINT);
  EXPECT_EQ(sandbox.end(pid).status, 130);
  EXPECT_EQ(sandbox.run({"stop", "--name", "lab"}).status, 0);
  EXPECT_EQ(sandbox.end(host).status, 0);
}

TEST(Running, WaitForAnAdapterThatIsNotThereEndsAtOnce) {
  Sandbox sandbox;
  sandbox.serve();
  const auto ended = sandbox.run({"ping", "ecko", "--wait", "1h"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_NE(ended.err.find("did you mean echo:ping?"), std::string::npos) << ended.err;
}

TEST(Running, InterruptedCallIsCancelledAtTheHost) {
  Sandbox sandbox;
  sandbox.serve();
  const auto call = sandbox.begin({.arguments = {"call", "echo:stream", "n:=100000", "interval_ms:=5", "--stream"}});
  sandbox.wait_for_output(call, "{\"i\":0}\n");
  ::kill(call, SIGINT);
  EXPECT_EQ(sandbox.end(call).status, 130);
  EXPECT_EQ(sandbox.run({"call", "echo:echo"}).status, 0);
}

TEST(Check, IssuesHaveTheirPlace) {
  Sandbox sandbox;
  const auto file =
      sandbox.write_file("bad.yaml", std::string("adapters:\n  mine:\n    adapter: ") + PONS_ECHO_FOLDER + "\n    pool: {sise: 2}\n");
  const auto ended = sandbox.run({"check", file});
  EXPECT_EQ(ended.status, 2);
  EXPECT_EQ(ended.out, "");
  EXPECT_NE(ended.err.find("bad.yaml:4:"), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("adapters.mine.pool.sise: "), std::string::npos) << ended.err;
  const auto error = json::parse(sandbox.run({"check", file, "--json"}).err);
  EXPECT_EQ(error.at("code"), "invalid_configuration");
  EXPECT_EQ(error.at("details").at("issues").at(0).at("line"), 4);
  EXPECT_EQ(sandbox.run({"serve", "-c", file}).status, 2);
}

TEST(Check, GoodConfigurationIsSummedUpOrPrintedWhole) {
  Sandbox sandbox;
  const auto file = sandbox.write_file("good.yaml", std::string("adapters:\n  mine:\n    adapter: ") + PONS_ECHO_FOLDER + "\n");
  const auto ended = sandbox.run({"check", file});
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(ended.out, file + ": ok, 1 adapter: mine\n");
  const auto effective = json::parse(sandbox.run({"check", file, "--json"}).out);
  EXPECT_EQ(effective.at("adapters").at("mine").at("pool").at("size"), 1);
  EXPECT_EQ(sandbox.run({"check"}).status, 0);
}

}  // namespace
}  // namespace pons::test
