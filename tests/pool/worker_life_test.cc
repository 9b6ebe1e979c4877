#include "pool/worker_life.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <random>
#include <string>

namespace pons {
namespace {

class WorkerLifeTest : public testing::Test {
 protected:
  using State = WorkerLife::State;
  using Event = WorkerLife::Event;

  static Timeouts timeouts() {
    Timeouts timeouts;
    timeouts.startup = Millis(1'000);
    timeouts.stop = Millis(300);
    return timeouts;
  }
  /// What is to be done, as letters: ready, u for cleaning up, close, terminate, kill, report.
  std::string on(Event event) {
    const auto todo = life.on(event, now);
    std::string text;
    if (todo.announce_ready) text += 'r';
    if (todo.clean_up) text += 'u';
    if (todo.close_channel) text += 'c';
    if (todo.terminate) text += 't';
    if (todo.kill) text += 'k';
    if (todo.report) text += '!';
    return text;
  }
  std::string wait() {
    now = life.timer();
    return on(Event::timer);
  }
  void end_channel_and_output() {
    EXPECT_EQ(on(Event::channel_ended), "");
    EXPECT_EQ(on(Event::output_ended), "");
  }

  TimePoint now{std::chrono::hours(1)};
  WorkerLife life{timeouts(), now};
};

TEST_F(WorkerLifeTest, BecomesReadyAndHasNoDeadlineThen) {
  EXPECT_EQ(life.state(), State::starting);
  EXPECT_EQ(life.timer(), now + Millis(1'000));
  EXPECT_EQ(on(Event::handshake_done), "r");
  EXPECT_EQ(life.state(), State::ready);
  EXPECT_TRUE(life.was_ready());
  EXPECT_EQ(life.timer(), TimePoint::max());
  EXPECT_EQ(on(Event::handshake_done), "") << "only once";
}

TEST_F(WorkerLifeTest, NotReadyInTime) {
  now += Millis(999);
  EXPECT_EQ(on(Event::timer), "") << "an early timer says nothing";
  now += Millis(1);
  EXPECT_EQ(on(Event::timer), "k");
  EXPECT_TRUE(life.timed_out());
  EXPECT_FALSE(life.was_ready());
  EXPECT_EQ(on(Event::handshake_done), "") << "too late";
  end_channel_and_output();
  EXPECT_EQ(on(Event::process_ended), "!");
}

TEST_F(WorkerLifeTest, AFailedHandshakeLeavesTimeToEndWithAStatus) {
  EXPECT_EQ(on(Event::handshake_failed), "c");
  EXPECT_FALSE(life.timed_out());
  EXPECT_FALSE(life.asked_to_stop());
  EXPECT_EQ(life.timer(), now + Millis(300));
  EXPECT_EQ(wait(), "k");
}

TEST_F(WorkerLifeTest, TheLadder) {
  on(Event::handshake_done);
  EXPECT_EQ(on(Event::stop), "c");
  EXPECT_TRUE(life.asked_to_stop());
  EXPECT_EQ(life.timer(), now + Millis(300));
  EXPECT_EQ(wait(), "t");
  EXPECT_EQ(life.timer(), now + Millis(300));
  EXPECT_EQ(wait(), "k");
  EXPECT_EQ(life.timer(), TimePoint::max());
  EXPECT_EQ(on(Event::process_ended), "");
  EXPECT_EQ(life.state(), State::settling);
  EXPECT_EQ(on(Event::output_ended), "");
  EXPECT_EQ(on(Event::channel_ended), "!");
}

TEST_F(WorkerLifeTest, StoppedInTimeNeedsNoSignal) {
  on(Event::handshake_done);
  on(Event::stop);
  end_channel_and_output();
  EXPECT_EQ(on(Event::process_ended), "!");
  EXPECT_EQ(life.state(), State::dead);
}

TEST_F(WorkerLifeTest, StopWhileStarting) {
  EXPECT_EQ(on(Event::stop), "c");
  EXPECT_EQ(on(Event::handshake_done), "");
  EXPECT_EQ(on(Event::handshake_failed), "");
  EXPECT_EQ(wait(), "t");
}

TEST_F(WorkerLifeTest, GivingUpSkipsTheEndOfFile) {
  on(Event::handshake_done);
  EXPECT_EQ(on(Event::give_up), "t") << "what it still says is heard";
  EXPECT_FALSE(life.asked_to_stop());
  EXPECT_EQ(life.timer(), now + Millis(300));
  EXPECT_EQ(wait(), "k");
}

TEST_F(WorkerLifeTest, OneThatIsReplacedCleansUpFirst) {
  on(Event::handshake_done);
  EXPECT_EQ(on(Event::finish), "u");
  EXPECT_TRUE(life.asked_to_stop());
  EXPECT_EQ(on(Event::cleaned), "c");
  EXPECT_EQ(wait(), "t");
  EXPECT_EQ(wait(), "k");
}

TEST_F(WorkerLifeTest, CleaningUpTakesNoLongerThanAnyOtherStep) {
  on(Event::handshake_done);
  on(Event::finish);
  EXPECT_EQ(life.timer(), now + Millis(300));
  EXPECT_EQ(wait(), "c");
  EXPECT_EQ(on(Event::cleaned), "") << "too late";
}

TEST_F(WorkerLifeTest, GivingUpDoesNotSlowDownAStop) {
  on(Event::handshake_done);
  on(Event::stop);
  const auto timer = life.timer();
  EXPECT_EQ(on(Event::give_up), "");
  EXPECT_EQ(life.timer(), timer);
}

TEST_F(WorkerLifeTest, AnEndedChannelGetsAMomentToExitByItself) {
  on(Event::handshake_done);
  EXPECT_EQ(on(Event::channel_ended), "");
  EXPECT_EQ(life.timer(), now + WorkerLife::kSettle);
  EXPECT_EQ(on(Event::output_ended), "");
  EXPECT_EQ(on(Event::process_ended), "!");
}

TEST_F(WorkerLifeTest, AnEndedChannelWithoutAnExitIsKilled) {
  on(Event::handshake_done);
  on(Event::channel_ended);
  EXPECT_EQ(wait(), "k");
}

TEST_F(WorkerLifeTest, KillAtOnceInEveryLivingState) {
  EXPECT_EQ(on(Event::kill), "k");
  EXPECT_EQ(on(Event::kill), "k") << "again does no harm";
  on(Event::process_ended);
  EXPECT_EQ(on(Event::kill), "") << "it has been reaped";
}

TEST_F(WorkerLifeTest, NotReportedBeforeItsOutputHasBeenRead) {
  on(Event::handshake_done);
  EXPECT_EQ(on(Event::process_ended), "");
  EXPECT_EQ(on(Event::channel_ended), "");
  EXPECT_EQ(life.state(), State::settling);
  EXPECT_EQ(on(Event::output_ended), "!");
}

TEST_F(WorkerLifeTest, AGrandchildThatHoldsTheOutputDelaysTheReportOnlyForAMoment) {
  on(Event::handshake_done);
  on(Event::process_ended);
  EXPECT_EQ(life.timer(), now + WorkerLife::kSettle);
  now += WorkerLife::kSettle - Millis(1);
  EXPECT_EQ(on(Event::timer), "");
  EXPECT_EQ(on(Event::process_ended), "") << "said again, it does not begin anew";
  now += Millis(1);
  EXPECT_EQ(on(Event::timer), "!");
}

TEST_F(WorkerLifeTest, TheDeadSayNothing) {
  end_channel_and_output();
  EXPECT_EQ(on(Event::process_ended), "!");
  EXPECT_EQ(life.timer(), TimePoint::max());
  for (const auto event : {Event::handshake_done, Event::handshake_failed, Event::channel_ended, Event::output_ended, Event::process_ended,
                           Event::stop, Event::give_up, Event::kill, Event::timer}) {
    EXPECT_EQ(on(event), "");
  }
  EXPECT_EQ(life.state(), State::dead);
}

TEST_F(WorkerLifeTest, RandomSequences) {
  constexpr std::array kEvents{
      Event::handshake_done, Event::handshake_failed, Event::channel_ended, Event::output_ended, Event::process_ended,
      Event::stop,           Event::give_up,          Event::kill,          Event::timer,        Event::finish,
      Event::cleaned};
  for (unsigned seed = 1; seed <= 2'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto below = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(random); };
    life = WorkerLife(timeouts(), now);
    int ready = 0;
    int reports = 0;
    bool channel_ended = false;
    bool output_ended = false;
    std::optional<TimePoint> process_ended;
    const auto step = [&](Event event) {
      channel_ended = channel_ended || event == Event::channel_ended;
      output_ended = output_ended || event == Event::output_ended;
      if (event == Event::process_ended && !process_ended) process_ended = now;
      const auto todo = life.on(event, now);
      ready += todo.announce_ready ? 1 : 0;
      ASSERT_FALSE(reports > 0 && (todo.announce_ready || todo.close_channel || todo.terminate || todo.kill || todo.report));
      ASSERT_FALSE(process_ended && (todo.kill || todo.terminate)) << "a signal to a process that was reaped";
      if (!todo.report) return;
      ++reports;
      ASSERT_TRUE(process_ended);
      ASSERT_TRUE((channel_ended && output_ended) || now >= *process_ended + WorkerLife::kSettle);
    };
    for (int i = 0; i < 40; ++i) {
      now += Millis(below(60));
      step(kEvents[static_cast<std::size_t>(below(static_cast<int>(kEvents.size())))]);
    }
    // From here on time alone must bring every life to its end, but for those that live and were never told to go.
    step(Event::stop);
    for (int i = 0; i < 10 && life.timer() != TimePoint::max(); ++i) {
      now = std::max(now, life.timer());
      step(Event::timer);
    }
    if (reports == 0) {
      ASSERT_EQ(life.state(), State::stopping) << "killed, not ended yet";
      step(Event::process_ended);
      now += WorkerLife::kSettle;
      step(Event::timer);
    }
    ASSERT_EQ(reports, 1);
    ASSERT_LE(ready, 1);
    ASSERT_EQ(life.was_ready(), ready == 1);
    ASSERT_EQ(life.timer(), TimePoint::max());
  }
}

}  // namespace
}  // namespace pons
