// `pons adapter install | list | info | new`, with a `uv` of the test's own that says what it was asked.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace pons::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Makes environments whose interpreter is the python3 of PATH. `pip install` does what the file `mode` says: it ends, it does nothing, it
// fails, or it says that it is there and waits until it is killed.
constexpr const char* kUv = R"sh(#!/bin/sh
here=$(dirname "$0")
echo "$*" >>"$here/asked"
if [ "$1" = venv ]; then
  shift $(($# - 1))
  mkdir -p "$1/bin" "$1/lib/python3.11/site-packages"
  base=$(python3 -c 'import sys; print(sys.executable)')
  ln -s "$base" "$1/bin/python"
  printf 'home = %s\ninclude-system-site-packages = false\nversion_info = 3.11.2\n' "$(dirname "$base")" >"$1/pyvenv.cfg"
  exit 0
fi
case $(cat "$here/mode") in
  nothing) exit 0 ;;
  fail)
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do echo "line $i"; done
    echo "no such package: nope" >&2
    exit 7
    ;;
  wait)
    echo $$ >"$here/waits"
    exec sleep 600
    ;;
esac
site=$(dirname "$(dirname "$4")")/lib/python3.11/site-packages
mkdir -p "$site/tool-1.0.dist-info" "$site/tool"
printf 'Name: tool\nVersion: 1.0\n' >"$site/tool-1.0.dist-info/METADATA"
printf 'weights' >"$site/tool/w.bin"
echo "installed tool 1.0"
)sh";

constexpr const char* kWorker = R"py(import sys

import pons

app = pons.App("mood")


@app.command()
def interpreter() -> str:
    return sys.prefix


app.run()
)py";

class AdapterPackages : public testing::Test {
 protected:
  AdapterPackages() {
    for (const char* folder : {"bin", "adapters/mood"}) fs::create_directories(box_.folder() / folder);
    box_.write_file("bin/uv", kUv);
    fs::permissions(box_.folder() / "bin/uv", fs::perms::owner_all);
    mode("install");
    adapter("requirements: requirements.txt\nrequired_packages: ['tool>=1']\n");
    box_.write_file("adapters/mood/worker.py", kWorker);
    requirements("tool==1.0\n");
    env_ = {{"PATH", (box_.folder() / "bin").string() + ":" + std::getenv("PATH")},
            {"PONS_ADAPTER_PATH", (box_.folder() / "adapters").string()}};
  }

  void mode(const std::string& text) { box_.write_file("bin/mode", text); }
  void adapter(const std::string& text) { box_.write_file("adapters/mood/adapter.yaml", "python: worker.py\nversion: '0.3'\n" + text); }
  void requirements(const std::string& text) { box_.write_file("adapters/mood/requirements.txt", text); }
  Start start(std::vector<std::string> arguments) { return Start{.arguments = std::move(arguments), .env = env_}; }
  Ended pons(std::vector<std::string> arguments) { return box_.run(start(std::move(arguments))); }
  Ended install(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"adapter", "install", "mood"});
    return pons(std::move(more));
  }
  static std::string text_of(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string asked() { return text_of(box_.folder() / "bin/asked"); }
  /// Environments that are there, finished or not.
  std::vector<std::string> environments() {
    std::vector<std::string> out;
    for (const auto& adapter : fs::directory_iterator(box_.folder() / "state/pons/.environments")) {
      for (const auto& entry : fs::directory_iterator(adapter)) {
        if (entry.is_directory() && !entry.is_symlink()) out.push_back(entry.path().filename());
      }
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  fs::path current() {
    for (const auto& adapter : fs::directory_iterator(box_.folder() / "state/pons/.environments")) return adapter.path() / "current";
    return {};
  }
  /// Begins an installation that hangs in pip: its process, and pip's.
  std::pair<pid_t, pid_t> begin_that_waits() {
    mode("wait");
    const fs::path fifo = box_.folder() / "bin/waits";
    fs::remove(fifo);
    EXPECT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    const pid_t pid = box_.begin(start({"adapter", "install", "mood"}));
    pid_t pip = 0;
    std::ifstream(fifo) >> pip;  // until it is there
    mode("install");
    return {pid, pip};
  }

  Sandbox box_;
  std::map<std::string, std::string> env_;
};

using Names = std::vector<std::string>;

TEST_F(AdapterPackages, AnEnvironmentIsMadeOnce) {
  const auto first = install();
  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_TRUE(contains(first.out, "mood: environment made (Python 3.11.2, by uv, ")) << first.out;
  EXPECT_TRUE(contains(first.err, "installed tool 1.0")) << first.err;
  const std::string calls = asked();
  EXPECT_TRUE(contains(calls, "venv --python python3 ")) << calls;
  EXPECT_TRUE(contains(calls, "pip install --python ")) << calls;
  EXPECT_TRUE(contains(calls, "-r " + (box_.folder() / "adapters/mood/requirements.txt").string())) << calls;
  const auto again = install({"--json"});
  EXPECT_EQ(again.status, 0) << again.err;
  const auto said = json::parse(again.out);
  EXPECT_EQ(said["made"], false);
  EXPECT_EQ(said["tool"], "uv");
  EXPECT_EQ(said["environment"], fs::canonical(current()).string());
  EXPECT_EQ(asked(), calls);
}

TEST_F(AdapterPackages, WhatPipSaidLastIsInTheErrorAndNothingIsLeft) {
  mode("fail");
  const auto failed = install();
  EXPECT_EQ(failed.status, 1);
  EXPECT_TRUE(contains(failed.err, "error: uv pip install failed (exit status 7)")) << failed.err;
  const auto error = failed.err.substr(failed.err.find("error: "));
  EXPECT_TRUE(contains(error, "no such package: nope") && contains(error, "line 18") && !contains(error, "line 2\n")) << error;
  EXPECT_EQ(environments(), Names{});
  const auto as_json = install({"--json"});
  EXPECT_EQ(as_json.status, 1);
  EXPECT_TRUE(contains(json::parse(as_json.err).value("error", ""), "nope")) << as_json.err;
}

TEST_F(AdapterPackages, AnInterruptedOneEndsPipAndIsNeverUsed) {
  const auto [pid, pip] = begin_that_waits();
  ASSERT_GT(pip, 0);
  ::kill(pid, SIGINT);
  const auto ended = box_.end(pid);
  EXPECT_EQ(ended.status, 130) << ended.err;
  EXPECT_NE(::kill(pip, 0), 0);
  EXPECT_EQ(environments(), Names{});
  EXPECT_FALSE(fs::exists(fs::symlink_status(current())));
  EXPECT_EQ(install().status, 0);
}

TEST_F(AdapterPackages, OneThatWasKilledIsCleanedUpByTheNext) {
  const auto [pid, pip] = begin_that_waits();
  ::kill(pid, SIGKILL);
  EXPECT_EQ(box_.end(pid).status, 128 + SIGKILL);
  ::kill(pip, SIGKILL);
  EXPECT_EQ(environments(), Names{"1"});
  EXPECT_TRUE(contains(pons({"adapter", "list"}).out, "missing"));
  const auto next = install();
  EXPECT_EQ(next.status, 0) << next.err;
  EXPECT_EQ(environments().size(), 1u);
  EXPECT_TRUE(contains(pons({"adapter", "list"}).out, "ready"));
}

TEST_F(AdapterPackages, TheSecondOfTwoWaitsForTheFirst) {
  const auto [first, pip] = begin_that_waits();
  const pid_t second = box_.begin(Start{.arguments = {"adapter", "install", "mood"}, .env = env_, .terminal = true});
  box_.wait_for_output(second, "waiting for process " + std::to_string(first));
  ::kill(pip, SIGKILL);
  EXPECT_EQ(box_.end(first).status, 1);
  const auto ended = box_.end(second);
  EXPECT_EQ(ended.status, 0) << ended.out;
  EXPECT_TRUE(contains(ended.out, "mood: environment made")) << ended.out;
}

TEST_F(AdapterPackages, WhatAProcessRunsFromStaysUntilItHasEnded) {
  ASSERT_EQ(install().status, 0);
  const fs::path old = fs::canonical(current());
  int in[2] = {};
  int out[2] = {};
  ASSERT_TRUE(::pipe(in) == 0 && ::pipe(out) == 0);
  const pid_t running = ::fork();
  if (running == 0) {
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    ::close(in[1]);
    ::execl((old / "bin/python").c_str(), (old / "bin/python").c_str(), "-c", "import sys; print('runs', flush=True); sys.stdin.read()",
            nullptr);
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  char first = 0;
  ASSERT_EQ(::read(out[0], &first, 1), 1);  // it runs
  const auto upgraded = install({"--upgrade"});
  EXPECT_EQ(upgraded.status, 0) << upgraded.err;
  EXPECT_TRUE(contains(upgraded.out, "a process still runs from " + old.string())) << upgraded.out;
  EXPECT_EQ(environments(), (Names{"1", "2"}));
  EXPECT_EQ(fs::canonical(current()).filename(), "2");
  const auto refused = install({"--remove"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_TRUE(contains(refused.err, "still runs from")) << refused.err;
  ::close(in[1]);
  ::waitpid(running, nullptr, 0);
  ::close(out[0]);
  EXPECT_EQ(install({"--upgrade"}).status, 0);
  EXPECT_EQ(environments(), Names{"3"});
  EXPECT_TRUE(contains(install({"--remove"}).out, "environment removed"));
  EXPECT_TRUE(contains(install({"--remove"}).out, "there is no environment"));
}

TEST_F(AdapterPackages, ModelsAreAddedWhenAskedFor) {
  adapter("requirements: requirements.txt\nmodels: [{name: m, package: tool, version: '1.0', file: tool/w.bin, optional: true}]\n");
  requirements("nothing\n");
  mode("nothing");
  EXPECT_TRUE(contains(install().out, "model m (tool:tool/w.bin): not there (optional)"));
  EXPECT_FALSE(contains(asked(), "--no-deps"));
  mode("install");
  const auto added = install({"--models"});
  EXPECT_EQ(added.status, 0) << added.err;
  EXPECT_TRUE(contains(added.out, "added tool==1.0\nmodel m (tool:tool/w.bin): ok")) << added.out;
  EXPECT_TRUE(contains(asked(), "--no-deps tool==1.0")) << asked();
  EXPECT_EQ(environments(), Names{"1"});  // the same one
  EXPECT_TRUE(contains(install({"--models"}).out, "nothing to do"));
  mode("fail");
  EXPECT_EQ(install({"--models", "--upgrade"}).status, 1);
  EXPECT_EQ(install({"--models", "--remove"}).status, 2);
}

TEST_F(AdapterPackages, AFailedUpgradeLeavesTheOldOne) {
  ASSERT_EQ(install().status, 0);
  mode("fail");
  EXPECT_EQ(install({"--upgrade"}).status, 1);
  EXPECT_EQ(environments(), Names{"1"});
  EXPECT_TRUE(contains(install().out, "nothing to do"));
}

TEST_F(AdapterPackages, AHostServesOnceWhatWasMissingIsThere) {
  box_.write_file("pons.yaml", "adapters: {mood: }\n");
  const auto checked = pons({"check", "pons.yaml"});
  EXPECT_EQ(checked.status, 2);
  EXPECT_TRUE(
      contains(checked.err, "adapter.yaml:3:15: requirements: its Python environment has not been made; run: pons adapter install mood"))
      << checked.err;

  box_.serve({"-c", "pons.yaml"}, env_);
  const std::vector<std::string> call{"call", "-c", "pons.yaml", "mood:interpreter", "--json"};
  const auto refused = json::parse(pons(call).err);
  EXPECT_EQ(refused["code"], "pool_failed");
  EXPECT_EQ(refused["retryable"], false);
  EXPECT_FALSE(refused["details"].contains("retry_after_ms"));
  EXPECT_EQ(refused["details"]["missing"][0]["kind"], "environment");
  EXPECT_EQ(refused["details"]["missing"][0]["remedy"], "run: pons adapter install mood");
  EXPECT_EQ(json::parse(pons(call).err)["details"]["missing"].size(), 1u);
  ASSERT_EQ(install().status, 0);
  const auto served = pons(call);
  EXPECT_EQ(served.status, 0) << served.err;
  EXPECT_EQ(json::parse(served.out), fs::canonical(current()).string());  // not the link, which may change under it

  const auto registered = pons({"register", "other", (box_.folder() / "adapters/mood").string(), "-c", "pons.yaml"});
  EXPECT_EQ(registered.status, 0) << registered.err;
  requirements("tool==1.1\n");
  EXPECT_EQ(pons(call).status, 0);  // the worker that runs goes on
  const auto late = pons({"register", "late", (box_.folder() / "adapters/mood").string(), "-c", "pons.yaml", "--json"});
  EXPECT_EQ(late.status, 2) << late.err;
  const auto error = json::parse(late.err);
  EXPECT_EQ(error["code"], "invalid_configuration");
  EXPECT_EQ(error["details"]["missing"][0]["found"], "out of date");
  EXPECT_FALSE(contains(pons({"list", "-c", "pons.yaml"}).out, "late"));
  EXPECT_EQ(pons({"update", "other", "pool.queue:=7", "-c", "pons.yaml"}).status, 2);
  EXPECT_EQ(install().status, 0);
  EXPECT_EQ(pons({"update", "other", "pool.queue:=7", "-c", "pons.yaml"}).status, 0);
}

TEST_F(AdapterPackages, ModelFilesAreComparedWithTheirChecksum) {
  adapter("requirements: requirements.txt\nmodels:\n- {name: tiny, package: tool, file: tool/w.bin, size: 7, sha256: " +
          std::string(64, 'a') + "}\n- {name: more, file: gone.bin, optional: true}\n");
  const auto wrong = install();
  EXPECT_EQ(wrong.status, 1);
  EXPECT_TRUE(contains(wrong.out, "model tiny (tool:tool/w.bin): its SHA-256 is ")) << wrong.out;
  EXPECT_TRUE(contains(wrong.out, "model more (gone.bin): not there (optional)")) << wrong.out;
  const auto at = wrong.out.find("its SHA-256 is ") + 15;
  adapter("requirements: requirements.txt\nmodels:\n- {name: tiny, package: tool, file: tool/w.bin, size: 7, sha256: " +
          wrong.out.substr(at, 64) + "}\n");
  const auto ok = install({"--json"});
  EXPECT_EQ(ok.status, 0) << ok.out;
  EXPECT_EQ(json::parse(ok.out)["models"], json::parse(R"([{"name": "tiny", "file": "tool:tool/w.bin", "state": "ok"}])"));
}

TEST_F(AdapterPackages, WithoutUvItIsVenvAndPip) {
  box_.write_file("bin/python3",
                  "#!/bin/sh\necho \"$*\" >>\"$(dirname \"$0\")/asked\"\nmkdir -p \"$3/bin\"\n"
                  "echo 'version = 3.9.7' >\"$3/pyvenv.cfg\"\ncp \"$0\" \"$3/bin/python\"\n");
  fs::permissions(box_.folder() / "bin/python3", fs::perms::owner_all);
  fs::remove(box_.folder() / "bin/uv");
  for (const char* tool : {"cp", "dirname", "mkdir"}) fs::create_symlink(fs::path("/bin") / tool, box_.folder() / "bin" / tool);
  env_["PATH"] = (box_.folder() / "bin").string();  // nobody else's uv
  const auto made = install();
  EXPECT_EQ(made.status, 0) << made.err;
  EXPECT_TRUE(contains(made.out, "(Python 3.9.7, by pip, ")) << made.out;
  EXPECT_TRUE(contains(asked(), "-m venv " + fs::canonical(current()).string())) << asked();
  const auto log = text_of(fs::canonical(current()) / "bin/asked");
  EXPECT_TRUE(contains(log, "-m pip install --disable-pip-version-check -r ")) << log;
}

TEST_F(AdapterPackages, ListAndInfoSayWhatThereIs) {
  const auto listed = json::parse(pons({"adapter", "list", "--json"}).out)["adapters"];
  EXPECT_EQ(listed[0]["name"], "echo");
  const auto mood = std::find_if(listed.begin(), listed.end(), [](const json& each) { return each["name"] == "mood"; });
  ASSERT_NE(mood, listed.end());
  EXPECT_EQ((*mood)["version"], "0.3");
  EXPECT_EQ((*mood)["environment"], json::parse(R"({"state": "missing"})"));
  const auto info = json::parse(pons({"adapter", "info", "adapters/mood", "--json"}).out);
  EXPECT_EQ(info["missing"][0]["kind"], "environment");
  EXPECT_EQ(info["required_packages"][0], "tool>=1");
  const auto text = pons({"adapter", "info", "echo", "--commands"});
  EXPECT_EQ(text.status, 0) << text.err;
  EXPECT_TRUE(contains(text.out, "name: echo\n") && contains(text.out, "\"whoami\"")) << text.out;
  const auto mistyped = pons({"adapter", "info", "ehco"});
  EXPECT_EQ(mistyped.status, 2);
  EXPECT_TRUE(contains(mistyped.err, "did you mean \"echo\"?")) << mistyped.err;
  EXPECT_TRUE(contains(pons({"adapter", "instal", "x"}).err, "did you mean \"install\"?"));
}

TEST_F(AdapterPackages, ANewAdapterIsServedAsItIsAndOverwritesNothing) {
  const auto made = pons({"adapter", "new", "my-mood", "--dir", "mine"});
  EXPECT_EQ(made.status, 0) << made.err;
  const auto greeted = pons({"call", "--adapter", "mine/my-mood", "greet", "name=Ada"});
  EXPECT_EQ(greeted.status, 0) << greeted.err;
  EXPECT_TRUE(contains(greeted.out, "Hello Ada!")) << greeted.out;
  box_.write_file("mine/my-mood/README.md", "changed");
  const auto again = pons({"adapter", "new", "my-mood", "--dir", "mine", "--lang", "cpp"});
  EXPECT_EQ(again.status, 1);
  EXPECT_TRUE(contains(again.err, "is there already; nothing was written")) << again.err;
  EXPECT_EQ(text_of(box_.folder() / "mine/my-mood/README.md"), "changed");
  EXPECT_EQ(pons({"adapter", "new", "a/b"}).status, 2);
  EXPECT_EQ(pons({"adapter", "new", "host"}).status, 2);
  EXPECT_EQ(pons({"adapter", "new", "x", "--lang", "cobol"}).status, 2);
}

}  // namespace
}  // namespace pons::test
