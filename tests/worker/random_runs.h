// Many short sequences of random events, each with a seed of its own: a failure names the one that shows it.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

namespace pons::test {

using Random = std::mt19937_64;

/// Runs `sequence(random)` 2,000 times, or once with the seed in PONS_TEST_SEED, and stops at the first that fails.
template <class Sequence>
void for_random_runs(Sequence sequence) {
  const char* given = std::getenv("PONS_TEST_SEED");
  const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  const std::uint64_t runs = given != nullptr ? 1 : 2'000;
  for (std::uint64_t seed = first; seed < first + runs && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("PONS_TEST_SEED=" + std::to_string(seed));
    Random random(seed);
    sequence(random);
  }
}

}  // namespace pons::test
