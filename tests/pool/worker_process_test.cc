// One worker's process from its start to its end, as its pool hears of it.
#include "pool/worker_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <optional>

namespace pons {
namespace {

class WorkerProcessTest : public testing::Test, protected WorkerProcess::Owner {
 protected:
  WorkerProcessTest() {
    options_.adapter = "probe";
    options_.launch.command = {PONS_POOL_PROBE, "wait"};  // it never shakes hands
  }
  ~WorkerProcessTest() override {
    if (!worker_) return;
    worker_->kill();
    while (!exit_) io_.run_one();
  }
  void start() {
    worker_ = std::make_shared<WorkerProcess>(io_.get_executor(), options_, WorkerKey{0, 1}, "probe#0.1",
                                              static_cast<WorkerProcess::Owner&>(*this));
    worker_->start(launcher_, SpawnSpec{options_.launch.command, "", {}, options_.launch.channel});
  }

  void on_worker_ready(WorkerProcess&) override { ready_ = true; }
  void on_worker_leaving(WorkerProcess&) override {}
  void on_worker_exited(WorkerProcess&, WorkerProcess::Exit exit) override { exit_ = std::move(exit); }
  void on_worker_line(WorkerProcess&, std::string_view, std::string, bool) override {}
  void on_late_reply(WorkerProcess&) override {}
  void on_worker_request(WorkerProcess&, Message&&) override {}
  void on_worker_written(WorkerProcess&, std::size_t) override {}

  boost::asio::io_context io_{1};
  PoolOptions options_;
  PosixLauncher launcher_;
  std::shared_ptr<WorkerProcess> worker_;
  std::optional<WorkerProcess::Exit> exit_;
  bool ready_ = false;
};

// Descriptors that are ready in the same turn in which they are closed leave their news to those that take their places in the reactor.
TEST_F(WorkerProcessTest, NewsOfClosedDescriptorsAreNotTheEndOfTheProcess) {
  std::array<std::optional<Descriptor>, 16> ready;
  std::vector<UniqueFd> writers;
  for (auto& descriptor : ready) {
    std::array<int, 2> fds{};
    ASSERT_EQ(::pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK), 0);
    writers.emplace_back(fds[1]);
    descriptor.emplace(io_.get_executor(), fds[0]);
    descriptor->async_wait(Descriptor::wait_read, [&](error_code ec) {
      if (ec || worker_) return;
      for (auto& other : ready) other.reset();
      start();
    });
  }
  for (const auto& writer : writers) ASSERT_EQ(::write(writer.get(), "x", 1), 1);
  io_.run_one();
  ASSERT_TRUE(worker_);
  for (int turns = 0; turns < 100; ++turns) io_.poll();
  EXPECT_EQ(worker_->state(), WorkerLife::State::starting);
  EXPECT_FALSE(exit_);
}

TEST_F(WorkerProcessTest, WhatItWroteIsReadThoughTheLoopWasHeldUp) {
  const std::size_t size = 150'000;  // more than one read, less than a socket holds
  options_.launch.command = {PONS_BAD_WORKER, "reply-and-die", std::to_string(size)};
  start();
  while (!ready_) io_.run_one();
  auto& channel = worker_->channel();
  const auto id = channel.next_id();
  std::size_t read = 0;
  channel.expect(id, [&](Result<Message>&& reply) { read = reply ? reply->frame.body.size() : 1; });
  channel.send(OutFrame::of(nlohmann::json{{"id", id}, {"command", "work"}}.dump()));
  while (channel.unsent() > 0) io_.run_one();
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(worker_->pid()), &info, WEXITED | WNOWAIT), 0);
  while (worker_->state() != WorkerLife::State::settling) io_.run_one();
  for (const auto end = Clock::now() + 2 * WorkerLife::kSettle; Clock::now() < end;) {  // holds the loop up
  }
  while (!exit_) io_.run_one();
  EXPECT_GT(read, size);
}

TEST_F(WorkerProcessTest, IsEndedForRefusalsThatItDoesNotReadAndForNothingElseThatWaits) {
  ::signal(SIGPIPE, SIG_IGN);  // as a host does
  start();                     // it reads nothing
  worker_->channel().send(OutFrame::of(std::string(4u << 20, ' ')));
  const Error error{ErrorCode::overloaded, "No"};
  worker_->refuse(Codec::json, std::uint64_t{1}, error);
  EXPECT_EQ(worker_->state(), WorkerLife::State::starting);
  for (int i = 0; i < 100'000 && worker_->state() == WorkerLife::State::starting; ++i) {
    worker_->refuse(Codec::json, std::uint64_t{1}, error);
  }
  while (!exit_) io_.run_one();
  EXPECT_EQ(exit_->cause, "bad_reply");
  EXPECT_LT(worker_->channel().given(), 6u << 20);
}

TEST_F(WorkerProcessTest, ItsEndIsReportedWithItsStatus) {
  start();
  worker_->kill();
  while (!exit_) io_.run_one();
  EXPECT_EQ(exit_->status.signal, SIGKILL);
  EXPECT_TRUE(exit_->status.ours);
  EXPECT_FALSE(exit_->was_ready);
  EXPECT_EQ(worker_->state(), WorkerLife::State::dead);
}

}  // namespace
}  // namespace pons
