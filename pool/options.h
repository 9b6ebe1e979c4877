// What a pool is told: how to start its workers and how to treat them. Plain values; host/config fills them from a file.
// Everything that has a default here has the same one in the configuration (docs/configuration.md). Zero switches a limit off.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace pons {

using Millis = std::chrono::milliseconds;

enum class ChannelKind : std::uint8_t { fd, stdio };
enum class Selection : std::uint8_t { least_loaded, lifo };
enum class OnLoss : std::uint8_t { fail, restart };  ///< what becomes of a session whose worker is gone: lost, or begun anew
enum class Stale : std::uint8_t { refuse, allow };   ///< whether a snapshot may be restored that does not cover the last answers

/// How one worker process is started.
struct LaunchOptions {
  std::vector<std::string> command;                      ///< program and arguments; a relative program path is already absolute
  std::string working_dir;                               ///< absolute; empty: the host's
  std::vector<std::pair<std::string, std::string>> env;  ///< the whole environment but for what the pool adds (PONS_*, OMP_NUM_THREADS)
  ChannelKind channel = ChannelKind::fd;
  nlohmann::json options = nlohmann::json::object();  ///< handed to the worker in the handshake
  std::string device_variable;                        ///< set to one of `device_values` for each slot; empty: none
  std::vector<std::string> device_values;             ///< slot i gets value i modulo their number
  friend bool operator==(const LaunchOptions&, const LaunchOptions&) = default;
};

/// What one worker, with all that it starts, may use. 0 switches a limit off: the host's own holds.
struct LimitOptions {
  std::size_t memory = 0;                 ///< bytes resident; by cgroup where that is delegated, else sampled each second
  double cpu = 0;                         ///< cores; by cgroup only
  std::size_t processes = 0;              ///< by cgroup only
  std::size_t open_files = 0;             ///< RLIMIT_NOFILE
  std::size_t core = 0;                   ///< bytes of a core dump, RLIMIT_CORE
  int nice = 0;                           ///< added to the host's
  std::vector<std::string> cpu_affinity;  ///< sets of CPUs ("0-3", "4,5"), slot i gets set i modulo their number
  friend bool operator==(const LimitOptions&, const LimitOptions&) = default;
};

struct Timeouts {
  Millis request{30'000};      ///< a request that names no timeout_ms
  Millis max{600'000};         ///< the most that a caller may ask for
  Millis queue{10'000};        ///< the most that a request waits for a worker
  Millis startup{60'000};      ///< from start to the end of the handshake
  Millis stop{5'000};          ///< between end of file, SIGTERM and SIGKILL
  Millis cancel_grace{2'000};  ///< between a missed deadline and the end of the worker
};

struct SnapshotOptions {
  int every = 1;                      ///< answered requests of a session between two snapshots; 0: only by `after`
  Millis after{5'000};                ///< a session with answers that no snapshot covers gets one when unused for so long; 0: never
  std::size_t max_bytes = 64u << 20;  ///< of one session
  std::size_t max_total = 1u << 30;   ///< of an adapter's sessions; the longest unused give up theirs
  Stale stale = Stale::refuse;
};

struct SessionOptions {
  Millis ttl{1'800'000};     ///< a session unused for so long ends
  std::size_t max = 10'000;  ///< per adapter
  std::size_t max_per_worker = 0;
  OnLoss on_loss = OnLoss::fail;
  SnapshotOptions snapshot{};  ///< of adapters whose workers have the capability session_snapshot
};

struct HealthOptions {
  Millis interval{10'000};  ///< between pings of an idle worker
  Millis timeout{2'000};    ///< for one ping
  int misses = 3;           ///< in a row, until the worker is replaced
};

struct RestartOptions {
  int max = 5;  ///< failed starts within `window`, after which the pool has failed; 0: never
  Millis window{30'000};
  Millis backoff{100};  ///< before the first restart; doubles each time
  Millis backoff_max{30'000};
  Millis reset_after{600'000};         ///< a worker that ran so long starts again at `backoff`
  Millis min_uptime{1'000};            ///< a worker that ends sooner, without an answer, counts as failed to start
  Millis trial{60'000};                ///< a failed pool tries one worker again after this
  std::vector<int> no_restart_on{78};  ///< exit statuses that mean: starting again will not help (78 = EX_CONFIG)
};

struct RetryOptions {
  int max_attempts = 2;  ///< runs in all of an idempotent request whose worker died
};

/// When a worker that is well is replaced by a new one. 0 switches a cause off.
struct RecycleOptions {
  std::size_t max_requests = 0;  ///< requests served, give or take a tenth; pings do not count
  Millis max_age{0};             ///< since it was ready, give or take a tenth
  std::size_t max_memory = 0;    ///< bytes resident of its process group
  Millis idle_timeout{0};        ///< without a request
  Millis max_drain{600'000};     ///< the longest that sessions and resources hold a worker that is to go
};

struct PoolOptions {
  std::string adapter;  ///< the namespace
  LaunchOptions launch;
  std::size_t size = 1;
  std::size_t overflow = 0;              ///< workers beyond `size`
  Millis overflow_after{50};             ///< a request that has waited so long starts one
  Millis overflow_linger{30'000};        ///< it goes after so long without use
  std::size_t in_flight = 1;             ///< requests written to one worker and not yet answered
  std::size_t queue = 256;               ///< requests that may wait; 0: none
  std::size_t queue_bytes = 256u << 20;  ///< bytes of the requests that may wait; 0: no limit
  Selection selection = Selection::least_loaded;
  bool lazy = true;  ///< start workers on first use
  std::size_t min_ready = 1;
  std::size_t start_concurrency = 2;
  Timeouts timeouts;
  SessionOptions sessions;
  HealthOptions health;
  RestartOptions restart;
  RetryOptions retry;
  RecycleOptions recycle;
  LimitOptions limits;
  int log_rate = 1000;  ///< lines a second of a worker's output; what is more is counted and dropped
  std::size_t max_frame = 64u << 20;
};

}  // namespace pons
