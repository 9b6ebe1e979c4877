// The measurements of pons-bench. Each starts what it needs, measures host and references in turns, and ends it all.
#pragma once

#include <vector>

#include "tests/bench/figures.h"
#include "tests/bench/targets.h"

namespace pons::bench {

/// How much is measured.
struct Effort {
  int rounds = 101;        ///< of each contestant
  int round_trips = 400;   ///< of a batch of small requests, one at a time
  int pipelined = 20'000;  ///< requests of a pipelined batch
  int large = 20;          ///< round trips of a batch of large requests
  int starts = 21;         ///< of the host
  int memory_rounds = 3;
  int sessions = 10'000;
};

/// 100 bytes of JSON there and back, one at a time: everything on one core, or wherever the kernel puts it.
Figure small_round_trip(const Paths& paths, const Effort& effort, bool pinned);
/// The same with a worker in Python: on the SDK behind the host, a plain loop behind the relay.
Figure python_round_trip(const Paths& paths, const Effort& effort, bool pinned);
/// 100 bytes of JSON, 64 under way, two workers.
Figure pipelined_throughput(const Paths& paths, const Effort& effort);
/// 1 MiB of MessagePack there and back, one at a time.
Figure large_round_trip(const Paths& paths, const Effort& effort);
/// From starting the program to the reply to host:ping, and to a worker's ping.
std::vector<Figure> start_to_first_reply(const Paths& paths, const Effort& effort);
/// Of the host alone, with so many workers ready.
Figure host_memory(const Paths& paths, const Effort& effort, int workers);

}  // namespace pons::bench
