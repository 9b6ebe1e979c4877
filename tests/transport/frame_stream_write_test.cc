// Writing: gathering, time-outs, closing after what is queued.
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>

#include "tests/transport/stream_fixture.h"

namespace pons {
namespace {

class FrameStreamWrite : public StreamTest {
 protected:
  void TearDown() override {
    if (stream) stream->close();
    settle();
  }
  /// More than the sockets hold.
  static constexpr std::size_t kMuch = 4u << 20;
};

TEST_F(FrameStreamWrite, FramesOfOneTurnLeaveInOneCall) {
  open_socket({}, SOCK_SEQPACKET);  // keeps what was written by one call together
  Bodies bodies;
  for (int i = 0; i < 20; ++i) {
    bodies.push_back("{\"n\":" + std::to_string(i) + "}");
    send(bodies.back());
  }
  ASSERT_TRUE(run_until([&] { return recorder.writes > 0; }));
  EXPECT_EQ(unframed(read_now()), bodies);
  EXPECT_TRUE(read_now().empty()) << "a second call";
}

TEST_F(FrameStreamWrite, AnswersToWhatCameTogetherLeaveInOneCall) {
  open_socket({}, SOCK_SEQPACKET);
  recorder.then = [&](const std::string& body) { send("re " + body); };
  write(framed("a") + framed("b") + framed("c"));
  ASSERT_TRUE(run_until([&] { return recorder.writes > 0; }));
  EXPECT_EQ(unframed(read_now()), (Bodies{"re a", "re b", "re c"}));
  EXPECT_TRUE(read_now().empty()) << "a second call";
}

TEST_F(FrameStreamWrite, WhatOneStreamBringsLeavesOnAnotherInOneCall) {
  open_socket({}, SOCK_SEQPACKET);
  auto [other_fd, other_peer] = socket_pair(SOCK_SEQPACKET);
  Recorder other_recorder;
  const auto other = FrameStream::create(io.get_executor(), std::move(other_fd), {}, {});
  other->start(other_recorder);
  recorder.then = [&](const std::string& body) { other->send(OutFrame::of(body)); };
  write(framed("a") + framed("b"));
  ASSERT_TRUE(run_until([&] { return other_recorder.writes > 0; }));
  peer = std::move(other_peer);
  EXPECT_EQ(unframed(read_now()), (Bodies{"a", "b"}));
  other->close();
}

TEST_F(FrameStreamWrite, SendingFromOnWritten) {
  open_socket();
  int left = 5;
  recorder.then_written = [&] {
    if (left-- > 0) send("again");
  };
  recorder.then = [&](const std::string&) { send("first"); };
  write(framed("go"));
  EXPECT_EQ(unframed(read_bytes(9 + 5 * 9)).size(), 6u);
}

TEST_F(FrameStreamWrite, ClosedByAnotherStreamsHandlerInTheSameTurn) {
  open_socket();
  auto [other_fd, other_peer] = socket_pair();
  Recorder other_recorder;
  auto other = FrameStream::create(io.get_executor(), std::move(other_fd), {}, {});
  other->start(other_recorder);
  recorder.then = [&](const std::string&) {
    if (!other) return;
    other->send(OutFrame::of("never"));
    other->close();
    other.reset();
  };
  other_recorder.then_written = [] { FAIL() << "after close"; };
  write(framed("a") + framed("b"));
  ASSERT_TRUE(run_until([&] { return recorder.frames.size() == 2; }));
  settle();
}

TEST_F(FrameStreamWrite, AStreamThatClosesItselfWhileItIsFlushedAtTheEndOfItsTurn) {
  open_socket();
  recorder.then = [&](const std::string& body) { send(body); };
  recorder.then_written = [&] {
    stream->close();
    stream.reset();
  };
  write(framed("a") + framed("b"));
  EXPECT_EQ(unframed(read_bytes(10)), (Bodies{"a", "b"}));
  settle();
  EXPECT_TRUE(peer_at_end());
}

TEST_F(FrameStreamWrite, ManyPieces) {
  open_socket();
  std::size_t bytes = 0;
  Bodies bodies;
  for (std::size_t i = 0; i < 2'000; ++i) {
    bodies.emplace_back(i % 7 == 0 ? 5'000 : i % 90, static_cast<char>('a' + i % 26));
    bytes += bodies.back().size() + 4;
    send(bodies.back());
  }
  EXPECT_EQ(stream->unsent(), bytes);
  EXPECT_TRUE(unframed(read_bytes(bytes)) == bodies);
  EXPECT_EQ(stream->unsent(), 0u);
}

TEST_F(FrameStreamWrite, OnWrittenSaysWhatIsLeft) {
  open_socket();
  send(std::string(kMuch, 'x'));
  ASSERT_TRUE(run_until([&] { return recorder.writes > 0; }));
  EXPECT_GT(recorder.last_unsent, 0u);
  EXPECT_LT(recorder.last_unsent, kMuch + 4);
  EXPECT_EQ(recorder.last_unsent, stream->unsent());
  read_bytes(kMuch + 4);
  EXPECT_EQ(stream->unsent(), 0u);
}

TEST_F(FrameStreamWrite, APeerThatTakesNothingIsStuck) {
  for (const bool pipes : {false, true}) {
    recorder = Recorder();
    const FrameStream::Options options{.write_timeout = std::chrono::milliseconds(30)};
    pipes ? open_pipes(options) : open_socket(options);
    send(std::string(kMuch, 'x'));
    const auto begin = Clock::now();
    ASSERT_TRUE(run_until([&] { return !recorder.ends.empty(); }));
    EXPECT_EQ(recorder.ends, Ends{End::stuck});
    EXPECT_GE(Clock::now() - begin, std::chrono::milliseconds(30));
    EXPECT_EQ(stream->unsent(), 0u);
    EXPECT_FALSE(stream->writable());
    settle();
    EXPECT_EQ(recorder.ends.size(), 1u);
    stream->close();
  }
}

TEST_F(FrameStreamWrite, ASlowPeerIsNotStuck) {
  open_socket({.write_timeout = std::chrono::milliseconds(200)});
  send(std::string(kMuch, 'x'));
  Timer timer(io.get_executor());
  std::size_t taken = 0;
  std::function<void()> take = [&] {
    taken += read_now(300'000).size();
    timer.expires_after(std::chrono::milliseconds(40));  // in all longer than write_timeout
    timer.async_wait([&](error_code ec) {
      if (!ec && taken < kMuch + 4) take();
    });
  };
  take();
  ASSERT_TRUE(run_until([&] { return taken >= kMuch + 4 || !recorder.ends.empty(); }));
  EXPECT_TRUE(recorder.ends.empty());
  timer.cancel();
}

TEST_F(FrameStreamWrite, APeerThatReadsJustWhenTheTimeoutEndsIsNotStuck) {
  open_socket({.write_timeout = std::chrono::milliseconds(20)});
  send(std::string(kMuch, 'x'));
  settle();
  ::poll(nullptr, 0, 40);  // the time-out has passed, but the loop has not seen it
  while (!read_now().empty()) {
  }
  settle();  // it sees both: that there is room, and the old time-out
  EXPECT_TRUE(recorder.ends.empty());
  EXPECT_GT(stream->unsent(), 0u);
}

TEST_F(FrameStreamWrite, CloseAfterFlushWritesWhatIsQueued) {
  open_socket();
  send("one");
  send("two");
  int done = 0;
  stream->close_after_flush([&] { ++done; });
  ASSERT_TRUE(run_until([&] { return done == 1; }));
  EXPECT_EQ(unframed(read_now()), (Bodies{"one", "two"}));
  EXPECT_TRUE(peer_at_end());
  EXPECT_TRUE(recorder.ends.empty());
  stream->close();
  EXPECT_EQ(done, 1);
}

TEST_F(FrameStreamWrite, CloseAfterFlushWithASlowReader) {
  open_socket({.output_limit = 1'000});
  send(std::string(kMuch, 'x'));
  settle();
  int done = 0;
  stream->close_after_flush([&] { ++done; });
  settle();
  EXPECT_EQ(done, 0);
  EXPECT_EQ(read_bytes(kMuch + 4).size(), kMuch + 4);
  ASSERT_TRUE(run_until([&] { return done == 1; }));
  EXPECT_TRUE(peer_at_end());
}

TEST_F(FrameStreamWrite, CloseAfterFlushWithNothingQueuedClosesAtOnce) {
  open_socket();
  int done = 0;
  stream->close_after_flush([&] { ++done; });
  EXPECT_EQ(done, 1);
  EXPECT_TRUE(peer_at_end());
}

TEST_F(FrameStreamWrite, AfterCloseAfterFlushNothingIsCalledButDone) {
  auto handler = std::make_unique<Recorder>();
  handler->then = [&](const std::string&) {
    stream->close_after_flush();
    handler.reset();
  };
  auto [ours, theirs] = socket_pair();
  peer = std::move(theirs);
  stream = FrameStream::create(io.get_executor(), std::move(ours), {}, {});
  stream->start(*handler);
  send(std::string(kMuch, 'x'));
  write(framed("one") + framed("two"));
  settle();
  EXPECT_EQ(handler, nullptr);
  write(framed("three"));
  settle();
  EXPECT_EQ(read_bytes(kMuch + 4).size(), kMuch + 4);
  settle();
  EXPECT_TRUE(peer_at_end());
}

TEST_F(FrameStreamWrite, CloseAfterFlushGivesUpOnAPeerThatIsGoneOrStuck) {
  open_socket({.write_timeout = std::chrono::milliseconds(30)});
  send(std::string(kMuch, 'x'));
  int done = 0;
  stream->close_after_flush([&] { ++done; });
  ASSERT_TRUE(run_until([&] { return done == 1; })) << "stuck";

  open_socket();
  send(std::string(kMuch, 'x'));
  stream->close_after_flush([&] { ++done; });
  settle();
  peer.reset();
  ASSERT_TRUE(run_until([&] { return done == 2; })) << "gone";

  open_socket({.watch_hangup = true});
  settle();
  send(std::string(kMuch, 'x'));
  stream->close_after_flush([&] { ++done; });
  peer.reset();
  ASSERT_TRUE(run_until([&] { return done == 3; })) << "hung up";
  EXPECT_TRUE(recorder.ends.empty());
}

TEST_F(FrameStreamWrite, AskedTwiceToCloseAfterFlushBothAreTold) {
  open_socket();
  send("one");
  int first = 0;
  int second = 0;
  stream->close_after_flush([&] { ++first; });
  stream->close_after_flush([&] { ++second; });
  ASSERT_TRUE(run_until([&] { return first + second == 2; }));
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 1);
}

TEST_F(FrameStreamWrite, DoneIsToldWhenItIsClosedInstead) {
  open_socket();
  send(std::string(kMuch, 'x'));
  int done = 0;
  stream->close_after_flush([&] { ++done; });
  stream->close();
  EXPECT_EQ(done, 1);
}

}  // namespace
}  // namespace pons
