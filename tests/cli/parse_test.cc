#include "host/cli/parse.h"

#include <gtest/gtest.h>

#include "host/cli/fault.h"

namespace pons::cli {
namespace {

using namespace std::chrono_literals;
using Words = std::vector<std::string>;

Options options_of(const Words& words) { return std::get<Options>(parse(words)); }

std::string fault_of(const Words& words) {
  try {
    (void)parse(words);
  } catch (const Fault& fault) {
    EXPECT_EQ(fault.status(), ExitStatus::usage);
    return fault.what();
  }
  ADD_FAILURE() << "accepted";
  return {};
}

struct VerbCase {
  Words words;
  Verb verb;
};
class Verbs : public testing::TestWithParam<VerbCase> {};
INSTANTIATE_TEST_SUITE_P(Parse, Verbs,
                         testing::Values(VerbCase{{"serve"}, Verb::serve}, VerbCase{{"call", "x"}, Verb::call},
                                         VerbCase{{"ping"}, Verb::ping}, VerbCase{{"info"}, Verb::info}, VerbCase{{"stats"}, Verb::stats},
                                         VerbCase{{"cleanup"}, Verb::cleanup}, VerbCase{{"list"}, Verb::list},
                                         VerbCase{{"workers"}, Verb::workers}, VerbCase{{"sessions"}, Verb::sessions},
                                         VerbCase{{"sessions", "end", "s"}, Verb::end_session}, VerbCase{{"start", "a"}, Verb::start},
                                         VerbCase{{"stop"}, Verb::stop}, VerbCase{{"restart", "a"}, Verb::restart},
                                         VerbCase{{"drain", "a"}, Verb::drain}, VerbCase{{"scale", "a", "2"}, Verb::scale},
                                         VerbCase{{"register", "a", "f"}, Verb::enroll}, VerbCase{{"update", "a", "x:=1"}, Verb::update},
                                         VerbCase{{"reload"}, Verb::reload}, VerbCase{{"check"}, Verb::check}),
                         [](const auto& tested) { return "verb" + std::to_string(tested.index); });
TEST_P(Verbs, IsRecognised) { EXPECT_EQ(options_of(GetParam().words).verb, GetParam().verb); }

TEST(Parse, EveryOptionOfCall) {
  const auto o = options_of({"call",      "a:b",     "x=1",      "y:=2",         "--session", "s",   "--resource", "r",
                             "--timeout", "1.5s",    "--stream", "--idempotent", "--meta",    "k=v", "--meta",     "l=w",
                             "--codec",   "msgpack", "--json",   "--name",       "lab",       "-c",  "f.yaml",     "--no-embedded"});
  EXPECT_EQ(o.command, "a:b");
  EXPECT_EQ(o.arguments, (Words{"x=1", "y:=2"}));
  EXPECT_EQ(o.session_id, "s");
  EXPECT_EQ(o.resource_id, "r");
  EXPECT_EQ(o.timeout, 1500ms);
  EXPECT_TRUE(o.stream);
  EXPECT_TRUE(o.idempotent);
  EXPECT_EQ(o.meta, (Words{"k=v", "l=w"}));
  EXPECT_EQ(o.codec, Codec::msgpack);
  EXPECT_TRUE(o.json);
  EXPECT_EQ(o.host.name, "lab");
  EXPECT_EQ(o.host.config, "f.yaml");
  EXPECT_TRUE(o.host.no_embedded);
}

TEST(Parse, MetaTakesOneValueAndLeavesTheArguments) {
  const auto o = options_of({"call", "--meta", "k=v", "a:b", "x=1"});
  EXPECT_EQ(o.command, "a:b");
  EXPECT_EQ(o.arguments, (Words{"x=1"}));
  EXPECT_EQ(o.meta, (Words{"k=v"}));
}

TEST(Parse, ArgumentsMayLookLikeOtherThings) {
  const auto o = options_of({"call", "a:b", "-", "@f", R"({"a": [1, 2]})", "k:=-5", "list:=[1,2]"});
  EXPECT_EQ(o.arguments, (Words{"-", "@f", R"({"a": [1, 2]})", "k:=-5", "list:=[1,2]"}));
}

TEST(Parse, NothingGivenIsNothingSet) {
  const auto o = options_of({"call", "a:b"});
  EXPECT_FALSE(o.timeout || o.session_id || o.resource_id || o.host.socket || o.host.name || o.host.config || o.host.adapter_path);
  EXPECT_FALSE(o.stream || o.idempotent || o.json || o.host.no_embedded);
  EXPECT_EQ(o.codec, Codec::json);
}

TEST(Parse, OptionsOfTheOtherCommands) {
  const auto serve = options_of({"serve", "--stdio", "--socket", "/s", "--name", "n", "-c", "f"});
  EXPECT_TRUE(serve.stdio);
  EXPECT_EQ(serve.host.socket, "/s");
  const auto ping = options_of({"ping", "echo", "--wait", "10s"});
  EXPECT_EQ(ping.adapter, "echo");
  EXPECT_EQ(ping.wait, 10s);
  const auto end = options_of({"sessions", "end", "alice", "--in", "echo", "--socket", "/s", "--json"});
  EXPECT_EQ(end.session_id, "alice");
  EXPECT_EQ(end.adapter, "echo");
  EXPECT_EQ(end.host.socket, "/s");
  EXPECT_TRUE(end.json);
  EXPECT_EQ(options_of({"stop", "--timeout", "2m"}).timeout, 2min);
  EXPECT_EQ(options_of({"check", "f.yaml"}).host.config, "f.yaml");
}

TEST(Parse, OptionsOfTheCommandsThatChangeAHost) {
  EXPECT_EQ(options_of({"stop"}).adapter, "");
  EXPECT_EQ(options_of({"stop", "echo"}).adapter, "echo");
  const auto scale = options_of({"scale", "echo", "4", "--timeout", "1m", "--json", "--name", "lab"});
  EXPECT_EQ(scale.adapter, "echo");
  EXPECT_EQ(scale.size, 4u);
  EXPECT_EQ(scale.timeout, 1min);
  EXPECT_TRUE(scale.json);
  EXPECT_EQ(scale.host.name, "lab");
  const auto update = options_of({"update", "echo", "pool.size:=4", "-", R"({"a": [1]})", "--socket", "/s"});
  EXPECT_EQ(update.adapter, "echo");
  EXPECT_EQ(update.arguments, (Words{"pool.size:=4", "-", R"({"a": [1]})"}));
  EXPECT_EQ(update.host.socket, "/s");
  const auto enroll = options_of({"register", "hello", "./hello.py"});
  EXPECT_EQ(enroll.adapter, "hello");
  EXPECT_EQ(enroll.file, "./hello.py");
}

struct Mistake {
  Words words;
  std::string says;
};
class Mistakes : public testing::TestWithParam<Mistake> {};
INSTANTIATE_TEST_SUITE_P(
    Parse, Mistakes,
    testing::Values(
        Mistake{{}, "a command is expected"}, Mistake{{"cal"}, R"(unknown command "cal"; did you mean "call")"},
        Mistake{{"wrokers"}, R"(did you mean "workers")"}, Mistake{{"zzzzzz"}, R"(unknown command "zzzzzz")"}, Mistake{{"call"}, "COMMAND"},
        Mistake{{"call", "x", "--sesion", "s"}, R"(did you mean "--session")"}, Mistake{{"call", "x", "--timeout", "5"}, "--timeout"},
        Mistake{{"call", "x", "--timeout", "0s"}, "above 0"}, Mistake{{"call", "x", "--codec", "xml"}, "--codec"},
        Mistake{{"call", "x", "[1,2]"}, "not an array"}, Mistake{{"list", "stray"}, R"(unexpected argument "stray")"},
        Mistake{{"ping", "a b"}, "cannot be the name of an adapter"}, Mistake{{"restart"}, "ADAPTER"},
        Mistake{{"start", "a b"}, "cannot be the name of an adapter"}, Mistake{{"restrat", "echo"}, R"(did you mean "restart")"},
        Mistake{{"drain", "echo", "now"}, R"(unexpected argument "now")"},
        Mistake{{"drain", "echo", "--timeuot", "5s"}, R"(did you mean "--timeout")"}, Mistake{{"scale", "echo"}, "N"},
        Mistake{{"scale", "echo", "0"}, "N: expected a number of workers from 1 to 10000, got \"0\""},
        Mistake{{"scale", "echo", "two"}, "N: expected a number of workers from 1 to 10000, got \"two\""},
        Mistake{{"scale", "echo", "99999999999999999999"}, "N: expected a number of workers"}, Mistake{{"scale", "echo", "-1"}, "-1"},
        Mistake{{"scale", "echo", "10001"}, "10001"}, Mistake{{"register", "echo"}, "FILE"}, Mistake{{"update", "echo"}, "CHANGES"},
        Mistake{{"update", "echo", "[1]"}, "not an array"}, Mistake{{"reload", "echo"}, R"(unexpected argument "echo")"},
        Mistake{{"call", "x", "--adapter", "p", "--socket", "s"}, "--socket"},
        Mistake{{"call", "x", "--adapter", "p", "--no-embedded"}, "--no-embedded"}, Mistake{{"sessions", "end"}, "ID"},
        Mistake{{"--bogus"}, R"(unknown option "--bogus" before the command)"}, Mistake{{"stats", "--adapter", "p"}, "--adapter"},
        Mistake{{"call", "x", "--session"}, "--session"},
        Mistake{{"sessions", "edn", "alice"}, R"(unexpected arguments "edn", "alice"; did you mean "end"?)"},
        Mistake{{"sessions", "edn", "alice"}, "Usage: pons sessions"},
        Mistake{{"sessions", "end", "alice", "bob"}, "unexpected argument \"bob\"\nUsage: pons sessions end [OPTIONS] ID\nTry: "},
        Mistake{{"ping", "--adapter", "./hello", "--wait", "1s"}, "--wait is for a host that runs"}),
    [](const auto& tested) { return "mistake" + std::to_string(tested.index); });
TEST_P(Mistakes, AreNamed) { EXPECT_NE(fault_of(GetParam().words).find(GetParam().says), std::string::npos) << fault_of(GetParam().words); }

TEST(Parse, NameOfAHostIsChecked) {
  const std::string longest(64, 'n');
  for (const auto& verb : {Words{"serve"}, Words{"ping"}, Words{"call", "x"}, Words{"sessions", "end", "s"}, Words{"stop"}}) {
    for (const auto& name :
         {std::string("../../esc"), std::string("a/b"), std::string("x y"), std::string(), std::string(".a"), longest + "n"}) {
      auto words = verb;
      words.insert(words.end(), {"--name", name});
      EXPECT_NE(fault_of(words).find("--name: expected a name of letters"), std::string::npos) << fault_of(words);
    }
    auto words = verb;
    words.insert(words.end(), {"--name", longest});
    EXPECT_EQ(options_of(words).host.name, longest);
  }
}

TEST(Parse, OptionsOfTheHostStandBeforeOrBehindEnd) {
  EXPECT_EQ(options_of({"sessions", "--socket", "/s", "end", "alice"}).host.socket, "/s");
  const auto help = std::get<Notice>(parse({"sessions", "end", "--help"})).text;
  for (const auto* option : {"--socket", "--name", "--config", "--json"}) EXPECT_NE(help.find(option), std::string::npos) << option;
}

TEST(Parse, HelpAndVersionAreNotices) {
  EXPECT_EQ(std::get<Notice>(parse({"--version"})).text, "pons " PONS_VERSION "\n");
  for (const auto& words : {Words{"--help"},
                            Words{"serve", "--help"},
                            Words{"call", "-h"},
                            Words{"ping", "--help"},
                            Words{"info", "--help"},
                            Words{"stats", "--help"},
                            Words{"cleanup", "--help"},
                            Words{"list", "--help"},
                            Words{"workers", "--help"},
                            Words{"sessions", "--help"},
                            Words{"sessions", "end", "--help"},
                            Words{"start", "--help"},
                            Words{"stop", "--help"},
                            Words{"restart", "--help"},
                            Words{"drain", "--help"},
                            Words{"scale", "--help"},
                            Words{"register", "--help"},
                            Words{"update", "--help"},
                            Words{"reload", "--help"},
                            Words{"check", "--help"}}) {
    const auto text = std::get<Notice>(parse(words)).text;
    EXPECT_NE(text.find("Usage: pons"), std::string::npos) << text;
    EXPECT_NE(text.find("Exit status:"), std::string::npos) << words.front();
    EXPECT_NE(text.find("Examples:"), std::string::npos) << words.front();
  }
}

}  // namespace
}  // namespace pons::cli
