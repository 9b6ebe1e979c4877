#include "protocol/out_frame.h"

#include <gtest/gtest.h>

#include "protocol/frame_decoder.h"

namespace pons {
namespace {

std::string wire(const OutFrame& frame) {
  std::vector<iovec> pieces;
  frame.pieces(pieces);
  std::string bytes;
  for (const iovec& piece : pieces) bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  return bytes;
}

TEST(OutFrame, AHeaderStandsBeforeABody) {
  EXPECT_EQ(wire(OutFrame::of("abc")), std::string("\0\0\0\3abc", 7));
  EXPECT_EQ(OutFrame::of("abc").size(), 7u);
  EXPECT_EQ(OutFrame::of("abc").body(), "abc");
}

TEST(OutFrame, AnEmptyBodyIsAHeader) { EXPECT_EQ(wire(OutFrame::of("")), std::string(4, '\0')); }

TEST(OutFrame, ALongBodyIsNotCopied) {
  const std::string text(OutFrame::kCopyBelow, 'x');
  const OutFrame out = OutFrame::of(text);
  std::vector<iovec> pieces;
  out.pieces(pieces);
  EXPECT_EQ(pieces.size(), 2u);
  EXPECT_EQ(wire(out), std::string("\0\0\x08\0", 4) + text);
}

TEST(OutFrame, PiecesKeepTheirOrder) {
  const Frame first = Frame::of(std::string(5000, 'a')), second = Frame::of(std::string(6000, 'b'));
  OutFrame out;
  out.append("1");
  out.append(first.body, first);
  out.append(second.body, second);
  out.append("2");
  out.append(first.body.substr(0, 10), first);
  out.append(first.body, first);
  out.compose([](std::string& text) { text += "3"; });
  out.finish();
  const std::string a(5000, 'a'), b(6000, 'b');
  EXPECT_EQ(out.body(), "1" + a + b + "2" + a.substr(0, 10) + a + "3");
  EXPECT_EQ(wire(out).size(), out.size());
}

TEST(OutFrame, StaysWholeWhenMoved) {
  OutFrame out = OutFrame::of("short");
  const OutFrame moved = std::move(out);
  EXPECT_EQ(moved.body(), "short");
}

TEST(OutFrame, LivesAsLongAsItIsNeededWithoutItsSource) {
  OutFrame out;
  {
    const Frame source = Frame::of(std::string(100000, 'z'));
    out.append(source.body, source);
  }
  out.finish();
  EXPECT_EQ(out.body(), std::string(100000, 'z'));
}

}  // namespace
}  // namespace pons
