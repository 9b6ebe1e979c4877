#include "host/doctor/gather.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "host/state_dir.h"
#include "protocol/transport/unique_fd.h"

namespace pons::doctor {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "pons-doctor-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] fs::path operator/(const std::string& name) const { return path_ / name; }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

UniqueFd bound_socket(const fs::path& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("bind");
  return fd;
}

TEST(Gather, ThisMachineIsOneThatRunsTheTests) {
  const auto machine = look_at_machine([](const std::string&) { return std::nullopt; });
  EXPECT_FALSE(machine.kernel.empty());
  EXPECT_GE(machine.cores, 1u);
  EXPECT_GT(machine.memory_total, machine.memory_available);
  EXPECT_GT(machine.open_files, 0u);
  EXPECT_FALSE(machine.python);  // there is no PATH
  for (const auto& feature : machine.features) EXPECT_EQ(feature.error, "") << feature.name;
}

TEST(Gather, ProgramsAreLookedUpOnPath) {
  const Folder folder;
  std::ofstream(folder / "uv").put('\n');
  fs::permissions(folder / "uv", fs::perms::owner_all);
  const auto machine = look_at_machine([&](const std::string& name) -> std::optional<std::string> {
    if (name == "PATH") return "/nowhere:" + folder.path().string();
    return std::nullopt;
  });
  EXPECT_EQ(machine.uv, (folder / "uv").string());
  EXPECT_FALSE(machine.python);
}

TEST(Gather, SocketsAreTried) {
  const Folder folder;
  const auto alive = bound_socket(folder / "alive.sock");
  ASSERT_EQ(::listen(alive.get(), 1), 0);
  bound_socket(folder / "dead.sock").reset();
  std::ofstream(folder / "no.sock").put('\n');  // a file
  bound_socket(folder / "other").reset();
  const auto sockets = look_at_sockets({folder.path(), folder.path(), folder / "nowhere"});
  ASSERT_EQ(sockets.size(), 2u);
  EXPECT_EQ(sockets[0].path, (folder / "alive.sock").string());
  EXPECT_EQ(sockets[0].state, SocketFacts::State::alive);
  EXPECT_EQ(sockets[1].path, (folder / "dead.sock").string());
  EXPECT_EQ(sockets[1].state, SocketFacts::State::dead);
}

TEST(Gather, AStateDirectoryInUseIsLeftAlone) {
  const Folder folder;
  const auto path = (folder / "state").string();
  const auto held = StateDir::open(path);
  ASSERT_TRUE(held);
  fs::create_directories(folder / "state/snapshots/echo");
  std::ofstream(folder / "state/snapshots/echo/a") << "12345";
  const auto facts = look_at_state(path);
  EXPECT_EQ(facts.holder, ::getpid());
  EXPECT_EQ(facts.unusable, "");
  EXPECT_EQ(facts.sessions, 1u);
  EXPECT_EQ(facts.bytes, 5u);
  EXPECT_GT(facts.free, 0u);
}

TEST(Gather, AStateDirectoryThatIsNotThereIsNotMade) {
  const Folder folder;
  const auto facts = look_at_state((folder / "deep/state").string());
  EXPECT_EQ(facts.unusable, "");
  EXPECT_FALSE(fs::exists(folder / "deep"));
  EXPECT_EQ(look_at_state("").path, "");
}

TEST(Gather, AStateDirectoryThatOthersMayChangeIsUnusable) {
  const Folder folder;
  fs::create_directory(folder / "state");
  fs::permissions(folder / "state", fs::perms::all);
  EXPECT_NE(look_at_state((folder / "state").string()).unusable, "");
}

TEST(Gather, AdaptersOfTheConfigurationAndOfTheSearchPath) {
  const Folder folder;
  const auto add = [&](const std::string& name, const std::string& yaml) {
    fs::create_directories(folder / name);
    std::ofstream(folder / (name + "/adapter.yaml")) << yaml;
  };
  add("good", "name: good\ncommand: [/bin/true]\n");
  add("bad", "name: bad\ncommand: [./missing]\n");
  ConfigContext context;
  context.env = [](const std::string&) { return std::nullopt; };
  context.adapter_path = {folder.path()};
  context.current_dir = folder.path();
  const auto config = parse_config("adapters: {mine: {command: [/bin/true], limits: {cpu: 1}, required_env: [PONS_DOCTOR_KEY]}}",
                                   folder / "pons.yaml", context);
  const auto adapters = look_at_adapters(config, context);
  ASSERT_EQ(adapters.size(), 3u);
  EXPECT_EQ(adapters[0].name, "mine");
  EXPECT_TRUE(adapters[0].configured);
  EXPECT_TRUE(adapters[0].wants_cpu_limit);
  EXPECT_FALSE(adapters[0].wants_process_limit);
  ASSERT_EQ(adapters[0].missing.size(), 1u);
  EXPECT_NE(adapters[0].missing[0].what.find("PONS_DOCTOR_KEY"), std::string::npos) << adapters[0].missing[0].what;
  EXPECT_NE(adapters[0].missing[0].remedy, "");
  EXPECT_EQ(adapters[1].name, "bad");
  EXPECT_FALSE(adapters[1].configured);
  ASSERT_EQ(adapters[1].faults.size(), 1u);
  EXPECT_NE(adapters[1].faults[0].to_string().find("missing"), std::string::npos);
  EXPECT_EQ(adapters[2].name, "good");
  EXPECT_TRUE(adapters[2].faults.empty());
  EXPECT_TRUE(adapters[2].missing.empty());
}

}  // namespace
}  // namespace pons::doctor
