#include "tests/chaos/home.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <functional>

#include "tests/chaos/load.h"

namespace pons::chaos {

namespace {

namespace fs = std::filesystem;
using test::HostUnderTest;
using test::json;
using test::kLimit;
using test::ProcessHandle;
using Time = std::chrono::steady_clock;

constexpr const char* kMark = "CHAOS_HOME";
constexpr std::pair<const char*, const char*> kFolders[] = {{"TMPDIR", "tmp"}, {"XDG_RUNTIME_DIR", "run"}, {"XDG_STATE_HOME", "state"}};

bool await(const std::function<bool()>& wanted) {
  for (const auto end = Time::now() + kLimit; Time::now() < end;) {
    if (wanted()) return true;
  }
  return false;
}

std::string name_of(pid_t pid) {
  std::error_code gone;
  return std::to_string(pid) + " " + fs::read_symlink("/proc/" + std::to_string(pid) + "/exe", gone).string();
}

}  // namespace

Home::Home() {
  for (const auto& [variable, folder] : kFolders) {
    fs::create_directory(dir_ / folder);
    fs::permissions(dir_ / folder, fs::perms::owner_all);
    ::setenv(variable, (dir_ / folder).c_str(), 1);
  }
}

Home::~Home() {
  for (const auto& [variable, folder] : kFolders) ::unsetenv(variable);
}

std::string Home::config() const {
  const auto path = dir_.path().string();
  return "defaults:\n  env: {" + std::string(kMark) + ": " + path +
         "}\n"
         "adapters:\n"
         "  journal:\n    command: [" PONS_JOURNAL_WORKER "]\n    options: {journal: " +
         path +
         "/journal}\n    pool: {size: 2, in_flight: 2, lazy: false}\n"
         "  stray:\n    command: [" PONS_BAD_WORKER
         ", grandchild, own-session]\n    pool: {lazy: false}\n"
         "  stubborn:\n    command: [" PONS_BAD_WORKER ", ignore-the-end]\n    pool: {lazy: false}\n";
}

std::vector<pid_t> Home::marked_processes() const { return test::processes_with(kMark, dir_.path().string()); }

std::vector<std::string> Home::temporary_files() const {
  std::vector<std::string> files;
  for (const auto* folder : {"tmp", "run"}) {
    for (const auto& entry : fs::recursive_directory_iterator(dir_ / folder)) {
      if (!entry.is_directory()) files.push_back(entry.path());
    }
  }
  return files;
}

History Home::history(std::vector<ClientLog> clients) const { return {std::move(clients), read_journal(dir_ / "journal")}; }

std::vector<ProcessHandle> family_of(pid_t host) {
  std::vector<ProcessHandle> family;
  std::string token;
  for (const auto pid : test::descendants_of(host)) {
    family.emplace_back(pid);
    if (token.empty()) token = test::environment_value(pid, "PONS_INSTANCE");
  }
  if (token.empty()) return family;
  for (const auto pid : test::processes_with("PONS_INSTANCE", token)) family.emplace_back(pid);
  return family;
}

double expect_nothing_left(const std::vector<ProcessHandle>& family, const Home& home) {
  const auto killed = Time::now();
  for (const auto& member : family) EXPECT_TRUE(member.await_end(kLimit)) << name_of(member.pid()) << " is left";
  EXPECT_TRUE(await([&] { return home.marked_processes().empty(); })) << name_of(home.marked_processes().front()) << " is left";
  const std::chrono::duration<double, std::milli> took = Time::now() - killed;
  EXPECT_TRUE(await([&] { return home.temporary_files().empty(); })) << json(home.temporary_files());
  return took.count();
}

double kill_a_host(Random& random) {
  const Home home;
  HostUnderTest host(home.config());
  auto client = host.connect();
  LoadOptions options;
  options.pools = {{"journal", kAnyRuns}};
  options.clients = 2;
  options.host_may_die = true;
  Load load([&] { return host.connect(); }, options, random);
  if (random.chance(80)) {  // else its workers are only starting
    client.call("stray:work");
    EXPECT_TRUE(load.await_replies(random.below(100)));
  }
  const auto family = family_of(host.pid());
  EXPECT_FALSE(family.empty());
  host.signal(SIGKILL);
  host.wait();
  const double took = expect_nothing_left(family, home);
  EXPECT_TRUE(await([&] { return !fs::exists(host.socket()) && !fs::exists(host.socket() + ".lock"); })) << host.socket();
  EXPECT_EQ(home.history(load.stop()).faults(), std::vector<std::string>());
  return took;
}

}  // namespace pons::chaos
