// A request on its way through the worker. The thread that serves works with it; the thread that reads may mark it as cancelled.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <utility>

#include "protocol/buffer.h"
#include "protocol/envelope.h"

namespace pons {

using SteadyTime = std::chrono::steady_clock::time_point;

struct Incoming {
  Incoming(Frame whole, Envelope top, SteadyTime end) : frame(std::move(whole)), envelope(std::move(top)), deadline(end) {}

  const Frame frame;
  const Envelope envelope;
  const SteadyTime deadline;  ///< max() without one
  std::atomic<bool> cancelled{false};
};

/// A reply to what a handler has asked for.
struct Answer {
  Frame frame;
  Envelope envelope;
};

using IncomingPtr = std::shared_ptr<Incoming>;

}  // namespace pons
