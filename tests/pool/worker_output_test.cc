// The output of real processes that print as fast as they can.
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "pool/line_reader.h"
#include "pool/process_table.h"
#include "tests/pool/process_fixture.h"
#include "tests/sanitized.h"

namespace pons {
namespace {

class WorkerOutputTest : public ProcessTest {
 protected:
  std::shared_ptr<LineReader> read(UniqueFd fd, int rate) {
    LineReader::Callbacks callbacks;
    callbacks.on_line = [this](std::string line, bool /*cut*/) {
      ++lines;
      longest = std::max(longest, line.size());
    };
    callbacks.on_dropped = [this](std::uint64_t count) { dropped += count; };
    callbacks.on_end = [this] { ++ends; };
    return LineReader::create(io.get_executor(), std::move(fd), rate, std::move(callbacks));
  }
  /// Something else that the loop has to do, all the time.
  void tick() {
    timer.expires_after(std::chrono::milliseconds(1));
    timer.async_wait([this](error_code ec) {
      if (ec) return;
      const auto now = Clock::now();
      longest_gap = std::max(longest_gap, std::chrono::duration_cast<std::chrono::microseconds>(now - ticked));
      ticked = now;
      ++ticks;
      tick();
    });
  }
  template <class Condition>
  bool until(Condition condition) {
    const auto deadline = Clock::now() + std::chrono::milliseconds(kDeadline);
    while (!condition() && Clock::now() < deadline) io.run_one_until(deadline);
    return condition();
  }

  asio::io_context io{1};
  asio::steady_timer timer{io};
  TimePoint ticked = Clock::now();
  std::chrono::microseconds longest_gap{0};
  std::size_t ticks = 0;
  std::uint64_t lines = 0;
  std::uint64_t dropped = 0;
  std::size_t longest = 0;
  int ends = 0;
};

TEST_F(WorkerOutputTest, AFloodIsTakenAtFullSpeedAndTheLoopDoesItsOtherWork) {
  constexpr long kMebibytes = 256;
  auto& process = spawn(probe({"flood", std::to_string(kMebibytes)}));
  const auto begin = Clock::now();
  const auto reader = read(std::move(process.out), 1000);
  tick();
  ASSERT_TRUE(until([&] { return ends == 1; }));
  const auto took = std::chrono::duration<double>(Clock::now() - begin).count();
  timer.cancel();
  EXPECT_EQ(finish(process).status, 0);
  EXPECT_EQ(lines + dropped, static_cast<std::uint64_t>(kMebibytes) * 16 * 1009) << "1009 lines a block";
  EXPECT_LE(lines, 1000 * (static_cast<std::uint64_t>(took) + 2));
  EXPECT_GT(ticks, 0u);
  std::printf("%.0f MiB/s, longest wait of other work %.1f ms\n", kMebibytes / took, static_cast<double>(longest_gap.count()) / 1000);
}

TEST_F(WorkerOutputTest, AnEndlessLineIsBounded) {
  auto& process = spawn(probe({"flood_one_line", "64"}));
  const auto before = ProcessStat::of(::getpid())->resident_pages;
  const auto reader = read(std::move(process.out), 10);
  ASSERT_TRUE(until([&] { return ends == 1; }));
  EXPECT_LE(longest, LineReader::kMaxLine);
  EXPECT_GE(lines + dropped, 64u * 128 - 1);
  EXPECT_LT(ProcessStat::of(::getpid())->resident_pages, before + ((kSanitized ? 512u : 16u) << 20) / 4096);
}

TEST_F(WorkerOutputTest, FinishDoesNotWaitForOneThatPrintsForEver) {
  auto& process = spawn(probe({"flood", "0"}));
  const auto reader = read(std::move(process.out), 1000);
  ASSERT_TRUE(until([&] { return dropped > 0; })) << "it is told each second";
  EXPECT_FALSE(ended(process.pidfd.get()));
  reader->finish();
  EXPECT_EQ(reader->tail().size(), LineReader::kTailLines);
}

TEST_F(WorkerOutputTest, WhatACrashedProcessPrintedLastIsThere) {
  SpawnSpec spec;
  spec.command = {"/bin/sh", "-c", "echo out 1; echo err 1 >&2; echo out 2; printf 'err 2' >&2; kill -9 $$"};
  auto& process = spawn(spec);
  const auto out = read(std::move(process.out), 0);
  const auto err = read(std::move(process.err), 0);
  EXPECT_EQ(finish(process).signal, SIGKILL);
  out->finish();
  err->finish();
  EXPECT_EQ(out->tail(), (std::deque<std::string>{"out 1", "out 2"}));
  EXPECT_EQ(err->tail(), (std::deque<std::string>{"err 1", "err 2"}));
}

}  // namespace
}  // namespace pons
