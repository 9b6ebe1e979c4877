// The commands that change what a running host serves, and their outcome as exit status.
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace pons::test {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

/// A host with one adapter `w` that runs `command`, a list in YAML.
class Control : public testing::Test {
 protected:
  static std::string config(const std::string& command, const std::string& more = {}) {
    return "adapters:\n  w:\n    command: " + command + "\n    timeouts: {stop: 100ms}\n" + more;
  }
  static std::string echo() { return "[" PONS_ECHO_FOLDER "/pons-worker-echo]"; }
  /// It never says anything.
  static std::string silent() { return "[sleep, \"600\"]"; }

  pid_t serve(const std::string& text) {
    file_ = sandbox_.write_file("pons.yaml", text);
    return sandbox_.serve({"-c", file_});
  }
  Ended run(const Words& words) { return sandbox_.run(words); }
  void expect(const Words& words, const std::string& out) {
    const auto ended = run(words);
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.out, out);
    EXPECT_EQ(ended.err, "") << "progress is for terminals";
  }

  Sandbox sandbox_;
  std::string file_;
};

TEST_F(Control, EachSaysWhatItDid) {
  serve(config(echo()));
  expect({"start", "w"}, "started w: ready\n");
  expect({"restart", "w"}, "restarted w: ready\n");
  expect({"scale", "w", "2"}, "scaled w to 2: ready\n");
  expect({"drain", "w"}, "drained w; it takes requests again after: pons start w\n");
  expect({"start", "w"}, "started w: ready\n");
  expect({"stop", "w"}, "stopped w\n");
  expect({"update", "w", "pool.size:=3", "env.A=1"}, "updated w: stopped\n");
  expect({"register", "x", PONS_ECHO_FOLDER}, "registered x: idle\n");
  expect({"reload"}, "removed: x; changed: w\n");
  expect({"reload"}, "nothing changed\n");
}

TEST_F(Control, ForProgramsEachIsOneLineOfJson) {
  serve(config(echo()));
  const auto result_of = [&](Words words) {
    words.emplace_back("--json");
    const auto ended = run(words);
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.out.find('\n'), ended.out.size() - 1);
    return json::parse(ended.out);
  };
  const json ready{{"name", "w"}, {"state", "ready"}};
  EXPECT_EQ(result_of({"start", "w"}), ready);
  EXPECT_EQ(result_of({"restart", "w"}), ready);
  EXPECT_EQ(result_of({"scale", "w", "2"}), ready);
  EXPECT_EQ(result_of({"update", "w", "log_rate:=1"}), ready);
  EXPECT_EQ(result_of({"drain", "w"}), (json{{"name", "w"}, {"state", "draining"}}));
  EXPECT_EQ(result_of({"stop", "w"}), (json{{"name", "w"}, {"state", "stopped"}}));
  EXPECT_EQ(result_of({"register", "x", PONS_ECHO_FOLDER}), (json{{"name", "x"}, {"state", "idle"}}));
  EXPECT_EQ(result_of({"reload"}), (json{{"changed", {"w", "x"}}, {"removed", {"x"}}}));
  EXPECT_EQ(result_of({"stop"}).at("state"), "draining");
}

TEST_F(Control, AMistypedAdapterIsSuggested) {
  serve(config(echo(), "  weather: {command: " + echo() + "}\n"));
  for (const auto& words : {Words{"start", "wether"}, Words{"stop", "wether"}, Words{"restart", "wether"}, Words{"drain", "wether"},
                            Words{"scale", "wether", "2"}, Words{"update", "wether", "a:=1"}}) {
    const auto ended = run(words);
    EXPECT_EQ(ended.status, 1) << words.front();
    EXPECT_EQ(ended.out, "");
    EXPECT_TRUE(contains(ended.err, "did you mean weather?")) << ended.err;
  }
  const auto error = json::parse(run({"start", "wether", "--json"}).err);
  EXPECT_EQ(error.at("code"), "unknown_namespace");
  EXPECT_EQ(error.at("did_you_mean"), json::array({"weather"}));
}

TEST_F(Control, AFailureIsStatusOneWithItsReason) {
  serve(config("[sh, -c, \"echo out of order >&2; exit 3\"]"));
  for (const auto* verb : {"start", "restart"}) {
    const auto ended = run({verb, "w"});
    EXPECT_EQ(ended.status, 1) << verb;
    EXPECT_TRUE(contains(ended.err, "out of order")) << ended.err;
  }
}

TEST_F(Control, OutOfTimeIsStatusFour) {
  serve(config(silent()));
  EXPECT_EQ(run({"start", "w", "--timeout", "50ms"}).status, 4);
}

TEST_F(Control, ADrainThatTakesTooLongIsStatusFour) {
  serve(config(echo()));
  const auto call = sandbox_.begin({.arguments = {"call", "w:stream", "n:=100000", "interval_ms:=5", "--stream"}});
  sandbox_.wait_for_output(call, "{\"i\":0}\n");
  const auto ended = run({"drain", "w", "--timeout", "50ms"});
  EXPECT_EQ(ended.status, 4);
  EXPECT_TRUE(contains(ended.err, "error: w has 1 request left; it goes on draining (deadline_exceeded)")) << ended.err;
  ::kill(call, SIGINT);
  EXPECT_EQ(sandbox_.end(call).status, 130);
  EXPECT_EQ(run({"drain", "w"}).status, 0);
}

TEST_F(Control, ASignalEndsTheWaiting) {
  serve(config(silent()));
  const auto start = sandbox_.begin({.arguments = {"start", "w"}});
  while (run({"workers"}).out == "no workers\n") {
  }
  ::kill(start, SIGINT);
  const auto ended = sandbox_.end(start);
  EXPECT_EQ(ended.status, 130);
  EXPECT_TRUE(contains(ended.err, "the host goes on")) << ended.err;
}

TEST_F(Control, AHostThatDoesNotAnswerIsNotWaitedForBeyondTheTimeout) {
  const auto host = serve(config(echo()));
  ::kill(host, SIGSTOP);
  const auto ended = sandbox_.run(Start{.arguments = {"restart", "w", "--timeout", "100ms"}, .terminal = true});
  ::kill(host, SIGCONT);
  EXPECT_EQ(ended.status, 4) << ended.out;
}

TEST_F(Control, ProgressIsShownOnATerminal) {
  serve(config(echo()));
  const auto ended = sandbox_.run(Start{.arguments = {"start", "w"}, .terminal = true});
  EXPECT_TRUE(contains(ended.out, "\r\x1b[Kw#0.1 is ready")) << ended.out;
  EXPECT_TRUE(contains(ended.out, "\r\x1b[Kstarted w: ready\r\n")) << ended.out;
  const auto plain = sandbox_.run(Start{.arguments = {"restart", "w", "--json"}, .terminal = true});
  EXPECT_EQ(plain.out, "{\"name\":\"w\",\"state\":\"ready\"}\r\n");
}

TEST_F(Control, AnEntryIsRegisteredFromItsFile) {
  serve("adapters: {}\n");
  std::filesystem::create_directory(sandbox_.folder() / "conf");
  std::filesystem::create_symlink(PONS_ECHO_FOLDER "/pons-worker-echo", sandbox_.folder() / "conf/worker");
  sandbox_.write_file("conf/entry.yaml", "command: [./worker]\nenv: {A: \"1\"}\n");
  expect({"register", "x", "conf/entry.yaml"}, "registered x: idle\n");
  const auto who = json::parse(run({"call", "x:whoami", R"({"env": ["A"]})"}).out);
  EXPECT_EQ(who.at("values").at("A"), "1");
  EXPECT_EQ(who.at("cwd"), (sandbox_.folder() / "conf").string());
  expect({"register", "y", "conf/worker"}, "registered y: idle\n");
  EXPECT_EQ(run({"call", "y:echo"}).status, 0);
}

TEST_F(Control, AConfigurationThatCannotBeUsedIsStatusTwo) {
  serve(config(echo()));
  const auto bad = sandbox_.write_file("bad.yaml", "command: [x]\npool: {sise: 1}\n");
  const auto broken = sandbox_.write_file("broken.yaml", "command: [\n");
  const std::vector<std::pair<Words, std::string>> cases{{{"register", "x", bad}, "/config/pool/sise: unknown key"},
                                                         {{"register", "x", broken}, "broken.yaml:"},
                                                         {{"register", "x", "none.yaml"}, "none.yaml: no such file"},
                                                         {{"register", "x", "./none.py"}, "no such file"},
                                                         {{"register", "w", PONS_ECHO_FOLDER}, "already"},
                                                         {{"update", "w", "pool.size=two"}, "/patch/pool/size: expected an integer >= 1"},
                                                         {{"update", "w", "nonsense"}, "\"nonsense\" is no argument"}};
  for (const auto& [words, says] : cases) {
    const auto ended = run(words);
    EXPECT_EQ(ended.status, 2) << words.front() << " " << words.back() << ended.err;
    EXPECT_TRUE(contains(ended.err, says)) << ended.err;
  }
  sandbox_.write_file("pons.yaml", "adapter: {}\nhots: {}\n");
  const auto reload = run({"reload"});
  EXPECT_EQ(reload.status, 2);
  EXPECT_TRUE(contains(reload.err, "pons.yaml:1:1: adapter: unknown key; did you mean \"defaults.adapter\"?")) << reload.err;
  EXPECT_TRUE(contains(reload.err, "pons.yaml:2:1: hots: unknown key; did you mean \"host\"?")) << reload.err;
  EXPECT_EQ(run({"call", "w:echo"}).status, 0);
}

TEST_F(Control, WhatNeedsANewStartIsNoted) {
  serve(config(echo()));
  sandbox_.write_file("pons.yaml", "host: {name: lab}\n" + config(echo()));
  const auto ended = run({"reload"});
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "nothing changed\n");
  EXPECT_EQ(ended.err, "note: what changed under `host` takes a new start of the host: host.name\n");
}

TEST_F(Control, WhereNoAdapterIsNearAllAreListed) {
  serve(config(echo()));
  for (const auto& words : {Words{"scale", "nosuch", "2"}, Words{"stats", "nosuch"}, Words{"info", "nosuch"}, Words{"start", "hots"}}) {
    const auto ended = run(words);
    EXPECT_EQ(ended.status, 1) << words.front();
    EXPECT_TRUE(contains(ended.err, "\n  adapters: w\n")) << ended.err;
    EXPECT_FALSE(contains(ended.err, "did you mean")) << ended.err;
  }
}

TEST_F(Control, WhatWasTypedIsNotSuggested) {
  serve(config(echo(), "  weather: {command: " + echo() + "}\n"));
  const auto end = run({"sessions", "end", "alice", "--in", "nosuch"});
  EXPECT_FALSE(contains(end.err, "did you mean")) << end.err;
  const auto drain = run({"call", "host:drain", "name=wether"});
  EXPECT_TRUE(contains(drain.err, "did you mean weather?")) << drain.err;
}

TEST_F(Control, ATextInPlaceOfANumberIsExplained) {
  serve(config(echo()));
  const auto ended = run({"update", "w", "pool.size=3"});
  EXPECT_TRUE(contains(ended.err, "\nnote: pool.size=3 is a text; a number is written pool.size:=3\n")) << ended.err;
  EXPECT_FALSE(contains(run({"update", "w", "pool.size=3", "--json"}).err, "note:"));
  const auto call = run({"call", "host:scale", "name=w", "size=2"});
  EXPECT_TRUE(contains(call.err, "\nnote: size=2 is a text; a number is written size:=2\n")) << call.err;
}

TEST_F(Control, AReloadTellsWhatIsNewGoneAndChanged) {
  serve(config(echo(), "  old: {command: " + echo() + "}\n"));
  sandbox_.write_file("pons.yaml", config(echo(), "    log_rate: 1\n  new: {command: " + echo() + "}\n"));
  expect({"reload"}, "added: new; removed: old; changed: w\n");
}

}  // namespace
}  // namespace pons::test
