// Measurements of many workers and sessions, and of pools beside each other. The reference is the host itself, with less to do.
#pragma once

#include <vector>

#include "tests/bench/figures.h"
#include "tests/bench/scenarios.h"
#include "tests/bench/targets.h"

namespace pons::bench {

/// Throughput of a pool beside another whose workers are all asleep and whose queue is full, against the same pool alone.
Figure beside_a_hung_pool(const Paths& paths, const Effort& effort);
/// A request of one of many sessions over eight workers against one of ten sessions: its round trip, and the processor time of the host;
/// and what a session costs of the host's memory.
std::vector<Figure> many_sessions(const Paths& paths, const Effort& effort);
/// From the first request to a pool of so many workers until all are ready, how many were starting at the same time, and what memory the
/// host and the workers then take.
std::vector<Figure> many_workers(const Paths& paths, const Effort& effort, int workers);

}  // namespace pons::bench
