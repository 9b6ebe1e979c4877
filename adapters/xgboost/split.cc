#include "adapters/xgboost/split.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace pons::xgb {

std::uint64_t SplitMix64::next() {
  state_ += 0x9E3779B97F4A7C15u;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

std::uint64_t SplitMix64::below(std::uint64_t bound) {
  const std::uint64_t reject = (0 - bound) % bound;  // so many numbers at the low end would make some remainders likelier
  std::uint64_t number = next();
  while (number < reject) number = next();
  return number % bound;
}

Split split_rows(std::span<const std::size_t> groups, std::size_t group_count, double test_fraction, std::uint64_t seed) {
  std::vector<std::vector<std::size_t>> members(group_count);
  for (std::size_t row = 0; row < groups.size(); ++row) members[groups[row]].push_back(row);

  SplitMix64 random(seed);
  Split split;
  for (std::vector<std::size_t>& rows : members) {
    for (std::size_t left = rows.size(); left > 1; --left) std::swap(rows[left - 1], rows[random.below(left)]);
    const auto wanted = static_cast<std::size_t>(std::llround(static_cast<double>(rows.size()) * test_fraction));
    const auto held_out = static_cast<std::ptrdiff_t>(rows.empty() ? 0 : std::min(wanted, rows.size() - 1));
    split.test.insert(split.test.end(), rows.begin(), rows.begin() + held_out);
    split.train.insert(split.train.end(), rows.begin() + held_out, rows.end());
  }
  std::sort(split.test.begin(), split.test.end());
  std::sort(split.train.begin(), split.train.end());
  return split;
}

}  // namespace pons::xgb
