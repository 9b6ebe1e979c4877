// What the measurements of pons-bench have in common: batches of requests, and figures made of their series.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/connection.h"
#include "tests/bench/figures.h"
#include "tests/bench/targets.h"

namespace pons::bench {

using Clock = std::chrono::steady_clock;

inline constexpr std::size_t kSmallBody = 100;  ///< bytes
inline constexpr int kDepth = 64;               ///< requests under way in a pipelined batch

double microseconds(Clock::duration time);
/// The median round trip in microseconds, one request at a time.
double batch_of_round_trips(Connection& connection, Request& request, int count);
/// Replies a millisecond, with kDepth requests under way all the time. What arrives together is answered by as many new requests in one
/// write.
double batch_of_pipelined(Connection& connection, Request& request, int count);

/// A contestant that has run one batch already.
template <typename Batch>
Contestant warmed_up(const std::string& name, Batch batch) {
  batch();
  return {name, std::move(batch)};
}

/// The first series beside the second; the others are information.
Figure figure_of(const std::string& name, const std::string& unit, std::vector<Series> series, std::pair<Goal, double> goal);

/// Returns when so many workers are ready, over a connection of its own.
void wait_for_workers(Target& host, std::size_t wanted);

}  // namespace pons::bench
