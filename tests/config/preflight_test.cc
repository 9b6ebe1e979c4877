// What is looked at before a worker starts, and what is said of what is missing.
#include "host/config/preflight.h"

#include "host/config/python_worker.h"
#include "host/environment/packages.h"
#include "host/environment/sha256.h"
#include "host/environment/state.h"
#include "tests/config/config_fixture.h"

namespace pons {
namespace {

using Lines = std::vector<std::string>;
namespace fs = std::filesystem;

class Preflight : public ConfigTest {
 protected:
  Preflight() {
    write("lib/mood/worker.py", "");
    context_.adapter_path = {root_ / "lib"};
    env_["HOME"] = (root_ / "home").string();
  }
  void adapter(const std::string& text) { write("lib/mood/adapter.yaml", "python: worker.py\n" + text); }
  AdapterConfig mood(const std::string& entry = "") { return parse("adapters: {mood: " + entry + "}").adapters.front(); }
  Lines missing(const AdapterConfig& config) {
    Lines out;
    for (const Finding& finding : preflight(config, interpreters_)) out.push_back(finding.as_issue().to_string());
    return out;
  }
  std::string file() { return (root_ / "lib/mood/adapter.yaml").string(); }

  /// An environment as `pons adapter install` leaves it.
  fs::path make_environment(const std::string& requirements) {
    const std::string text = write("lib/mood/requirements.txt", requirements);
    const EnvironmentPlace place("mood", root_ / "lib/mood", context_.env);
    const fs::path made = place.folder() / "1";
    fs::create_directories(made / "bin");
    fs::create_directories(made / "lib/python3.11/site-packages");
    fs::create_symlink("/bin/true", made / "bin/python");
    std::ofstream(made / "pyvenv.cfg") << "include-system-site-packages = false\n";
    EnvironmentMarker marker;
    marker.requirements = *sha256_of_file(text);
    std::ofstream(EnvironmentMarker::file_in(made)) << marker.to_json();
    fs::create_symlink("1", place.current());
    return made;
  }
  static void install(const fs::path& site, const std::string& name, const std::string& version) {
    fs::create_directories(site / (name + "-" + version + ".dist-info"));
    std::ofstream(site / (name + "-" + version + ".dist-info") / "METADATA")
        << "Metadata-Version: 2.1\nName: " << name << "\nVersion: " << version << "\n\nVersion: 9.9 says the text\n";
  }

  Interpreters interpreters_;
};

TEST_F(Preflight, AVariableThatDoesNotReachTheWorkerIsNamedWithItsRemedy) {
  env_["PRESENT"] = "p";
  const Config config = parse(
      "adapters:\n  x:\n    command: [run]\n    required_env:\n      - PRESENT\n      - API_KEY\n      - GPU\n"
      "    env_passthrough: [GPU]\n    env: {MINE: m}\n");
  EXPECT_EQ(
      missing(config.adapters.front()),
      (Lines{
          "pons.yaml:5:9: adapters.x.required_env[0]: the environment variable PRESENT is set, but not handed on to the worker; name it "
          "in env_passthrough",
          "pons.yaml:6:9: adapters.x.required_env[1]: expected the environment variable API_KEY, which is not set; run: export "
          "API_KEY=... and name it in env_passthrough",
          "pons.yaml:7:9: adapters.x.required_env[2]: expected the environment variable GPU, which is not set; run: export GPU=...",
      }));
  EXPECT_TRUE(missing(parse("adapters: {x: {command: [run], required_env: [MINE], env: {MINE: m}}}").adapters.front()).empty());
}

TEST_F(Preflight, PackagesAreReadFromTheEnvironmentOfTheInterpreter) {
  write("venv/pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = false\n");
  const std::string python = write("venv/bin/python3", "#!/bin/sh\nexit 9\n", true);  // it is not asked
  const fs::path site = root_ / "venv/lib/python3.11/site-packages";
  install(site, "Some_Thing", "2.1");
  install(site, "tool", "1.0rc1");
  fs::create_directories(site / "egg-1.5-py3.11.egg-info");
  std::ofstream(site / "egg-1.5-py3.11.egg-info" / "PKG-INFO") << "Name: egg\nVersion: 1.5\n";
  const auto with = [&](const std::string& packages) {
    return parse("adapters:\n  x: {command: [" + python + "], required_packages: [" + packages + "]}\n").adapters.front();
  };
  EXPECT_TRUE(missing(with("some-thing, 'some.thing[extra]>=2,<3', tool, egg")).empty());
  EXPECT_EQ(missing(with("'tool>=1.0', gone, 'SOME_THING~=3.0'")),
            (Lines{
                "pons.yaml:2:" + std::to_string(40 + python.size()) +
                    ": adapters.x.required_packages[0]: it needs the Python package tool>=1.0, found 1.0rc1; run: " + python +
                    " -m pip install 'tool>=1.0'",
                "pons.yaml:2:" + std::to_string(53 + python.size()) +
                    ": adapters.x.required_packages[1]: it needs the Python package gone, it is not installed; run: " + python +
                    " -m pip install 'gone'",
                "pons.yaml:2:" + std::to_string(59 + python.size()) +
                    ": adapters.x.required_packages[2]: it needs the Python package SOME_THING~=3.0, found 2.1; run: " + python +
                    " -m pip install 'SOME_THING~=3.0'",
            }));
  const auto findings = preflight(with("'tool>=1.0'"), interpreters_);
  EXPECT_EQ(to_json(findings), nlohmann::json::parse(R"([{"kind": "package", "name": "tool>=1.0", "found": "1.0rc1",
      "remedy": "run: )" + python + R"( -m pip install 'tool>=1.0'"}])"));
  const Error error = missing_error(ErrorCode::worker_start_failed, "x", findings);
  EXPECT_EQ(error.details["missing"], to_json(findings));
  EXPECT_NE(error.message.find("tool>=1.0"), std::string::npos);
}

TEST_F(Preflight, ABareInterpreterIsAskedOnceWhereItLooks) {
  const fs::path site = root_ / "site";
  fs::create_directories(site);
  const std::string log = (root_ / "asked").string();
  const std::string python =
      write("bin/python3", "#!/bin/sh\necho x >>" + log + "\necho noise\necho 'pons:[\"3.9.1\", [\"" + site.string() + "\"]]'\n", true);
  env_["PATH"] = (root_ / "bin").string() + ":/usr/bin:/bin";
  adapter("required_packages: ['dspy>=3']\n");
  EXPECT_EQ(missing(mood()),
            (Lines{file() + ":2:21: required_packages[0]: it needs the Python package dspy>=3, it is not installed; run: python3 -m pip "
                            "install 'dspy>=3'"}));
  install(site, "dspy", "3.1");
  EXPECT_TRUE(missing(mood()).empty());  // what is installed is read anew
  std::ifstream asked(log);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(asked), {}), "x\n");
}

TEST_F(Preflight, AnInterpreterThatDoesNotAnswerIsNamed) {
  const std::string python = write("bin/python3", "#!/bin/sh\necho it is broken >&2\nexit 3\n", true);
  env_["PATH"] = (root_ / "bin").string();
  adapter("required_packages: [dspy]\n");
  const auto findings = preflight(mood(), interpreters_);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, "interpreter");
  EXPECT_EQ(findings[0].message, python + " did not say where it looks for packages: it is broken\n");
}

TEST_F(Preflight, AnEnvironmentIsJudgedByWhatIsThere) {
  const EnvironmentMarker marker{"sum", "3.11.2", "uv", "2026-01-31T12:00:00Z", 5};
  EXPECT_EQ(judge({}), EnvironmentState::missing);
  EXPECT_EQ(judge({true, std::nullopt, true, "sum"}), EnvironmentState::incomplete);
  EXPECT_EQ(judge({true, marker, false, "sum"}), EnvironmentState::broken);
  EXPECT_EQ(judge({true, marker, true, "other"}), EnvironmentState::out_of_date);
  EXPECT_EQ(judge({true, marker, true, "sum"}), EnvironmentState::ready);
  const auto again = EnvironmentMarker::parse(marker.to_json().dump());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->to_json(), marker.to_json());
  for (const char* text : {"", "[]", "{}", R"({"requirements": 1})"}) EXPECT_FALSE(EnvironmentMarker::parse(text)) << text;
}

TEST_F(Preflight, WhatIsWrongWithTheEnvironmentIsSaidWithTheCommandThatMendsIt) {
  adapter("requirements: requirements.txt\nrequired_packages: [dspy]\n");
  write("lib/mood/requirements.txt", "dspy==3.1\n");
  const std::string place = file() + ":2:15: requirements: ";
  EXPECT_EQ(missing(mood()), (Lines{place + "its Python environment has not been made; run: pons adapter install mood"}));
  const fs::path made = make_environment("dspy==3.1\n");
  EXPECT_EQ(missing(mood()),
            (Lines{file() + ":3:21: required_packages[0]: it needs the Python package dspy, it is not installed; add it to " +
                   (root_ / "lib/mood/requirements.txt").string() + " and run: pons adapter install mood --upgrade"}));
  install(made / "lib/python3.11/site-packages", "dspy", "3.1");
  EXPECT_TRUE(missing(mood()).empty());
  write("lib/mood/requirements.txt", "dspy==3.2\n");
  EXPECT_EQ(missing(mood()), (Lines{place + "its Python environment is out of date: " + (root_ / "lib/mood/requirements.txt").string() +
                                    " has changed; run: pons adapter install mood --upgrade"}));
  fs::remove(made / "bin/python");
  EXPECT_EQ(missing(mood()), (Lines{place + "the interpreter of its Python environment is gone; run: pons adapter install mood"}));
  fs::remove(EnvironmentMarker::file_in(made));
  EXPECT_EQ(missing(mood()), (Lines{place + "its Python environment was not made to the end; run: pons adapter install mood"}));
  context_.adapter_path.clear();
  EXPECT_EQ(preflight(parse("adapters: {m: lib/mood}").adapters.front(), interpreters_).front().remedy,
            "run: pons adapter install " + (root_ / "lib/mood").string());
}

TEST_F(Preflight, AWorkerIsStartedFromTheEnvironmentThatIsCurrentNow) {
  context_.python_sdk = root_ / "sdk";
  adapter("requirements: requirements.txt\ndefaults: {env: {PYTHONPATH: /mine}}\n");
  const fs::path made = make_environment("");
  const auto path = [](const LaunchOptions& launch) {
    for (const auto& [name, value] : launch.env) {
      if (name == "PYTHONPATH") return value;
    }
    return std::string();
  };
  const AdapterConfig config = mood();
  EXPECT_EQ(resolved_launch(config).command.front(), (made / "bin/python").string());
  EXPECT_EQ(path(resolved_launch(config)), (root_ / "sdk").string() + ":/mine");
  install(made / "lib/python3.11/site-packages", "pons", "0.1.0");
  EXPECT_EQ(path(resolved_launch(config)), "/mine");
  EXPECT_EQ(path(config.pool.launch), (root_ / "sdk").string() + ":/mine");
  EXPECT_TRUE(needs_preflight(config));
  adapter("");
  EXPECT_FALSE(needs_preflight(mood()));
}

TEST_F(Preflight, ModelFilesAreThereInTheirSize) {
  adapter("models:\n- {name: own, file: model.bin, size: 3}\n- {name: extra, file: gone.bin, optional: true}\n");
  const std::string model = (root_ / "lib/mood/model.bin").string();
  EXPECT_EQ(missing(mood()),
            (Lines{file() + ":3:1: models: its model file model.bin is not in " + (root_ / "lib/mood").string() + "; put it there"}));
  write("lib/mood/model.bin", "four");
  EXPECT_EQ(missing(mood()), (Lines{file() + ":3:1: models: its model file " + model + " has 4 bytes, expected 3; replace it"}));
  write("lib/mood/model.bin", "abc");
  EXPECT_TRUE(missing(mood()).empty());

  const fs::path made = make_environment("");
  adapter("requirements: requirements.txt\nmodels:\n- {name: tiny, package: tiny, version: '1.0', file: tiny/w.bin}\n");
  EXPECT_EQ(missing(mood()).size(), 1u);
  write(fs::relative(made, root_).string() + "/lib/python3.11/site-packages/tiny/w.bin", "x");
  EXPECT_TRUE(missing(mood()).empty());
}

TEST_F(Preflight, Sha256) {
  const auto hash = [](std::string_view text) {
    Sha256 sha;
    sha.add(text.substr(0, text.size() / 3));
    sha.add(text.substr(text.size() / 3));
    return sha.finish();
  };
  EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(sha256_of_file(write("abc", "abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_FALSE(sha256_of_file(root_ / "gone"));
}

}  // namespace
}  // namespace pons
