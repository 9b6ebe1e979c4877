// What is wrong with a configuration: each fault with its place, what was expected and what was found.
#include "tests/config/config_fixture.h"

namespace pons {
namespace {

using nlohmann::json;
using Lines = std::vector<std::string>;

using ConfigErrors = ConfigTest;

struct WrongCase {
  const char* text;
  Lines issues;
};

TEST_F(ConfigErrors, WhatIsWrongIsSaidWithPlaceAndExpectation) {
  write("run.sh", "", true);
  write("plain.txt", "");
  const std::string root = root_.string();
  const WrongCase cases[] = {
      {"hots: {}", {"pons.yaml:1:1: hots: unknown key; did you mean \"host\"?"}},
      {"zzz: {}", {"pons.yaml:1:1: zzz: unknown key"}},
      {"[1]", {"pons.yaml:1:1: expected a map with the keys host, default, defaults and adapters, got a list"}},
      {"adapters:\n  x:\n    command: [run]\n    pool:\n      sise: 2\n",
       {"pons.yaml:5:7: adapters.x.pool.sise: unknown key; did you mean \"size\"?"}},
      {"adapters: {x: {command: [run], size: 2}}", {"pons.yaml:1:32: adapters.x.size: unknown key; did you mean \"pool.size\"?"}},
      {"adapters: {x: {command: [run], pool: {size: two}}}",
       {"pons.yaml:1:45: adapters.x.pool.size: expected an integer >= 1, got \"two\""}},
      {"adapters: {x: {command: [run], pool: {size: 0}}}", {"pons.yaml:1:45: adapters.x.pool.size: expected an integer >= 1, got 0"}},
      {"adapters: {x: {command: [run], pool: {in_flight: 0}}}",
       {"pons.yaml:1:50: adapters.x.pool.in_flight: expected an integer >= 1, got 0"}},
      {"adapters: {x: {command: [run], pool: {queue: -1}}}", {"pons.yaml:1:46: adapters.x.pool.queue: expected an integer >= 0, got -1"}},
      {"adapters: {x: {command: [run], pool: {queue: 1.5}}}", {"pons.yaml:1:46: adapters.x.pool.queue: expected an integer >= 0, got 1.5"}},
      {"adapters: {x: {command: [run], pool: {size: 10001}}}", {"pons.yaml:1:45: adapters.x.pool.size: expected at most 10000, got 10001"}},
      {"adapters: {x: {command: [run], pool: {queue: 1000000001}}}",
       {"pons.yaml:1:46: adapters.x.pool.queue: expected at most 1000000000, got 1000000001"}},
      {"adapters: {x: {command: [run], pool: {size: }}}", {"pons.yaml:1:39: adapters.x.pool.size: expected an integer >= 1, got nothing"}},
      {"adapters: {x: {command: [run], pool: {lazy: \"yes\"}}}",
       {"pons.yaml:1:45: adapters.x.pool.lazy: expected true or false, got \"yes\""}},
      {"adapters: {x: {command: [run], pool: {selection: lifi}}}",
       {"pons.yaml:1:50: adapters.x.pool.selection: expected one of least_loaded, lifo, got \"lifi\"; did you mean \"lifo\"?"}},
      {"adapters: {x: {command: [run], pool: [1]}}", {"pons.yaml:1:38: adapters.x.pool: expected a map of keys and values, got a list"}},
      {"adapters: {x: {command: [run], timeouts: {request: 30}}}",
       {"pons.yaml:1:52: adapters.x.timeouts.request: expected a time above 0 such as 250ms, 30s, 10m or 2h, got 30 without a unit"}},
      {"adapters: {x: {command: [run], health: {interval: 30}}}",
       {"pons.yaml:1:51: adapters.x.health.interval: expected a time such as 250ms, 30s, 10m or 2h, got 30 without a unit"}},
      {"adapters: {x: {command: [run], health: {interval: 5 sec}}}",
       {"pons.yaml:1:51: adapters.x.health.interval: expected a time such as 250ms, 30s, 10m or 2h, got \"5 sec\""}},
      {"adapters: {x: {command: [run], health: {interval: 999999999h}}}",
       {"pons.yaml:1:51: adapters.x.health.interval: expected a time such as 250ms, 30s, 10m or 2h, got \"999999999h\", which is too "
        "much"}},
      {"host: {max_frame: 0}", {"pons.yaml:1:19: host.max_frame: expected a size from 1KiB to below 4GiB, such as 64MiB, got 0"}},
      {"host: {max_frame: 4GiB}", {"pons.yaml:1:19: host.max_frame: expected a size from 1KiB to below 4GiB, got 4GiB"}},
      {"host: {max_frame: 1023B}", {"pons.yaml:1:19: host.max_frame: expected a size from 1KiB to below 4GiB, got 1023B"}},
      {"host: {buffer_limit: 100}",
       {"pons.yaml:1:22: host.buffer_limit: expected a size such as 512KiB, 64MiB or 2GB, got 100 without a unit"}},
      {"host: {name: a/b}", {"pons.yaml:1:14: host.name: expected a name of letters, digits, `.`, `_`, `-`, 64 at most, got \"a/b\""}},
      {"host: {name: 12}",
       {"pons.yaml:1:14: host.name: expected a name of letters, digits, `.`, `_`, `-`, 64 at most, got 12; write it in quotes"}},
      {"host: {socket: \"\"}", {"pons.yaml:1:16: host.socket: expected a text that is not empty, got \"\""}},
      {"host: {log: {level: warning}}",
       {"pons.yaml:1:21: host.log.level: expected one of trace, debug, info, warn, error, off, got \"warning\"; did you mean \"warn\"?"}},
      {"adapters: {x: {command: ./run.sh}}",
       {"pons.yaml:1:25: adapters.x.command: expected a list of texts, the program first, such as [python3, ./worker.py], got "
        "\"./run.sh\""}},
      {"adapters: {x: {command: []}}",
       {"pons.yaml:1:25: adapters.x.command: expected a list of texts, the program first, such as [python3, ./worker.py], got an empty "
        "list"}},
      {"adapters: {x: {command: [run, 5]}}", {"pons.yaml:1:31: adapters.x.command[1]: expected a text, got 5; write it in quotes"}},
      {"adapters: {x: {command: [run], env: {OMP_NUM_THREADS: 1}}}",
       {"pons.yaml:1:55: adapters.x.env.OMP_NUM_THREADS: expected a text, got 1; write it in quotes"}},
      {"adapters: {x: {command: [run], env: {\"A=B\": x}}}",
       {"pons.yaml:1:38: adapters.x.env.\"A=B\": expected the name of an environment variable"}},
      {"adapters: {x: {command: [run], env_passthrough: [A B]}}",
       {"pons.yaml:1:50: adapters.x.env_passthrough[0]: expected the name of an environment variable, got \"A B\""}},
      {"adapters: {x: {command: [run], env: {PONS_FD: \"3\"}}}",
       {"pons.yaml:1:47: adapters.x.env.PONS_FD: only the host sets this variable"}},
      {"adapters: {x: {command: [run], env_passthrough: [PONS_INSTANCE]}}",
       {"pons.yaml:1:50: adapters.x.env_passthrough[0]: only the host sets PONS_INSTANCE"}},
      {"adapters: {x: {command: [run], restart: {no_restart_on: [78, 256]}}}",
       {"pons.yaml:1:62: adapters.x.restart.no_restart_on[1]: expected an integer from 0 to 255, got 256"}},
      {"adapters: {x: {command: [run], errors: {\"*E\": {retryable: true}}}}",
       {"pons.yaml:1:41: adapters.x.errors.\"*E\": expected the key \"code\""}},
      {"adapters: {x: {command: [run], errors: {\"*E\": {code: \"Bad Code\"}}}}",
       {"pons.yaml:1:54: adapters.x.errors.\"*E\".code: expected a code such as rate_limit (a-z, 0-9, _), got \"Bad Code\""}},
      {"adapters: {x: {command: [run], options: [1]}}",
       {"pons.yaml:1:41: adapters.x.options: expected a map of keys and values, got a list"}},
      {"adapters: {host: {command: [run]}}",
       {"pons.yaml:1:12: adapters.host: expected a namespace of letters, digits, `_`, `-`, 64 at most, other than host and common"}},
      {"adapters: {\"a:b\": {command: [run]}}",
       {"pons.yaml:1:12: adapters.\"a:b\": expected a namespace of letters, digits, `_`, `-`, 64 at most, other than host and common"}},
      {"adapters: {x: 5}", {"pons.yaml:1:15: adapters.x: expected a path, or what to run: `adapter` or `command`, got 5"}},
      {"default: y\nadapters: {yy: ./run.sh}", {"pons.yaml:1:10: default: expected one of the adapters, got \"y\"; did you mean \"yy\"?"}},
      {"adapters: {x: {command: [run], pool: {size: 2, min_ready: 3}}}",
       {"pons.yaml:1:59: adapters.x.pool.min_ready: expected at most pool.size (2), got 3"}},
      {"adapters: {x: {command: [./nope]}}",
       {"pons.yaml:1:26: adapters.x.command[0]: expected a program, but there is no file " + root + "/nope"}},
      {"adapters: {x: {command: [./plain.txt]}}",
       {"pons.yaml:1:26: adapters.x.command[0]: expected a program, but " + root + "/plain.txt is not executable"}},
      {"adapters: {x: {command: [../]}}",
       {"pons.yaml:1:26: adapters.x.command[0]: expected a program, but " + root_.parent_path().string() + " is a folder"}},
      {"adapters: {x: {command: [run], working_dir: nope}}",
       {"pons.yaml:1:45: adapters.x.working_dir: expected a folder, but there is none at " + root + "/nope"}},
      {"adapters: {x: {command: [run], pool: {queue_bytes: 5}}}",
       {"pons.yaml:1:52: adapters.x.pool.queue_bytes: expected a size such as 512KiB, 64MiB or 2GB, got 5 without a unit"}},
      {"adapters: {x: {command: [run], pool: {overflow: -1}}}",
       {"pons.yaml:1:49: adapters.x.pool.overflow: expected an integer >= 0, got -1"}},
      {"adapters: {x: {command: [run], sessions: {on_loss: retry}}}",
       {"pons.yaml:1:52: adapters.x.sessions.on_loss: expected one of fail, restart, got \"retry\""}},
      {"adapters: {x: {command: [run], sessions: {snapshot: {stale: alow}}}}",
       {"pons.yaml:1:61: adapters.x.sessions.snapshot.stale: expected one of refuse, allow, got \"alow\"; did you mean \"allow\"?"}},
      {"adapters: {x: {command: [run], sessions: {snapshot: {max_bytes: 2MiB, max_total: 1MiB}}}}",
       {"pons.yaml:1:65: adapters.x.sessions.snapshot.max_bytes: expected at most sessions.snapshot.max_total (1MiB), got 2MiB"}},
      {"adapters: {x: {command: [run], retry: {max_attempts: 0}}}",
       {"pons.yaml:1:54: adapters.x.retry.max_attempts: expected an integer >= 1, got 0"}},
      {"adapters: {x: {command: [run], restart: {trial: 0s}}}",
       {"pons.yaml:1:49: adapters.x.restart.trial: expected a time above 0 such as 250ms, 30s, 10m or 2h, got \"0s\""}},
      {"adapters: {x: {command: [run], recycle: {max_memory: 2GiB}, limits: {memory: 2GiB}}}",
       {"pons.yaml:1:54: adapters.x.recycle.max_memory: expected less than limits.memory (2GiB), at which a worker is killed, got 2GiB"}},
      {"adapters: {x: {command: [run], limits: {cpu: -0.5}}}",
       {"pons.yaml:1:46: adapters.x.limits.cpu: expected a number from 0 to 65536, got -0.5"}},
      {"adapters: {x: {command: [run], limits: {nice: 20}}}",
       {"pons.yaml:1:47: adapters.x.limits.nice: expected an integer from 0 to 19, got 20"}},
      {"adapters: {x: {command: [run], limits: {cpu_affinity: 0-3}}}",
       {"pons.yaml:1:55: adapters.x.limits.cpu_affinity: expected a list of sets of CPUs, such as [\"0-3\", \"4-7\"] or [0, 1], got "
        "\"0-3\""}},
      {"adapters: {x: {command: [run], limits: {cpu_affinity: [0, 3-, 1024]}}}",
       {"pons.yaml:1:59: adapters.x.limits.cpu_affinity[1]: expected a set of CPUs such as 0-3 or 0,2,4-6, none above 1023, got \"3-\"",
        "pons.yaml:1:63: adapters.x.limits.cpu_affinity[2]: expected a set of CPUs such as 0-3 or 0,2,4-6, none above 1023, got 1024"}},
      {"adapters: {x: {command: [run], limits: {cpu_affinity: [0-3, \"1,3-2\", 0-2000]}}}",
       {"pons.yaml:1:61: adapters.x.limits.cpu_affinity[1]: expected a set of CPUs, the smaller number first and none above 1023, got "
        "1,3-2",
        "pons.yaml:1:70: adapters.x.limits.cpu_affinity[2]: expected a set of CPUs, the smaller number first and none above 1023, got "
        "0-2000"}},
      {"adapters: {x: {command: [run], devices: {variable: GPU, values: []}}}",
       {"pons.yaml:1:65: adapters.x.devices.values: expected a list of texts, such as [\"0\", \"1\"], got an empty list"}},
      {"adapters: {x: {command: [run], devices: {variable: GPU}}}",
       {"pons.yaml:1:52: adapters.x.devices.variable: expected `devices.values` too, the values of GPU"}},
      {"adapters: {x: {command: [run], devices: {values: [\"0\"]}}}",
       {"pons.yaml:1:50: adapters.x.devices.values: expected `devices.variable` too, the variable that is set to one of these"}},
      {"adapters: {x: {command: [run], devices: {variable: PONS_FD, values: [\"0\"]}}}",
       {"pons.yaml:1:52: adapters.x.devices.variable: only the host sets PONS_FD"}},
      {"adapters: {x: {command: [run], devices: {variable: A B, values: [\"0\"]}}}",
       {"pons.yaml:1:52: adapters.x.devices.variable: expected the name of an environment variable, got \"A B\""}},
      {"adapters:\n  x:\n",
       {"pons.yaml:2:3: adapters.x: expected `command` or `adapter`; there is no adapter of the name \"x\" (looked for "
        "x/adapter.yaml in " +
        root + ")"}},
      {"adapters: {x: ./gone.py}",
       {"pons.yaml:1:15: adapters.x: " + root +
        "/gone.py: no such file or folder; expected a Python file, a program or an adapter's folder"}},
      {"adapters: {x: ./plain.txt}",
       {"pons.yaml:1:15: adapters.x: " + root +
        "/plain.txt: expected a Python file (.py), a program or an adapter's folder; this file is not executable"}},
      {"adapters: {x: ./}", {"pons.yaml:1:15: adapters.x: " + root + ": expected an adapter's folder, but there is no adapter.yaml in it"}},
  };
  env_["PRESENT"] = "1";
  for (const WrongCase& wrong : cases) EXPECT_EQ(issues(wrong.text), wrong.issues) << wrong.text;
}

TEST_F(ConfigErrors, ZeroIsAnErrorForEveryTimeout) {
  for (const char* key : {"request", "max", "queue", "startup", "stop", "cancel_grace"}) {
    for (const char* zero : {"0", "0s", "0.0s", "0ms", "0 s"}) {
      const std::string where = "adapters: {x: {command: [run], timeouts: {" + std::string(key) + ": " + zero + "}}}";
      EXPECT_EQ(issues(where).size(), 1u) << where;
    }
    EXPECT_TRUE(issues("adapters: {x: {command: [run], timeouts: {" + std::string(key) + ": 0.5s}}}").empty()) << key;
  }
}

TEST_F(ConfigErrors, AllThatIsWrongIsSaidAtOnceInTheOrderOfTheFile) {
  EXPECT_EQ(
      issues("hots: 1\nhost:\n  nam: x\n  max_frame: 1\ndefaults: {pool: {queue: x}}\nadapters:\n  a: {pool: {size: 0}}\n"
             "  b: {command: [./gone]}\n  c: {command: [run], env: {X: 1}, log_rate: many}\ndefault: d\n"),
      (Lines{"pons.yaml:1:1: hots: unknown key; did you mean \"host\"?", "pons.yaml:3:3: host.nam: unknown key; did you mean \"name\"?",
             "pons.yaml:4:14: host.max_frame: expected a size from 1KiB to below 4GiB, such as 64MiB, got 1 without a unit",
             "pons.yaml:5:26: defaults.pool.queue: expected an integer >= 0, got \"x\"",
             "pons.yaml:7:20: adapters.a.pool.size: expected an integer >= 1, got 0",
             "pons.yaml:9:32: adapters.c.env.X: expected a text, got 1; write it in quotes",
             "pons.yaml:9:46: adapters.c.log_rate: expected an integer >= 0, got \"many\"",
             "pons.yaml:10:10: default: expected one of the adapters, got \"d\""}));
  EXPECT_EQ(issues("host: {nam: x}\nadapters:\n  b: {command: [./gone]}\n").size(), 2u);
}

TEST_F(ConfigErrors, JsonFilesAreHeldToTheSameSchema) {
  EXPECT_EQ(issues("{\n  \"adapters\": {\n    \"x\": {\"command\": [\"run\"],\n      \"pool\": {\"sise\": 2}}}}", "pons.json"),
            (Lines{"pons.json:4:16: adapters.x.pool.sise: unknown key; did you mean \"size\"?"}));
  const Config config = parse("{\"adapters\": {\"x\": {\"command\": [\"run\"], \"pool\": {\"size\": 3}}}}", "pons.json");
  EXPECT_EQ(config.find("x")->pool.size, 3u);
}

TEST_F(ConfigErrors, WhatDefaultsSayWronglyIsReportedThere) {
  EXPECT_EQ(issues("defaults:\n  required_packages: ['>3']\nadapters: {x: {command: [run]}}"),
            (Lines{"pons.yaml:2:23: defaults.required_packages[0]: expected a package with or without versions, such as \"numpy\" or "
                   "\"dspy>=3.0,<4\", got \">3\""}));
}

TEST_F(ConfigErrors, VeryLongTextsAreNoTroubleForTheSchema) {
  const std::string many(300'000, '1');
  EXPECT_EQ(issues("adapters: {x: {command: [run], health: {interval: \"" + many + "s\"}}}").size(), 1u);
  EXPECT_EQ(issues("host: {name: " + std::string(300'000, 'n') + "}").size(), 1u);
  EXPECT_TRUE(issues("adapters: {x: {command: [run], options: {text: \"" + many + "\"}}}").empty());
}

TEST_F(ConfigErrors, ZeroIsAnErrorWhereItWouldMeanNothing) {
  for (const char* said : {"pool: {size: 0}", "pool: {in_flight: 0}", "pool: {start_concurrency: 0}", "retry: {max_attempts: 0}",
                           "restart: {trial: 0}", "restart: {trial: 0s}"}) {
    EXPECT_EQ(issues("adapters: {x: {command: [run], " + std::string(said) + "}}").size(), 1u) << said;
  }
}

TEST_F(ConfigErrors, ABareProgramIsLookedForOnTheWorkersPath) {
  write("bin/run", "#!/bin/sh\n", true);
  write("bin/text", "");
  const std::string bin = (root_ / "bin").string();
  env_["PATH"] = "/nowhere:" + bin;
  EXPECT_TRUE(issues("adapters: {x: {command: [run]}}").empty());
  EXPECT_EQ(issues("adapters: {x: {command: [text]}}"),
            (Lines{"pons.yaml:1:26: adapters.x.command[0]: expected a program, but there is no text on the worker's PATH (/nowhere:" + bin +
                   ")"}));
  EXPECT_EQ(issues("adapters: {x: {command: [run], env: {PATH: /nowhere}}}"),
            (Lines{"pons.yaml:1:26: adapters.x.command[0]: expected a program, but there is no run on the worker's PATH (/nowhere)"}));
  EXPECT_EQ(issues("adapters: {x: {command: [gone], env: {PATH: " + bin + "}}}").size(), 1u);
  EXPECT_TRUE(issues("adapters: {x: {command: [run], env: {PATH: " + bin + "}}}").empty());
}

TEST_F(ConfigErrors, TheScriptOfAnInterpreterHasToBeThere) {
  write("there.py", "");
  EXPECT_TRUE(issues("adapters: {x: {command: [python3, ./there.py, ./out.txt]}}").empty());
  EXPECT_EQ(issues("adapters: {x: {command: [python3, ./gone.py]}}"),
            (Lines{"pons.yaml:1:35: adapters.x.command[1]: expected a script, but there is no file " + (root_ / "gone.py").string()}));
  EXPECT_TRUE(issues("adapters: {x: {command: [python3, -m, ./gone.py]}}").empty());
  EXPECT_TRUE(issues("adapters: {x: {command: [run, ./gone.py]}}").empty());
}

}  // namespace
}  // namespace pons
