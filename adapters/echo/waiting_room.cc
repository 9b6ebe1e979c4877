#include "adapters/echo/waiting_room.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <utility>

namespace pons::echo {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kMaxConcurrency = 1024;
constexpr std::int64_t kMaxWaitMs = 24 * 3'600 * 1'000;

std::size_t concurrency_from(const json& options) {
  const json wanted = options.value("concurrency", json(1));
  const bool fits = wanted.is_number_integer() && wanted >= 1 && wanted <= kMaxConcurrency;
  if (!fits) {
    throw Exception(ErrorCode::invalid_configuration,
                    "options.concurrency is " + wanted.dump() + ", and not a number from 1 to " + std::to_string(kMaxConcurrency));
  }
  return wanted.get<std::size_t>();
}

std::chrono::milliseconds wait_of(const Request& request) {
  return std::chrono::milliseconds(std::clamp<std::int64_t>(request.args().value("ms", std::int64_t{0}), 0, kMaxWaitMs));
}

}  // namespace

void WaitingRoom::declare(Worker& worker) {
  worker.polled_command("wait",
                        {.description = "Returns after `ms` milliseconds, unless cancelled, while others are served.", .idempotent = true});
  worker.on_configure([&worker](const json& options) { worker.concurrency(concurrency_from(options)); });
}

void WaitingRoom::serve(Worker& worker) {
  while (!worker.ended()) {
    if (auto request = worker.poll(next_leaves())) admit(std::move(*request));
    see_off();
  }
}

void WaitingRoom::admit(Request request) {
  try {
    const auto leaves = Clock::now() + wait_of(request);
    guests_.push_back({std::move(request), leaves});
  } catch (...) {
    request.fail(std::current_exception());
  }
}

void WaitingRoom::see_off() {
  const auto now = Clock::now();
  for (Guest& guest : guests_) {
    if (guest.request.cancelled()) {
      guest.request.fail_cancelled();
    } else if (guest.leaves <= now) {
      guest.request.reply({{"waited_ms", wait_of(guest.request).count()}});
    }
  }
  std::erase_if(guests_, [](const Guest& guest) { return !guest.request; });
}

Worker::TimePoint WaitingRoom::next_leaves() const {
  Worker::TimePoint next = kForever;
  for (const Guest& guest : guests_) next = std::min(next, guest.leaves);
  return next;
}

}  // namespace pons::echo
