#include "host/stream_backlog.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace pons {
namespace {

TEST(StreamBacklog, CountsWhatIsNotDelivered) {
  StreamBacklog backlog;
  backlog.add(100, 1'100, 1);  // behind 1,000 bytes of other replies
  backlog.add(50, 1'150, 1);
  EXPECT_EQ(backlog.bytes(), 150u);
  backlog.delivered(1'099);
  EXPECT_EQ(backlog.bytes(), 150u) << "a chunk is delivered when its last byte is";
  backlog.delivered(1'100);
  EXPECT_EQ(backlog.bytes(), 50u);
  backlog.delivered(2'000);
  EXPECT_EQ(backlog.bytes(), 0u);
}

TEST(StreamBacklog, IsNeverTooLowNorTooHighByMoreThanAPiece) {
  for (unsigned seed = 1; seed <= 2'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
    const std::size_t piece = 1 + below(500);
    StreamBacklog backlog;
    std::deque<std::pair<std::size_t, std::uint64_t>> chunks;
    std::uint64_t sent = 0;
    std::uint64_t written = 0;
    for (int step = 0; step < 100; ++step) {
      sent += below(300);  // of others
      if (below(2) == 0) {
        const auto bytes = 1 + below(200);
        sent += bytes;
        backlog.add(bytes, sent, piece);
        chunks.emplace_back(bytes, sent);
      }
      if (below(3) == 0) {
        written += below(sent - written + 1);
        backlog.delivered(written);
        while (!chunks.empty() && chunks.front().second <= written) chunks.pop_front();
      }
      std::size_t exact = 0;
      for (const auto& [bytes, end] : chunks) exact += bytes;
      ASSERT_GE(backlog.bytes(), exact);
      ASSERT_LE(backlog.bytes(), exact + piece + 200);
    }
    backlog.delivered(sent);
    ASSERT_EQ(backlog.bytes(), 0u);
  }
}

}  // namespace
}  // namespace pons
