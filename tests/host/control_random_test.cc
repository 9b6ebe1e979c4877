// Commands that change what is served, in any order and on top of each other, while requests run: each is answered exactly once, with a
// code that it may have, and the host serves afterwards. A failure prints its seed: PONS_TEST_SEED=n runs that one alone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "tests/host/host_under_test.h"

namespace pons::test {
namespace {

constexpr int kSeeds = 4;
constexpr int kSteps = 150;
constexpr int kMostOutstanding = 25;

const char* const kNames[] = {"a", "b", "c"};

class Sequence {
 public:
  explicit Sequence(unsigned seed) : random_(seed), host_(config_of({0, 1})), client_(host_.connect()) {}

  void play() {
    for (int step = 0; step < kSteps; ++step) {
      while (outstanding_.size() >= kMostOutstanding) take(client_.receive());
      send_one();
    }
    while (!outstanding_.empty()) take(client_.receive());
    settle();
  }

 private:
  int pick(int from, int to) { return std::uniform_int_distribution<int>(from, to)(random_); }
  bool once_in(int n) { return pick(1, n) == 1; }

  /// Some of the adapters; what differs is which, how many workers, and what they find in their environment.
  std::string config_of(const std::set<int>& which) {
    std::string text = "adapters:\n";
    for (const int i : which) {
      text += std::string("  ") + kNames[i] + ": {adapter: " PONS_ECHO_FOLDER ", timeouts: {stop: 100ms}, env: {N: \"" +
              std::to_string(pick(0, 2)) + "\"}, pool: {size: " + std::to_string(pick(1, 2)) +
              ", lazy: " + (once_in(2) ? "true" : "false") + "}}\n";
    }
    return which.empty() ? "adapters: {}\n" : text;
  }

  /// Aside and renamed: the host may be reading it for an earlier reload.
  void rewrite(const std::set<int>& which) {
    std::ofstream(host_.dir() / "new.yaml") << config_of(which);
    std::filesystem::rename(host_.dir() / "new.yaml", host_.dir() / "pons.yaml");
  }

  void send(const std::string& command, json args, std::set<std::string> codes) {
    const int id = ++last_id_;
    json request{{"id", id}, {"command", command}, {"args", std::move(args)}};
    if (once_in(12)) request["timeout_ms"] = pick(1, 20);
    // Beside its own: done, too late, out of time, taken back, and nothing of that name.
    codes.insert({"success", "deadline_exceeded", "queue_timeout", "cancelled", "unknown_namespace"});
    outstanding_.emplace(id, std::move(codes));
    client_.send(request);
  }

  void send_one() {
    const std::string name = kNames[pick(0, 2)];
    const json named{{"name", name}};
    const auto with = [&](const char* key, json value) {
      auto args = named;
      args[key] = std::move(value);
      return args;
    };
    const std::set<std::string> usual{"bad_request", "shutting_down", "worker_start_failed"};
    switch (pick(0, 11)) {
      case 0:
        return send("host:start_bridge", named, usual);
      case 1:
        return send("host:stop_bridge", with("timeout_ms", pick(0, 50)), usual);
      case 2:
        return send("host:restart", named, usual);
      case 3:
        return send("host:drain", with("timeout_ms", pick(0, 50)), usual);
      case 4:
        return send("host:scale", with("size", pick(0, 3)), {"bad_request", "shutting_down", "worker_start_failed", "invalid_args"});
      case 5:
        return send("host:update_config", with("patch", {{"env", {{"N", std::to_string(pick(0, 2))}}}}), usual);
      case 6:
        return send("host:update_config", with("patch", {{"command", {PONS_BAD_WORKER, "exit", "3"}}}), usual);
      case 7:
        return send("host:register_bridge", with("config", {{"adapter", PONS_ECHO_FOLDER}, {"pool", {{"lazy", once_in(2)}}}}),
                    {"bad_request", "shutting_down", "invalid_args"});
      case 8: {
        std::set<int> which;
        for (int i = 0; i < 3; ++i) {
          if (!once_in(4)) which.insert(i);
        }
        rewrite(which);
        return send("host:reload", json::object(), usual);
      }
      case 9:
        return send("host:cancel", {{"id", pick(1, last_id_ + 1)}}, {});
      default:
        return send(name + ":" + (once_in(3) ? "sleep" : "echo"), {{"ms", pick(0, 30)}},
                    {"shutting_down", "pool_failed", "worker_start_failed", "overloaded"});
    }
  }

  void take(const json& reply) {
    const auto found = outstanding_.find(reply.value("id", -1));
    ASSERT_NE(found, outstanding_.end()) << "a reply that nobody waits for: " << reply;
    EXPECT_TRUE(found->second.contains(code_of(reply))) << reply;
    outstanding_.erase(found);
  }

  /// Whatever came before, the host becomes what its file says, and serves it.
  void settle() {
    rewrite({0, 1, 2});
    json reply;
    do reply = client_.call("host:reload");
    while (code_of(reply) == "bad_request");  // an adapter is still being removed
    ASSERT_EQ(code_of(reply), "success") << reply;
    for (const auto* name : kNames) {
      do reply = client_.call("host:start_bridge", {{"name", name}});
      while (code_of(reply) == "bad_request");
      EXPECT_EQ(code_of(reply), "success") << reply;
      EXPECT_EQ(code_of(client_.call(std::string(name) + ":echo")), "success");
    }
    EXPECT_TRUE(client_.call("host:shutdown")["success"].get<bool>());
    EXPECT_EQ(host_.wait(), 0);
  }

  std::mt19937 random_;
  HostUnderTest host_;
  RawClient client_;
  std::map<int, std::set<std::string>> outstanding_;  ///< id to the codes that its reply may have
  int last_id_ = 0;
};

TEST(ControlSequences, AreAnsweredAndTheHostServesAfterwards) {
  unsigned first = std::random_device()();
  int count = kSeeds;
  if (const char* seed = std::getenv("PONS_TEST_SEED")) {
    first = static_cast<unsigned>(std::strtoul(seed, nullptr, 10));
    count = 1;
  }
  for (int i = 0; i < count && !HasFailure(); ++i) {
    const unsigned seed = first + static_cast<unsigned>(i);
    SCOPED_TRACE("PONS_TEST_SEED=" + std::to_string(seed));
    Sequence(seed).play();
  }
}

}  // namespace
}  // namespace pons::test
