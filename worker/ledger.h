// What a worker has answered: the counts of get_stats, and how far each session has come (`covers`, docs/protocol.md, section 6).
//
// Thread-safe: a request that is cancelled before it begins is answered by the thread that reads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/envelope.h"

namespace pons {

class Ledger {
 public:
  struct Totals {
    std::uint64_t requests = 0;  ///< answered
    std::uint64_t errors = 0;    ///< of these
    std::size_t sessions = 0;    ///< known
  };

  /// From here on its session is known.
  void begin(const Envelope& request);
  /// It has its terminal reply. Counts for its session, if that has not ended meanwhile.
  void answer(const Envelope& request, bool success);
  [[nodiscard]] Totals totals() const;

  /// How many requests of the session were answered, errors too; nothing for one that is not known.
  [[nodiscard]] std::optional<std::uint64_t> covers(std::string_view session) const;
  /// The session came from elsewhere, where so many were answered.
  void restore(std::string session, std::uint64_t covers);
  /// False if it was not known.
  bool end(std::string_view session);
  /// Those that there were.
  std::vector<std::string> end_all();

 private:
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> errors_{0};
  mutable std::mutex mutex_;                                    // guards what follows
  std::map<std::string, std::uint64_t, std::less<>> answered_;  // by session
};

}  // namespace pons
