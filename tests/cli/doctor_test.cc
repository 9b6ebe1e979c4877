// `pons doctor` as somebody at a shell would run it.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace pons::test {
namespace {

using nlohmann::json;

/// The findings of one area that are not ok.
std::vector<json> troubles(const std::string& out, const std::string& area) {
  const auto result = json::parse(out);
  std::vector<json> found;
  for (const auto& finding : result["findings"]) {
    if (finding["area"] == area && finding["severity"] != "ok") found.push_back(finding);
  }
  return found;
}

TEST(Doctor, WithoutAProblemItIsStatus0AndChangesNothing) {
  Sandbox sandbox;
  const auto ended = sandbox.run({"doctor"});
  EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
  EXPECT_TRUE(contains(ended.out, "built-in configuration: ")) << ended.out;
  EXPECT_TRUE(contains(ended.out, "echo: ")) << ended.out;
  EXPECT_TRUE(contains(ended.out, "0 problems, ")) << ended.out;
  EXPECT_FALSE(std::filesystem::exists(sandbox.folder() / "state"));
  EXPECT_TRUE(sandbox.left_behind().empty());
}

TEST(Doctor, AFaultOfTheConfigurationIsStatus1) {
  Sandbox sandbox;
  sandbox.write_file("pons.yaml", "hots: {}\n");
  const auto ended = sandbox.run({"doctor", "-c", "pons.yaml", "--json"});
  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_EQ(json::parse(ended.out)["healthy"], false);
  const auto found = troubles(ended.out, "config");
  ASSERT_EQ(found.size(), 1u) << ended.out;
  EXPECT_EQ(found[0]["severity"], "problem");
  EXPECT_TRUE(contains(found[0]["what"], "pons.yaml:1:1")) << found[0];
  EXPECT_TRUE(contains(found[0]["remedy"], "pons check pons.yaml")) << found[0];
}

TEST(Doctor, AHostThatRunsIsSeen) {
  Sandbox sandbox;
  const auto pid = sandbox.serve({"--name", "lab"});
  const auto alive = sandbox.run({"doctor", "--name", "lab"});
  EXPECT_EQ(alive.status, 0) << alive.out;
  EXPECT_TRUE(contains(alive.out, "lab.sock: a host runs there")) << alive.out;
  EXPECT_TRUE(contains(alive.out, "used by the host with pid " + std::to_string(pid))) << alive.out;
}

}  // namespace
}  // namespace pons::test
