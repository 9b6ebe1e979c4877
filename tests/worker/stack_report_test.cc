// The stack that a worker shows when the host sends it a signal.
#include "worker/stack_report.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>
#include <system_error>
#include <thread>

#include "tests/worker/test_host.h"
#include "worker/worker.h"

namespace pons::test {

/// What the thread that serves does, found by its name in the report.
[[gnu::noinline]] void wait_where_it_can_be_seen() {
  for (;;) pause();
}

namespace {

using namespace std::chrono_literals;

std::array<int, 2> make_pipe() {
  std::array<int, 2> fds{};
  if (pipe2(fds.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  return fds;
}

int run_echo(int fd) {
  fcntl(fd, F_SETFD, 0);
  setenv("PONS_FD", std::to_string(fd).c_str(), 1);
  execl(PONS_ECHO_WORKER, PONS_ECHO_WORKER, nullptr);
  return 127;
}

/// Serves one command, which shows the id of another thread and then hangs.
int serve_hang(int fd) {
  Worker worker("hangs", "1", ChannelFds{fd, fd});
  worker.command("hang", [](const json& /*args*/, Context& context) -> json {
    std::thread([&context] {
      context.send_partial(gettid());  // the thread that serves does not use it meanwhile
      for (;;) pause();
    }).detach();
    wait_where_it_can_be_seen();
    return nullptr;
  });
  return worker.run();
}

class StackReportTest : public testing::Test {
 protected:
  ~StackReportTest() override {
    ::close(dump_[0]);
    ::close(dump_[1]);
  }

  /// A worker that has got a descriptor for its report.
  std::function<int(int)> with_dump(int (*body)(int)) const {
    return [this, body](int fd) {
      fcntl(dump_[1], F_SETFD, 0);
      setenv("PONS_DUMP_FD", std::to_string(dump_[1]).c_str(), 1);
      return body(fd);
    };
  }

  /// Calls `send_signal` until a report comes that names `function`; the last report.
  std::string report_with(const std::string& function, const std::function<void()>& send_signal) const {
    std::string report;
    const auto give_up = std::chrono::steady_clock::now() + 10s;
    while (report.find(function) == std::string::npos && std::chrono::steady_clock::now() < give_up) {
      send_signal();
      report = read_report();
    }
    return report;
  }

 private:
  std::string read_report() const {
    std::string report;
    pollfd readable{dump_[0], POLLIN, 0};
    for (int patience = 1'000; poll(&readable, 1, patience) == 1; patience = 20) {
      char bytes[4096];
      const ssize_t count = read(dump_[0], bytes, sizeof bytes);
      if (count <= 0) break;
      report.append(bytes, static_cast<std::size_t>(count));
    }
    return report;
  }

 protected:
  const std::array<int, 2> dump_ = make_pipe();
};

TEST_F(StackReportTest, ShowsWhereItHangs) {
  for (const bool spin : {false, true}) {
#ifdef __SANITIZE_THREAD__
    if (spin) continue;  // ThreadSanitizer holds signals back until the next system call
#endif
    Served served(with_dump(run_echo));
    const int signal = served.host.result("ping")["stack_signal"];
    served.host.send({{"id", 1}, {"command", "hang"}, {"args", {{"spin", spin}}}});
    const std::string report = report_with("hang_for_ever", [&] { served.child.signal(signal); });
    EXPECT_NE(report.find("hang_for_ever"), std::string::npos) << report;
    EXPECT_EQ(report.find("Stack of the thread that serves"), 0u) << report;
  }
}

TEST_F(StackReportTest, ShowsTheThreadThatServesWhicheverGetsTheSignal) {
  Served served(with_dump(serve_hang));
  const int signal = served.host.result("ping")["stack_signal"];
  served.host.send({{"id", 1}, {"command", "hang"}, {"stream", true}});
  const pid_t other = served.host.receive()["result"];
  ASSERT_NE(other, served.child.pid());
  const std::string report = report_with("wait_where_it_can_be_seen", [&] { tgkill(served.child.pid(), other, signal); });
  EXPECT_NE(report.find("wait_where_it_can_be_seen"), std::string::npos) << report;
}

TEST_F(StackReportTest, HarmsNothing) {
  Served served(with_dump(run_echo));
  const int signal = served.host.result("ping")["stack_signal"];
  served.host.send({{"id", 1}, {"command", "sleep"}, {"args", {{"ms", 60'000}}}});
  for (int i = 0; i < 1'000; ++i) served.child.signal(signal);  // far more than the pipe holds, and nobody reads
  served.host.send({{"id", 2}, {"command", "common:cancel"}, {"args", {{"id", 1}}}});
  EXPECT_EQ(served.host.receive()["id"], 2);
  EXPECT_EQ(served.host.receive()["code"], "cancelled");
  EXPECT_EQ(served.host.result("ping")["status"], "ok");
}

TEST_F(StackReportTest, IsOnlyOfferedToAHostThatReadsIt) {
  Served served(run_echo);
  EXPECT_FALSE(served.host.result("ping").contains("stack_signal"));
}

TEST_F(StackReportTest, LeavesASignalAloneThatTheProgramUses) {
  Served served(with_dump([](int fd) {
    Worker worker("own", "1", ChannelFds{fd, fd});
    std::signal(SIGRTMIN + 4, SIG_IGN);
    return worker.run();
  }));
  EXPECT_FALSE(served.host.result("ping").contains("stack_signal"));
}

TEST_F(StackReportTest, ItsDescriptorIsPrivateAndNeverBlocks) {
  setenv("PONS_DUMP_FD", std::to_string(dump_[1]).c_str(), 1);
  fcntl(dump_[1], F_SETFD, 0);
  EXPECT_EQ(claim_dump(), dump_[1]);
  EXPECT_EQ(std::getenv("PONS_DUMP_FD"), nullptr);
  EXPECT_NE(fcntl(dump_[1], F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(fcntl(dump_[1], F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(claim_dump(), -1);
}

TEST_F(StackReportTest, AWorkerCanDoWithoutTheDescriptor) {
  for (const char* value : {"", "x", "-1", "987"}) {
    setenv("PONS_DUMP_FD", value, 1);
    EXPECT_EQ(claim_dump(), -1) << value;
  }
}

}  // namespace
}  // namespace pons::test
