#include "pool/snapshot_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

namespace pons {
namespace {

using std::chrono::microseconds;
using WallTime = std::chrono::system_clock::time_point;

const Snapshot kSnapshot{"echo/1", std::string("state\0with\xff zero", 16), 42};

std::string file_of(const std::string& adapter, const std::string& session, const Snapshot& snapshot) {
  auto head = SnapshotHead::of(adapter, session, snapshot);
  head.saved_at = WallTime(microseconds(1'795'000'000'123'456));
  head.state_crc = crc32_of(snapshot.state);
  return head.encode() + snapshot.state;
}

std::string why_not(std::string_view file, std::string_view adapter = "echo", std::string_view session = "s") {
  const auto snapshot = parse_snapshot(file, adapter, session);
  return snapshot ? "" : snapshot.error().message;
}

TEST(SnapshotFileTest, IsReadAsItWasWritten) {
  const auto file = file_of("echo", "s", kSnapshot);
  const auto snapshot = parse_snapshot(file, "echo", "s");
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  EXPECT_EQ(*snapshot, kSnapshot);
  const auto head = SnapshotHead::parse(file, file.size());
  ASSERT_TRUE(head);
  EXPECT_EQ(head->adapter, "echo");
  EXPECT_EQ(head->session, "s");
  EXPECT_EQ(head->format, "echo/1");
  EXPECT_EQ(head->covers, 42u);
  EXPECT_EQ(head->state_size, 16u);
  EXPECT_EQ(head->saved_at, WallTime(microseconds(1'795'000'000'123'456)));
  EXPECT_EQ(head->size() + 16, file.size());
}

TEST(SnapshotFileTest, TheHeadIsEnoughToKnowWhoseItIs) {
  const auto file = file_of("echo", "s", {"f", std::string(100'000, 'x'), 1});
  const auto head = SnapshotHead::parse(file.substr(0, SnapshotHead::kLongest), file.size());
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->session, "s");
}

TEST(SnapshotFileTest, AnythingMayStandInIt) {
  const std::string session("\0/../\n\xff", 7);
  const Snapshot empty{"", "", 0};
  EXPECT_EQ(*parse_snapshot(file_of("", session, empty), "", session), empty);
  const Snapshot large{std::string(500, 'f'), std::string(3'000'000, '\0'), UINT64_MAX};
  EXPECT_EQ(*parse_snapshot(file_of("a", std::string(256, 's'), large), "a", std::string(256, 's')), large);
}

TEST(SnapshotFileTest, OfAnotherIsRefused) {
  const auto file = file_of("echo", "s", kSnapshot);
  EXPECT_EQ(why_not(file, "other", "s"), "no snapshot: it is another session's");
  EXPECT_EQ(why_not(file, "echo", "t"), "no snapshot: it is another session's");
}

TEST(SnapshotFileTest, WhatIsNoneIsKnownAsSuch) {
  const auto file = file_of("echo", "s", kSnapshot);
  EXPECT_EQ(why_not(""), "no snapshot: the file is too short");
  EXPECT_EQ(why_not(file.substr(0, 30)), "no snapshot: the file is too short");
  EXPECT_EQ(why_not(std::string(100, '\0')), "no snapshot: the file is something else");
  EXPECT_EQ(why_not(std::string(100, 'x')), "no snapshot: the file is something else");
  EXPECT_EQ(why_not(file + "x"), "no snapshot: it is not as long as it says");
  EXPECT_EQ(why_not(file.substr(0, file.size() - 1)), "no snapshot: it is not as long as it says");
  EXPECT_EQ(why_not(file.substr(0, SnapshotHead::kFixed + 3)), "no snapshot: its head is not whole");
  auto version = file;
  version[8] = 9;
  EXPECT_EQ(why_not(version), "no snapshot: the file is of another version");
  auto state = file;
  state.back() = 'X';
  EXPECT_EQ(why_not(state), "no snapshot: its state is damaged");
  auto torn = file;
  std::fill(torn.end() - 8, torn.end(), '\0');
  EXPECT_EQ(why_not(torn), "no snapshot: its state is damaged");
}

TEST(SnapshotFileTest, EveryChangedByteIsNoticed) {
  const auto file = file_of("echo", "s", kSnapshot);
  for (std::size_t i = 0; i < file.size(); ++i) {
    for (const int change : {1, 0x80}) {
      auto changed = file;
      changed[i] = static_cast<char>(changed[i] ^ change);
      EXPECT_NE(why_not(changed), "") << "byte " << i;
    }
  }
}

TEST(SnapshotFileTest, DamagedFilesNeverHarm) {
  const char* const given = std::getenv("PONS_TEST_SEED");
  const auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("PONS_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto one = file_of("echo", "s", kSnapshot);
  const auto two = file_of("echo", "s", {"another format", std::string(200, 'y'), 7});
  int good = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto file = random() % 2 == 0 ? one : two;
    const auto before = file;
    switch (random() % 5) {
      case 0:
        for (auto n = 1 + random() % 4; n-- > 0;) file[random() % file.size()] = static_cast<char>(random());
        break;
      case 1:
        file.resize(random() % file.size());
        break;
      case 2:
        file.append(random() % 100, static_cast<char>(random()));
        break;
      case 3:  // one torn into the other
        file = one.substr(0, random() % one.size()) + two.substr(std::min(two.size(), random() % two.size()));
        break;
      case 4:  // a length that cannot be
        for (std::size_t at = 44 + random() % 6, n = 0; n < 2; ++n) file[at + n] = static_cast<char>(random() % 2 == 0 ? 0xff : random());
        break;
    }
    const auto snapshot = parse_snapshot(file, "echo", "s");
    good += snapshot ? 1 : 0;
    if (snapshot) {
      EXPECT_TRUE(file == one || file == two || file == before);
    }
    SnapshotHead::parse(file.substr(0, random() % (file.size() + 1)), random());
  }
  EXPECT_LT(good, 1'000) << "nearly all were damaged";
}

}  // namespace
}  // namespace pons
