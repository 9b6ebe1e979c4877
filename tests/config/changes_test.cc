// Adapters added and changed while a host runs.
#include "host/config/changes.h"

#include "tests/config/config_fixture.h"

namespace pons {
namespace {

using nlohmann::json;
using Lines = std::vector<std::string>;

class Changes : public ConfigTest {
 protected:
  Changes() {
    write("conf/run.sh", "", true);
    write("lib/demo/adapter.yaml",
          "description: Demo\ncommand: [python3, ./demo.py]\ndefaults: {env: {D: d, E: e}, pool: {size: 2}, timeouts: {stop: 3s}}\n");
    write("lib/demo/demo.py", "");
    context_.adapter_path = {root_ / "lib"};
    config_ = parse("host: {max_frame: 1MiB}\ndefaults: {env: {F: f}, pool: {queue: 7}}\nadapters: {x: {command: [./run.sh]}, demo: }\n",
                    "conf/pons.yaml");
  }

  AdapterConfig add(const json& entry, const std::string& name = "new") const {
    return added_adapter(config_, name, entry, root_ / "conf", context_);
  }
  AdapterConfig patch(const std::string& name, const std::string& text) const {
    return patched_adapter(config_, *config_.find(name), json::parse(text), context_);
  }
  /// "POINTER: MESSAGE", a line an issue.
  template <class Call>
  static Lines pointers_of(Call call) {
    Lines out;
    try {
      call();
    } catch (const ConfigError& e) {
      for (const ConfigIssue& issue : e.issues()) out.push_back(issue.pointer + ": " + issue.message);
    }
    return out;
  }

  Config config_;
};

using Variables = std::vector<std::pair<std::string, std::string>>;

TEST_F(Changes, AnAddedAdapterIsLikeOneOfTheFile) {
  const AdapterConfig added = add({{"command", {"./run.sh"}}, {"pool", {{"size", 3}}}});
  EXPECT_EQ(added.pool.adapter, "new");
  EXPECT_EQ(added.pool.launch.command, Lines{(root_ / "conf/run.sh").string()});
  EXPECT_EQ(added.pool.size, 3u);
  EXPECT_EQ(added.pool.queue, 7u);
  EXPECT_EQ(added.pool.max_frame, 1u << 20);
  EXPECT_EQ(added.env, (Variables{{"F", "f"}}));
  EXPECT_EQ(add("demo").framework, "demo");
  EXPECT_EQ(add("../lib/demo").description, "Demo");
  EXPECT_EQ(add(nullptr, "demo").pool.size, 2u);
}

TEST_F(Changes, WhatIsWrongWithAnAddedOneIsPointedAt) {
  EXPECT_EQ(pointers_of([&] {
              add({{"command", {"run"}}, {"pool", {{"size", 0}, {"sise", 1}}}});
            }),
            (Lines{"/pool/sise: unknown key; did you mean \"size\"?", "/pool/size: expected an integer >= 1, got 0"}));
  EXPECT_EQ(pointers_of([&] {
              add({{"command", {"run"}}, {"working_dir", "nope"}});
            }),
            (Lines{"/working_dir: expected a folder, but there is none at " + (root_ / "conf/nope").string()}));
  EXPECT_EQ(pointers_of([&] { add(5); }), (Lines{": expected a path, or what to run: `adapter` or `command`, got 5"}));
  const Lines text = issues_of([&] { add({{"command", {"run"}}, {"pool", {{"size", 0}}}}); });
  EXPECT_EQ(text, Lines{"pool.size: expected an integer >= 1, got 0"});
}

TEST_F(Changes, WhatAFileCouldNotHoldIsRefused) {
  json deep = json::array();
  for (int i = 0; i < 60; ++i) deep = json::array({deep});
  EXPECT_EQ(pointers_of([&] { add({{"command", {"run"}}, {"options", {{"deep", deep}}}}); }).size(), 1u);
  EXPECT_EQ(pointers_of([&] { add({{"command", {"run"}}, {"options", {{"bin", json::binary({1})}}}}); }).size(), 1u);
  EXPECT_EQ(pointers_of([&] { add({{"command", {"run"}}, {"options", {{"text", std::string(2u << 20, 'x')}}}}); }).size(), 1u);
}

TEST_F(Changes, APatchChangesWhatItNames) {
  const AdapterConfig patched = patch("demo", R"({"pool": {"size": 5}, "env": {"E": "mine"}, "options": {"model": "x"}})");
  EXPECT_EQ(patched.pool.size, 5u);
  EXPECT_EQ(patched.pool.queue, 7u);
  EXPECT_EQ(patched.env, (Variables{{"D", "d"}, {"E", "mine"}, {"F", "f"}}));
  EXPECT_EQ(patched.pool.timeouts.stop, Millis(3'000));
  EXPECT_EQ(patched.pool.launch.options, json::parse(R"({"model": "x"})"));
  EXPECT_EQ(patched.framework, "demo");
  EXPECT_EQ(patched.folder, (root_ / "lib/demo").string());
  EXPECT_EQ(patched.source, config_.file);
  EXPECT_EQ(patched.pool.launch.command, config_.find("demo")->pool.launch.command);
  EXPECT_EQ(patched.pool.launch.working_dir, config_.find("demo")->pool.launch.working_dir);
}

TEST_F(Changes, NullTakesAwayWhatAnyLayerSaid) {
  const AdapterConfig patched = patch("demo", R"({"pool": {"size": null}, "env": {"D": null, "F": null}, "timeouts": null})");
  EXPECT_EQ(patched.pool.size, 1u);
  EXPECT_EQ(patched.pool.queue, 7u);
  EXPECT_EQ(patched.env, (Variables{{"E", "e"}}));
  EXPECT_EQ(patched.pool.timeouts.stop, Timeouts{}.stop);
  EXPECT_EQ(patch("demo", R"({"command": null})").pool.launch.command, config_.find("demo")->pool.launch.command);
}

TEST_F(Changes, PatchesAddUp) {
  const AdapterConfig first = patch("x", R"({"pool": {"size": 2}})");
  const AdapterConfig second = patched_adapter(config_, first, json::parse(R"({"pool": {"queue": 1}})"), context_);
  EXPECT_EQ(second.pool.size, 2u);
  EXPECT_EQ(second.pool.queue, 1u);
}

TEST_F(Changes, AnEmptyPatchChangesNothing) {
  for (const char* name : {"x", "demo"}) EXPECT_TRUE(same_settings(patch(name, "{}"), *config_.find(name))) << name;
  EXPECT_FALSE(same_settings(patch("x", R"({"log_rate": 1})"), *config_.find("x")));
}

TEST_F(Changes, PathsOfAPatchCountFromTheFile) {
  write("conf/other.sh", "", true);
  EXPECT_EQ(patch("x", R"({"command": ["./other.sh"]})").pool.launch.command, Lines{(root_ / "conf/other.sh").string()});
}

TEST_F(Changes, WhatIsWrongWithAPatchIsPointedAt) {
  EXPECT_EQ(pointers_of([&] { patch("x", R"({"pool": {"size": "two"}})"); }), (Lines{"/pool/size: expected an integer >= 1, got \"two\""}));
  EXPECT_EQ(pointers_of([&] { patch("x", R"({"pool": {"min_ready": 4}})"); }),
            (Lines{"/pool/min_ready: expected at most pool.size (1), got 4"}));
  EXPECT_EQ(pointers_of([&] { patch("x", "[]"); }), (Lines{": expected a map of the keys that change"}));
  EXPECT_EQ(pointers_of([&] { patch("x", R"({"adapter": "demo"})"); }),
            (Lines{"/adapter: another adapter needs an entry of its own: register it, or change the file and reload"}));
  EXPECT_EQ(pointers_of([&] { patch("x", R"({"command": null})"); }).size(), 1u);
}

TEST_F(Changes, KeysOfTheHostThatNeedANewStartAreNamed) {
  HostConfig other = config_.host;
  other.shutdown_timeout = Millis(1);
  other.max_connections = 1;
  EXPECT_TRUE(fixed_host_keys_changed(config_.host, other).empty());
  other.name = "lab";
  other.log_level = LogLevel::debug;
  EXPECT_EQ(fixed_host_keys_changed(config_.host, other), (Lines{"name", "log"}));
}

}  // namespace
}  // namespace pons
