// The life of one worker process, from its start to its end, and the ladder by which it is stopped. Entirely passive: events and the
// time go in, what is to be done comes out.
//
//   starting --handshake_done--> ready --stop--> stopping --> settling --> dead
//
// Stopping is: `cleanup` if it goes because it is replaced, at most `stop` long; end of file, then after `stop` SIGTERM, then after
// `stop` SIGKILL. One whose handshake failed is left `stop` after the end of file to end by itself, for its exit status says why (a
// configuration error, for one); then SIGKILL. A process that has ended is not reported before its channel and its stderr have been
// read until empty (`settling`), at most kSettle later: a grandchild may hold them open.
#pragma once

#include <cstdint>
#include <string>

#include "pool/options.h"
#include "protocol/transport/task.h"

namespace pons {

class WorkerLife {
 public:
  enum class State : std::uint8_t { starting, ready, stopping, settling, dead };
  enum class Event : std::uint8_t {
    handshake_done,
    handshake_failed,  ///< also: exec failed
    channel_ended,     ///< end of file, or unusable
    output_ended,      ///< end of file on its stderr
    process_ended,
    stop,     ///< asked to go
    finish,   ///< asked to go, in good order: it is told to clean up first
    cleaned,  ///< it answered that
    give_up,  ///< it does not answer: SIGTERM now, SIGKILL after `stop`; not what it was asked for
    kill,     ///< must go at once
    timer,
  };
  /// What is to be done, in this order.
  struct Todo {
    bool announce_ready = false;
    bool clean_up = false;  ///< tell it `cleanup`
    bool close_channel = false;
    bool terminate = false;  ///< SIGTERM to the group
    bool kill = false;       ///< SIGKILL to the group
    bool report = false;     ///< it is dead: tell the pool
  };

  static constexpr Millis kSettle{50};

  WorkerLife(const Timeouts& timeouts, TimePoint now) : stop_(timeouts.stop), timer_(now + timeouts.startup) {}

  Todo on(Event event, TimePoint now);
  [[nodiscard]] State state() const { return state_; }
  /// When to say `timer`; TimePoint::max(): never.
  [[nodiscard]] TimePoint timer() const { return timer_; }
  [[nodiscard]] bool was_ready() const { return was_ready_; }
  /// It goes because it was asked to (nothing to report as a crash).
  [[nodiscard]] bool asked_to_stop() const { return asked_; }
  [[nodiscard]] bool timed_out() const { return timed_out_; }

 private:
  enum class Step : std::uint8_t { none, cleaning, end_of_file, terminated, killed };
  Todo on_timer(TimePoint now);
  Todo end_of_file(TimePoint now);
  [[nodiscard]] bool cleaning() const { return state_ == State::stopping && step_ == Step::cleaning; }
  Todo kill_now();
  Todo settled();

  Millis stop_;
  TimePoint timer_;
  State state_ = State::starting;
  Step step_ = Step::none;
  bool was_ready_ = false;
  bool asked_ = false;
  bool timed_out_ = false;
  bool channel_ended_ = false;
  bool output_ended_ = false;
};

}  // namespace pons
