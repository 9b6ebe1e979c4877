// How many workers start at the same time, as the host's events tell it.
#include <gtest/gtest.h>

#include "tests/host/host_under_test.h"

namespace pons::chaos {
namespace {

using test::HostUnderTest;
using test::json;

/// Starts a lazy pool by its first request; returns the most that were starting at once until all were ready.
int most_at_once(int size, int start_concurrency) {
  const auto count = std::to_string(size);
  HostUnderTest host(test::echo_config("pool: {size: " + count + ", min_ready: " + count +
                                       ", start_concurrency: " + std::to_string(start_concurrency) + "}"));
  auto client = host.connect();
  client.call("host:subscribe", {{"events", {"worker.started", "worker.ready"}}});
  client.send({{"id", 1}, {"command", "echo:echo"}});
  int starting = 0;
  int most = 0;
  for (int ready = 0; ready < size;) {
    const auto frame = client.receive();
    const auto event = frame.value("event", "");
    if (event == "worker.started") most = std::max(most, ++starting);
    if (event == "worker.ready") {
      --starting;
      ++ready;
    }
  }
  EXPECT_EQ(starting, 0);
  return most;
}

TEST(StartConcurrency, IsNeverExceeded) {
  EXPECT_EQ(most_at_once(6, 1), 1);
  EXPECT_LE(most_at_once(24, 3), 3);
  EXPECT_LE(most_at_once(100, 4), 4);
}

TEST(StartConcurrency, IsMadeUseOf) { EXPECT_EQ(most_at_once(24, 5), 5); }

}  // namespace
}  // namespace pons::chaos
