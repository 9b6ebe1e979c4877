// `pons adapter check` as somebody at a shell would run it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace pons::test {
namespace {

using nlohmann::json;

TEST(AdapterCheck, AGoodWorkerIsStatus0AndATable) {
  Sandbox sandbox;
  const auto ended = sandbox.run({"adapter", "check", "echo"});
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_TRUE(contains(ended.out, "RULE")) << ended.out;
  EXPECT_TRUE(contains(ended.out, "handshake.ping")) << ended.out;
  EXPECT_TRUE(contains(ended.out, " 0 failed, ")) << ended.out;
  EXPECT_TRUE(sandbox.left_behind().empty());
}

TEST(AdapterCheck, JsonNamesEveryRuleWithItsSection) {
  Sandbox sandbox;
  const auto ended = sandbox.run({"adapter", "check", PONS_ECHO_FOLDER, "--json", "--slow", "sleep", "ms:=600000"});
  ASSERT_EQ(ended.status, 0) << ended.err;
  const auto result = json::parse(ended.out);
  EXPECT_EQ(result["adapter"], "echo");
  EXPECT_EQ(result["level"], 1);
  EXPECT_EQ(result["failed"], 0);
  EXPECT_EQ(result["passed"].get<std::size_t>() + result["not_tested"].get<std::size_t>(), result["rules"].size());
  bool cancelled = false;
  for (const auto& rule : result["rules"]) cancelled = cancelled || (rule["rule"] == "cancel.running" && rule["result"] == "pass");
  EXPECT_TRUE(cancelled) << ended.out;
}

TEST(AdapterCheck, AWorkerOfThePythonSdkFollowsEveryRule) {
  Sandbox sandbox;
  sandbox.write_file("hello.py",
                     "import time\n"
                     "import pons\n"
                     "app = pons.App('hello', version='1.0')\n"
                     "@app.command(idempotent=True)\n"
                     "def greet(name: str = 'you') -> dict:\n"
                     "    return {'text': 'Hello ' + name}\n"
                     "@app.command()\n"
                     "def nap(seconds: float = 600.0) -> None:\n"
                     "    time.sleep(seconds)\n"
                     "app.run()\n");
  const auto ended = sandbox.run({"adapter", "check", "./hello.py", "--json", "--slow", "nap"});
  EXPECT_EQ(ended.status, 0) << ended.err << ended.out;
  const auto result = json::parse(ended.out);
  EXPECT_EQ(result["level"], 1);
  for (const auto& rule : result["rules"]) {
    for (const char* tested : {"commands.listed", "cancel.running", "hang.report_running", "end.eof_running", "session.end_unknown"}) {
      if (rule["rule"] == tested) {
        EXPECT_EQ(rule["result"], "pass") << rule;
      }
    }
  }
}

TEST(AdapterCheck, AFileIsStartedLikeWithAdapterAndABrokenRuleIsStatus1) {
  Sandbox sandbox;
  sandbox.write_file("broken.py", "print('I am no worker', flush=True)\n");
  const auto ended = sandbox.run({"adapter", "check", "./broken.py"});
  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_TRUE(contains(ended.out, "handshake.ping")) << ended.out;
  EXPECT_TRUE(contains(ended.out, "I am no worker")) << ended.out;
  EXPECT_TRUE(contains(ended.out, "section 6: ")) << ended.out;
}

TEST(AdapterCheck, WhatIsNotThereIsStatus2) {
  Sandbox sandbox;
  const auto name = sandbox.run({"adapter", "check", "ecko"});
  EXPECT_EQ(name.status, 2);
  EXPECT_TRUE(contains(name.err, "did you mean \"echo\"?")) << name.err;
  const auto path = sandbox.run({"adapter", "check", "./nothing"});
  EXPECT_EQ(path.status, 2);
  EXPECT_TRUE(contains(path.err, "nothing")) << path.err;
  EXPECT_EQ(sandbox.run({"adapter", "check"}).status, 2);
  const auto args = sandbox.run({"adapter", "check", "echo", "ms:=1"});
  EXPECT_EQ(args.status, 2);
  EXPECT_TRUE(contains(args.err, "--slow")) << args.err;
}

TEST(AdapterCheck, WhatTheWorkerLacksIsStatus2AndNamedWithItsRemedy) {
  Sandbox sandbox;
  sandbox.write_file("lab.yaml", "adapters:\n  mine:\n    adapter: " + std::string(PONS_ECHO_FOLDER) + "\n    required_env: [LAB_KEY]\n");
  const auto ended = sandbox.run({"adapter", "check", "mine", "-c", "lab.yaml"});
  EXPECT_EQ(ended.status, 2) << ended.out;
  EXPECT_TRUE(contains(ended.err, "LAB_KEY")) << ended.err;
}

TEST(AdapterCheck, ANameMayComeFromAConfiguration) {
  Sandbox sandbox;
  sandbox.write_file("lab.yaml", "adapters:\n  mine:\n    adapter: " + std::string(PONS_ECHO_FOLDER) + "\n");
  const auto ended = sandbox.run({"adapter", "check", "mine", "-c", "lab.yaml", "--json"});
  ASSERT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(json::parse(ended.out)["adapter"], "mine");
}

}  // namespace
}  // namespace pons::test
