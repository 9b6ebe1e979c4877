// Chance with a seed that is printed, so that a run can be had again.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace pons::chaos {

/// The seed of this test: PONS_TEST_SEED, else a new one. Prints it.
std::uint64_t test_seed();

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  /// From 0 to n - 1.
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(engine_); }
  int between(int least, int most) { return std::uniform_int_distribution(least, most)(engine_); }
  bool chance(int percent) { return between(1, 100) <= percent; }
  template <class T>
  const T& one_of(const std::vector<T>& values) {
    return values[below(values.size())];
  }
  /// For somebody else's chance, a thread's for instance.
  std::uint64_t seed() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace pons::chaos
