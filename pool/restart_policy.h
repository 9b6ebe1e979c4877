// When a dead worker is started again, and when a pool has failed. Entirely passive; one per pool.
//
// Each slot has a back-off of its own: the first restart comes at once, the next ones after `backoff` x 2^n with full jitter, up to
// `backoff_max`; a worker that ran for `reset_after` begins anew. Only a worker that never got ready, or ended within `min_uptime`
// without having answered a request, counts as a failed start; more than `max` of those within `window`, or an exit status that says
// that trying again will not help, and the pool has failed. Other deaths never fail a pool, nor do those of workers beyond its size.
//
// Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
#pragma once

#include <deque>
#include <functional>
#include <unordered_map>

#include "pool/options.h"
#include "protocol/transport/task.h"

namespace pons {

class RestartPolicy {
 public:
  struct Exit {
    bool was_ready = false;
    bool answered = false;  ///< it had answered a request
    Millis uptime{0};       ///< since it was ready
    int status = -1;        ///< exit status, -1 if it died otherwise
    bool spare = false;     ///< the pool does without it: beyond its size
    bool hopeless = false;  ///< something that it needs is missing: starting again will not help
  };
  struct Decision {
    bool give_up = false;  ///< the pool has failed
    TimePoint when{};      ///< otherwise: start the slot's next worker then
  };

  /// `random` gives numbers in [0, 1).
  RestartPolicy(RestartOptions options, std::function<double()> random) : options_(std::move(options)), random_(std::move(random)) {}
  void configure(RestartOptions options) { options_ = std::move(options); }

  /// The worker of `slot` ended without having been asked to.
  Decision on_exit(std::uint32_t slot, const Exit& exit, TimePoint now);
  /// Begin anew: somebody has looked after it.
  void reset();

 private:
  Millis delay(int restarts);

  RestartOptions options_;
  std::function<double()> random_;
  std::deque<TimePoint> failed_starts_;                // within the window
  std::unordered_map<std::uint32_t, int> restarts_{};  // of each slot, since it last ran for `reset_after`
};

}  // namespace pons
