// The long version: one host that lives through rounds of mixed trouble for PONS_SOAK_MINUTES, with the promises checked after each round,
// and what the host holds compared at the end with what it held after the first rounds. scripts/soak.sh runs it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>

#include "tests/chaos/home.h"
#include "tests/chaos/trouble.h"

namespace pons::chaos {
namespace {

using test::Holdings;
using test::json;
using Time = std::chrono::steady_clock;
using namespace std::chrono_literals;

// A leak of one small block a request would be far above this after a minute; the allocator's arenas take some rounds to fill.
constexpr double kMemoryFactor = 1.25;
constexpr std::size_t kMemorySlackKib = 4096;

/// Beside the four pools: one whose workers hang, one whose workers die of every request, one with sessions and resources.
Arena::Extra everything() {
  return {.host = "  output_limit: 1MiB\n  write_timeout: 2s\n",
          .timeouts = ", startup: 3s, cancel_grace: 100ms, stop: 100ms",
          .defaults = "  health: {interval: 100ms, timeout: 200ms, misses: 2}\n  sessions: {ttl: 1s}\n",
          .adapters = "  hung: {command: [" PONS_BAD_WORKER
                      ", hang], pool: {size: 2, queue: 16, lazy: false, min_ready: 2}}\n"
                      "  dying: {command: [" PONS_BAD_WORKER
                      ", die], pool: {lazy: false}}\n"
                      "  stray: {command: [" PONS_BAD_WORKER
                      ", grandchild], pool: {lazy: false}}\n"
                      "  echo: {adapter: " PONS_ECHO_FOLDER ", pool: {size: 2, lazy: false, min_ready: 2}}\n",
          .calm = {"hung", "dying", "stray", "echo"}};
}

class Soak {
 public:
  explicit Soak(std::uint64_t seed) : random_(seed), arena_(everything()) {}

  /// Some trouble of all kinds in turn, so that everything has happened that makes a host take memory.
  void warm_up() {
    for (std::size_t first = 0; first < troubles_.size(); ++first) round({&troubles_[first]});
  }
  void round() {
    std::vector<Trouble*> chosen;
    for (int i = random_.between(2, 4); i > 0; --i) chosen.push_back(&troubles_[random_.below(troubles_.size())]);
    round(chosen);
  }
  /// What the host holds now that nothing goes on.
  Holdings holdings() {
    arena_.await_quiet();
    test::await_stats(arena_.control(), [](const json& stats) { return stats["adapters"]["echo"]["sessions"] == 0; });
    return arena_.holdings();
  }
  Holdings holdings_like(const Holdings& before) {
    holdings();
    return arena_.await_holdings(before);
  }
  void print_counts() const {
    std::printf("%d rounds, %s\n", rounds_, describe(codes_).c_str());
    for (const auto& trouble : troubles_) std::printf("  %-44s %6d\n", trouble.name, trouble.count);
  }

 private:
  struct Trouble {
    const char* name;
    std::function<int()> make;  ///< returns how many there were
    int count = 0;
  };

  void round(const std::vector<Trouble*>& troubles) {
    ++rounds_;
    auto options = arena_.load_options();
    options.clients = random_.between(1, 12);
    options.depth = 1 + random_.below(8);
    options.deadline_ms = 2'000;
    load_.emplace(arena_.connector(), options, random_);
    for (auto* trouble : troubles) {
      trouble->count += trouble->make();
      EXPECT_TRUE(load_->await_replies(200)) << "nothing is answered any more after " << trouble->name;
    }
    auto logs = load_->stop();
    load_.reset();
    logs.insert(logs.end(), std::make_move_iterator(more_logs_.begin()), std::make_move_iterator(more_logs_.end()));
    more_logs_.clear();
    const auto history = arena_.history(std::move(logs));
    EXPECT_EQ(history.faults(), std::vector<std::string>());
    for (const auto& [code, count] : history.codes()) codes_[code] += count;
    arena_.await_quiet();
    arena_.clear_journal();
  }

  int kill() {
    const int count = random_.between(1, 40);
    EXPECT_TRUE(kill_workers(arena_, *load_, random_, count, 60)) << "nothing is answered any more";
    return count;
  }
  int stop() {
    const auto stopped = stop_workers(arena_, random_);
    EXPECT_TRUE(stopped) << "a stopped worker is still there";
    return stopped.value_or(0);
  }
  int send_halves() {
    const int count = random_.between(1, 100);
    HalfFrames halves(arena_, random_, count);
    more_logs_.push_back(halves.complete_some(random_));
    return count;
  }
  int flood() {
    Flood flood(arena_, "echo", random_.between(1'000, 20'000));
    const auto until = load_->replies() + 500;
    const auto end = Time::now() + std::chrono::seconds(1);  // before the host loses patience
    flood.send_while([&] { return load_->replies() < until && Time::now() < end; });
    if (random_.chance(50)) flood.finish();
    return 1;
  }
  int hang() {
    auto client = arena_.host().connect();
    const int count = random_.between(1, 30);
    for (int id = 1; id <= count; ++id) client.send({{"id", id}, {"command", "hung:work"}, {"timeout_ms", 200}});
    for (int id = 1; id <= count; ++id) client.await(id);
    return count;
  }
  int die() {
    auto client = arena_.host().connect();
    const int count = random_.between(1, 10);
    for (int i = 0; i < count; ++i) client.call("dying:work");
    return count;
  }
  int leave_behind() {
    auto client = arena_.host().connect();
    const auto reply = client.call("stray:work");
    if (!reply.value("success", false)) return 0;  // killed by another trouble
    const test::ProcessHandle grandchild(reply["result"]["grandchild"].get<pid_t>());
    test::ProcessHandle(reply["result"]["pid"].get<pid_t>()).signal(SIGKILL);
    EXPECT_TRUE(grandchild.await_end(test::kLimit)) << "what a worker started is left";
    return 1;
  }
  int use_sessions() {
    auto client = arena_.host().connect();
    const int count = random_.between(1, 200);
    for (int i = 0; i < count; ++i) {
      client.call("echo:count", json::object(), {{"session_id", "s" + std::to_string(random_.below(50))}});
      if (random_.chance(20)) client.call("host:end_session", {{"session_id", "s" + std::to_string(random_.below(50))}});
      if (random_.chance(20)) client.call("echo:create_counter");
    }
    client.call("echo:cleanup");
    return count;
  }
  int restart_pools() {
    auto client = arena_.host().connect();
    const auto reply = client.call("host:restart", {{"name", pool_of_arena()}}, {{"timeout_ms", 20'000}});
    EXPECT_EQ(test::code_of(reply), "success") << reply;
    return 1;
  }
  int scale_pools() {
    auto client = arena_.host().connect();
    const auto name = pool_of_arena();
    const int size = test::result_of(client.call("host:get_stats"))["adapters"][name]["size"].get<int>();
    for (const int wanted : {random_.between(1, 6), size}) {
      const auto reply = client.call("host:scale", {{"name", name}, {"size", wanted}}, {{"timeout_ms", 20'000}});
      EXPECT_EQ(test::code_of(reply), "success") << reply;
    }
    return 1;
  }
  std::string pool_of_arena() { return random_.one_of(arena_.load_options().pools).name; }
  int kill_host() {
    kill_a_host(random_);
    return 1;
  }

  Random random_;
  Arena arena_;
  std::optional<Load> load_;
  std::vector<ClientLog> more_logs_;
  int rounds_ = 0;
  std::map<std::string, int> codes_;
  std::vector<Trouble> troubles_{{"workers killed", [this] { return kill(); }},
                                 {"workers stopped", [this] { return stop(); }},
                                 {"clients that sent half a frame", [this] { return send_halves(); }},
                                 {"clients that sent and did not read", [this] { return flood(); }},
                                 {"requests to a pool that hangs", [this] { return hang(); }},
                                 {"requests to workers that die of them", [this] { return die(); }},
                                 {"workers killed that had left a process about", [this] { return leave_behind(); }},
                                 {"requests in sessions that end or expire", [this] { return use_sessions(); }},
                                 {"pools restarted, worker by worker", [this] { return restart_pools(); }},
                                 {"pools scaled and scaled back", [this] { return scale_pools(); }},
                                 {"other hosts killed", [this] { return kill_host(); }}};
};

void print_row(const char* name, std::size_t before, std::size_t after, bool good, const std::string& rule) {
  std::printf("%-22s %10zu %10zu   %s (%s)\n", name, before, after, good ? "ok" : "LEAK", rule.c_str());
}

TEST(Soak, LeavesTheHostAsItWas) {
  const char* minutes = std::getenv("PONS_SOAK_MINUTES");
  ASSERT_NE(minutes, nullptr) << "PONS_SOAK_MINUTES says how long";
  const auto end =
      Time::now() + std::chrono::duration_cast<Time::duration>(std::chrono::duration<double, std::ratio<60>>(std::atof(minutes)));
  Soak soak(test_seed());
  soak.warm_up();
  const auto before = soak.holdings();
  for (auto minute = Time::now() + 1min; Time::now() < end && !HasFailure();) {
    soak.round();
    if (Time::now() < minute) continue;
    minute += 1min;
    std::printf("%s\n", describe(soak.holdings()).c_str());
    std::fflush(stdout);
  }
  const auto after = soak.holdings_like(before);
  soak.print_counts();

  const auto most = static_cast<std::size_t>(static_cast<double>(before.resident_kib) * kMemoryFactor) + kMemorySlackKib;
  std::printf("\n%-22s %10s %10s\n", "the host holds", "start", "end");
  print_row("descriptors", before.descriptors, after.descriptors, before.descriptors == after.descriptors, "the same");
  print_row("threads", before.threads, after.threads, before.threads == after.threads, "the same");
  print_row("zombies", before.zombies, after.zombies, before.zombies == after.zombies, "the same");
  print_row("resident memory, KiB", before.resident_kib, after.resident_kib, after.resident_kib <= most,
            "at most a quarter and 4 MiB more");
  EXPECT_TRUE(same_handles(before, after));
  EXPECT_LE(after.resident_kib, most);
}

}  // namespace
}  // namespace pons::chaos
