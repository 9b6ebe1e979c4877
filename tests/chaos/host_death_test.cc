// A host is killed, or the application that runs it, with workers at work that leave processes of their own about: nothing is left.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "tests/chaos/arena.h"
#include "tests/chaos/home.h"

namespace pons::chaos {
namespace {

namespace fs = std::filesystem;
using test::HostUnderTest;
using test::kLimit;

TEST(AKilledHost, LeavesNoProcessAndNoFileBehind) {
  Random random(test_seed());
  double longest = 0;
  for (int round = 0; round < rounds(30); ++round) {
    longest = std::max(longest, kill_a_host(random));
    if (HasFailure()) FAIL() << "in round " << round;
  }
  std::printf("all processes were gone after %.0f ms at most\n", longest);
}

/// An application that runs `pons serve --stdio`, in a process of its own that can be killed.
class Application {
 public:
  explicit Application(const Home& home) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    from_.reset(ends[0]);
    pid_ = ::fork();
    if (pid_ == 0) run(home, ends[1]);
    ::close(ends[1]);
    pollfd poll_fd{from_.get(), POLLIN, 0};
    if (::poll(&poll_fd, 1, static_cast<int>(std::chrono::milliseconds(kLimit).count())) <= 0) throw std::runtime_error("no host");
    std::array<char, 4096> text{};
    if (::read(from_.get(), text.data(), text.size() - 1) <= 0) throw std::runtime_error("the application failed");
    const std::string line = text.data();
    host_ = std::stoi(line);
    folder_ = line.substr(line.find(' ') + 1);
  }
  ~Application() {
    kill();
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  Application(const Application&) = delete;

  [[nodiscard]] pid_t host() const { return host_; }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);  // a child that nobody has waited for yet
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  [[noreturn]] static void run(const Home& home, int to) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      HostUnderTest host(home.config(), {{}, true, false});
      auto& client = host.stdio();
      client.call("stray:work");
      client.call("stubborn:work");
      for (int id = 1; id <= 4; ++id) {
        client.send({{"id", id}, {"command", "journal:run"}, {"args", {{"execution", std::to_string(id)}, {"ms", 60'000}}}});
      }
      client.call("host:ping");
      const auto line = std::to_string(host.pid()) + " " + host.dir().path().string();
      if (::write(to, line.data(), line.size()) == static_cast<ssize_t>(line.size())) ::pause();
    } catch (const std::exception& problem) {
      std::fprintf(stderr, "application: %s\n", problem.what());
    }
    ::_exit(1);
  }

  UniqueFd from_;
  pid_t pid_ = -1;
  pid_t host_ = -1;
  std::string folder_;
};

TEST(AKilledApplication, TakesItsHostAndAllOfItsProcessesWithIt) {
  double longest = 0;
  for (int round = 0; round < rounds(10); ++round) {
    const Home home;
    Application application(home);
    auto family = family_of(application.host());
    EXPECT_GE(family.size(), 6u) << "four workers, a grandchild, a watcher";
    family.emplace_back(application.host());
    application.kill();
    longest = std::max(longest, expect_nothing_left(family, home));
    if (HasFailure()) FAIL() << "in round " << round;
  }
  std::printf("all processes were gone after %.0f ms at most\n", longest);
}

}  // namespace
}  // namespace pons::chaos
