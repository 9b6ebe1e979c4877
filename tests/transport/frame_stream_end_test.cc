// How a stream ends.
#include <gtest/gtest.h>

#include "tests/transport/stream_fixture.h"

namespace pons {
namespace {

class FrameStreamEnd : public StreamTest {
 protected:
  void TearDown() override {
    if (stream) stream->close();
    settle();
  }
};

TEST_F(FrameStreamEnd, HalfCloseLeavesTheOtherDirection) {
  open_socket({.watch_hangup = true});
  write(framed("last"));
  ::shutdown(peer.get(), SHUT_WR);
  ASSERT_TRUE(run_until([&] { return !recorder.ends.empty(); }));
  EXPECT_EQ(recorder.frames, Bodies{"last"});
  EXPECT_EQ(recorder.ends, Ends{End::half_closed});
  send("answer");
  EXPECT_EQ(unframed(read_bytes(10)), Bodies{"answer"});
  peer.reset();
  ASSERT_TRUE(run_until([&] { return recorder.ends.size() == 2; }));
  EXPECT_EQ(recorder.ends[1], End::gone);
}

TEST_F(FrameStreamEnd, HalfCloseOverPipes) {
  open_pipes({.watch_hangup = true});
  write(framed("last"));
  peer_out.reset();
  ASSERT_TRUE(run_until([&] { return !recorder.ends.empty(); }));
  EXPECT_EQ(recorder.ends, Ends{End::half_closed});
  send("answer");
  EXPECT_EQ(unframed(read_bytes(10)), Bodies{"answer"});
  peer.reset();
  ASSERT_TRUE(run_until([&] { return recorder.ends.size() == 2; }));
  EXPECT_EQ(recorder.ends[1], End::gone);
}

TEST_F(FrameStreamEnd, APeerThatIsGoneIsToldFromAHalfClose) {
  open_socket({.watch_hangup = true});
  peer.reset();
  ASSERT_TRUE(run_until([&] { return !recorder.ends.empty(); }));
  settle();
  EXPECT_EQ(recorder.ends, Ends{End::gone});
}

TEST_F(FrameStreamEnd, APeerThatIsGoneOverPipes) {
  open_pipes({.watch_hangup = true});
  peer.reset();
  ASSERT_TRUE(run_until([&] { return !recorder.ends.empty(); })) << "though it still could write";
  EXPECT_EQ(recorder.ends, Ends{End::gone});
  peer_out.reset();
  settle();
  EXPECT_EQ(recorder.ends.size(), 1u);
}

TEST_F(FrameStreamEnd, WithoutWatchingAGonePeerIsAnEndOfFile) {
  open_socket();
  peer.reset();
  ASSERT_TRUE(run_until([&] { return !recorder.ends.empty(); }));
  EXPECT_EQ(recorder.ends, Ends{End::half_closed});
}

TEST_F(FrameStreamEnd, WhatWasReceivedWholeIsNotLostWhenThePeerHangsUp) {
  for (const bool pipes : {false, true}) {
    recorder = Recorder();
    pipes ? open_pipes({.watch_hangup = true}) : open_socket({.watch_hangup = true});
    settle();
    write(framed("one") + framed("two"));
    peer_out.reset();
    peer.reset();
    ASSERT_TRUE(run_until([&] { return !recorder.ends.empty(); }));
    EXPECT_EQ(recorder.frames, (Bodies{"one", "two"})) << (pipes ? "pipes" : "socket");
    EXPECT_EQ(recorder.ends, Ends{End::gone});
    stream->close();
  }
}

TEST_F(FrameStreamEnd, WhatWasReceivedWholeIsNotLostWhenAWriteFails) {
  for (const bool pipes : {false, true}) {
    recorder = Recorder();
    pipes ? open_pipes() : open_socket();
    settle();
    write(framed("answered"));
    peer_out.reset();
    peer.reset();
    send("too late");
    ASSERT_TRUE(run_until([&] { return !recorder.ends.empty(); }));
    settle();
    EXPECT_EQ(recorder.frames, Bodies{"answered"}) << (pipes ? "pipes" : "socket");
    EXPECT_EQ(recorder.ends, Ends{End::gone});
    EXPECT_EQ(stream->unsent(), 0u);
    EXPECT_FALSE(stream->writable());
    stream->close();
  }
}

TEST_F(FrameStreamEnd, AHangUpIsSeenWhileReadingIsPaused) {
  open_socket({.output_limit = 1'000, .watch_hangup = true});
  settle();
  for (int i = 0; i < 100; ++i) send(std::string(100'000, 'x'));
  settle();
  peer.reset();
  ASSERT_TRUE(run_until([&] { return !recorder.ends.empty(); }));
  EXPECT_EQ(recorder.ends, Ends{End::gone});
  EXPECT_EQ(stream->unsent(), 0u);
}

TEST_F(FrameStreamEnd, CutInsideAFrame) {
  for (const auto& piece : {std::string("\0\0", 2), header_of(10), header_of(10) + "abc"}) {
    recorder = Recorder();
    open_socket();
    write(framed("whole") + piece);
    ::shutdown(peer.get(), SHUT_WR);
    ASSERT_TRUE(run_until([&] { return !recorder.ends.empty(); }));
    EXPECT_EQ(recorder.ends, Ends{End::cut});
    EXPECT_EQ(recorder.frames, Bodies{"whole"});
    stream->close();
  }
}

TEST_F(FrameStreamEnd, CutInsideASkippedFrame) {
  open_socket({.max_frame = 100});
  write(framed("whole") + header_of(500) + std::string(499, 'x'));
  ::shutdown(peer.get(), SHUT_WR);
  ASSERT_TRUE(run_until([&] { return !recorder.ends.empty(); }));
  EXPECT_EQ(recorder.ends, Ends{End::cut});
}

TEST_F(FrameStreamEnd, CloseInsideEveryCallback) {
  const auto close = [&] {
    stream->close();
    stream.reset();
  };
  // on_frame: the second frame must not come any more
  open_socket();
  recorder.then = [&](const std::string&) { close(); };
  write(framed("one") + framed("two"));
  ASSERT_TRUE(run_until([&] { return peer_at_end(); }));
  EXPECT_EQ(recorder.frames, Bodies{"one"});

  recorder = Recorder();
  open_socket({.max_frame = 10});
  recorder.then_oversized = close;
  write(header_of(20) + framed("no"));
  ASSERT_TRUE(run_until([&] { return peer_at_end(); }));
  EXPECT_TRUE(recorder.frames.empty());

  recorder = Recorder();
  open_socket();
  recorder.then_end = close;
  ::shutdown(peer.get(), SHUT_WR);
  ASSERT_TRUE(run_until([&] { return stream == nullptr; }));

  recorder = Recorder();
  open_socket();
  recorder.then_written = close;
  send("one");
  ASSERT_TRUE(run_until([&] { return stream == nullptr; }));
  EXPECT_EQ(unframed(read_now()), Bodies{"one"});

  recorder = Recorder();
  open_socket();
  recorder.then_written = close;
  send(std::string(10u << 20, 'x'));  // on_written while the peer does not take more
  ASSERT_TRUE(run_until([&] { return stream == nullptr; }));

  recorder = Recorder();
  open_socket();
  recorder.then_end = close;  // of a failed write
  peer.reset();
  send("nobody");
  ASSERT_TRUE(run_until([&] { return stream == nullptr; }));
  EXPECT_EQ(recorder.ends, Ends{End::gone});
  settle();
}

TEST_F(FrameStreamEnd, AfterCloseNothingIsCalled) {
  open_socket();
  write(framed("one"));
  send("two");
  stream->close();
  peer.reset();
  settle();
  EXPECT_TRUE(recorder.frames.empty() && recorder.ends.empty());
  EXPECT_EQ(recorder.writes, 0);
  EXPECT_EQ(stream->unsent(), 0u);
  send("dropped");
  stream->pause(true);
  stream->pause(false);
  settle();
}

TEST_F(FrameStreamEnd, ItIsFreedOnceClosed) {
  open_socket({.write_timeout = std::chrono::seconds(1'000), .watch_hangup = true});
  send(std::string(10u << 20, 'x'));
  settle();
  const std::weak_ptr<FrameStream> witness = stream;
  stream->close();
  stream.reset();
  settle();
  EXPECT_TRUE(witness.expired());
}

TEST_F(FrameStreamEnd, ModesOfBorrowedDescriptorsAreDuplicated) {
  auto [in, into] = make_pipe();
  auto [from, out] = make_pipe();
  const UniqueFd in_copy(::dup(in.get()));
  const UniqueFd out_copy(::dup(out.get()));
  stream = FrameStream::create(io.get_executor(), std::move(in), std::move(out), {});
  stream->start(recorder);
  EXPECT_NE(::fcntl(in_copy.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(out_copy.get(), F_GETFL) & O_NONBLOCK, 0);
  stream->close();
  EXPECT_EQ(::fcntl(in_copy.get(), F_GETFL) & O_NONBLOCK, 0) << "put back as it was";
  EXPECT_EQ(::fcntl(out_copy.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(FrameStreamEnd, KnowsThePidOfItsPeer) {
  open_socket();
  EXPECT_EQ(stream->peer_pid(), ::getpid());
  stream->close();
  open_pipes();
  EXPECT_EQ(stream->peer_pid(), 0);
}

}  // namespace
}  // namespace pons
