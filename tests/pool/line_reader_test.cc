#include "pool/line_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <optional>
#include <string>
#include <vector>

namespace pons {
namespace {

class LineReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    int fds[2];
    ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
    read_end.reset(fds[0]);
    write_end.reset(fds[1]);
  }
  LineReader::Callbacks callbacks() {
    LineReader::Callbacks callbacks;
    callbacks.on_line = [this](std::string line, bool is_cut) {
      lines.push_back(std::move(line));
      cut.push_back(is_cut);
    };
    callbacks.on_dropped = [this](std::uint64_t count) { dropped += count; };
    callbacks.on_end = [this] { ++ends; };
    return callbacks;
  }
  void start(int rate = 0) { reader = LineReader::create(io.get_executor(), std::move(read_end), rate, callbacks()); }
  /// Smaller than a pipe, so that it never blocks.
  void write(std::string_view text) { ASSERT_EQ(::write(write_end.get(), text.data(), text.size()), static_cast<ssize_t>(text.size())); }
  /// Runs the loop until what was written has been taken.
  void turn() {
    io.restart();
    while (io.poll() > 0) {
    }
  }
  void finish() {
    write_end.reset();
    io.restart();
    io.run_for(std::chrono::seconds(10));
    EXPECT_EQ(ends, 1);
  }
  std::vector<std::string> read_all(std::string_view text, int rate = 0) {
    start(rate);
    for (; !text.empty(); text.remove_prefix(std::min<std::size_t>(text.size(), 30'000))) {
      write(text.substr(0, 30'000));
      turn();
    }
    finish();
    return lines;
  }
  using Lines = std::vector<std::string>;
  [[nodiscard]] std::vector<std::size_t> sizes() const {
    std::vector<std::size_t> sizes;
    for (const auto& line : lines) sizes.push_back(line.size());
    return sizes;
  }

  asio::io_context io{1};
  UniqueFd read_end;
  UniqueFd write_end;
  std::shared_ptr<LineReader> reader;
  Lines lines;
  std::vector<bool> cut;  // of each of these, whether it is a part
  std::uint64_t dropped = 0;
  int ends = 0;
};

constexpr auto kMax = LineReader::kMaxLine;

TEST_F(LineReaderTest, CutsLines) { EXPECT_EQ(read_all("one\ntwo\n\nfour\n"), (Lines{"one", "two", "", "four"})); }
TEST_F(LineReaderTest, TakesTheLastOneWithoutANewline) { EXPECT_EQ(read_all("one\ntwo"), (Lines{"one", "two"})); }
TEST_F(LineReaderTest, NothingIsNoLine) { EXPECT_EQ(read_all(""), Lines{}); }
TEST_F(LineReaderTest, DropsTheCarriageReturn) { EXPECT_EQ(read_all("one\r\n\r\nt\rwo\r\n"), (Lines{"one", "", "t\rwo"})); }

TEST_F(LineReaderTest, PutsALineTogetherThatComesInPieces) {
  start();
  for (const char c : std::string_view("on")) {
    write(std::string_view(&c, 1));
    turn();
  }
  EXPECT_TRUE(lines.empty());
  write("e\r");
  turn();
  write("\nt");
  turn();
  EXPECT_EQ(lines, Lines{"one"});
  write("wo");
  finish();
  EXPECT_EQ(lines, (Lines{"one", "two"}));
}

TEST_F(LineReaderTest, ALongLineComesInParts) {
  const auto parts = read_all(std::string(3 * kMax + 5, 'x') + "\nend\n");
  ASSERT_EQ(parts.size(), 5u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(parts[i].size(), kMax);
  EXPECT_EQ(parts[3], "xxxxx");
  EXPECT_EQ(parts[4], "end");
}

TEST_F(LineReaderTest, EveryPartOfALongLineIsMarkedAndTheNextLineIsNot) {
  const std::string shorter(kMax, 'x');
  read_all("before\n" + shorter + "\n" + shorter + shorter + "rest\nafter\n" + shorter + "end");
  EXPECT_EQ(sizes(), (std::vector<std::size_t>{6, kMax, kMax, kMax, 4, 5, kMax, 3}));
  EXPECT_EQ(cut, (std::vector<bool>{false, false, true, true, true, false, true, true}));
}

TEST_F(LineReaderTest, ALineOfExactlyTheLimitIsOneLine) {
  read_all(std::string(kMax, 'x') + "\n" + std::string(kMax, 'y') + "\r\n" + std::string(2 * kMax, 'z') + "\n");
  EXPECT_EQ(sizes(), (std::vector{kMax, kMax, kMax, kMax}));
}

TEST_F(LineReaderTest, ALineOfExactlyTheLimitWhoseEndComesLater) {
  start();
  write(std::string(kMax, 'x') + "\r");
  turn();
  write("\n");
  finish();
  EXPECT_EQ(sizes(), std::vector{kMax});
}

TEST_F(LineReaderTest, MemoryIsBoundedWithoutAnyNewline) {
  start();
  for (int i = 0; i < 100; ++i) {
    write(std::string(30'000, 'x'));
    turn();
  }
  EXPECT_GE(lines.size(), 3'000'000 / kMax - 1);
  for (const auto& line : lines) ASSERT_LE(line.size(), kMax);
}

TEST_F(LineReaderTest, PassesAnyBytesOn) {
  const std::string bytes("\xff\xfe\0\x80\x1b[31m", 9);
  EXPECT_EQ(read_all(bytes + "\n"), Lines{bytes});
}

TEST_F(LineReaderTest, CountsWhatIsAboveTheRate) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += std::to_string(i) + "\n";
  EXPECT_EQ(read_all(text, 10).size() + dropped, 100u);
  EXPECT_GE(lines.size(), 10u);
  EXPECT_LE(lines.size(), 20u) << "at most one second may have begun meanwhile";
  EXPECT_EQ(lines[9], "9");
}

TEST_F(LineReaderTest, DroppedLinesAreStillInTheTail) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += std::to_string(i) + "\n";
  read_all(text, 1);
  ASSERT_EQ(reader->tail().size(), LineReader::kTailLines);
  EXPECT_EQ(reader->tail().front(), "80");
  EXPECT_EQ(reader->tail().back(), "99");
}

TEST_F(LineReaderTest, TheTailIsBoundedInBytes) {
  std::string text;
  for (int i = 0; i < 10; ++i) text += std::string(1'000, static_cast<char>('a' + i)) + "\n";
  read_all(text);
  std::size_t bytes = 0;
  for (const auto& line : reader->tail()) bytes += line.size();
  EXPECT_LE(bytes, LineReader::kTailBytes);
  EXPECT_GE(bytes, LineReader::kTailBytes - 1'000);
  EXPECT_EQ(reader->tail().back(), std::string(1'000, 'j'));
}

TEST_F(LineReaderTest, OneLongLineDoesNotBreakTheBoundOfTheTail) {
  read_all(std::string(kMax, 'x') + "!\n");
  std::size_t bytes = 0;
  for (const auto& line : reader->tail()) bytes += line.size();
  EXPECT_LE(bytes, LineReader::kTailBytes);
  EXPECT_EQ(reader->tail().back(), "!");
}

TEST_F(LineReaderTest, AfterCloseNothingIsCalled) {
  start();
  write("one\n");
  reader->close();
  turn();
  EXPECT_TRUE(lines.empty());
  EXPECT_EQ(ends, 0);
}

TEST_F(LineReaderTest, MayBeClosedAndLetGoInItsOwnCallback) {
  const auto witness = std::make_shared<std::string>("kept alive by the callback that runs");
  auto own = callbacks();
  own.on_line = [this, witness](std::string line, bool /*cut*/) {
    reader->close();
    reader.reset();
    EXPECT_EQ(*witness, "kept alive by the callback that runs");
    lines.push_back(std::move(line));
  };
  reader = LineReader::create(io.get_executor(), std::move(read_end), 0, std::move(own));
  write("one\ntwo\nthree");
  write_end.reset();
  io.run_for(std::chrono::seconds(10));
  EXPECT_EQ(lines, Lines{"one"});
  EXPECT_EQ(ends, 0);
  EXPECT_EQ(witness.use_count(), 1) << "the callbacks are let go of";
}

TEST_F(LineReaderTest, MayBeClosedInOnEnd) {
  auto own = callbacks();
  own.on_end = [this] {
    reader->close();
    reader.reset();
    ++ends;
  };
  reader = LineReader::create(io.get_executor(), std::move(read_end), 0, std::move(own));
  write("last");
  finish();
  EXPECT_EQ(lines, Lines{"last"});
}

TEST_F(LineReaderTest, WhatIsDroppedIsCountedExactly) {
  std::string text;
  for (int i = 0; i < 40'000; ++i) text += std::string(static_cast<std::size_t>(i % 7), 'x') + (i % 3 == 0 ? "\r\n" : "\n");
  read_all(text + "end", 5);
  EXPECT_EQ(lines.size() + dropped, 40'001u);
  EXPECT_EQ(reader->tail().back(), "end");
  EXPECT_EQ(reader->tail().size(), LineReader::kTailLines);
}

TEST_F(LineReaderTest, SaysWhatWasDroppedAlsoWhenNothingComesAfterIt) {
  start(10);
  write("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n");
  io.restart();
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  while (dropped == 0 && Clock::now() < deadline) io.run_one_until(deadline);
  EXPECT_EQ(lines.size(), 10u);
  EXPECT_EQ(dropped, 3u);
}

TEST_F(LineReaderTest, FinishTakesWhatIsThereWithoutWaiting) {
  start();
  write("one\ntwo\nthree");
  reader->finish();  // the other end is still open
  EXPECT_EQ(lines, (Lines{"one", "two", "three"}));
  EXPECT_EQ(reader->tail().back(), "three");
  turn();
  EXPECT_EQ(ends, 0);
  reader->finish();
  EXPECT_EQ(lines.size(), 3u);
}

TEST_F(LineReaderTest, FinishSaysWhatWasDropped) {
  start(2);
  write("one\ntwo\nthree\nfour");
  reader->finish();
  EXPECT_EQ(lines, (Lines{"one", "two"}));
  EXPECT_EQ(dropped, 2u);
}

TEST_F(LineReaderTest, FinishMayCloseItInACallback) {
  auto own = callbacks();
  own.on_line = [this](std::string line, bool /*cut*/) {
    lines.push_back(std::move(line));
    reader->close();
    reader.reset();
  };
  reader = LineReader::create(io.get_executor(), std::move(read_end), 0, std::move(own));
  write("one\ntwo\n");
  reader->finish();
  EXPECT_EQ(lines, Lines{"one"});
}

TEST_F(LineReaderTest, TheWriterNeverBlocksOnItsOwnNoise) {
  start(1);
  for (int i = 0; i < 200; ++i) {
    write(std::string(999, 'x') + "\n");
    turn();
  }
  finish();
  EXPECT_EQ(lines.size() + dropped, 200u);
}

}  // namespace
}  // namespace pons
