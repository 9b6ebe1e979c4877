// Adapters as folders, the search path, the short form, the default configuration.
#include <utility>

#include "host/config/adapter_folder.h"
#include "host/config/worker_env.h"
#include "tests/config/config_fixture.h"

namespace pons {
namespace {

using Lines = std::vector<std::string>;
namespace fs = std::filesystem;

class Adapters : public ConfigTest {
 protected:
  Adapters() {
    write("lib/echo/adapter.yaml", R"(
name: echo
description: Says what it hears.
command: [./worker, --fast]
defaults:
  channel: stdio
  env: {A: adapter, B: adapter, C: adapter}
  pool: {size: 2, queue: 3}
  timeouts: {startup: 5s, stop: 6s}
)");
    write("lib/echo/worker", "", true);
    write("lib/tree/adapter.yaml", "command: [python3, ./tree.py, tree.py]\ndefaults: {working_dir: ..}\n");
    write("lib/tree/tree.py", "");
    context_.adapter_path = {root_ / "lib"};
  }
};

TEST_F(Adapters, LayersBeatEachOther) {
  const Config config = parse(R"(
defaults: {env: {B: defaults, C: defaults}, timeouts: {stop: 7s}, pool: {queue: 4}}
adapters:
  e: {adapter: echo, env: {C: entry}, pool: {queue: 5}}
)");
  const AdapterConfig& e = *config.find("e");
  EXPECT_EQ(e.pool.adapter, "e");
  EXPECT_EQ(e.framework, "echo");
  EXPECT_EQ(e.description, "Says what it hears.");
  EXPECT_EQ(e.folder, (root_ / "lib/echo").string());
  EXPECT_EQ(e.pool.launch.command, (Lines{(root_ / "lib/echo/worker").string(), "--fast"}));
  EXPECT_EQ(e.pool.launch.working_dir, (root_ / "lib/echo").string());
  EXPECT_EQ(e.pool.launch.channel, ChannelKind::stdio);
  EXPECT_EQ(e.env, (std::vector<std::pair<std::string, std::string>>{{"A", "adapter"}, {"B", "defaults"}, {"C", "entry"}}));
  EXPECT_EQ(e.pool.size, 2u);
  EXPECT_EQ(e.pool.queue, 5u);
  EXPECT_EQ(e.pool.timeouts.startup, Millis(5'000));
  EXPECT_EQ(e.pool.timeouts.stop, Millis(7'000));
}

TEST_F(Adapters, RelativePathsCountFromTheFileThatNamesThem) {
  const Config config = parse("adapters: {tree: , t2: {adapter: lib/tree, working_dir: lib}}", "conf/../pons.yaml");
  const AdapterConfig& tree = *config.find("tree");
  EXPECT_EQ(tree.pool.launch.command, (Lines{"python3", (root_ / "lib/tree/tree.py").string(), "tree.py"}));
  EXPECT_EQ(tree.pool.launch.working_dir, (root_ / "lib").string());
  EXPECT_EQ(config.find("t2")->pool.launch.working_dir, (root_ / "lib").string());
}

TEST_F(Adapters, ACommandBesideAnAdapterReplacesItsOwn) {
  write("mine", "", true);
  const Config config = parse("adapters: {e: {adapter: echo, command: [./mine]}}");
  EXPECT_EQ(config.find("e")->pool.launch.command, Lines{(root_ / "mine").string()});
  EXPECT_EQ(config.find("e")->pool.launch.working_dir, root_.string());
  EXPECT_EQ(config.find("e")->pool.size, 2u);
}

TEST_F(Adapters, AnEntryMayBeJustAName) {
  const Config config = parse("adapters:\n  echo:\n  other: echo\n");
  EXPECT_EQ(config.find("echo")->framework, "echo");
  EXPECT_EQ(config.find("other")->framework, "echo");
}

TEST_F(Adapters, ShortForms) {
  write("hello.py", "");
  write("prog", "", true);
  const Config config = parse("adapters: {py: ./hello.py, py2: hello.py, prog: ./prog, folder: ./lib/echo, file: lib/echo/adapter.yaml}");
  EXPECT_EQ(config.find("py")->pool.launch.command, (Lines{"python3", (root_ / "hello.py").string()}));
  EXPECT_EQ(config.find("py2")->pool.launch.command, config.find("py")->pool.launch.command);
  EXPECT_EQ(config.find("py")->pool.launch.working_dir, root_.string());
  EXPECT_EQ(config.find("prog")->pool.launch.command, Lines{(root_ / "prog").string()});
  EXPECT_EQ(config.find("folder")->framework, "echo");
  EXPECT_EQ(config.find("file")->folder, (root_ / "lib/echo").string());
}

TEST_F(Adapters, AMistypedNameNamesTheNearestAndWhereItLooked) {
  EXPECT_EQ(
      issues("adapters: {e: {adapter: ehco}}"),
      (Lines{
          "pons.yaml:1:25: adapters.e.adapter: no adapter of the name \"ehco\"; did you mean \"echo\"? (looked for ehco/adapter.yaml in " +
          root_.string() + ", " + (root_ / "lib").string() + ")"}));
}

TEST_F(Adapters, AMistypedNameIsSaidBesideOtherFaultsOfTheEntry) {
  const Lines found = issues("adapters: {e: {adapter: ehco, pool: {sise: 1}}}");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_TRUE(found[0].starts_with("pons.yaml:1:25: adapters.e.adapter: no adapter of the name \"ehco\"")) << found[0];
  EXPECT_TRUE(found[1].starts_with("pons.yaml:1:38: adapters.e.pool.sise: unknown key")) << found[1];
}

TEST_F(Adapters, TheFilesOwnFolderComesFirst) {
  write("echo/adapter.yaml", "description: nearer\ncommand: [run]\n");
  EXPECT_EQ(parse("adapters: {echo: }").find("echo")->description, "nearer");
}

TEST_F(Adapters, WhatIsWrongInAnAdapterFileIsSaidOfThatFile) {
  const std::string file =
      write("lib/bad/adapter.yaml", "nam: bad\ndefaults:\n  adapter: x\n  command: [y]\n  pool: {sise: 1}\n  required_packages: [x]\n");
  EXPECT_EQ(
      issues("adapters: {bad: }"),
      (Lines{
          file + ":1:1: nam: unknown key; did you mean \"name\"?",
          file + ":1:1: expected the key \"command\" or \"python\"",
          file + ":3:3: defaults.adapter: does not belong here: an adapter.yaml says what it runs by `command` or `python`",
          file + ":4:3: defaults.command: does not belong here: an adapter.yaml says its `command` beside `defaults`",
          file + ":5:10: defaults.pool.sise: unknown key; did you mean \"size\"?",
          file + ":6:3: defaults.required_packages: does not belong here: an adapter.yaml says its `required_packages` beside `defaults`",
      }));
  const std::string gone = write("lib/gone/adapter.yaml", "command: [./not-built]\n");
  EXPECT_EQ(issues("adapters: {gone: }"),
            (Lines{gone + ":1:11: command[0]: expected a program, but there is no file " + (root_ / "lib/gone/not-built").string()}));
  const std::string empty = write("lib/empty/adapter.yaml", "");
  EXPECT_EQ(issues("adapters: {empty: }"), (Lines{empty + ":1:1: expected a map with the key `command` or `python`, got nothing"}));
}

TEST_F(Adapters, WithoutAFileAllAreServedThatCanBe) {
  write("lib/bad/adapter.yaml", "command: nope\n");
  write("lib/needy/adapter.yaml", "command: [python3]\nrequired_env: [API_KEY]\n");
  write("lib2/echo/adapter.yaml", "command: [second]\n");
  write("lib2/renamed/adapter.yaml", "name: zebra\ncommand: [python3]\n");
  write("lib2/no-adapter/readme", "");
  context_.adapter_path = {root_ / "missing", root_ / "lib", root_ / "lib2"};
  const Config config = default_config(context_);
  Lines names;
  for (const AdapterConfig& adapter : config.adapters) names.push_back(adapter.pool.adapter);
  EXPECT_EQ(names, (Lines{"echo", "needy", "tree", "zebra"}));
  EXPECT_EQ(config.find("echo")->folder, (root_ / "lib/echo").string());
  EXPECT_EQ(config.find("echo")->source, "");
  EXPECT_EQ(config.default_adapter, std::nullopt);
  EXPECT_EQ(config.file, "");
  Lines warnings;
  for (const ConfigIssue& warning : config.warnings) warnings.push_back(warning.to_string());
  EXPECT_EQ(warnings,
            (Lines{(root_ / "lib/bad/adapter.yaml").string() +
                   ":1:10: command: expected a list of texts, the program first, such as [./worker] or [python3, ./worker.py], got "
                   "\"nope\" (the adapter bad is left out)"}));
  ASSERT_EQ(config.find("needy")->missing_variables.size(), 1u);  // its requests get an error that says so
  EXPECT_FALSE(config.find("needy")->named);
}

TEST_F(Adapters, TwoOfOneNameAreNotServedTwice) {
  write("lib/copy/adapter.yaml", "name: echo\ncommand: [python3]\n");
  const Config config = default_config(context_);
  EXPECT_EQ(config.adapters.size(), 2u);
  ASSERT_EQ(config.warnings.size(), 1u);
  EXPECT_EQ(config.find("echo")->folder, (root_ / "lib/copy").string());  // the first by folder
}

TEST_F(Adapters, AFileWithoutAdaptersServesTheBundledOnes) {
  const Config config = parse("host: {name: lab, max_frame: 1MiB}\ndefaults: {pool: {size: 9}}\ndefault: echo\n");
  EXPECT_EQ(config.adapters.size(), 2u);
  EXPECT_EQ(config.find("tree")->pool.size, 9u);
  EXPECT_EQ(config.find("tree")->pool.max_frame, 1u << 20);
  EXPECT_EQ(config.default_adapter, "echo");
  EXPECT_EQ(parse("").adapters.size(), 2u);
}

TEST_F(Adapters, TheOnlyOneFoundIsTheDefault) {
  fs::remove_all(root_ / "lib/tree");
  EXPECT_EQ(default_config(context_).default_adapter, "echo");
}

TEST_F(Adapters, FromAPath) {
  write("my worker.py", "");
  const AdapterConfig python = adapter_from_path("my worker.py", context_);
  EXPECT_EQ(python.pool.adapter, "my_worker");
  EXPECT_EQ(python.pool.launch.command, (Lines{"python3", (root_ / "my worker.py").string()}));
  EXPECT_EQ(adapter_from_path("lib/echo", context_).pool.adapter, "echo");
  EXPECT_EQ(adapter_from_path("lib/echo", context_, "other").pool.adapter, "other");
  EXPECT_EQ(adapter_from_path(root_ / "lib/echo/worker", context_).pool.adapter, "worker");
  EXPECT_EQ(issues_of([&] { adapter_from_path("gone", context_); }),
            (Lines{(root_ / "gone").string() + ": no such file or folder; expected a Python file, a program or an adapter's folder"}));
  std::vector<AdapterConfig> one{python};
  EXPECT_EQ(config_of(one).default_adapter, "my_worker");
}

TEST_F(Adapters, NamespacesFromFileNames) {
  EXPECT_EQ(namespace_from("a.b c"), "a_b_c");
  EXPECT_EQ(namespace_from("host"), "host_");
  EXPECT_EQ(namespace_from("common"), "common_");
  EXPECT_EQ(namespace_from(""), "_");
  EXPECT_EQ(namespace_from(std::string(100, 'x')).size(), 63u);
}

TEST_F(Adapters, TheSearchPathIsTheVariableThenBesideTheProgram) {
  write("opt/bin/pons", "", true);
  fs::create_symlink(root_ / "opt/bin/pons", root_ / "link");
  env_["PONS_ADAPTER_PATH"] = "/one::/two/";
  EXPECT_EQ(adapter_search_path(context_.env, root_ / "link"),
            (std::vector<fs::path>{"/one", "/two", root_ / "opt/share/pons/adapters", root_ / "opt/adapters", root_ / "opt/bin/adapters"}));
}

TEST_F(Adapters, LoadsFromAFile) {
  write("conf/pons.yaml", "adapters: {e: {adapter: ../lib/echo}}\n");
  const Config config = load_config("conf/pons.yaml", context_);
  EXPECT_EQ(config.find("e")->framework, "echo");
  EXPECT_EQ(config.file, (root_ / "conf/pons.yaml").string());
  EXPECT_EQ(config.find("e")->source, config.file);
  write("conf/bad.yaml", "x: 1\n");
  EXPECT_EQ(issues_of([&] { load_config("conf/bad.yaml", context_); }), (Lines{"conf/bad.yaml:1:1: x: unknown key"}));
}

TEST_F(Adapters, OfTheProcess) {
  const ConfigContext context = ConfigContext::of_process();
  EXPECT_EQ(context.current_dir, fs::current_path());
  ASSERT_GE(context.adapter_path.size(), 3u);
  EXPECT_EQ(context.adapter_path.back(), fs::read_symlink("/proc/self/exe").parent_path() / "adapters");
  EXPECT_TRUE(context.env("PATH"));
  EXPECT_FALSE(context.env("SURELY_NOT_SET_ANYWHERE"));
}

TEST_F(Adapters, AWorkersEnvironmentIsSmallAndExact) {
  env_ = {{"PATH", "/bin"}, {"HOME", "/h"}, {"https_proxy", "p"}, {"SSL_CERT_FILE", "c"}, {"SECRET", "s"}, {"KEY", "k"}, {"TZ", "UTC"}};
  const Environment env = worker_environment(context_.env, {"KEY", "NOT_SET"}, {{"PATH", "/mine"}, {"X", ""}});
  EXPECT_EQ(env,
            (Environment{
                {"HOME", "/h"}, {"KEY", "k"}, {"PATH", "/mine"}, {"SSL_CERT_FILE", "c"}, {"TZ", "UTC"}, {"X", ""}, {"https_proxy", "p"}}));
}

}  // namespace
}  // namespace pons
