// SnapshotIndex against a model that knows nothing of queues: random saves, loads, ends and disks that fail.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "pool/snapshot_index.h"

namespace pons {
namespace {

using Kind = SnapshotIndex::Job::Kind;
using Outcome = SnapshotIndex::Outcome;
using Ticket = SnapshotIndex::Ticket;

constexpr std::size_t kMaxBytes = 50;
constexpr std::size_t kMaxTotal = 120;

SnapshotOptions options() {
  SnapshotOptions options;
  options.max_bytes = kMaxBytes;
  options.max_total = kMaxTotal;
  return options;
}

/// The disk as the jobs leave it, and what must be true of the index at any time.
class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {}

  void step() {
    const auto session = std::string(1, static_cast<char>('a' + roll(5)));
    switch (roll(10)) {
      case 0:
      case 1:
      case 2:
        return save(session);
      case 3:
        return load(session);
      case 4:
        if (roll(3) == 0) forget(session);
        return;
      case 5:
        use(session);
        return index_.touch(session);
      default:
        return work();
    }
  }

  void quiesce() {
    healthy_ = true;
    while (work_once()) {
    }
    EXPECT_TRUE(index_.idle());
    EXPECT_TRUE(waiting_.empty()) << "every ticket is told";
    // The disk holds what the index says, and nothing else.
    std::map<std::string, std::uint64_t> files;
    for (const auto& [name, file] : disk_) files[file.session] = file.covers;
    EXPECT_EQ(files.size(), disk_.size()) << "two files of one session";
    std::map<std::string, std::uint64_t> known;
    index_.each([&](const std::string& session, const SnapshotIndex::Stored& stored) { known[session] = stored.covers; });
    EXPECT_EQ(known, files);
    for (const auto& [session, covers] : latest_) {
      EXPECT_TRUE(known.contains(session)) << "given up without a word: " << session;
      EXPECT_EQ(known[session], covers) << session;
    }
    EXPECT_EQ(known.size(), latest_.size());
  }

 private:
  struct File {
    std::string session;
    std::uint64_t covers = 0;
    std::size_t bytes = 0;
  };
  struct Waiting {
    std::string session;
    std::uint64_t covers = 0;
  };

  std::uint64_t roll(std::uint64_t sides) { return random_() % sides; }
  void use(const std::string& session) {
    ages_.erase(std::remove(ages_.begin(), ages_.end(), session), ages_.end());
    ages_.push_back(session);
  }

  void save(const std::string& session) {
    const auto bytes = 1 + roll(kMaxBytes + 5);
    const auto ticket = ++last_ticket_;
    const auto snapshot = std::make_shared<const Snapshot>(Snapshot{"f", std::string(bytes, 'x'), ++covers_});
    const auto effects = index_.save(session, snapshot, bytes, ticket, {});
    ASSERT_EQ(effects.has_value(), bytes <= kMaxBytes);
    if (!effects) return;
    use(session);
    waiting_[ticket] = {session, covers_};
    accepted_[session] = covers_;
    for (const auto& lost : effects->given_up) {
      EXPECT_NE(lost, session);
      // All that are older have gone before, or had nothing.
      for (const auto& other : ages_) {
        if (other == lost) break;
        EXPECT_FALSE(index_.find(other)) << other << " is older than " << lost;
      }
    }
    apply(*effects);
    EXPECT_LE(index_.total_bytes(), kMaxTotal);
  }

  void load(const std::string& session) {
    const auto ticket = ++last_ticket_;
    const auto loaded = index_.load(session, ticket);
    EXPECT_EQ(loaded.has_value(), index_.find(session).has_value());
    if (!loaded) return;
    use(session);
    if (*loaded) {
      EXPECT_EQ((*loaded)->covers, accepted_.at(session)) << "not the latest";
    } else {
      reads_[ticket] = session;
    }
  }

  void forget(const std::string& session) {
    apply(index_.forget(session));
    accepted_.erase(session);
    latest_.erase(session);
  }

  void work() {
    healthy_ = roll(4) != 0;
    work_once();
  }

  /// Begins a job or ends the one that was begun; false: there is nothing to do.
  bool work_once() {
    if (!job_) {
      job_ = index_.next();
      return job_.has_value();
    }
    EXPECT_FALSE(index_.next());
    const auto job = *std::exchange(job_, std::nullopt);
    auto outcome = healthy_ ? Outcome::done : Outcome::failed;
    switch (job.kind) {
      case Kind::write:
        if (healthy_) disk_[job.name] = {job.session, job.snapshot->covers, job.snapshot->state.size()};
        break;
      case Kind::read:
        EXPECT_EQ(reads_.erase(job.ticket), 1u);
        EXPECT_TRUE(disk_.contains(job.name)) << "a read of what is not there";
        if (disk_.contains(job.name)) {
          EXPECT_EQ(disk_[job.name].session, job.session);
        }
        if (!healthy_ && roll(2) == 0) outcome = Outcome::gone;
        break;
      case Kind::remove:
        outcome = Outcome::done;
        disk_.erase(job.name);
        break;
    }
    const auto effects = index_.finished(outcome, Error{ErrorCode::internal, "broken"});
    if (outcome == Outcome::gone) {
      for (const auto& session : effects.given_up) EXPECT_EQ(session, job.session);
    }
    apply(effects);
    return true;
  }

  void apply(const SnapshotIndex::Effects& effects) {
    for (const auto& session : effects.given_up) {
      latest_.erase(session);
      accepted_.erase(session);
    }
    for (const auto& [ticket, error] : effects.saved) {
      const auto found = waiting_.find(ticket);
      ASSERT_NE(found, waiting_.end()) << "told twice, or never asked";
      const auto& [session, covers] = found->second;
      if (!error) latest_[session] = std::max(latest_[session], index_.find(session) ? disk_covers(session) : covers);
      waiting_.erase(found);
    }
  }

  std::uint64_t disk_covers(const std::string& session) const {
    for (const auto& [name, file] : disk_) {
      if (file.session == session) return file.covers;
    }
    ADD_FAILURE() << "told as written, but not there";
    return 0;
  }

  std::mt19937_64 random_;
  SnapshotIndex index_{options()};
  std::optional<SnapshotIndex::Job> job_;
  bool healthy_ = true;
  std::map<std::string, File> disk_;
  std::map<Ticket, Waiting> waiting_;
  std::map<Ticket, std::string> reads_;
  std::map<std::string, std::uint64_t> accepted_;  ///< the latest that was taken of each session
  std::map<std::string, std::uint64_t> latest_;    ///< the latest that was told as written
  std::vector<std::string> ages_;
  Ticket last_ticket_ = 0;
  std::uint64_t covers_ = 0;
};

TEST(SnapshotIndexRandomTest, HoldsItsPromisesWhateverHappens) {
  const char* const given = std::getenv("PONS_TEST_SEED");
  const auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("PONS_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  for (std::uint64_t sequence = 0; sequence < 3'000; ++sequence) {
    SCOPED_TRACE("PONS_TEST_SEED=" + std::to_string(seed) + ", sequence " + std::to_string(sequence));
    World world(seed + sequence);
    for (int i = 0; i < 150; ++i) world.step();
    world.quiesce();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace pons
