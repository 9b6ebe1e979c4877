#include "tests/chaos/arena.h"

#include <algorithm>

namespace pons::chaos {

using test::json;

namespace {

struct PoolOfArena {
  const char* name;
  /// Of an idempotent request. Where a worker holds several at once, the host takes for not begun what it had no answer to but the first,
  /// and an idempotent one may have begun unseen.
  int most_runs;
  const char* entry;
};

// What differs is how much may be lost with a worker, how long workers live, and by which way they are spoken to.
constexpr PoolOfArena kPools[] = {
    {"single", 2, "pool: {size: 3, in_flight: 1, lazy: false, min_ready: 3}"},
    {"piled", kAnyRuns, "pool: {size: 3, in_flight: 4, lazy: false, min_ready: 3, selection: lifo}"},
    {"restless", 2,
     "pool: {size: 2, overflow: 2, overflow_after: 2ms, overflow_linger: 300ms, lazy: false, min_ready: 2}\n    recycle: {max_requests: "
     "100}"},
    {"piped", kAnyRuns, "pool: {size: 2, in_flight: 2, lazy: false, min_ready: 2}\n    channel: stdio"},
};

}  // namespace

std::optional<test::ProcessHandle> random_worker(test::RawClient& client, const std::string& instance, Random& random) {
  const auto workers = test::result_of(client.call("host:workers"))["workers"];
  if (workers.empty()) return std::nullopt;
  const auto pid = workers[random.below(workers.size())].value("pid", 0);
  if (pid <= 0) return std::nullopt;
  test::ProcessHandle handle(pid);
  if (test::environment_value(pid, "PONS_INSTANCE") != instance) return std::nullopt;
  return handle;
}

std::string Arena::config(const std::string& journal, const Extra& extra) {
  std::string text = "host:\n  shutdown_timeout: 5s\n" + extra.host;
  // No deadline but the client's own can be what ends a wait, and no number of deaths makes a pool give up.
  text += "defaults:\n  timeouts: {request: 60s, queue: 60s" + extra.timeouts + "}\n";
  text += "  restart: {max: 0, backoff: 1ms, backoff_max: 20ms}\n" + extra.defaults;
  text += "adapters:\n" + extra.adapters;
  for (const auto& pool : kPools) {
    text += std::string("  ") + pool.name + ":\n    command: [" PONS_JOURNAL_WORKER "]\n    options: {journal: " + journal + "}\n    " +
            pool.entry + "\n";
  }
  return text;
}

Arena::Arena(const Extra& extra) : host_(config(dir_ / "journal", extra)), control_(host_.connect()), calm_(extra.calm) {
  for (const auto& pool : kPools) calm_.emplace_back(pool.name);
  await_quiet();
  instance_ = host_.instance();
}

Load::Connect Arena::connector() {
  return [this] { return host_.connect(); };
}

LoadOptions Arena::load_options() const {
  LoadOptions options;
  for (const auto& pool : kPools) options.pools.push_back({pool.name, pool.most_runs});
  return options;
}

void Arena::await_quiet() {
  const auto is_calm = [](const json& pool) {
    return pool["ready"] == pool["size"] && pool["workers"] == pool["size"] && pool["busy"] == 0 && pool["queued"] == 0;
  };
  test::await_stats(control_, [&](const json& stats) {
    const auto& pools = stats["adapters"];
    return stats["host"]["connections"] == 1 &&
           std::all_of(calm_.begin(), calm_.end(), [&](const auto& name) { return is_calm(pools[name]); });
  });
}

test::Holdings Arena::await_holdings(const test::Holdings& before) {
  test::await_stats(control_, [&](const json&) { return same_handles(holdings(), before); });
  return holdings();
}

History Arena::history(std::vector<ClientLog> clients) const { return {std::move(clients), read_journal(dir_ / "journal")}; }

void Arena::clear_journal() const { std::filesystem::resize_file(dir_ / "journal", 0); }

bool same_handles(const test::Holdings& a, const test::Holdings& b) {
  return a.descriptors == b.descriptors && a.threads == b.threads && a.zombies == b.zombies;
}

std::string describe(const test::Holdings& holdings) {
  return std::to_string(holdings.descriptors) + " descriptors, " + std::to_string(holdings.threads) + " threads, " +
         std::to_string(holdings.zombies) + " zombies, " + std::to_string(holdings.resident_kib) + " KiB";
}

std::string describe(const std::map<std::string, int>& codes) {
  std::string text;
  for (const auto& [code, count] : codes) text += (text.empty() ? "" : ", ") + code + ": " + std::to_string(count);
  return text;
}

}  // namespace pons::chaos
