#include "protocol/transport/unix_listener.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/transport/stream_fixture.h"

namespace pons {
namespace {

namespace fs = std::filesystem;

class ListenerTest : public StreamTest {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "pons-listen-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory = pattern;
    path = directory + "/host.sock";
  }
  void TearDown() override {
    listener.reset();
    settle();
    fs::remove_all(directory);
  }
  Result<std::unique_ptr<UnixListener>> try_open(const std::string& where) { return UnixListener::open(io.get_executor(), where); }
  void open() {
    auto opened = try_open(path);
    ASSERT_TRUE(opened) << opened.error().message;
    listener = std::move(*opened);
  }
  void start() {
    open();
    listener->start(
        [this](UniqueFd socket) {
          accepted.push_back(std::move(socket));
          if (const auto hook = then_accepted) hook();
        },
        [this](const std::string& why) {
          refused.push_back(why);
          if (const auto hook = then_refused) hook();
        });
  }
  /// The error of opening it, which must fail.
  std::string failure(const std::string& where) {
    const auto opened = try_open(where);
    if (opened) {
      ADD_FAILURE() << "it was opened";
      return {};
    }
    EXPECT_EQ(opened.error().code, ErrorCode::invalid_configuration);
    EXPECT_NE(opened.error().message.find(where), std::string::npos) << opened.error().message;
    return opened.error().message;
  }
  static mode_t mode_of(const std::string& file) {
    struct stat info {};
    EXPECT_EQ(::lstat(file.c_str(), &info), 0) << file;
    return info.st_mode & 07777;
  }
  static sockaddr_un address_of(const std::string& where) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    where.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
  }
  /// A foreign socket at `path`.
  UniqueFd bind_foreign(int type) {
    UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    const auto address = address_of(path);
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  std::string directory, path;
  std::unique_ptr<UnixListener> listener;
  std::vector<UniqueFd> accepted;
  std::vector<std::string> refused;
  std::function<void()> then_accepted, then_refused;
};

TEST_F(ListenerTest, AcceptsItsOwnUser) {
  start();
  EXPECT_EQ(listener->path(), path);
  const auto one = connect_unix(path);
  const auto two = connect_unix(path);
  ASSERT_TRUE(one && two);
  ASSERT_TRUE(run_until([&] { return accepted.size() == 2; }));
  write_to(*one, "hi");
  char text[3] = {};
  EXPECT_EQ(::read(accepted[0].get(), text, 2), 2);
  EXPECT_STREQ(text, "hi");
  EXPECT_EQ(::fcntl(accepted[0].get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  EXPECT_TRUE(refused.empty());
}

TEST_F(ListenerTest, OnlyItsUserMayReachIt) {
  path = directory + "/made/host.sock";
  const auto mask = ::umask(0);
  open();
  ::umask(mask);
  EXPECT_EQ(mode_of(directory + "/made"), 0700u);
  EXPECT_EQ(mode_of(path), 0600u);
  EXPECT_EQ(mode_of(path + ".lock"), 0600u);
}

TEST_F(ListenerTest, ItGoesWithItsOwner) {
  open();
  EXPECT_TRUE(fs::exists(path));
  listener.reset();
  EXPECT_FALSE(fs::exists(path));
  EXPECT_FALSE(fs::exists(path + ".lock"));
  open();
}

TEST_F(ListenerTest, ASocketThatADeadHostLeftIsReplaced) {
  const pid_t host = ::fork();
  if (host == 0) {
    const auto opened = UnixListener::open(io.get_executor(), path);
    ::_exit(opened ? 0 : 1);  // like a crash: nothing is cleaned up
  }
  int status = 0;
  ASSERT_EQ(::waitpid(host, &status, 0), host);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(fs::exists(path) && fs::exists(path + ".lock"));
  start();
  const auto client = connect_unix(path);
  ASSERT_TRUE(client);
  ASSERT_TRUE(run_until([&] { return accepted.size() == 1; }));
}

TEST_F(ListenerTest, ALivingHostIsNamed) {
  open();
  EXPECT_NE(failure(path).find("pid " + std::to_string(::getpid())), std::string::npos);
  EXPECT_TRUE(connect_unix(path)) << "and not harmed";
}

TEST_F(ListenerTest, AHostInAnotherProcessIsNamed) {
  auto [ready, tell] = make_pipe();
  const pid_t host = ::fork();
  if (host == 0) {
    const auto opened = UnixListener::open(io.get_executor(), path);
    [[maybe_unused]] const auto n = ::write(tell.get(), opened ? "y" : "n", 1);
    for (;;) ::pause();
  }
  char answer = 0;
  ASSERT_EQ(::read(ready.get(), &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  EXPECT_NE(failure(path).find("pid " + std::to_string(host)), std::string::npos);
  ::kill(host, SIGKILL);
  ASSERT_EQ(::waitpid(host, nullptr, 0), host);
  open();
}

TEST_F(ListenerTest, AnotherProgramIsNotPushedAside) {
  const auto foreign = bind_foreign(SOCK_STREAM);
  ASSERT_EQ(::listen(foreign.get(), 5), 0);
  EXPECT_NE(failure(path).find("another program"), std::string::npos);
  EXPECT_TRUE(connect_unix(path));
}

TEST_F(ListenerTest, AProgramThatAcceptsNobodyDoesNotHangUs) {
  const auto foreign = bind_foreign(SOCK_STREAM);
  ASSERT_EQ(::listen(foreign.get(), 0), 0);
  std::vector<UniqueFd> waiting;
  for (;;) {
    waiting.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const auto address = address_of(path);
    if (::connect(waiting.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) break;
  }
  ::alarm(20);  // instead of hanging for ever
  EXPECT_NE(failure(path).find("another program"), std::string::npos);
  const auto client = connect_unix(path);
  ::alarm(0);
  EXPECT_FALSE(client);
}

TEST_F(ListenerTest, ADatagramSocketIsNotPushedAsideEither) {
  const auto foreign = bind_foreign(SOCK_DGRAM);
  failure(path);
  EXPECT_TRUE(fs::exists(path));
}

TEST_F(ListenerTest, WhatIsNoSocketStays) {
  std::ofstream(path) << "precious";
  EXPECT_NE(failure(path).find("no socket"), std::string::npos);
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), "precious");
}

TEST_F(ListenerTest, TheLockDoesNotFollowALink) {
  const auto victim = directory + "/victim";
  std::ofstream(victim) << "precious";
  fs::create_symlink(victim, path + ".lock");
  failure(path);
  std::stringstream text;
  text << std::ifstream(victim).rdbuf();
  EXPECT_EQ(text.str(), "precious");
}

TEST_F(ListenerTest, ThePathHasALimit) {
  const auto longest = sizeof(sockaddr_un::sun_path) - 1;
  path = directory + "/" + std::string(longest - directory.size() - 1, 'x');
  open();
  EXPECT_TRUE(connect_unix(path));
  EXPECT_NE(failure(path + "x").find(std::to_string(longest)), std::string::npos);
  EXPECT_FALSE(try_open(""));
  EXPECT_FALSE(connect_unix(path + "x"));
}

TEST_F(ListenerTest, ADirectoryThatOthersMayWriteToIsRefused) {
  for (const mode_t mode : {0777u, 0770u, 0702u}) {
    ASSERT_EQ(::chmod(directory.c_str(), mode), 0);
    EXPECT_NE(failure(path).find("others can write"), std::string::npos) << std::oct << mode;
  }
  ASSERT_EQ(::chmod(directory.c_str(), 01777), 0);
  open();  // nobody but us may remove our files there
}

TEST_F(ListenerTest, ADirectoryThatCannotBeMade) {
  std::ofstream(directory + "/file") << "";
  failure(directory + "/file/host.sock");
  failure(directory + "/file/deeper/host.sock");
}

TEST_F(ListenerTest, NobodyListens) {
  const auto none = connect_unix(path);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().details.at("errno"), ENOENT);
  bind_foreign(SOCK_STREAM).reset();
  const auto stale = connect_unix(path);
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().details.at("errno"), ECONNREFUSED);
}

TEST_F(ListenerTest, AnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  start();
  // As if the modes had been opened by mistake: the uid of the peer is looked at nevertheless.
  ASSERT_EQ(::chmod(directory.c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  const pid_t other = ::fork();
  if (other == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    const auto socket = connect_unix(path);
    if (!socket) ::_exit(3);
    char byte = 0;
    ::_exit(::read(socket->get(), &byte, 1) == 0 ? 0 : 4);  // closed without a word
  }
  ASSERT_TRUE(run_until([&] { return !refused.empty(); }));
  int status = 0;
  ASSERT_EQ(::waitpid(other, &status, 0), other);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(accepted.empty());
  EXPECT_NE(refused[0].find("65534"), std::string::npos);
  EXPECT_TRUE(connect_unix(path));
  ASSERT_TRUE(run_until([&] { return accepted.size() == 1; }));
}

TEST_F(ListenerTest, SurvivesRunningOutOfDescriptors) {
  start();
  const auto client = connect_unix(path);
  ASSERT_TRUE(client);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const UniqueFd next(::dup(0));
  const rlimit none{static_cast<rlim_t>(next.get()), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const bool said = run_until([&] { return !refused.empty(); });
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(said);
  EXPECT_NE(refused[0].find("Too many open files"), std::string::npos);
  EXPECT_TRUE(accepted.empty());
  ASSERT_TRUE(run_until([&] { return accepted.size() == 1; })) << "it was not forgotten";
}

TEST_F(ListenerTest, AFloodOfConnectionsStarvesNobody) {
  start();
  bool ran = false;
  int connections = 0;
  std::vector<Result<UniqueFd>> clients;
  then_accepted = [&] {
    if (connections == 0) asio::post(io, [&] { ran = true; });
    if (++connections < 10'000 && !ran) clients.push_back(connect_unix(path));
    accepted.clear();
    clients.erase(clients.begin(), clients.end() - std::min<std::ptrdiff_t>(1, std::ssize(clients)));
  };
  ASSERT_TRUE(connect_unix(path));
  ASSERT_TRUE(run_until([&] { return connections > 0 && ran; }));
  EXPECT_LT(connections, 10'000);
}

TEST_F(ListenerTest, MayBeClosedOrDestroyedInItsCallback) {
  for (const bool destroy : {false, true}) {
    start();
    accepted.clear();
    then_accepted = [&] { destroy ? listener.reset() : listener->close(); };
    const auto one = connect_unix(path);
    const auto two = connect_unix(path);
    ASSERT_TRUE(run_until([&] { return accepted.size() == 1; }));
    settle();
    EXPECT_EQ(accepted.size(), 1u);
    EXPECT_FALSE(fs::exists(path));
  }
}

TEST_F(ListenerTest, MayBeDestroyedWhileAConnectionIsOnItsWay) {
  for (int i = 0; i < 20; ++i) {
    start();
    const auto client = connect_unix(path);
    ASSERT_TRUE(client);
    // In the turn in which the loop has already seen the connection.
    asio::post(io, [&] { asio::post(io, [&] { listener.reset(); }); });
    settle();
    EXPECT_EQ(listener, nullptr);
  }
}

TEST_F(ListenerTest, OfManyAtOnceNeverTwoHaveIt) {
  struct Shared {
    std::atomic<int> holders, most, opened;
  };
  auto* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto& shared = *new (memory) Shared{};
  std::vector<pid_t> processes;
  for (int i = 0; i < 4; ++i) {
    processes.push_back(::fork());
    if (processes.back() != 0) continue;
    const auto deadline = Clock::now() + std::chrono::seconds(10);
    for (int n = 0; n < 1'500 && shared.most < 2 && Clock::now() < deadline; ++n) {
      const auto opened = UnixListener::open(io.get_executor(), path);
      if (!opened) continue;
      ++shared.opened;
      const int now = ++shared.holders;
      if (now > shared.most) shared.most = now;
      --shared.holders;
      (*opened)->close();
    }
    ::_exit(0);
  }
  for (const auto process : processes) ASSERT_EQ(::waitpid(process, nullptr, 0), process);
  EXPECT_GT(shared.opened, 0);
  EXPECT_EQ(shared.most, 1) << "two listeners at the same path";
  ::munmap(memory, sizeof(Shared));
}

}  // namespace
}  // namespace pons
