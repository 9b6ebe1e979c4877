// A histogram of durations with a bounded error: buckets of 1/16 of a power of two microseconds, 5 KiB, no allocation when recording.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>

namespace pons {

class LatencyHistogram {
 public:
  struct Summary {
    double p50 = 0, p90 = 0, p99 = 0, max = 0;  ///< milliseconds; quantiles are at most 1/16 too high
  };

  void record(std::chrono::steady_clock::duration time) {
    const auto count = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    const auto us = static_cast<std::uint64_t>(count < 0 ? 0 : count);
    ++buckets_[index(us)];
    ++total_;
    if (us > max_) max_ = us;
  }
  [[nodiscard]] Summary summary() const { return {quantile(0.5), quantile(0.9), quantile(0.99), static_cast<double>(max_) / 1000}; }
  [[nodiscard]] std::uint64_t total() const { return total_; }

 private:
  static constexpr unsigned kSub = 4;  // log2 of the buckets of one power of two
  static constexpr std::size_t kBuckets = (40 - kSub + 1) << kSub;

  static std::size_t index(std::uint64_t us) {
    if (us < (1u << kSub)) return us;
    const auto exponent = static_cast<unsigned>(std::bit_width(us)) - 1 - kSub;
    const auto at = ((exponent + 1) << kSub) + ((us >> exponent) & ((1u << kSub) - 1));
    return at < kBuckets ? at : kBuckets - 1;
  }
  static double upper_bound_ms(std::size_t at) {
    if (at < (1u << kSub)) return static_cast<double>(at) / 1000;
    const auto exponent = (at >> kSub) - 1;
    const auto mantissa = (at & ((1u << kSub) - 1)) + (1u << kSub) + 1;
    return static_cast<double>((static_cast<std::uint64_t>(mantissa) << exponent) - 1) / 1000;
  }
  [[nodiscard]] double quantile(double q) const {
    const auto wanted = static_cast<std::uint64_t>(q * static_cast<double>(total_) + 0.999999);
    std::uint64_t seen = 0;
    for (std::size_t at = 0; at < kBuckets; ++at) {
      seen += buckets_[at];
      if (seen >= wanted && seen > 0) return std::min(upper_bound_ms(at), static_cast<double>(max_) / 1000);
    }
    return 0;
  }

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace pons
