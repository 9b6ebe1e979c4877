#include "protocol/frame_decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

namespace pons {
namespace {

using Kind = FrameDecoder::Kind;

std::string header(std::uint32_t size) {
  const FrameHeader bytes = frame_header(size);
  return {bytes.bytes, 4};
}
std::string framed(const std::string& body) { return header(static_cast<std::uint32_t>(body.size())) + body; }

// Everything a decoder says of a stream, as text.
struct Heard {
  std::vector<std::string> events;
  std::vector<Frame> frames;
  bool operator==(const Heard& other) const { return events == other.events; }
};

void drain(FrameDecoder& decoder, Heard& heard) {
  for (auto event = decoder.next(); event.kind != Kind::need_more; event = decoder.next()) {
    switch (event.kind) {
      case Kind::frame:
        heard.events.push_back("frame " + std::string(event.frame.body));
        heard.frames.push_back(event.frame);
        break;
      case Kind::oversized:
        heard.events.push_back("oversized " + std::to_string(event.length));
        break;
      case Kind::not_a_frame:
        heard.events.push_back("not a frame " + event.text);
        return;
      case Kind::need_more:
        return;
    }
  }
}

// One read of at most `most` bytes; the number taken.
std::size_t feed(FrameDecoder& decoder, std::string_view bytes, std::size_t most = SIZE_MAX) {
  const auto space = decoder.prepare();
  EXPECT_FALSE(space.empty());
  const std::size_t n = std::min({bytes.size(), space.size(), most});
  std::memcpy(space.data(), bytes.data(), n);
  decoder.commit(n);
  return n;
}

void feed_all(FrameDecoder& decoder, std::string_view bytes, Heard& heard, std::size_t most = SIZE_MAX) {
  while (!bytes.empty()) {
    bytes.remove_prefix(feed(decoder, bytes, most));
    drain(decoder, heard);
  }
}

std::string sample_stream(std::size_t max_frame) {
  return framed("one") + framed("") + framed(std::string(300, 'x')) + header(static_cast<std::uint32_t>(max_frame + 7)) +
         std::string(max_frame + 7, 'o') + framed("after") + framed(std::string(max_frame, 'm'));
}

TEST(FrameDecoder, EverySplitInTwoDecodesAlike) {
  const std::string stream = sample_stream(1000);
  FrameDecoder whole(1000);
  Heard expected;
  feed_all(whole, stream, expected);
  ASSERT_EQ(expected.events.size(), 6u);
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    FrameDecoder decoder(1000);
    Heard heard;
    feed_all(decoder, std::string_view(stream).substr(0, cut), heard);
    feed_all(decoder, std::string_view(stream).substr(cut), heard);
    ASSERT_EQ(heard.events, expected.events) << "cut at " << cut;
    EXPECT_FALSE(decoder.mid_frame());
  }
}

TEST(FrameDecoder, ByteByByteDecodesAlike) {
  const std::string stream = sample_stream(1000);
  FrameDecoder whole(1000), slow(1000);
  Heard expected, heard;
  feed_all(whole, stream, expected);
  feed_all(slow, stream, heard, 1);
  EXPECT_EQ(heard.events, expected.events);
}

TEST(FrameDecoder, RandomChunksOfRandomFramesDecodeAlikeWhetherFramesAreHeldOrNot) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 60; ++round) {
    std::string stream;
    std::vector<std::string> expected;
    for (int i = 0; i < 40; ++i) {
      const std::size_t size = 1 + random() % (random() % 8 == 0 ? 300000 : 900);
      std::string body(size, static_cast<char>('a' + i % 26));
      expected.push_back("frame " + body);
      stream += framed(body);
    }
    FrameDecoder decoder;
    Heard heard;
    const bool hold = round % 2 == 0;
    for (std::string_view rest = stream; !rest.empty();) {
      rest.remove_prefix(feed(decoder, rest, 1 + random() % 100000));
      drain(decoder, heard);
      if (!hold) heard.frames.clear();
    }
    ASSERT_EQ(heard.events, expected);
    for (std::size_t i = 0; i < heard.frames.size(); ++i) ASSERT_EQ("frame " + std::string(heard.frames[i].body), expected[i]);
  }
}

TEST(FrameDecoder, FramesOfOneReadShareItsBuffer) {
  FrameDecoder decoder;
  Heard heard;
  feed_all(decoder, framed("a") + framed("b"), heard);
  ASSERT_EQ(heard.frames.size(), 2u);
  EXPECT_EQ(heard.frames[0].owner, heard.frames[1].owner);
  EXPECT_EQ(heard.frames[0].body.data() + 5, heard.frames[1].body.data());
}

TEST(FrameDecoder, AFrameOutlivesItsDecoder) {
  Heard heard;
  {
    FrameDecoder decoder;
    feed_all(decoder, framed("still here"), heard);
  }
  EXPECT_EQ(heard.frames.at(0).body, "still here");
}

TEST(FrameDecoder, ABufferThatNobodyRefersToIsUsedAgain) {
  FrameDecoder decoder;
  Heard heard;
  feed_all(decoder, framed("a"), heard);
  const char* const first = heard.frames.at(0).body.data();
  heard.frames.clear();
  feed_all(decoder, framed("b"), heard);
  EXPECT_EQ(heard.frames.at(0).body.data(), first);
}

TEST(FrameDecoder, OversizedIsToldAtTheHeaderAndItsBytesAreNeverStored) {
  FrameDecoder decoder(1 << 20);
  Heard heard;
  const std::uint32_t size = (16u << 20);
  feed_all(decoder, framed("first") + header(size), heard);
  EXPECT_EQ(heard.events.back(), "oversized " + std::to_string(size));
  EXPECT_TRUE(decoder.mid_frame());
  const std::string chunk(1 << 16, 'o');
  for (std::uint32_t sent = 0; sent < size; sent += 1 << 16) {
    feed_all(decoder, chunk, heard);
    ASSERT_LE(decoder.capacity(), FrameDecoder::kReadSize);
  }
  EXPECT_EQ(heard.events.size(), 2u);
  feed_all(decoder, framed("next"), heard);
  EXPECT_EQ(heard.events.back(), "frame next");
}

TEST(FrameDecoder, AFrameOfExactlyTheLimitPasses) {
  FrameDecoder decoder(100);
  Heard heard;
  feed_all(decoder, framed(std::string(100, 'x')) + header(101), heard);
  EXPECT_EQ(heard.events, (std::vector<std::string>{"frame " + std::string(100, 'x'), "oversized 101"}));
}

TEST(FrameDecoder, ALengthBeyondHopeEndsTheStreamAndShowsTheBytes) {
  FrameDecoder decoder(100);
  Heard heard;
  feed_all(decoder, framed("good") + header(1600), heard);
  EXPECT_EQ(heard.events.back(), "oversized 1600");
  FrameDecoder other(100);
  Heard hopeless;
  feed_all(other, framed("good") + header(1601) + "and\nmore\xff", hopeless);
  EXPECT_EQ(hopeless.events.back(), "not a frame \\x00\\x00\\x06Aand\\nmore\\xff");
}

TEST(FrameDecoder, PrintedTextBeforeAnyFrameEndsTheStream) {
  FrameDecoder decoder;
  Heard heard;
  feed_all(decoder, "GET / HTTP/1.1\r\nHost: x\r\n\r\n" + std::string(100, 'y'), heard);
  ASSERT_EQ(heard.events.size(), 1u);
  EXPECT_TRUE(heard.events[0].starts_with("not a frame GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\nyyyy")) << heard.events[0];
  EXPECT_LE(heard.events[0].size(), 100u);
  feed_all(decoder, framed("too late"), heard);
  EXPECT_EQ(heard.events.back(), heard.events.front());
  EXPECT_EQ(heard.frames.size(), 0u);
}

TEST(FrameDecoder, PrintedTextWithinTheLimitIsStillPrintedText) {
  FrameDecoder decoder(UINT32_MAX);
  Heard heard;
  feed_all(decoder, "Hell", heard);
  EXPECT_EQ(heard.events, std::vector<std::string>{"not a frame Hell"});
}

TEST(FrameDecoder, AfterAGoodFrameFourPrintableBytesAreALength) {
  FrameDecoder decoder;
  Heard heard;
  feed_all(decoder, framed("x") + "    ", heard);
  EXPECT_EQ(heard.events.back(), "oversized " + std::to_string(0x20202020));
}

TEST(FrameDecoder, AnEmptyFrameIsNoGoodFrame) {
  FrameDecoder decoder;
  Heard heard;
  feed_all(decoder, framed("") + "Hello", heard);
  EXPECT_EQ(heard.events, (std::vector<std::string>{"frame ", "not a frame Hello"}));
}

TEST(FrameDecoder, ADeclaredLengthReservesNothing) {
  FrameDecoder decoder;
  Heard heard;
  std::string bytes = header(60u << 20) + std::string(1000, 'x');
  feed_all(decoder, bytes, heard);
  (void)decoder.prepare();
  EXPECT_LE(decoder.capacity(), FrameDecoder::kReadSize);
}

TEST(FrameDecoder, MemoryGrowsWithWhatWasReceivedAndGoesWithTheFrame) {
  FrameDecoder decoder;
  Heard heard;
  const std::string body(20u << 20, 'x');
  const std::string bytes = framed(body);
  for (std::size_t sent = 0; sent < bytes.size();) {
    sent += feed(decoder, std::string_view(bytes).substr(sent), 50000);
    drain(decoder, heard);
    ASSERT_LE(decoder.capacity(), std::max(FrameDecoder::kReadSize, 2 * sent));
  }
  ASSERT_EQ(heard.frames.size(), 1u);
  EXPECT_EQ(heard.frames[0].body, body);
  EXPECT_EQ(decoder.capacity(), 0u);
  (void)decoder.prepare();
  EXPECT_EQ(decoder.capacity(), FrameDecoder::kReadSize);
}

std::size_t reads_for(FrameDecoder& decoder, const std::string& bytes) {
  Heard heard;
  std::size_t reads = 0;
  for (std::string_view rest = bytes; !rest.empty(); ++reads) {
    rest.remove_prefix(feed(decoder, rest));
    drain(decoder, heard);
  }
  return reads;
}

TEST(FrameDecoder, ASteadyStreamOfLargeFramesNeedsFewReads) {
  FrameDecoder decoder;
  const std::string frame = framed(std::string(1 << 20, 'x'));
  EXPECT_LE(reads_for(decoder, frame), 8u);
  for (int i = 0; i < 5; ++i) EXPECT_LE(reads_for(decoder, frame), 2u);
}

TEST(FrameDecoder, AfterSmallFramesALargeSizeIsForgotten) {
  FrameDecoder decoder;
  (void)reads_for(decoder, framed(std::string(8 << 20, 'x')));
  for (int i = 0; i < 200; ++i) (void)reads_for(decoder, framed("small"));
  Heard heard;
  feed_all(decoder, header(8 << 20), heard);
  (void)decoder.prepare();
  EXPECT_LE(decoder.capacity(), FrameDecoder::kReadSize);
}

TEST(FrameDecoder, SmallFramesHeldForEverCostNoMoreThanTheirBuffers) {
  FrameDecoder decoder;
  Heard heard;
  for (int i = 0; i < 5000; ++i) feed_all(decoder, framed(std::string(100, 'x')), heard);
  EXPECT_LE(decoder.capacity(), FrameDecoder::kReadSize);
  std::vector<const void*> blocks;
  for (const Frame& frame : heard.frames) blocks.push_back(frame.owner.get());
  blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  EXPECT_LE(blocks.size(), 5000 * 104 / (FrameDecoder::kReadSize - 8192) + 1);
}

TEST(FrameDecoder, MidFrameTellsAnEndOfFileThatCutsOne) {
  FrameDecoder decoder;
  Heard heard;
  EXPECT_FALSE(decoder.mid_frame());
  feed_all(decoder, std::string("\0\0", 2), heard);
  EXPECT_TRUE(decoder.mid_frame());
  feed_all(decoder, std::string("\0\1", 2), heard);
  EXPECT_TRUE(decoder.mid_frame());
  feed_all(decoder, "x", heard);
  EXPECT_FALSE(decoder.mid_frame());
}

TEST(FrameDecoder, ReadingOnWithoutDrainingLosesNothing) {
  FrameDecoder decoder;
  const std::string stream = framed(std::string(50000, 'a')) + framed(std::string(50000, 'b')) + framed("c");
  for (std::string_view rest = stream; !rest.empty();) rest.remove_prefix(feed(decoder, rest));
  Heard heard;
  drain(decoder, heard);
  ASSERT_EQ(heard.frames.size(), 3u);
  EXPECT_EQ(heard.frames[1].body, std::string(50000, 'b'));
}

}  // namespace
}  // namespace pons
