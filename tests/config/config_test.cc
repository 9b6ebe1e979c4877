#include "host/config/config.h"

#include "host/config/schema_check.h"
#include "host/units.h"
#include "tests/config/config_fixture.h"

namespace pons {
namespace {

using nlohmann::json;
using Lines = std::vector<std::string>;

using ConfigFile = ConfigTest;

TEST_F(ConfigFile, EveryKeyReachesItsField) {
  write("run.sh", "#!/bin/sh\n", true);
  std::filesystem::create_directories(root_ / "data");
  env_ = {{"PATH", "/bin"}, {"KEY", "secret"}};
  const Config config = parse(R"(
host:
  name: lab
  socket: run/lab.sock
  state_dir: /var/lib/lab
  shutdown_timeout: 11s
  log: {level: debug, format: json}
  max_frame: 32MiB
  max_connections: 7
  buffer_limit: 2GB
  output_limit: 1MiB
  stream_limit: 512KiB
  write_timeout: 1m
default: x
adapters:
  other: ./run.sh
  x:
    command: [./run.sh, ./input, plain, ../up]
    channel: stdio
    working_dir: data
    env: {A: "1", B: two}
    env_passthrough: [KEY, NOT_SET]
    required_env: [KEY, A]
    options: {model: gemma, depth: 3, list: [1, null]}
    pool: {size: 4, overflow: 6, overflow_after: 70ms, overflow_linger: 8s, in_flight: 2, queue: 0, queue_bytes: 9MiB,
           selection: lifo, lazy: false, min_ready: 3, start_concurrency: 5}
    timeouts: {request: 1s, max: 2m, queue: 3s, startup: 4s, stop: 5s, cancel_grace: 6s}
    sessions: {ttl: 0, max: 8, max_per_worker: 9, on_loss: restart,
               snapshot: {every: 10, after: 11s, max_bytes: 12KiB, max_total: 13MiB, stale: allow}}
    health: {interval: 1500ms, timeout: 0.5s, misses: 4}
    restart: {max: 1, window: 2s, backoff: 3ms, backoff_max: 4s, reset_after: 5m, min_uptime: 6s, trial: 7m, no_restart_on: [1, 2]}
    retry: {max_attempts: 3}
    recycle: {max_requests: 100, max_age: 1h, max_memory: 2GiB, idle_timeout: 3m, max_drain: 4m}
    limits: {memory: 3GiB, cpu: 1.5, processes: 50, open_files: 256, core: 1MiB, nice: 5, cpu_affinity: ["0-3", 4, "5,7-9"]}
    devices: {variable: CUDA_VISIBLE_DEVICES, values: ["0", "1"]}
    log_rate: 12
    errors:
      "*Limit": {code: rate_limit, retryable: true}
      "*VeryLongLimit": {code: other_code}
)");
  EXPECT_EQ(config.file, (root_ / "pons.yaml").string());
  const HostConfig& host = config.host;
  EXPECT_EQ(host.name, "lab");
  EXPECT_EQ(host.socket, (root_ / "run/lab.sock").string());
  EXPECT_EQ(host.state_dir, "/var/lib/lab");
  EXPECT_EQ(host.shutdown_timeout, Millis(11'000));
  EXPECT_EQ(host.log_level, LogLevel::debug);
  EXPECT_EQ(host.log_format, LogFormat::json);
  EXPECT_EQ(host.max_frame, 32u << 20);
  EXPECT_EQ(host.max_connections, 7u);
  EXPECT_EQ(host.buffer_limit, 2'000'000'000u);
  EXPECT_EQ(host.output_limit, 1u << 20);
  EXPECT_EQ(host.stream_limit, 512u << 10);
  EXPECT_EQ(host.write_timeout, Millis(60'000));
  EXPECT_EQ(config.default_adapter, "x");
  ASSERT_EQ(config.adapters.size(), 2u);

  const AdapterConfig& x = *config.find("x");
  EXPECT_EQ(x.framework, "x");
  EXPECT_EQ(x.source, config.file);
  EXPECT_EQ(x.folder, "");
  const LaunchOptions& launch = x.pool.launch;
  EXPECT_EQ(launch.command,
            (Lines{(root_ / "run.sh").string(), (root_ / "input").string(), "plain", (root_.parent_path() / "up").string()}));
  EXPECT_EQ(launch.working_dir, (root_ / "data").string());
  EXPECT_EQ(launch.channel, ChannelKind::stdio);
  EXPECT_EQ(launch.options, json::parse(R"({"model":"gemma","depth":3,"list":[1,null]})"));
  const std::vector<std::pair<std::string, std::string>> environment{{"A", "1"}, {"B", "two"}, {"KEY", "secret"}, {"PATH", "/bin"}};
  EXPECT_EQ(launch.env, environment);

  const PoolOptions& pool = x.pool;
  EXPECT_EQ(pool.adapter, "x");
  EXPECT_EQ(pool.max_frame, 32u << 20);
  EXPECT_EQ(pool.size, 4u);
  EXPECT_EQ(pool.in_flight, 2u);
  EXPECT_EQ(pool.queue, 0u);
  EXPECT_EQ(pool.selection, Selection::lifo);
  EXPECT_EQ(pool.overflow, 6u);
  EXPECT_EQ(pool.overflow_after, Millis(70));
  EXPECT_EQ(pool.overflow_linger, Millis(8'000));
  EXPECT_EQ(pool.queue_bytes, 9u << 20);
  EXPECT_FALSE(pool.lazy);
  EXPECT_EQ(pool.min_ready, 3u);
  EXPECT_EQ(pool.start_concurrency, 5u);
  EXPECT_EQ(pool.timeouts.request, Millis(1'000));
  EXPECT_EQ(pool.timeouts.max, Millis(120'000));
  EXPECT_EQ(pool.timeouts.queue, Millis(3'000));
  EXPECT_EQ(pool.timeouts.startup, Millis(4'000));
  EXPECT_EQ(pool.timeouts.stop, Millis(5'000));
  EXPECT_EQ(pool.timeouts.cancel_grace, Millis(6'000));
  EXPECT_EQ(pool.sessions.ttl, Millis(0));
  EXPECT_EQ(pool.sessions.max, 8u);
  EXPECT_EQ(pool.sessions.max_per_worker, 9u);
  EXPECT_EQ(pool.sessions.on_loss, OnLoss::restart);
  EXPECT_EQ(pool.sessions.snapshot.every, 10);
  EXPECT_EQ(pool.sessions.snapshot.after, Millis(11'000));
  EXPECT_EQ(pool.sessions.snapshot.max_bytes, 12u << 10);
  EXPECT_EQ(pool.sessions.snapshot.max_total, 13u << 20);
  EXPECT_EQ(pool.sessions.snapshot.stale, Stale::allow);
  EXPECT_EQ(pool.health.interval, Millis(1'500));
  EXPECT_EQ(pool.health.timeout, Millis(500));
  EXPECT_EQ(pool.health.misses, 4);
  EXPECT_EQ(pool.restart.max, 1);
  EXPECT_EQ(pool.restart.window, Millis(2'000));
  EXPECT_EQ(pool.restart.backoff, Millis(3));
  EXPECT_EQ(pool.restart.backoff_max, Millis(4'000));
  EXPECT_EQ(pool.restart.reset_after, Millis(300'000));
  EXPECT_EQ(pool.restart.min_uptime, Millis(6'000));
  EXPECT_EQ(pool.restart.trial, Millis(420'000));
  EXPECT_EQ(pool.restart.no_restart_on, (std::vector<int>{1, 2}));
  EXPECT_EQ(pool.retry.max_attempts, 3);
  EXPECT_EQ(pool.recycle.max_requests, 100u);
  EXPECT_EQ(pool.recycle.max_age, Millis(3'600'000));
  EXPECT_EQ(pool.recycle.max_memory, std::size_t{2} << 30);
  EXPECT_EQ(pool.recycle.idle_timeout, Millis(180'000));
  EXPECT_EQ(pool.recycle.max_drain, Millis(240'000));
  EXPECT_EQ(pool.limits.memory, std::size_t{3} << 30);
  EXPECT_EQ(pool.limits.cpu, 1.5);
  EXPECT_EQ(pool.limits.processes, 50u);
  EXPECT_EQ(pool.limits.open_files, 256u);
  EXPECT_EQ(pool.limits.core, 1u << 20);
  EXPECT_EQ(pool.limits.nice, 5);
  EXPECT_EQ(pool.limits.cpu_affinity, (Lines{"0-3", "4", "5,7-9"}));
  EXPECT_EQ(launch.device_variable, "CUDA_VISIBLE_DEVICES");
  EXPECT_EQ(launch.device_values, (Lines{"0", "1"}));
  EXPECT_EQ(pool.log_rate, 12);
  ASSERT_EQ(x.errors.size(), 2u);
  EXPECT_EQ(x.errors[0].pattern, "*VeryLongLimit");  // the more exact one first
  EXPECT_EQ(x.errors[0].retryable, std::nullopt);
  EXPECT_EQ(x.errors[1].code, "rate_limit");
  EXPECT_EQ(x.errors[1].retryable, true);
}

TEST_F(ConfigFile, EmptySectionsSayNothing) {
  const Config config = parse("host:\nadapters:\n  x:\n    command: [run]\n    pool:\n    env:\n    timeouts:\n    options:\n");
  EXPECT_EQ(config.find("x")->pool.size, 1u);
  EXPECT_EQ(config.find("x")->pool.launch.options, json::object());
}

TEST_F(ConfigFile, AnEmptyListOfAdaptersServesNone) {
  const Config config = parse("adapters: {}");
  EXPECT_TRUE(config.adapters.empty());
  EXPECT_EQ(config.default_adapter, std::nullopt);
}

TEST_F(ConfigFile, TheOnlyAdapterIsTheDefault) {
  EXPECT_EQ(parse("adapters: {x: {command: [run]}}").default_adapter, "x");
  EXPECT_EQ(parse("adapters: {x: {command: [run]}, y: {command: [run]}}").default_adapter, std::nullopt);
}

TEST_F(ConfigFile, ARequestNeverGetsMoreThanTheMost) {
  EXPECT_EQ(parse("adapters: {x: {command: [run], timeouts: {max: 5s}}}").find("x")->pool.timeouts.request, Millis(5'000));
}

TEST_F(ConfigFile, DefaultsAreBelowEntriesKeyByKey) {
  const Config config = parse(R"(
defaults:
  timeouts: {request: 1s, max: 1h}
  env: {A: a, B: b}
  env_passthrough: [X]
  options: {deep: {one: 1, two: 2}, list: [1, 2]}
  pool: {size: 3}
adapters:
  plain: {command: [run]}
  own: {command: [run], timeouts: {request: 2s}, env: {B: mine}, env_passthrough: [], options: {deep: {two: 22}, list: [3]}, pool: {size: 5}}
)");
  const AdapterConfig& plain = *config.find("plain");
  EXPECT_EQ(plain.pool.timeouts.request, Millis(1'000));
  EXPECT_EQ(plain.pool.size, 3u);
  EXPECT_EQ(plain.env_passthrough, Lines{"X"});
  const AdapterConfig& own = *config.find("own");
  EXPECT_EQ(own.pool.timeouts.request, Millis(2'000));
  EXPECT_EQ(own.pool.timeouts.max, Millis(3'600'000));
  EXPECT_EQ(own.pool.size, 5u);
  EXPECT_TRUE(own.env_passthrough.empty());
  EXPECT_EQ(own.env, (std::vector<std::pair<std::string, std::string>>{{"A", "a"}, {"B", "mine"}}));
  EXPECT_EQ(own.pool.launch.options, json::parse(R"({"deep":{"one":1,"two":22},"list":[3]})"));
}

TEST_F(ConfigFile, ZeroSwitchesAnyOtherLimitOff) {
  const Config config = parse(R"(
adapters:
  x:
    command: [run]
    pool: {overflow: 0, overflow_after: 0, overflow_linger: 0, queue: 0, queue_bytes: 0, min_ready: 0}
    sessions: {ttl: 0, max: 0, max_per_worker: 0, snapshot: {every: 0, after: 0, max_bytes: 0, max_total: 0}}
    restart: {max: 0, window: 0, backoff: 0, backoff_max: 0, reset_after: 0, min_uptime: 0}
    recycle: {max_requests: 0, max_age: 0, max_memory: 0, idle_timeout: 0, max_drain: 0}
    limits: {memory: 0, cpu: 0, processes: 0, open_files: 0, core: 0, nice: 0, cpu_affinity: []}
)");
  const PoolOptions& pool = config.find("x")->pool;
  EXPECT_EQ(pool.queue_bytes, 0u);
  EXPECT_EQ(pool.sessions.snapshot.max_bytes, 0u);
  EXPECT_EQ(pool.recycle.max_drain, Millis(0));
  EXPECT_EQ(pool.limits, LimitOptions{});
}

TEST_F(ConfigFile, ASnapshotIsNeverLargerThanAllOfThem) {
  const Config config = parse("adapters: {x: {command: [run], sessions: {snapshot: {max_total: 1MiB}}}}");
  EXPECT_EQ(config.find("x")->pool.sessions.snapshot.max_bytes, 1u << 20);
  EXPECT_TRUE(issues("adapters: {x: {command: [run], sessions: {snapshot: {max_bytes: 2GiB, max_total: 0}}}}").empty());
}

TEST_F(ConfigFile, TheVariableOfDevicesIsTheirs) {
  env_ = {{"GPU", "host"}};
  const Config config = parse(R"(
adapters:
  x:
    command: [run]
    env: {A: "1", GPU: entry}
    env_passthrough: [GPU]
    required_env: [GPU]
    devices: {variable: GPU, values: [""]}
)");
  const LaunchOptions& launch = config.find("x")->pool.launch;
  EXPECT_EQ(launch.env, (std::vector<std::pair<std::string, std::string>>{{"A", "1"}}));
  EXPECT_EQ(launch.device_values, Lines{""});
}

TEST_F(ConfigFile, DevicesComeTogetherFromAllLayers) {
  const Config config = parse("defaults: {devices: {variable: GPU}}\nadapters: {x: {command: [run], devices: {values: [a, b]}}}");
  EXPECT_EQ(config.find("x")->pool.launch.device_variable, "GPU");
  EXPECT_EQ(config.find("x")->pool.launch.device_values, (Lines{"a", "b"}));
}

// Every leaf of the schema that has a default: what the program does without it must be that.
TEST_F(ConfigFile, TheSchemasDefaultsAreThoseOfTheProgram) {
  const json printed = to_json(parse("adapters: {x: {command: [run]}}"));
  const SchemaCheck check;
  int compared = 0;
  const auto compare = [&](const auto& self, const json& node, const json& effective, const std::string& path) -> void {
    if (node.contains("properties")) {
      for (const auto& [name, inner] : node["properties"].items())
        self(self, inner, effective.is_object() ? effective.value(name, json()) : json(), std::string(path).append(".").append(name));
      return;
    }
    if (!node.contains("default") || effective.is_null() || path == ".working_dir") return;
    const json& said = node["default"];
    ++compared;
    if (said.is_string() && parse_duration(said.get<std::string>())) {
      EXPECT_EQ(*parse_duration(said.get<std::string>()), *parse_duration(effective.get<std::string>())) << path;
    } else if (said.is_string() && parse_size(said.get<std::string>())) {
      EXPECT_EQ(*parse_size(said.get<std::string>()), *parse_size(effective.get<std::string>())) << path;
    } else {
      EXPECT_EQ(said, effective) << path;
    }
  };
  compare(compare, check.schema()["properties"]["host"], printed["host"], "host");
  compare(compare, check.schema()["definitions"]["adapter"], printed["adapters"]["x"], "");
  EXPECT_GT(compared, 60);
}

TEST_F(ConfigFile, WhatIsPrintedCanBeReadAgain) {
  write("run.sh", "", true);
  write("adapters/demo/adapter.yaml", "description: Demo\ncommand: [python3, ./demo.py]\ndefaults: {env: {D: d}, pool: {size: 2}}\n");
  write("adapters/demo/demo.py", "");
  context_.adapter_path = {root_ / "adapters"};
  const Config config = parse(R"(
host: {name: lab, socket: here.sock, max_frame: 1MB, write_timeout: 0}
default: x
adapters:
  demo: {env: {E: e}}
  x: {command: [./run.sh], pool: {queue: 0}, sessions: {ttl: 90s}, errors: {"*E": {code: c, retryable: false}}, options: {a: [1]}}
)");
  const json printed = to_json(config);
  const Config again = parse(printed.dump(), "other/effective.json");
  EXPECT_EQ(to_json(again), printed);
  EXPECT_EQ(again.find("demo")->description, "Demo");
  EXPECT_EQ(printed["host"]["write_timeout"], "0s");
  EXPECT_EQ(printed["host"]["max_frame"], "1MB");
  EXPECT_EQ(printed["adapters"]["x"]["sessions"]["ttl"], "90s");
}

TEST_F(ConfigFile, PathsOfSocketAndStateFollowTheConventions) {
  const EnvLookup env = [this](const std::string& name) { return context_.env(name); };
  const std::string uid = std::to_string(::getuid());
  EXPECT_EQ(default_socket_path("n", env), "/tmp/pons-" + uid + "/n.sock");
  EXPECT_EQ(default_state_dir("n", env), "/tmp/pons-" + uid + "/state/n");
  env_ = {{"XDG_RUNTIME_DIR", "relative"}, {"HOME", "/home/me"}};
  EXPECT_EQ(default_socket_path("n", env), "/tmp/pons-" + uid + "/n.sock");
  EXPECT_EQ(default_state_dir("n", env), "/home/me/.local/state/pons/n");
  env_ = {{"XDG_RUNTIME_DIR", "/run/user/7"}, {"XDG_STATE_HOME", "/state"}};
  EXPECT_EQ(default_socket_path("n", env), "/run/user/7/pons/n.sock");
  EXPECT_EQ(default_state_dir("n", env), "/state/pons/n");
}

TEST_F(ConfigFile, NamesOfHostsAreTheSameInTheSchemaAndElsewhere) {
  for (const std::string& name :
       {std::string("default"), std::string("A.b_c-9"), std::string(64, 'n'), std::string(65, 'n'), std::string(), std::string("a/b"),
        std::string("x y"), std::string("../../esc"), std::string("_a"), std::string("n\u00e9")}) {
    EXPECT_EQ(valid_host_name(name), issues(json{{"host", {{"name", name}}}}.dump(), "pons.json").empty()) << name;
  }
}

TEST_F(ConfigFile, TheAddressOfAHostIsReadWhateverElseIsWrong) {
  const auto address = [&](const std::string& text) {
    write("conf/pons.yaml", text);
    return load_host_address("conf/pons.yaml", context_);
  };
  const HostConfig host = address("hots: 1\nhost: {name: lab, socket: ../lab.sock, nam: x, max_frame: 1}\nadapters: {x: ./gone, y: 5}\n");
  EXPECT_EQ(host.name, "lab");
  EXPECT_EQ(host.socket, (root_ / "lab.sock").string());
  EXPECT_EQ(address("adapters: 3\n").name, "default");
  EXPECT_EQ(address("").socket, "");
  EXPECT_EQ(issues_of([&] { address("host: {name: a/b, nam: x}\n"); }),
            (Lines{"conf/pons.yaml:1:14: host.name: expected a name of letters, digits, `.`, `_`, `-`, 64 at most, got \"a/b\""}));
  EXPECT_EQ(issues_of([&] { address("host: [\n"); }).size(), 1u);
}

TEST_F(ConfigFile, FaultsNameTheFileAsItWasGiven) {
  write("conf/broken.yaml", "adapters: [\n");
  for (const char* file : {"conf/broken.yaml", "conf/none.yaml"}) {
    const auto found = issues_of([&] { load_config(file, context_); });
    ASSERT_EQ(found.size(), 1u) << file;
    EXPECT_TRUE(found.front().starts_with(file)) << found.front();
  }
}

}  // namespace
}  // namespace pons
