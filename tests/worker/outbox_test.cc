// Frames of two threads on one descriptor.
#include "worker/outbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <system_error>
#include <thread>

#include "tests/worker/test_host.h"

namespace pons::test {
namespace {

std::array<int, 2> socket_ends() {
  std::array<int, 2> fds{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    throw std::system_error(errno, std::generic_category(), "socketpair");
  }
  return fds;
}

std::array<int, 2> pipe_ends() {
  std::array<int, 2> fds{};
  if (pipe2(fds.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  return fds;
}

class OutboxTest : public testing::TestWithParam<bool> {
 protected:
  std::array<int, 2> fds_ = GetParam() ? socket_ends() : pipe_ends();
  TestHost host_{fds_[0], fds_[0]};
  Outbox outbox_{fds_[1]};
  ~OutboxTest() override { ::close(fds_[1]); }
};

INSTANTIATE_TEST_SUITE_P(Outbox, OutboxTest, testing::Values(true, false),
                         [](const auto& socket) { return socket.param ? "socket" : "pipe"; });

TEST_P(OutboxTest, GathersUntilItIsFlushed) {
  outbox_.send({"one"});
  outbox_.append("two");
  EXPECT_EQ(outbox_.pending(), 2 * (4 + 3u));
  outbox_.flush();
  EXPECT_EQ(outbox_.pending(), 0u);
  EXPECT_EQ(host_.receive_body(), "one");
  EXPECT_EQ(host_.receive_body(), "two");
}

TEST_P(OutboxTest, FlushingSomeNeverBlocksAndGoesOnWhereItStopped) {
  const std::string body(1'000, 'x');
  std::size_t sent = 0;
  do {
    outbox_.append(body);
    ++sent;
  } while (!outbox_.flush_some());
  for (std::size_t i = 0; i < sent; ++i) {
    outbox_.flush_some();
    ASSERT_EQ(host_.receive_body(), body) << i;
  }
  EXPECT_EQ(outbox_.pending(), 0u);
}

TEST_P(OutboxTest, FramesOfTwoThreadsNeverMix) {
  constexpr int kFrames = 3'000;
  std::thread serving([this] {
    for (int i = 0; i < kFrames; ++i) {
      const std::string body = "s" + std::string(i % 50 == 0 ? 100'000 : static_cast<std::size_t>(i % 300), 's');
      outbox_.send({std::string_view(body).substr(0, 1), std::string_view(body).substr(1)});
      if (i % 7 == 0) outbox_.flush();
    }
    outbox_.flush();
  });
  std::thread reading([this] {
    for (int i = 0; i < kFrames; ++i) {
      outbox_.append("r" + std::string(static_cast<std::size_t>(i % 200), 'r'));
      outbox_.flush_some();
    }
  });
  std::thread flushing_at_last([&] {
    serving.join();
    reading.join();
    outbox_.flush();
  });
  std::array<int, 2> seen{};
  for (int i = 0; i < 2 * kFrames; ++i) {
    const std::string body = host_.receive_body();
    ASSERT_EQ(body.find_first_not_of(body[0]), std::string::npos);
    const bool of_serving = body[0] == 's';
    int& number = seen[of_serving ? 0 : 1];
    const int length = of_serving ? (number % 50 == 0 ? 100'000 : number % 300) : number % 200;
    ASSERT_EQ(body.size(), static_cast<std::size_t>(length) + 1);
    ++number;
  }
  flushing_at_last.join();
}

TEST_P(OutboxTest, NobodyThereBreaksIt) {
  host_.close();
  outbox_.append("gone");
  std::thread reading([this] {
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr);
    EXPECT_FALSE(outbox_.flush_some());
  });
  reading.join();
  EXPECT_TRUE(outbox_.is_broken());
}

}  // namespace
}  // namespace pons::test
