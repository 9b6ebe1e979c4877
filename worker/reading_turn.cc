#include "worker/reading_turn.h"

#include <utility>

namespace pons {

ReadingTurn::Step ReadingTurn::on_tick(std::uint64_t reads, bool is_reading) {
  const bool same = std::exchange(seen_reads_, reads) == reads;
  const bool was_away = std::exchange(seen_away_, !is_reading);
  if (!is_reading) {
    quiet_ticks_ = 0;
    return same && was_away ? Step::read : Step::tick;
  }
  quiet_ticks_ = same && !was_away ? quiet_ticks_ + 1 : 0;
  if (quiet_ticks_ < kTicksToRest) return Step::tick;
  quiet_ticks_ = 0;
  return Step::rest;
}

}  // namespace pons
