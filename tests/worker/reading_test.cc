// What a worker sees of its channel while a handler runs.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>

#include "tests/sanitized.h"
#include "tests/worker/test_host.h"
#include "worker/worker.h"

namespace pons::test {
namespace {

using namespace std::chrono_literals;

constexpr int kHostGoneExit = 42;

/// A worker whose command `block` waits, without looking at anything of the SDK, until the test opens the gate.
class ReadingTest : public testing::Test {
 protected:
  ~ReadingTest() override {
    for (const int fd : gate_) ::close(fd);
    for (const int fd : marks_) ::close(fd);
  }

  void start_block(int id = 1) { start(id, "block"); }
  void start(int id, const std::string& command) {
    served_.host.send({{"id", id}, {"command", command}, {"stream", true}});
    EXPECT_EQ(served_.host.receive()["result"], "running");
  }
  void open_gate() const { EXPECT_EQ(write(gate_[1], "x", 1), 1); }
  void cancel(int id, int cancel_id) {
    served_.host.send({{"id", cancel_id}, {"command", "common:cancel"}, {"args", {{"id", id}}}});
    const json reply = served_.host.receive();
    EXPECT_EQ(reply["id"], cancel_id);
    EXPECT_EQ(reply["result"], (json{{"found", true}}));
  }
  /// How often `mark` ran in the worker, which has ended.
  int marks() const {
    fcntl(marks_[0], F_SETFL, O_NONBLOCK);
    char bytes[64];
    return static_cast<int>(std::max<ssize_t>(0, read(marks_[0], bytes, sizeof bytes)));
  }

  static std::array<int, 2> make_pipe() {
    std::array<int, 2> fds{};
    if (pipe2(fds.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
    return fds;
  }

  int serve(int fd) const {
    Worker worker("reading", "1", ChannelFds{fd, fd});
    worker.command("block", [this](const json& /*args*/, Context& context) {
      context.send_partial("running");
      char byte = 0;
      const bool is_open = read(gate_[0], &byte, 1) == 1;
      return json{{"is_open", is_open}, {"cancelled", context.cancelled()}};
    });
    worker.command("spin", [](const json& /*args*/, Context& context) -> json {
      context.send_partial("running");
      while (!context.cancelled()) {
      }
      if (context.cancellation() == Cancellation::host_gone) _exit(kHostGoneExit);
      context.throw_if_cancelled();
      return nullptr;
    });
    worker.command("sleep", [](const json& /*args*/, Context& context) -> json {
      context.send_partial("running");
      context.sleep(1h);
      if (context.cancellation() == Cancellation::host_gone) _exit(kHostGoneExit);
      return "woken";
    });
    worker.command("give_up", [](const json& /*args*/, Context& context) -> json {
      context.send_partial("running");
      while (!context.sleep(1h)) {
      }
      return nullptr;
    });
    worker.command("mark", [this](const json& args) {
      if (write(marks_[1], "m", 1) != 1) throw std::runtime_error("there is no room for a mark");
      return args;
    });
    return worker.run();
  }

  std::array<int, 2> gate_ = make_pipe();
  std::array<int, 2> marks_ = make_pipe();
  Served served_{[this](int fd) { return serve(fd); }};
};

TEST_F(ReadingTest, ACancellationIsSeenByAHandlerThatComputes) {
  start(1, "spin");
  cancel(1, 2);
  EXPECT_EQ(served_.host.receive()["code"], "cancelled");
}

TEST_F(ReadingTest, ACancellationWakesAHandlerThatSleeps) {
  start(1, "sleep");
  cancel(1, 2);
  EXPECT_EQ(served_.host.receive()["result"], "woken");
}

TEST_F(ReadingTest, ACancellationIsAnsweredWhileTheHandlerLooksAtNothing) {
  start_block();
  cancel(1, 2);
  open_gate();
  EXPECT_EQ(served_.host.receive()["result"], (json{{"is_open", true}, {"cancelled", true}}));
}

TEST_F(ReadingTest, AWaitingRequestThatIsCancelledIsAnsweredWhileTheHandlerLooksAtNothing) {
  start_block();
  served_.host.send({{"id", 2}, {"command", "mark"}});
  cancel(2, 3);
  const json reply = served_.host.receive();
  EXPECT_EQ(reply["id"], 2);
  EXPECT_EQ(reply["code"], "cancelled");
  open_gate();
  EXPECT_EQ(served_.host.receive()["id"], 1);
  const json stats = served_.host.result("get_stats");
  EXPECT_EQ(stats["requests_processed"], 2);
  EXPECT_EQ(stats["errors"], 1);
  EXPECT_EQ(marks(), 0);
}

TEST_F(ReadingTest, ABadFrameIsAnsweredWhileTheHandlerLooksAtNothing) {
  start_block();
  served_.host.send_body("[]");
  EXPECT_EQ(served_.host.receive()["code"], "bad_frame");
  open_gate();
  EXPECT_EQ(served_.host.receive()["id"], 1);
}

TEST_F(ReadingTest, RepliesThatAreGatheredLeaveWhileTheNextHandlerTakesLong) {
  for (int i = 0; i < 10; ++i) served_.host.result("ping");  // known to be quick
  served_.host.send_bytes(TestHost::framed(json{{"id", 1}, {"command", "ping"}}.dump()) +
                          TestHost::framed(json{{"id", 2}, {"command", "block"}, {"idempotent", true}}.dump()));
  EXPECT_EQ(served_.host.receive()["id"], 1);
  open_gate();
  EXPECT_EQ(served_.host.receive()["id"], 2);
}

TEST_F(ReadingTest, ShortRequestsGoOnAfterALongOne) {
  for (int round = 0; round < 20; ++round) {
    start_block();
    served_.host.send({{"id", 2}, {"command", "ping"}});
    open_gate();
    EXPECT_EQ(served_.host.receive()["id"], 1);
    EXPECT_EQ(served_.host.receive()["id"], 2);
    EXPECT_EQ(served_.host.result("ping")["status"], "ok");
  }
}

TEST_F(ReadingTest, TheEndOfTheHostIsSeenByAHandlerThatComputes) {
  start(1, "spin");
  served_.host.close();
  EXPECT_EQ(served_.child.exit_status(), kHostGoneExit);
}

TEST_F(ReadingTest, TheEndOfTheHostWakesAHandlerThatSleeps) {
  start(1, "sleep");
  served_.host.close();
  EXPECT_EQ(served_.child.exit_status(), kHostGoneExit);
}

TEST_F(ReadingTest, AHandlerThatIsStuckDoesNotOutliveTheHost) {
  start_block();
  served_.host.close();
  EXPECT_EQ(served_.child.exit_status(), 3);
}

TEST_F(ReadingTest, WhatHadBegunWhenTheHostClosedItsHalfIsStillAnswered) {
  start(1, "give_up");
  ASSERT_EQ(shutdown(served_.fds.first, SHUT_WR), 0);
  EXPECT_EQ(served_.host.receive()["id"], 1);
  served_.host.expect_end();
  EXPECT_EQ(served_.child.exit_status(), 0);
}

TEST_F(ReadingTest, WhatHadNotBegunAtTheEndOfTheHostIsNotRun) {
  start(1, "give_up");
  for (int id = 2; id < 5; ++id) served_.host.send({{"id", id}, {"command", "mark"}});
  served_.host.close();
  EXPECT_EQ(served_.child.exit_status(), 0);
  EXPECT_EQ(marks(), 0);
}

TEST_F(ReadingTest, AFloodOfABusyWorkerIsAnsweredInTheEnd) {
  constexpr int kRequests = 16'000;
  const std::string rest = R"(,"command":"ping","args":{"filling":")" + std::string(16u << 10, 'x') + R"("}})";
  start_block();
  std::atomic<int> sent{0};
  std::thread writer([&] {
    for (int id = 2; id < 2 + kRequests; ++id, ++sent) served_.host.send_body(R"({"id":)" + std::to_string(id) + rest);
  });
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (sent < 1'024 && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
  EXPECT_GE(sent, 1'024);
  open_gate();
  for (int id = 1; id < 2 + kRequests; ++id) EXPECT_EQ(served_.host.receive()["id"], id);
  writer.join();
}

TEST_F(ReadingTest, TheEndOfTheHostIsSeenBehindAFlood) {
  start(1, "spin");
  fcntl(served_.fds.first, F_SETFL, O_NONBLOCK);
  const std::string batch = TestHost::framed(json{{"id", 2}, {"command", "mark"}}.dump());
  pollfd writable{served_.fds.first, POLLOUT, 0};
  for (int i = 0; i < 20'000 && poll(&writable, 1, 0) == 1; ++i) {
    if (send(served_.fds.first, batch.data(), batch.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(batch.size())) break;
  }
  served_.host.close();
  EXPECT_EQ(served_.child.exit_status(), kHostGoneExit);
  EXPECT_EQ(marks(), 0);
}

}  // namespace
}  // namespace pons::test
