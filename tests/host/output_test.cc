// Workers that print without end, beside others that work.
#include <gtest/gtest.h>

#include "tests/host/host_under_test.h"

namespace pons::test {
namespace {

/// An echo worker called "noisy", and a program of its own that prints into the same pipe; and an echo worker called "quiet".
std::string noisy_config(const std::string& program) {
  const std::string folder = PONS_ECHO_FOLDER;
  return "adapters:\n  quiet: {adapter: " + folder + "}\n  noisy:\n    command: [/bin/sh, -c, '" + program + " 3>&- 4>&- & exec " + folder +
         "/pons-worker-echo']\n    log_rate: 10\n";
}

TEST(Output, AFloodHoldsUpNeitherTheHostNorTheWorker) {
  for (const char* const program : {"yes a line", "yes a line >&2"}) {
    HostUnderTest host(noisy_config(program));
    auto client = host.connect();
    for (int i = 0; i < 200; ++i) {
      EXPECT_EQ(result_of(client.call("noisy:echo", {{"n", i}}))["n"], i);
      EXPECT_EQ(result_of(client.call("quiet:echo", {{"n", i}}))["n"], i);
    }
    const auto end = std::chrono::steady_clock::now() + kLimit;
    while (host.log().find("lines dropped (log_rate)") == std::string::npos && std::chrono::steady_clock::now() < end) {
      client.call("host:ping");
    }
    EXPECT_NE(host.log().find("lines dropped (log_rate)"), std::string::npos) << "and what was dropped is counted";
    EXPECT_LT(host.log().size(), 1'000'000u);
  }
}

TEST(Output, ALineWithoutEndIsBounded) {
  HostUnderTest host(noisy_config("tr -d x </dev/zero"));
  auto client = host.connect();
  for (int i = 0; i < 200; ++i) EXPECT_EQ(result_of(client.call("noisy:echo", {{"n", i}}))["n"], i);
  const auto stats = result_of(client.call("host:get_stats"));
  EXPECT_LT(stats["host"]["memory_rss_bytes"].get<std::uint64_t>(), 1u << 30) << "what it has printed is many times that";
}

}  // namespace
}  // namespace pons::test
