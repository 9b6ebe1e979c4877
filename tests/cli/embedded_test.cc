// The program where no host runs: one starts in the same process, for one command.
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace pons::test {
namespace {

using nlohmann::json;

TEST(Embedded, CallPrintsOneLineAndLeavesNothingBehind) {
  Sandbox sandbox;
  const auto ended = sandbox.run({"call", "echo:echo", "text=hi", "n:=2"});
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(ended.out, "{\"n\":2,\"text\":\"hi\"}\n");
  EXPECT_EQ(ended.err, "");
  EXPECT_TRUE(sandbox.left_behind().empty());
  EXPECT_TRUE(std::filesystem::is_empty(sandbox.folder() / "run"));
}

TEST(Embedded, ListPingAndInfoWorkToo) {
  Sandbox sandbox;
  const auto list = sandbox.run({"list"});
  EXPECT_EQ(list.status, 0) << list.err;
  EXPECT_TRUE(list.out.starts_with("NAME")) << list.out;
  const auto listed = json::parse(sandbox.run({"list", "--json"}).out);
  EXPECT_FALSE(listed.at("frameworks").empty());
  EXPECT_EQ(json::parse(sandbox.run({"ping"}).out).at("status"), "ok");
  EXPECT_EQ(json::parse(sandbox.run({"ping", "echo"}).out).at("worker_id"), "echo#0.1");
  EXPECT_EQ(json::parse(sandbox.run({"info", "echo"}).out).at("name"), "echo");
}

TEST(Embedded, OtherCommandsNeedAHost) {
  Sandbox sandbox;
  const std::vector<std::vector<std::string>> commands{{"stats"},
                                                       {"workers"},
                                                       {"sessions"},
                                                       {"stop"},
                                                       {"cleanup"},
                                                       {"start", "echo"},
                                                       {"stop", "echo"},
                                                       {"restart", "echo"},
                                                       {"reload"},
                                                       {"drain", "echo"},
                                                       {"scale", "echo", "2"},
                                                       {"register", "x", "y"},
                                                       {"sessions", "end", "s"},
                                                       {"update", "echo", "log_rate:=1"}};
  for (const auto& command : commands) {
    const auto ended = sandbox.run(command);
    EXPECT_EQ(ended.status, 3) << command.front();
    EXPECT_NE(ended.err.find("no host answers"), std::string::npos);
    EXPECT_EQ(ended.out, "");
  }
}

TEST(Embedded, IsRuledOutByOptionsAndVariables) {
  Sandbox sandbox;
  const auto nowhere = (sandbox.folder() / "none.sock").string();
  EXPECT_EQ(sandbox.run({"call", "echo:echo", "--no-embedded"}).status, 3);
  EXPECT_EQ(sandbox.run({"call", "echo:echo", "--socket", nowhere}).status, 3);
  EXPECT_EQ(sandbox.run(Start{.arguments = {"ping"}, .env = {{"PONS_SOCKET", nowhere}}}).status, 3);
  EXPECT_EQ(sandbox.run({"ping", "--socket", "/" + std::string(200, 'x')}).status, 2);
}

TEST(Embedded, AdapterIsServedFromAPath) {
  Sandbox sandbox;
  const auto ended =
      sandbox.run(Start{.arguments = {"call", "--adapter", PONS_ECHO_FOLDER, "echo", "x=1"}, .env = {{"PONS_SOCKET", "/none"}}});
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(ended.out, "{\"x\":\"1\"}\n");
  EXPECT_EQ(json::parse(sandbox.run({"ping", "--adapter", PONS_ECHO_FOLDER}).out).at("worker_id"), "echo#0.1");
  const auto missing = sandbox.run({"call", "--adapter", "./none", "x"});
  EXPECT_EQ(missing.status, 2);
  EXPECT_NE(missing.err.find("none"), std::string::npos);
}

TEST(Embedded, AProgramThatSpeaksOnStdinIsToldWhatToWrite) {
  Sandbox sandbox;
  const auto file = sandbox.write_file("bare.py", "");
  const auto ended = sandbox.run({"call", "--adapter", "./bare.py", "greet"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_TRUE(contains(ended.err, "configured as bare: {command: [python3, " + file + "], channel: stdio})")) << ended.err;
}

TEST(Embedded, ConfigurationIsTakenFromOptionOrVariable) {
  Sandbox sandbox;
  const auto file = sandbox.write_file("pons.yaml", std::string("adapters:\n  mine:\n    adapter: ") + PONS_ECHO_FOLDER + "\n");
  EXPECT_EQ(sandbox.run({"call", "mine:echo", "-c", file}).status, 0);
  EXPECT_EQ(sandbox.run(Start{.arguments = {"call", "mine:echo"}, .env = {{"PONS_CONFIG", file}}}).status, 0);
  const auto missing = sandbox.run({"call", "mine:echo", "-c", "none.yaml"});
  EXPECT_EQ(missing.status, 2);
  EXPECT_NE(missing.err.find("none.yaml"), std::string::npos);
}

TEST(Embedded, ArgumentsComeFromStdinAndFiles) {
  Sandbox sandbox;
  EXPECT_EQ(sandbox.run(Start{.arguments = {"call", "echo:echo", "-"}, .in = R"({"from": "stdin"})"}).out, "{\"from\":\"stdin\"}\n");
  sandbox.write_file("args.json", R"({"from": "file"})");
  EXPECT_EQ(sandbox.run({"call", "echo:echo", "@args.json"}).out, "{\"from\":\"file\"}\n");
  const auto missing = sandbox.run({"call", "echo:echo", "@none.json"});
  EXPECT_EQ(missing.status, 2);
  EXPECT_EQ(missing.err, "error: cannot open none.json: No such file or directory\n");
}

TEST(Embedded, MessagePackCarriesBytes) {
  Sandbox sandbox;
  sandbox.write_file("bytes", std::string("\xff\x00", 2));
  EXPECT_EQ(sandbox.run({"call", "echo:echo", "b=@bytes", "--codec", "msgpack"}).out, "{\"b\":{\"$bin\":\"/wA=\"}}\n");
}

TEST(Embedded, ErrorsTellWhatWentWrong) {
  Sandbox sandbox;
  const auto failed = sandbox.run({"call", "echo:fail", "message=Too hot.", "code=model_error"});
  EXPECT_EQ(failed.status, 1);
  EXPECT_EQ(failed.out, "");
  EXPECT_TRUE(failed.err.starts_with("error: Too hot. (model_error)\n")) << failed.err;
  const auto crashed = sandbox.run({"call", "echo:crash", "exit:=3", "--json"});
  EXPECT_EQ(crashed.status, 1);
  const auto error = json::parse(crashed.err);
  EXPECT_EQ(error.at("code"), "worker_crashed");
  EXPECT_EQ(error.at("details").at("exit_status"), 3);
  EXPECT_TRUE(sandbox.left_behind().empty());
}

TEST(Embedded, MistypedNamesAreSuggested) {
  Sandbox sandbox;
  EXPECT_NE(sandbox.run({"call", "ecko:echo"}).err.find("did you mean echo:echo?"), std::string::npos);
  EXPECT_NE(sandbox.run({"call", "echo:ecoh"}).err.find("did you mean echo:echo?"), std::string::npos);
  const auto near = json::parse(sandbox.run({"call", "echo:slep", "--json"}).err);
  EXPECT_EQ(near.at("did_you_mean"), json::array({"echo:sleep"}));
  const auto verb = sandbox.run({"caal", "echo:echo"});
  EXPECT_EQ(verb.status, 2);
  EXPECT_NE(verb.err.find("did you mean \"call\""), std::string::npos);
}

TEST(Embedded, WhatEndsWithTheHostIsNoted) {
  Sandbox sandbox;
  const auto note = [&](const std::string& name) {
    return "note: no host runs at " + (sandbox.folder() / "run/pons" / (name + ".sock")).string() +
           "; this host lived for this command only, and its sessions and resources with it\n";
  };
  EXPECT_EQ(sandbox.run({"call", "echo:count", "--session", "alice"}).err, note("default"));
  EXPECT_EQ(sandbox.run({"call", "echo:create_counter"}).err, note("default"));
  EXPECT_EQ(sandbox.run({"ping", "--name", "lab"}).err, note("lab"));
  EXPECT_TRUE(contains(sandbox.run({"call", "echo:execute_resource", "--resource", "counter-1"}).err, note("default")));
  EXPECT_EQ(sandbox.run({"call", "echo:count", "--session", "alice", "--json"}).err, "");
  EXPECT_EQ(sandbox.run({"call", "--adapter", PONS_ECHO_FOLDER, "count", "--session", "alice"}).err,
            "note: --adapter serves in this process; this host lived for this command only, and its sessions and resources with it\n");
}

TEST(Embedded, DeadlineIsStatusFour) {
  Sandbox sandbox;
  const auto ended = sandbox.run({"call", "echo:sleep", "ms:=60000", "--timeout", "300ms"});
  EXPECT_EQ(ended.status, 4);
  EXPECT_NE(ended.err.find("(deadline_exceeded)"), std::string::npos) << ended.err;
  EXPECT_TRUE(sandbox.left_behind().empty());
}

TEST(Embedded, StreamPrintsChunksThenTheResult) {
  Sandbox sandbox;
  EXPECT_EQ(sandbox.run({"call", "echo:stream", "n:=3", "--stream"}).out, "{\"i\":0}\n{\"i\":1}\n{\"i\":2}\n{\"n\":3}\n");
  EXPECT_EQ(sandbox.run({"call", "echo:stream", "n:=3"}).out, "{\"n\":3}\n");
}

TEST(Embedded, ChunksComeAtOnceAndAClosedPipeEndsItQuietly) {
  Sandbox sandbox;
  const auto pid = sandbox.begin({.arguments = {"call", "echo:stream", "n:=100000", "interval_ms:=5", "--stream"}});
  sandbox.wait_for_output(pid, "{\"i\":1}\n");
  sandbox.close_output(pid);
  const auto ended = sandbox.end(pid);
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.err, "");
  EXPECT_TRUE(sandbox.left_behind().empty());
}

TEST(Embedded, FullDeviceIsAFailure) {
  Sandbox sandbox;
  for (const auto& words : {std::vector<std::string>{"call", "echo:echo"}, {"list"}, {"--help"}, {"check"}}) {
    const auto ended = sandbox.run(Start{.arguments = words, .out_path = "/dev/full"});
    EXPECT_EQ(ended.status, 1) << words.front();
    EXPECT_NE(ended.err.find("No space left on device"), std::string::npos) << words.front() << ended.err;
  }
}

TEST(Embedded, ClosedStdoutIsAFailureAndNotASocket) {
  Sandbox sandbox;
  const auto ended = sandbox.run(Start{.arguments = {"call", "echo:echo", "x=1"}, .close_out = true});
  EXPECT_EQ(ended.status, 1);
  EXPECT_NE(ended.err.find("cannot write the result"), std::string::npos) << ended.err;
}

TEST(Embedded, TerminalGetsReadableColouredText) {
  Sandbox sandbox;
  const auto coloured = sandbox.run(Start{.arguments = {"call", "echo:echo", "x=1"}, .terminal = true});
  EXPECT_NE(coloured.out.find("\x1b["), std::string::npos);
  const auto plain = sandbox.run(Start{.arguments = {"call", "echo:echo", "x=1"}, .env = {{"NO_COLOR", "1"}}, .terminal = true});
  EXPECT_EQ(plain.out, "{\"x\": \"1\"}\r\n");
  const auto line = sandbox.run(Start{.arguments = {"call", "echo:echo", "x=1", "--json"}, .terminal = true});
  EXPECT_EQ(line.out, "{\"x\":\"1\"}\r\n");
}

TEST(Embedded, ProgressIsShownOnATerminalAndWipedAway) {
  Sandbox sandbox;
  const auto ended = sandbox.run(Start{.arguments = {"call", "echo:stream", "n:=1", "--stream"}, .terminal = true});
  EXPECT_NE(ended.out.find("\r\x1b[K0% (0 of 1)\r\x1b[K{\"i\":0}"), std::string::npos) << ended.out;
}

class Signals : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Embedded, Signals, testing::Values(SIGINT, SIGTERM),
                         [](const auto& tested) { return "signal" + std::to_string(tested.param); });
TEST_P(Signals, CancelTheCall) {
  Sandbox sandbox;
  const auto pid = sandbox.begin({.arguments = {"call", "echo:stream", "n:=100000", "interval_ms:=5", "--stream"}});
  sandbox.wait_for_output(pid, "{\"i\":1}\n");
  ::kill(pid, GetParam());
  const auto ended = sandbox.end(pid);
  EXPECT_EQ(ended.status, 128 + GetParam());
  EXPECT_NE(ended.err.find("(cancelled)"), std::string::npos) << ended.err;
  EXPECT_TRUE(sandbox.left_behind().empty());
}

}  // namespace
}  // namespace pons::test
