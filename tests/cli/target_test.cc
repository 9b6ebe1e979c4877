#include "host/cli/target.h"

#include <gtest/gtest.h>

#include <map>

namespace pons::cli {
namespace {

using Variables = std::map<std::string, std::string>;

EnvLookup env_of(const Variables& variables) {
  return [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

Config config_with(const std::string& socket, const std::string& name = "default") {
  Config config;
  config.host.socket = socket;
  config.host.name = name;
  return config;
}

Target target_of(const HostChoice& choice, const Variables& variables, const std::optional<Config>& config = std::nullopt) {
  return choose_target(choice, env_of(variables), [&]() -> std::optional<HostConfig> {
    if (!config) return std::nullopt;
    return config->host;
  });
}

const Variables kRuntime{{"XDG_RUNTIME_DIR", "/run/u"}};

TEST(Target, DefaultSocketWhereAnEmbeddedHostMayStandIn) {
  const auto target = target_of({}, kRuntime);
  EXPECT_EQ(target.socket, "/run/u/pons/default.sock");
  EXPECT_TRUE(target.may_embed);
}

TEST(Target, NamedSocketRulesTheEmbeddedHostOut) {
  EXPECT_FALSE(target_of({.socket = "/s"}, kRuntime).may_embed);
  const auto by_variable = target_of({}, {{"PONS_SOCKET", "/e"}});
  EXPECT_EQ(by_variable.socket, "/e");
  EXPECT_FALSE(by_variable.may_embed);
  EXPECT_TRUE(by_variable.from_variable);
  EXPECT_FALSE(target_of({.socket = "/s"}, {{"PONS_SOCKET", "/e"}}).from_variable);
}

TEST(Target, NoEmbeddedIsObeyed) { EXPECT_FALSE(target_of({.no_embedded = true}, kRuntime).may_embed); }

TEST(Target, FirstThatIsGivenCounts) {
  const Variables all{{"XDG_RUNTIME_DIR", "/run/u"}, {"PONS_SOCKET", "/e"}};
  EXPECT_EQ(target_of({.socket = "/s", .name = "lab"}, all).socket, "/s");
  EXPECT_EQ(target_of({.name = "lab"}, all).socket, "/run/u/pons/lab.sock");
  EXPECT_EQ(target_of({}, all, config_with("/c")).socket, "/e");
  EXPECT_EQ(target_of({}, kRuntime, config_with("/c")).socket, "/c");
  EXPECT_EQ(target_of({}, kRuntime, config_with("", "lab")).socket, "/run/u/pons/lab.sock");
}

TEST(Target, EmptyVariableIsNone) { EXPECT_TRUE(target_of({}, {{"PONS_SOCKET", ""}, {"XDG_RUNTIME_DIR", "/run/u"}}).may_embed); }

TEST(Target, AdapterIsServedHereWhateverRuns) {
  const auto target = target_of({.adapter_path = "./a.py"}, {{"PONS_SOCKET", "/e"}});
  EXPECT_EQ(target.socket, "");
  EXPECT_TRUE(target.may_embed);
}

TEST(Listener, StdioAloneHasNone) {
  Options options;
  options.stdio = true;
  EXPECT_EQ(choose_listener(options, env_of({{"PONS_SOCKET", "/e"}}), config_with("/c")), std::nullopt);
  options.host.name = "lab";
  EXPECT_EQ(choose_listener(options, env_of(kRuntime), config_with("/c")), "/run/u/pons/lab.sock");
  options.host.socket = "/s";
  EXPECT_EQ(choose_listener(options, env_of(kRuntime), config_with("/c")), "/s");
}

TEST(Listener, OptionThenVariableThenConfigurationThenDefault) {
  const Options options;
  EXPECT_EQ(choose_listener(options, env_of({{"PONS_SOCKET", "/e"}}), config_with("/c")), "/e");
  EXPECT_EQ(choose_listener(options, env_of(kRuntime), config_with("/c")), "/c");
  EXPECT_EQ(choose_listener(options, env_of(kRuntime), config_with("", "lab")), "/run/u/pons/lab.sock");
}

TEST(HostTitle, IsTheNameUnlessThereIsOnlyASocket) {
  EXPECT_EQ(host_title("default", "/run/u/pons/default.sock", env_of(kRuntime)), "default");
  EXPECT_EQ(host_title("default", "/tmp/lab.sock", env_of(kRuntime)), "the host at /tmp/lab.sock");
  EXPECT_EQ(host_title("lab", "/tmp/lab.sock", env_of(kRuntime)), "lab");
}

TEST(ChosenConfig, OptionBeatsVariable) {
  EXPECT_EQ(chosen_config_file({.config = "a"}, env_of({{"PONS_CONFIG", "b"}})), "a");
  EXPECT_EQ(chosen_config_file({}, env_of({{"PONS_CONFIG", "b"}})), "b");
  EXPECT_EQ(chosen_config_file({}, env_of({})), std::nullopt);
}

}  // namespace
}  // namespace pons::cli
