#include "tests/chaos/random.h"

#include <cstdio>
#include <cstdlib>

namespace pons::chaos {

std::uint64_t test_seed() {
  const char* given = std::getenv("PONS_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("seed %llu (PONS_TEST_SEED=%llu runs it again)\n", static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  return seed;
}

}  // namespace pons::chaos
