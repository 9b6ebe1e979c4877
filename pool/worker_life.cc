#include "pool/worker_life.h"

namespace pons {

WorkerLife::Todo WorkerLife::on(Event event, TimePoint now) {
  if (state_ == State::dead) return {};
  switch (event) {
    case Event::handshake_done:
      if (state_ != State::starting) return {};
      state_ = State::ready;
      was_ready_ = true;
      timer_ = TimePoint::max();
      return {.announce_ready = true};
    case Event::handshake_failed:
      if (state_ != State::starting) return {};
      state_ = State::stopping;
      step_ = Step::terminated;
      timer_ = now + stop_;
      return {.close_channel = true};
    case Event::channel_ended:
      channel_ended_ = true;
      if (state_ == State::settling) return settled();
      if (state_ == State::starting || state_ == State::ready || cleaning()) {
        state_ = State::stopping;  // it most likely exits this moment: its status says more than our signal would
        step_ = Step::terminated;
        timer_ = now + kSettle;
      }
      return {};
    case Event::output_ended:
      output_ended_ = true;
      return state_ == State::settling ? settled() : Todo{};
    case Event::process_ended:
      if (state_ == State::settling) return {};
      state_ = State::settling;
      timer_ = now + kSettle;
      return settled();
    case Event::stop:
      asked_ = true;
      if (state_ != State::starting && state_ != State::ready && !cleaning()) return {};
      return end_of_file(now);
    case Event::finish:
      asked_ = true;
      if (state_ == State::starting) return end_of_file(now);
      if (state_ != State::ready) return {};
      state_ = State::stopping;
      step_ = Step::cleaning;
      timer_ = now + stop_;
      return {.clean_up = true};
    case Event::cleaned:
      return cleaning() ? end_of_file(now) : Todo{};
    case Event::give_up:
      if (state_ != State::starting && state_ != State::ready && !cleaning()) return {};
      state_ = State::stopping;
      step_ = Step::terminated;
      timer_ = now + stop_;
      return {.terminate = true};  // what it still says is heard: it may go on with the next request
    case Event::kill:
      return state_ == State::settling ? Todo{} : kill_now();
    case Event::timer:
      return now >= timer_ ? on_timer(now) : Todo{};
  }
  return {};
}

WorkerLife::Todo WorkerLife::on_timer(TimePoint now) {
  switch (state_) {
    case State::starting:
      timed_out_ = true;
      return kill_now();
    case State::stopping:
      if (step_ == Step::cleaning) return end_of_file(now);
      if (step_ == Step::end_of_file) {
        step_ = Step::terminated;
        timer_ = now + stop_;
        return {.terminate = true};
      }
      return kill_now();
    case State::settling:
      channel_ended_ = output_ended_ = true;
      return settled();
    case State::ready:
    case State::dead:
      return {};
  }
  return {};
}

WorkerLife::Todo WorkerLife::end_of_file(TimePoint now) {
  state_ = State::stopping;
  step_ = Step::end_of_file;
  timer_ = now + stop_;
  return {.close_channel = true};
}

WorkerLife::Todo WorkerLife::kill_now() {
  state_ = State::stopping;
  step_ = Step::killed;
  timer_ = TimePoint::max();
  return {.kill = true};
}

WorkerLife::Todo WorkerLife::settled() {
  if (!channel_ended_ || !output_ended_) return {};
  state_ = State::dead;
  timer_ = TimePoint::max();
  return {.report = true};
}

}  // namespace pons
