// What has taken a request and can be asked about it until its terminal reply: a pool, or a parent that provides a namespace.
#pragma once

#include <cstdint>

namespace pons {

using RequestKey = std::uint64_t;  ///< a request within its callee; 0: none

enum class CancelBy : std::uint8_t { caller, disconnection };

class Callee {
 public:
  [[nodiscard]] virtual bool is_running(RequestKey key) const = 0;
  /// False: unknown, or answered already. Otherwise its reply (cancelled) has come before this returns.
  virtual bool cancel(RequestKey key, CancelBy by) = 0;
  /// Stops or goes on reading from whom runs `key`, for a caller that does not keep up with its stream. False: others would suffer.
  virtual bool pause_stream(RequestKey key, bool paused) = 0;

 protected:
  ~Callee() = default;
};

}  // namespace pons
