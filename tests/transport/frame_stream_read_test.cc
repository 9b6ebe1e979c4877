// Reading and pausing.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <fstream>
#include <random>

#include "tests/transport/stream_fixture.h"

namespace pons {
namespace {

class FrameStreamRead : public StreamTest {
 protected:
  void TearDown() override {
    if (stream) stream->close();
    settle();
  }
};

TEST_F(FrameStreamRead, FramesThatCameTogetherAreHandledInOneTurn) {
  open_socket();
  std::size_t handled = 0;
  recorder.then = [&](const std::string&) {
    if (recorder.frames.size() == 1) asio::post(io, [&] { handled = recorder.frames.size(); });
  };
  std::string bytes;
  for (int i = 0; i < 50; ++i) bytes += framed("{" + std::to_string(i) + "}");
  write(bytes);
  ASSERT_TRUE(run_until([&] { return handled > 0; }));
  EXPECT_EQ(handled, 50u);
  EXPECT_EQ(recorder.frames[49], "{49}");
}

TEST_F(FrameStreamRead, ByteByByte) {
  open_socket();
  for (const char c : framed("hello") + framed("") + framed("you")) {
    write(std::string_view(&c, 1));
    settle();
  }
  EXPECT_EQ(recorder.frames, (Bodies{"hello", "", "you"}));
}

TEST_F(FrameStreamRead, OverPipes) {
  open_pipes();
  write(framed("one") + framed("two"));
  ASSERT_TRUE(run_until([&] { return recorder.frames.size() == 2; }));
  send("three");
  EXPECT_EQ(read_bytes(9), framed("three"));
}

TEST_F(FrameStreamRead, AnyChunkingGivesTheSameFrames) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
    Bodies bodies;
    std::string bytes;
    for (std::size_t i = 0, count = 1 + below(60); i < count; ++i) {
      const auto size = below(10) == 0 ? below(200'000) : below(300);
      bodies.emplace_back(size, static_cast<char>('a' + i % 26));
      bytes += framed(bodies.back());
    }
    recorder.frames.clear();
    open_socket();
    for (std::size_t at = 0; at < bytes.size();) {
      const auto n = std::min(bytes.size() - at, 1 + below(below(4) == 0 ? 60'000 : 90));
      write(std::string_view(bytes).substr(at, n));
      at += n;
      if (n > 1'000 || below(3) == 0) settle();
    }
    settle();
    ASSERT_TRUE(recorder.frames == bodies) << "seed " << seed;
    stream->close();
  }
}

TEST_F(FrameStreamRead, LargeFramesBothWays) {
  auto [left_fd, right_fd] = socket_pair();
  Recorder left_recorder;
  Recorder right_recorder;
  const auto left = FrameStream::create(io.get_executor(), std::move(left_fd), {}, {});
  const auto right = FrameStream::create(io.get_executor(), std::move(right_fd), {}, {});
  left->start(left_recorder);
  right->start(right_recorder);
  std::string large(32u << 20, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 2654435761u >> 13);
  std::string other(large.rbegin(), large.rend());
  left->send(OutFrame::of(large));
  left->send(OutFrame::of("after"));
  right->send(OutFrame::of(other));
  ASSERT_TRUE(run_until([&] { return right_recorder.frames.size() == 2 && left_recorder.frames.size() == 1; }));
  EXPECT_TRUE(right_recorder.frames[0] == large);
  EXPECT_EQ(right_recorder.frames[1], "after");
  EXPECT_TRUE(left_recorder.frames[0] == other);
  left->close();
  right->close();
  settle();
}

TEST_F(FrameStreamRead, OversizedFramesAreSaidAtOnceAndSkipped) {
  open_socket({.max_frame = 1'000});
  write(framed("before") + header_of(5'000));
  ASSERT_TRUE(run_until([&] { return recorder.oversized.size() == 1; }));
  EXPECT_EQ(recorder.oversized[0], 5'000u);
  write(std::string(4'999, 'x'));
  settle();
  EXPECT_EQ(recorder.frames, Bodies{"before"});
  write("x" + framed("after"));
  ASSERT_TRUE(run_until([&] { return recorder.frames.size() == 2; }));
  EXPECT_EQ(recorder.frames[1], "after");
  EXPECT_TRUE(recorder.ends.empty());
}

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST_F(FrameStreamRead, WhatIsSkippedIsNotStored) {
  constexpr std::size_t kLength = 100u << 20;
  open_socket({.max_frame = 10u << 20});
  const std::string piece(1u << 16, 'x');
  write(header_of(kLength));
  settle();
  const auto before = resident_bytes();
  for (std::size_t sent = 0; sent < kLength; sent += piece.size()) {
    write(piece);
    settle();
  }
  EXPECT_LT(resident_bytes(), before + (16u << 20));
  write(framed("after"));
  ASSERT_TRUE(run_until([&] { return !recorder.frames.empty(); }));
  EXPECT_EQ(recorder.oversized, std::vector<std::uint64_t>{kLength});
  EXPECT_EQ(recorder.frames, Bodies{"after"});
}

TEST_F(FrameStreamRead, NotAFrame) {
  open_socket();
  write("Hello, world\n");
  ASSERT_TRUE(run_until([&] { return !recorder.ends.empty(); }));
  EXPECT_EQ(recorder.ends, Ends{End::not_a_frame});
  EXPECT_NE(recorder.texts[0].find("Hello, world"), std::string::npos);
  send("you are told why");
  EXPECT_EQ(unframed(read_bytes(20)), Bodies{"you are told why"});
  write("more");
  settle();
  EXPECT_EQ(recorder.ends.size(), 1u);
}

TEST_F(FrameStreamRead, PausedByItsOwner) {
  open_socket();
  write(framed("one"));
  ASSERT_TRUE(run_until([&] { return recorder.frames.size() == 1; }));
  stream->pause(true);
  write(framed("two"));  // the read under way may still bring this
  settle();
  const auto taken = recorder.frames.size();
  write(framed("three"));
  settle();
  EXPECT_EQ(recorder.frames.size(), taken);
  stream->pause(false);
  ASSERT_TRUE(run_until([&] { return recorder.frames.size() == 3; }));
  stream->pause(true);
  stream->pause(false);
  stream->pause(true);
  stream->pause(false);
  write(framed("four"));
  ASSERT_TRUE(run_until([&] { return recorder.frames.size() == 4; }));
}

TEST_F(FrameStreamRead, PausesWhileThePeerDoesNotTakeItsOutput) {
  constexpr std::size_t kLimit = 1u << 20;
  constexpr std::size_t kReply = 100'000;
  open_socket({.output_limit = kLimit});
  recorder.then = [&](const std::string&) { send(std::string(kReply, 'x')); };
  std::size_t sent = 0;
  ::fcntl(peer.get(), F_SETFL, O_NONBLOCK);
  const auto request = framed(std::string(10'000, 'r'));
  std::string left_over;
  const auto push = [&] {  // as much as the socket takes
    for (;;) {
      if (left_over.empty()) left_over = request, ++sent;
      const auto n = ::write(peer.get(), left_over.data(), left_over.size());
      if (n <= 0) return;
      left_over.erase(0, static_cast<std::size_t>(n));
    }
  };
  for (int i = 0; i < 200; ++i) {
    push();
    settle();
  }
  const auto handled = recorder.frames.size();
  EXPECT_GT(stream->unsent(), kLimit);
  EXPECT_LE(stream->unsent(), kLimit + 20 * kReply) << "no more than what one read brings";
  for (int i = 0; i < 20; ++i) settle();
  EXPECT_EQ(recorder.frames.size(), handled);
  std::size_t taken = 0;
  ASSERT_TRUE(run_until([&] {
    taken += read_now().size();
    if (!left_over.empty()) {
      const auto n = ::write(peer.get(), left_over.data(), left_over.size());
      if (n > 0) left_over.erase(0, static_cast<std::size_t>(n));
    }
    return recorder.frames.size() == sent && taken == sent * (kReply + 4);
  }));
  EXPECT_EQ(stream->unsent(), 0u);
}

}  // namespace
}  // namespace pons
