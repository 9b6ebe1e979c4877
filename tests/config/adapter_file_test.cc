// What an adapter.yaml says beside its command: workers in Python, requirements, the schema of its options, model files.
#include "host/config/adapter_folder.h"
#include "host/config/python_worker.h"
#include "host/environment/place.h"
#include "tests/config/config_fixture.h"

namespace pons {
namespace {

using Lines = std::vector<std::string>;
using nlohmann::json;
namespace fs = std::filesystem;

class AdapterFile : public ConfigTest {
 protected:
  AdapterFile() {
    write("lib/mood/worker.py", "");
    write("lib/mood/requirements.txt", "");
    context_.adapter_path = {root_ / "lib"};
    context_.python_sdk = root_ / "sdk";
    env_["HOME"] = "/home/u";
  }
  std::string adapter(const std::string& text) { return write("lib/mood/adapter.yaml", text); }
  AdapterConfig mood(const std::string& entry = "") { return parse("adapters: {mood: " + entry + "}").adapters.front(); }
  static std::string variable(const AdapterConfig& config, const std::string& name) {
    for (const auto& [key, value] : config.pool.launch.env) {
      if (key == name) return value;
    }
    return "(not set)";
  }
};

TEST_F(AdapterFile, APythonFileRunsWithPython3FromItsFolder) {
  adapter("python: worker.py\nversion: '1.2'\n");
  const AdapterConfig config = mood();
  EXPECT_EQ(config.pool.launch.command, (Lines{"python3", (root_ / "lib/mood/worker.py").string()}));
  EXPECT_EQ(config.pool.launch.working_dir, (root_ / "lib/mood").string());
  EXPECT_EQ(config.version, "1.2");
  EXPECT_EQ(config.environment, "");
  EXPECT_EQ(variable(config, "PYTHONPATH"), (root_ / "sdk").string());
}

TEST_F(AdapterFile, AModuleIsFoundInItsFolderWhereverItRuns) {
  adapter("python: mood.worker\n");
  const AdapterConfig config = mood("{working_dir: /, env: {PYTHONPATH: /mine, A: a, Z: z}}");
  EXPECT_EQ(config.pool.launch.command, (Lines{"python3", "-m", "mood.worker"}));
  EXPECT_EQ(variable(config, "PYTHONPATH"), (root_ / "sdk").string() + ":" + (root_ / "lib/mood").string() + ":/mine");
}

TEST_F(AdapterFile, RequirementsMeanAnEnvironmentOfItsOwn) {
  adapter("python: worker.py\nrequirements: requirements.txt\n");
  const EnvironmentPlace place("mood", root_ / "lib/mood", context_.env);
  EXPECT_EQ(place.folder().parent_path(), "/home/u/.local/state/pons/.environments");
  EXPECT_FALSE(valid_host_name(".environments"));
  EXPECT_TRUE(place.folder().filename().string().starts_with("mood-"));
  EXPECT_NE(place.folder(), EnvironmentPlace("mood", root_ / "other/mood", context_.env).folder());

  const AdapterConfig config = mood();
  EXPECT_EQ(config.environment, place.folder().string());
  EXPECT_EQ(config.pool.launch.command, (Lines{place.interpreter().string(), (root_ / "lib/mood/worker.py").string()}));
  write("own", "", true);
  EXPECT_EQ(mood("{command: [./own]}").environment, "");
}

TEST_F(AdapterFile, TheSdkIsNotPutBeforeTheEnvironmentsOwn) {
  for (const char* own : {"pons/__init__.py", "pons-0.1.0.dist-info/METADATA"}) {
    fs::remove_all(root_ / "venv");
    write("venv/pyvenv.cfg", "");
    const std::string python = write("venv/bin/python3.11", "", true);
    adapter("command: [" + python + ", ./worker.py]\n");
    EXPECT_EQ(variable(mood(), "PYTHONPATH"), (root_ / "sdk").string());
    write("venv/lib/python3.11/site-packages/ponsible-1.0.dist-info/METADATA", "");
    EXPECT_EQ(variable(mood(), "PYTHONPATH"), (root_ / "sdk").string());
    write(std::string("venv/lib/python3.11/site-packages/") + own, "");
    EXPECT_EQ(variable(mood(), "PYTHONPATH"), "(not set)") << own;
  }
}

TEST_F(AdapterFile, OnlyPythonGetsThePythonPath) {
  for (const char* program : {"python", "python3", "/usr/bin/python3.11", "python3.12"}) EXPECT_TRUE(is_python(program)) << program;
  for (const char* program : {"pythonic", "pypy3", "/opt/python/run", "ipython3", ""}) EXPECT_FALSE(is_python(program)) << program;
  write("hello.py", "");
  write("hello", "", true);
  EXPECT_EQ(variable(parse("adapters: {h: ./hello.py}").adapters.front(), "PYTHONPATH"), (root_ / "sdk").string());
  EXPECT_EQ(variable(parse("adapters: {h: ./hello}").adapters.front(), "PYTHONPATH"), "(not set)");
}

TEST_F(AdapterFile, TheSdkLiesBesideTheProgram) {
  write("opt/bin/pons", "", true);
  EXPECT_EQ(find_python_sdk(root_ / "opt/bin/pons"), "");
  write("src/worker/python/pons/__init__.py", "");
  fs::create_directory_symlink("../src/worker/python", root_ / "opt/python");
  EXPECT_EQ(find_python_sdk(root_ / "opt/bin/pons"), root_ / "opt/python");
  write("opt/share/pons/python/pons/__init__.py", "");
  EXPECT_EQ(find_python_sdk(root_ / "opt/bin/pons"), root_ / "opt/share/pons/python");
}

TEST_F(AdapterFile, WhatItNeedsIsADefaultThatEntriesReplace) {
  env_["KEY"] = "k";
  adapter(
      "python: worker.py\nrequired_env: [KEY]\nrequired_packages: [numpy, 'dspy>=3']\nerrors: {'*Rate*': {code: rate_limit}}\n"
      "defaults: {env_passthrough: [KEY]}\n");
  EXPECT_EQ(mood().required_env, Lines{"KEY"});
  EXPECT_EQ(mood().required_packages, (Lines{"numpy", "dspy>=3"}));
  EXPECT_EQ(mood().errors.size(), 1u);
  EXPECT_EQ(mood("{required_packages: []}").required_packages, Lines{});
  EXPECT_EQ(mood("{errors: {'*Other': {code: model_error}}}").errors.size(), 2u);
}

TEST_F(AdapterFile, OptionsAreCheckedAgainstTheirSchemaWhereTheyWereSaid) {
  const std::string file = adapter(R"(python: worker.py
options:
  additionalProperties: false
  required: [model]
  properties:
    model: {type: string, minLength: 1, default: small}
    depth: {type: integer, minimum: 1, maximum: 9}
    rate: {type: number, exclusiveMinimum: 0}
    device: {enum: [cpu, cuda, 3], default: cpu}
    key: {type: string, pattern: "^k-"}
    layers: {type: array, maxItems: 2, items: {type: integer}}
    cache: {type: object, properties: {size: {type: integer, default: 5}, on: {type: boolean}}}
)");
  EXPECT_EQ(mood().pool.launch.options, json::parse(R"({"model": "small", "device": "cpu"})"));
  EXPECT_EQ(mood("{options: {model: big, device: 3, cache: {on: true}}}").pool.launch.options,
            json::parse(R"({"model": "big", "device": 3, "cache": {"on": true, "size": 5}})"));
  EXPECT_EQ(issues("adapters:\n  mood:\n    options:\n      modle: x\n      depth: 10\n      rate: 0\n      device: cpx\n      key: x\n"
                   "      layers: [1, 2, 3]\n      cache: {size: big}\n"),
            (Lines{
                "pons.yaml:4:7: adapters.mood.options.modle: unknown key; did you mean \"model\"?",
                "pons.yaml:5:14: adapters.mood.options.depth: expected an integer from 1 to 9, got 10",
                "pons.yaml:6:13: adapters.mood.options.rate: expected a number > 0, got 0",
                "pons.yaml:7:15: adapters.mood.options.device: expected one of cpu, cuda, 3, got \"cpx\"; did you mean \"cpu\"?",
                "pons.yaml:8:12: adapters.mood.options.key: expected a text that fits ^k-, got \"x\"",
                "pons.yaml:9:15: adapters.mood.options.layers: expected a list of at most 2 elements; each element an integer, got a list",
                "pons.yaml:10:21: adapters.mood.options.cache.size: expected an integer, got \"big\"",
            }));
  const std::string long_text(100'000, 'x');  // a long text is no burden
  EXPECT_EQ(issues("adapters: {mood: {options: {key: k-" + long_text + "}}}"), Lines{});
  adapter("python: worker.py\noptions: {required: [model]}\n");
  EXPECT_EQ(issues("adapters: {mood: {options: {depth: 3}}}"),
            (Lines{"pons.yaml:1:19: adapters.mood.options: expected the key \"model\""}));
  EXPECT_EQ(issues("adapters: {mood: }"), (Lines{"pons.yaml:1:12: adapters.mood.options: expected the key \"model\""}));
}

TEST_F(AdapterFile, ASchemaOfOptionsIsItselfChecked) {
  const std::string file =
      adapter("python: worker.py\noptions:\n  properties:\n    a: {typ: string}\n    b: {type: text}\n    c: {minimum: few}\n");
  EXPECT_EQ(issues("adapters: {mood: }"),
            (Lines{
                file + ":4:9: options.properties.a.typ: unknown key; did you mean \"type\"?",
                file + ":5:15: options.properties.b.type: expected a type of JSON: one of string, integer, number, boolean, array, object, "
                       "null; or a list of them, got \"text\"",
                file + ":6:18: options.properties.c.minimum: expected a number, got \"few\"",
            }));
  adapter("python: worker.py\noptions:\n  properties:\n    a: {pattern: '('}\n    b: {items: {pattern: '['}}\n");
  EXPECT_EQ(issues("adapters: {mood: }"),
            (Lines{file + ":4:18: options.properties.a.pattern: expected a regular expression, got \"(\"",
                   file + ":5:26: options.properties.b.items.pattern: expected a regular expression, got \"[\""}));
  adapter("python: worker.py\noptions: {properties: {a: {type: integer, default: x}}}\n");
  EXPECT_EQ(issues("adapters: {mood: }"), (Lines{file + ":2:52: options.properties.a.default: expected an integer, got \"x\""}));
}

TEST_F(AdapterFile, WhatItNamesIsThere) {
  const std::string file = adapter("python: gone.py\nrequirements: gone.txt\n");
  EXPECT_EQ(issues("adapters: {mood: }"),
            (Lines{file + ":1:9: python: expected a file, but there is no file " + (root_ / "lib/mood/gone.py").string(),
                   file + ":2:15: requirements: expected a file, but there is no file " + (root_ / "lib/mood/gone.txt").string()}));
  adapter("command: [run]\npython: worker.py\n");
  EXPECT_EQ(issues("adapters: {mood: }"), (Lines{file + ":2:1: python: expected `command` or `python`, not both"}));
  adapter("command: [run]\nrequirements: requirements.txt\n");
  EXPECT_EQ(issues("adapters: {mood: }"),
            (Lines{file + ":2:1: requirements: expected `python` too: an environment is made for workers in Python"}));
  adapter("python: ../../worker\n");
  EXPECT_EQ(
      issues("adapters: {mood: }"),
      (Lines{file + ":1:9: python: expected a file of this folder such as worker.py, or the name of a module, got \"../../worker\""}));
  adapter("python: worker.py\n");
  env_["PATH"] = "/nowhere";
  EXPECT_EQ(issues("adapters: {mood: }"),
            (Lines{file + ":1:9: python: expected a program, but there is no python3 on the worker's PATH (/nowhere)"}));
}

TEST_F(AdapterFile, ModelsAreFilesWithTheirChecksum) {
  const std::string sum(64, 'a');
  const std::string file = adapter(
      "python: worker.py\nlicence: MIT\nmodels:\n- {name: tiny, package: tiny-model, version: '1.0', file: tiny/w.bin, sha256: " + sum +
      ", size: 12}\n- {name: own, file: model.bin, optional: true}\n");
  const AdapterFolder folder = read_adapter_folder(root_ / "lib/mood", SchemaCheck());
  EXPECT_EQ(folder.licence, "MIT");
  ASSERT_EQ(folder.models.size(), 2u);
  EXPECT_EQ(folder.models[0].package, "tiny-model");
  EXPECT_EQ(folder.models[0].version, "1.0");
  EXPECT_EQ(folder.models[0].file, "tiny/w.bin");
  EXPECT_EQ(folder.models[0].sha256, sum);
  EXPECT_EQ(folder.models[0].size, 12u);
  EXPECT_EQ(folder.models[1].size, std::nullopt);
  EXPECT_FALSE(folder.models[0].optional);
  EXPECT_TRUE(folder.models[1].optional);
  adapter("python: worker.py\nmodels:\n- {name: tiny, file: /etc/x, sha256: ABC, url: here}\n");
  EXPECT_EQ(issues("adapters: {mood: }"), (Lines{
                                              file + ":3:22: models[0].file: expected a relative path, got \"/etc/x\"",
                                              file + ":3:38: models[0].sha256: expected 64 hexadecimal digits, got \"ABC\"",
                                              file + ":3:43: models[0].url: unknown key",
                                          }));
}

TEST_F(AdapterFile, TheSchemaStandsAlone) {
  const json schema = json::parse(adapter_schema());
  EXPECT_EQ(schema["$schema"], "http://json-schema.org/draft-07/schema#");
  EXPECT_FALSE(schema["$id"].get<std::string>().empty());
  const std::function<void(const json&)> visit = [&](const json& node) {
    if (!node.is_structured()) return;
    if (node.is_object() && node.contains("$ref")) {
      const std::string reference = node["$ref"];
      EXPECT_TRUE(reference.starts_with("#/") && schema.contains(json::json_pointer(reference.substr(1)))) << reference;
    }
    for (const json& inner : node) visit(inner);
  };
  visit(schema);
  for (const auto& [name, property] : schema["properties"].items()) EXPECT_TRUE(property.contains("description")) << name;
}

}  // namespace
}  // namespace pons
