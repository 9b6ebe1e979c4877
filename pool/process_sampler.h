// The last look at all processes of the machine, shared by all pools of a host: however many want one each interval, /proc is read once.
//
// Object lifetimes: owned by the host, outlives its pools. Thread safety: none; the loop's thread.
#pragma once

#include <functional>
#include <utility>

#include "pool/options.h"
#include "pool/process_table.h"
#include "protocol/transport/task.h"

namespace pons {

class ProcessSampler {
 public:
  static constexpr Millis kInterval{1'000};

  explicit ProcessSampler(std::function<ProcessTable()> read = ProcessTable::read) : read_(std::move(read)) {}

  /// Not older than kInterval.
  const ProcessTable& look(TimePoint now) {
    if (now >= next_) {
      table_ = read_();
      next_ = now + kInterval;
    }
    return table_;
  }
  /// When a look shows something new. Who comes again then shares it with all others who do.
  [[nodiscard]] TimePoint next() const { return next_; }

 private:
  std::function<ProcessTable()> read_;
  ProcessTable table_;
  TimePoint next_{};
};

}  // namespace pons
