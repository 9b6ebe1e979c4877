#include "pool/snapshot_index.h"

#include <gtest/gtest.h>

namespace pons {
namespace {

using Kind = SnapshotIndex::Job::Kind;
using Outcome = SnapshotIndex::Outcome;
using Names = std::vector<std::string>;

const Error kDiskFull{ErrorCode::internal, "No space left on device"};

class SnapshotIndexTest : public testing::Test {
 protected:
  static SnapshotOptions options(std::size_t max_bytes, std::size_t max_total) {
    SnapshotOptions options;
    options.max_bytes = max_bytes;
    options.max_total = max_total;
    return options;
  }
  /// With a state of that many bytes, which is also its size.
  Result<SnapshotIndex::Effects> save(const std::string& session, std::uint64_t covers, std::size_t bytes = 10) {
    return index.save(session, std::make_shared<const Snapshot>(Snapshot{"f", std::string(bytes, 'x'), covers}), bytes, ++ticket, {});
  }
  /// Does all that there is to do.
  void run() {
    while (const auto job = index.next()) {
      jobs.push_back(job->kind);
      const auto effects = index.finished(Outcome::done);
      told.insert(told.end(), effects.saved.begin(), effects.saved.end());
    }
  }
  void store(const std::string& session, std::uint64_t covers, std::size_t bytes = 10) {
    ASSERT_TRUE(save(session, covers, bytes));
    run();
  }
  [[nodiscard]] std::optional<std::uint64_t> covers(const std::string& session) const {
    const auto found = index.find(session);
    return found ? std::optional(found->covers) : std::nullopt;
  }

  SnapshotIndex index{options(100, 100)};
  SnapshotIndex::Ticket ticket = 0;
  std::vector<Kind> jobs;
  std::vector<std::pair<SnapshotIndex::Ticket, std::optional<Error>>> told;
};

TEST_F(SnapshotIndexTest, WritesWhatIsSaved) {
  ASSERT_TRUE(save("a", 1));
  const auto job = index.next();
  ASSERT_TRUE(job);
  EXPECT_EQ(job->kind, Kind::write);
  EXPECT_EQ(job->session, "a");
  EXPECT_EQ(job->name, snapshot_file_name("a", 0));
  EXPECT_EQ(job->snapshot->covers, 1u);
  EXPECT_FALSE(index.next()) << "one job at a time";
  EXPECT_FALSE(index.idle());
  const auto effects = index.finished(Outcome::done);
  ASSERT_EQ(effects.saved.size(), 1u);
  EXPECT_EQ(effects.saved[0].first, 1u);
  EXPECT_FALSE(effects.saved[0].second);
  EXPECT_FALSE(index.next());
  EXPECT_TRUE(index.idle());
  EXPECT_EQ(covers("a"), 1u);
}

TEST_F(SnapshotIndexTest, MergesWhatComesFasterThanTheDisk) {
  ASSERT_TRUE(save("a", 1));
  ASSERT_TRUE(index.next());
  for (std::uint64_t n = 2; n <= 50; ++n) ASSERT_TRUE(save("a", n));
  EXPECT_EQ(index.total_bytes(), 10u);
  EXPECT_EQ(covers("a"), 50u);
  EXPECT_EQ(index.finished(Outcome::done).saved.size(), 1u);
  const auto job = index.next();
  ASSERT_TRUE(job);
  EXPECT_EQ(job->snapshot->covers, 50u) << "only the latest";
  EXPECT_EQ(index.finished(Outcome::done).saved.size(), 49u) << "and all are told";
  EXPECT_FALSE(index.next());
}

TEST_F(SnapshotIndexTest, AFailedWriteLeavesTheOldOne) {
  store("a", 1);
  ASSERT_TRUE(save("a", 2, 60));
  EXPECT_EQ(index.total_bytes(), 60u);
  ASSERT_TRUE(index.next());
  const auto effects = index.finished(Outcome::failed, kDiskFull);
  ASSERT_EQ(effects.saved.size(), 1u);
  EXPECT_EQ(effects.saved[0].second->message, kDiskFull.message);
  EXPECT_TRUE(effects.given_up.empty());
  EXPECT_EQ(covers("a"), 1u);
  EXPECT_EQ(index.total_bytes(), 10u);
  EXPECT_FALSE(index.next());
}

TEST_F(SnapshotIndexTest, AFailedFirstWriteLeavesNone) {
  ASSERT_TRUE(save("a", 1));
  ASSERT_TRUE(index.next());
  EXPECT_EQ(index.finished(Outcome::failed, kDiskFull).saved.size(), 1u);
  EXPECT_EQ(covers("a"), std::nullopt);
  EXPECT_EQ(index.total_bytes(), 0u);
}

TEST_F(SnapshotIndexTest, RefusesWhatIsTooLarge) {
  const auto refused = save("a", 1, 101);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::bad_request);
  EXPECT_EQ(refused.error().message, "the session's snapshot has 101 bytes, more than sessions.snapshot.max_bytes (100)");
  index = SnapshotIndex(options(0, 50));
  EXPECT_NE(save("a", 1, 51).error().message.find("sessions.snapshot.max_total (50)"), std::string::npos);
  index = SnapshotIndex(options(0, 0));
  EXPECT_TRUE(save("a", 1, 1'000'000)) << "0 is no limit";
  EXPECT_TRUE(save("b", 1, 1'000'000));
}

TEST_F(SnapshotIndexTest, TheLongestUnusedGiveWay) {
  store("a", 1, 40);
  store("b", 1, 40);
  index.touch("a");
  const auto effects = save("c", 1, 50);
  ASSERT_TRUE(effects);
  EXPECT_EQ(effects->given_up, Names{"b"});
  EXPECT_EQ(covers("b"), std::nullopt);
  EXPECT_EQ(covers("a"), 1u);
  jobs.clear();
  run();
  EXPECT_EQ(jobs, (std::vector{Kind::remove, Kind::write})) << "what frees space comes first";
}

TEST_F(SnapshotIndexTest, NeverGivesItselfUpToGrow) {
  store("a", 1, 40);
  store("b", 1, 40);
  const auto effects = save("a", 2, 90);
  ASSERT_TRUE(effects);
  EXPECT_EQ(effects->given_up, Names{"b"});
  run();
  EXPECT_EQ(covers("a"), 2u);
  EXPECT_EQ(index.total_bytes(), 90u);
}

TEST_F(SnapshotIndexTest, LoadsFromMemoryWhatIsNotWrittenYet) {
  store("a", 1);
  ASSERT_TRUE(save("a", 2));
  EXPECT_EQ((*index.load("a", 7))->covers, 2u);
  ASSERT_TRUE(index.next());
  EXPECT_EQ((*index.load("a", 8))->covers, 2u);
  ASSERT_TRUE(save("a", 3));
  EXPECT_EQ((*index.load("a", 9))->covers, 3u);
}

TEST_F(SnapshotIndexTest, ReadsComeBeforeWrites) {
  store("a", 1);
  ASSERT_TRUE(save("b", 1));
  ASSERT_TRUE(save("c", 1));
  const auto loaded = index.load("a", 77);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(*loaded, nullptr) << "it is to be read";
  const auto job = index.next();
  ASSERT_TRUE(job);
  EXPECT_EQ(job->kind, Kind::read);
  EXPECT_EQ(job->ticket, 77u);
  EXPECT_EQ(job->session, "a");
}

TEST_F(SnapshotIndexTest, ThereIsNoneOfAnUnknownSession) {
  EXPECT_EQ(index.load("a", 1).error().code, ErrorCode::resource_not_found);
  EXPECT_TRUE(index.forget("a").saved.empty());
  EXPECT_FALSE(index.next());
}

TEST_F(SnapshotIndexTest, WhatCannotBeReadIsGivenUp) {
  store("a", 1);
  ASSERT_TRUE(index.load("a", 1));
  ASSERT_TRUE(index.next());
  EXPECT_TRUE(index.finished(Outcome::failed).given_up.empty()) << "it may be read another time";
  EXPECT_EQ(covers("a"), 1u);
  ASSERT_TRUE(index.load("a", 2));
  ASSERT_TRUE(index.next());
  EXPECT_EQ(index.finished(Outcome::gone).given_up, Names{"a"});
  EXPECT_EQ(covers("a"), std::nullopt);
  EXPECT_EQ(index.next()->kind, Kind::remove);
}

TEST_F(SnapshotIndexTest, ForgettingRemovesTheFileAndFailsWhatWaits) {
  store("a", 1);
  ASSERT_TRUE(save("a", 2));
  const auto effects = index.forget("a");
  ASSERT_EQ(effects.saved.size(), 1u);
  EXPECT_TRUE(effects.saved[0].second);
  jobs.clear();
  run();
  EXPECT_EQ(jobs, std::vector{Kind::remove});
  EXPECT_TRUE(index.idle());
  EXPECT_EQ(index.total_bytes(), 0u);
}

TEST_F(SnapshotIndexTest, ANewSessionOfTheSameIdDoesNotInheritTheFile) {
  ASSERT_TRUE(save("a", 10));
  ASSERT_TRUE(index.next());
  index.forget("a");
  ASSERT_TRUE(save("a", 1));
  EXPECT_TRUE(index.finished(Outcome::done).saved.empty()) << "it was told when it was forgotten";
  const auto job = index.next();
  ASSERT_TRUE(job);
  EXPECT_EQ(job->kind, Kind::remove) << "first the old one goes, also if the new one cannot be written";
  index.finished(Outcome::done);
  EXPECT_EQ(index.next()->kind, Kind::write);
  index.finished(Outcome::failed, kDiskFull);
  EXPECT_EQ(covers("a"), std::nullopt);
}

TEST_F(SnapshotIndexTest, NamesOfFilesAreSafeAndTheirOwn) {
  for (const std::string& session : {std::string("../../etc/passwd"), std::string("\0", 1), std::string(256, '/'), std::string()}) {
    const auto name = snapshot_file_name(session, 0);
    EXPECT_EQ(name.find_first_not_of("0123456789abcdef"), name.size() - std::string(".snapshot").size()) << name;
  }
  EXPECT_NE(snapshot_file_name("a", 0), snapshot_file_name("b", 0));
  EXPECT_TRUE(index.adopt("other", {snapshot_file_name("a", 0), 5, 10, {}})) << "it has the name that \"a\" would have";
  EXPECT_FALSE(index.adopt("other", {"x.snapshot", 6, 10, {}}));
  ASSERT_TRUE(save("a", 1));
  EXPECT_EQ(index.next()->name, snapshot_file_name("a", 1));
  index.finished(Outcome::done);
  EXPECT_EQ(covers("other"), 5u);
}

TEST_F(SnapshotIndexTest, WhatWasFoundIsTrimmedTheOldestFirst) {
  index.adopt("old", {"1.snapshot", 1, 60, {}});
  index.adopt("new", {"2.snapshot", 1, 60, {}});
  EXPECT_EQ(index.trim().given_up, Names{"old"});
  EXPECT_EQ(index.next()->name, "1.snapshot");
}

}  // namespace
}  // namespace pons
