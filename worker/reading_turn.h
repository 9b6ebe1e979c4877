// When the reader thread reads the channel in place of the thread that serves. Entirely passive.
//
// The thread that serves reads by itself whenever it waits for work: a request that is handed from one thread to another costs two
// wake-ups, which is more than all the rest of a short one. So the reader thread only looks, once a tick, whether the other one has
// been away from the channel since the tick before. When nothing happens for a while it rests, until it is woken.
#pragma once

#include <cstdint>

namespace pons {

class ReadingTurn {
 public:
  enum class Step : std::uint8_t {
    tick,  ///< look again after a tick
    rest,  ///< wait to be woken: the thread that serves waits for work, and says when it has got some
    read,  ///< it is away: read until it wants to read again
  };
  static constexpr int kTicksToRest = 8;

  /// `reads` counts how often the thread that serves has begun to read, `is_reading` says whether it does now.
  Step on_tick(std::uint64_t reads, bool is_reading);

 private:
  std::uint64_t seen_reads_ = 0;
  bool seen_away_ = false;
  int quiet_ticks_ = 0;
};

}  // namespace pons
