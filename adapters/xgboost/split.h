// Which rows train and which are held out: the same on every machine and with every standard library for the same seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pons::xgb {

/// SplitMix64 (Steele, Lea, Flood 2014): 64 bits of state, all of them good as a seed.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// Uniform in [0, bound), without bias. `bound` is above 0.
  std::uint64_t below(std::uint64_t bound);

 private:
  std::uint64_t state_;
};

struct Split {
  std::vector<std::size_t> train;  ///< ascending, and never empty
  std::vector<std::size_t> test;   ///< ascending
};

/// Stratified: of each group's rows the fraction `test_fraction`, rounded, is held out, but never the whole group. `groups` says for
/// each row which group it is of (all 0: no strata), from 0 to `group_count` - 1. At least one row.
Split split_rows(std::span<const std::size_t> groups, std::size_t group_count, double test_fraction, std::uint64_t seed);

}  // namespace pons::xgb
