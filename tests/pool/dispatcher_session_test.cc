// Sessions of a dispatcher.
#include <gtest/gtest.h>

#include "pool/dispatcher.h"
#include "tests/pool/dispatcher_fixture.h"

namespace pons {
namespace {

using Sessions = DispatcherTest;

TEST_F(Sessions, OneAtATimeInOrderAllOnOneWorker) {
  make({.in_flight = 4});
  up(kA);
  up(kB);
  const auto first = submit_session("s");
  const auto worker = dispatched(first);
  ASSERT_TRUE(worker);
  EXPECT_TRUE(event("bound", "s"));
  const auto second = submit_session("s");
  const auto third = submit_session("s");
  EXPECT_TRUE(actions.empty());
  EXPECT_EQ(dispatcher->waiting(), 2u);
  answered(first);
  EXPECT_EQ(dispatched(second), worker);
  EXPECT_FALSE(dispatched(third));
  answered(second);
  EXPECT_EQ(dispatched(third), worker);
}

TEST_F(Sessions, BoundBeforeTheFirstByteIsSent) {
  make();
  up(kA);
  const auto request = submit_session("s");
  ASSERT_EQ(actions.size(), 2u);
  EXPECT_EQ(actions[0].kind, Kind::session_event);
  EXPECT_EQ(actions[1].kind, Kind::dispatch);
  EXPECT_EQ(actions[1].request, request);
}

TEST_F(Sessions, WaitForTheirWorkerThoughAnotherIsFree) {
  make();
  up(kA);
  answered(submit_session("s"));
  const auto other = submit();  // keeps A busy
  up(kB);
  const auto request = submit_session("s");
  EXPECT_FALSE(dispatched(request));
  answered(other);
  EXPECT_EQ(dispatched(request), kA);
}

TEST_F(Sessions, LostWithTheirWorkerUntilTheyAreEnded) {
  make();
  up(kA);
  up(kB);
  const auto running = submit_session("s");
  const auto worker = *dispatched(running);
  const auto behind = submit_session("s");
  EXPECT_EQ(down(worker), std::vector{running});
  EXPECT_EQ(refused(behind), ErrorCode::session_lost);
  EXPECT_TRUE(event("lost", "s"));
  EXPECT_EQ(refused(submit_session("s")), ErrorCode::session_lost);
  EXPECT_TRUE(end_session("s"));
  EXPECT_TRUE(event("ended", "s"));
  EXPECT_EQ(count(Kind::end_session), 0u) << "there is no worker to tell";
  EXPECT_TRUE(dispatched(submit_session("s")));
}

TEST_F(Sessions, ALostOneThatWasIdle) {
  make();
  up(kA);
  answered(submit_session("s"));
  down(kA);
  EXPECT_TRUE(event("lost", "s"));
  ASSERT_EQ(dispatcher->sessions().size(), 1u);
  EXPECT_TRUE(dispatcher->sessions()[0].lost);
  up(kA);
  EXPECT_EQ(refused(submit_session("s")), ErrorCode::session_lost);
}

TEST_F(Sessions, ALostOneIsRememberedForItsWholeTimeToLive) {
  make({.in_flight = 2, .sessions = {.ttl = Millis(1'000)}});
  up(kA);
  submit();
  submit_session("s");  // written behind the other: it has not begun
  pass(Millis(100));
  down(kA);
  EXPECT_TRUE(event("lost", "s"));
  pass(Millis(999));
  tick();
  EXPECT_EQ(refused(submit_session("s")), ErrorCode::session_lost);
  pass(Millis(1));
  tick();
  EXPECT_EQ(dispatcher->session_count(), 0u);
}

TEST_F(Sessions, NotBoundYetAreNotLost) {
  make();
  const auto request = submit_session("s");
  up(kA);
  EXPECT_EQ(dispatched(request), kA);
}

TEST_F(Sessions, EndInTheOrderOfTheirRequests) {
  make();
  up(kA);
  up(kB);
  const auto first = submit_session("s");
  const auto worker = *dispatched(first);
  const auto second = submit_session("s");
  EXPECT_TRUE(end_session("s"));
  EXPECT_TRUE(actions.empty());
  const auto third = submit_session("s");
  answered(first);
  EXPECT_EQ(dispatched(second), worker);
  answered(second);
  EXPECT_TRUE(told_to_end(worker, "s"));
  EXPECT_TRUE(event("ended", "s"));
  EXPECT_TRUE(dispatched(third));
  EXPECT_TRUE(event("bound", "s")) << "what comes after the end is a new session";
}

TEST_F(Sessions, WhatFollowsAnEndFindsAnotherFreeWorker) {
  make();
  up(kA);
  const auto first = submit_session("s");
  end_session("s");
  const auto next = submit_session("s");
  up(kB);
  dispatcher->worker_draining(kA);
  answered(first);
  EXPECT_EQ(dispatched(next), kB);
}

TEST_F(Sessions, WhatFollowsAnEndGoesToItsResource) {
  make();
  up(kA);
  const auto first = submit_session("s");
  end_session("s");
  up(kB);
  ASSERT_TRUE(dispatcher->bind_resource("r", kB));
  const auto next = submit({.session = "s", .resource = "r"});
  answered(first);
  EXPECT_EQ(dispatched(next), kB);
}

TEST_F(Sessions, EndOfAnIdleOneTellsItsWorker) {
  make();
  up(kA);
  answered(submit_session("s"));
  EXPECT_TRUE(end_session("s"));
  EXPECT_TRUE(told_to_end(kA, "s"));
  EXPECT_TRUE(event("ended", "s"));
  EXPECT_EQ(dispatcher->session_count(), 0u);
  EXPECT_FALSE(end_session("s"));
}

TEST_F(Sessions, AnEndBehindALostOneMakesRoomForANewOne) {
  make();
  up(kA);
  up(kB);
  const auto running = submit_session("s");
  const auto worker = *dispatched(running);
  end_session("s");
  const auto next = submit_session("s");
  EXPECT_EQ(down(worker), std::vector{running});
  EXPECT_FALSE(refused(next));
  EXPECT_EQ(dispatched(next), worker == kA ? kB : kA);
  EXPECT_EQ(count(Kind::end_session), 0u);
}

TEST_F(Sessions, ADeadWorkerIsNotToldThatASessionEnded) {
  make();
  up(kA);
  const auto abandoned = submit_session("s");
  end_session("s");
  cancel(abandoned);
  down(kA);
  EXPECT_EQ(count(Kind::end_session), 0u);
  EXPECT_TRUE(event("ended", "s"));
  EXPECT_EQ(dispatcher->session_count(), 0u);
}

TEST_F(Sessions, ExpireWhenUnused) {
  make({.sessions = {.ttl = Millis(1'000)}});
  up(kA);
  const auto request = submit_session("s");
  pass(Millis(5'000));
  tick();
  EXPECT_TRUE(actions.empty()) << "not while a request runs";
  answered(request);
  EXPECT_EQ(dispatcher->next_deadline(), now + Millis(1'000));
  pass(Millis(999));
  tick();
  EXPECT_TRUE(actions.empty());
  pass(Millis(1));
  tick();
  EXPECT_TRUE(told_to_end(kA, "s"));
  EXPECT_EQ(dispatcher->session_count(), 0u);
  EXPECT_EQ(dispatcher->next_deadline(), TimePoint::max());
}

TEST_F(Sessions, ExpireInTheirOwnOrder) {
  make({.sessions = {.ttl = Millis(1'000)}});
  up(kA);
  up(kB);
  const auto first = submit_session("a");
  const auto worker = *dispatched(first);
  answered(first);
  const auto busy = submit_session("b");  // on the other worker, running when the first dies
  pass(Millis(500));
  down(worker);  // "a" is lost; it was used last at 0
  answered(busy);
  pass(Millis(500));
  tick();
  EXPECT_TRUE(event("ended", "a") || dispatcher->session_count() == 2u);
  EXPECT_LE(dispatcher->next_deadline(), now + Millis(500));
}

TEST_F(Sessions, ABusyOneThatIsLostKeepsTheOrderOfExpiry) {
  make({.sessions = {.ttl = Millis(1'000)}});
  up(kA);
  up(kB);
  const auto first = submit_session("a");
  const auto worker = *dispatched(first);
  answered(first);
  const auto blocker = submit({.only_on = worker});
  const auto waiting = submit_session("a");
  pass(Millis(300));
  answered(submit_session("b"));
  pass(Millis(100));
  EXPECT_EQ(down(worker), std::vector{blocker});
  EXPECT_EQ(refused(waiting), ErrorCode::session_lost);
  auto earliest = TimePoint::max();
  for (const auto& session : dispatcher->sessions()) earliest = std::min(earliest, session.expires);
  EXPECT_EQ(dispatcher->next_deadline(), earliest);
}

TEST_F(Sessions, ANewOneWasUsedNow) {
  make({.sessions = {.ttl = Millis(1'000)}});
  up(kA);
  submit_session("s");
  ASSERT_EQ(dispatcher->sessions().size(), 1u);
  EXPECT_EQ(dispatcher->sessions()[0].last_used, now);
  EXPECT_EQ(dispatcher->sessions()[0].expires, now + Millis(1'000));
}

TEST_F(Sessions, AreLimitedPerAdapter) {
  make({.in_flight = 9, .sessions = {.max = 2}});
  up(kA);
  submit_session("a");
  submit_session("b");
  EXPECT_EQ(refused(submit_session("c")), ErrorCode::session_limit);
  EXPECT_TRUE(actions.size() == 1 && dispatcher->session_count() == 2);
  EXPECT_FALSE(refused(submit_session("a")));
}

TEST_F(Sessions, ALostOneMakesRoom) {
  make({.sessions = {.max = 1}});
  up(kA);
  answered(submit_session("a"));
  down(kA);
  up(kB);
  EXPECT_EQ(dispatched(submit_session("b")), kB);
  EXPECT_EQ(dispatcher->session_count(), 1u);
}

TEST_F(Sessions, TheLostOneThatWasUnusedForTheLongestMakesRoom) {
  make({.in_flight = 9, .sessions = {.max = 3}});
  up(kA);
  const auto running = submit_session("running");
  for (const auto* id : {"old", "new"}) {
    pass(Millis(10));
    answered(submit_session(id));
  }
  EXPECT_EQ(down(kA), std::vector{running});
  up(kB);
  const auto rest = [&](const std::string& next) {
    EXPECT_EQ(dispatched(submit_session(next)), kB);
    std::set<std::string> ids;
    for (const auto& info : dispatcher->sessions()) {
      if (info.lost) ids.insert(info.id);
    }
    return ids;
  };
  using Ids = std::set<std::string>;
  EXPECT_EQ(rest("a"), (Ids{"new", "running"}));
  EXPECT_EQ(refused(submit_session("running")), ErrorCode::session_lost) << "which does not count as use";
  EXPECT_EQ(rest("b"), Ids{"running"});
  EXPECT_EQ(rest("c"), Ids{});
  EXPECT_EQ(refused(submit_session("d")), ErrorCode::session_limit);
}

TEST_F(Sessions, AreLimitedPerWorker) {
  make({.sessions = {.max_per_worker = 1}});
  up(kA);
  up(kB);
  answered(submit_session("a"));
  answered(submit_session("b"));
  for (const auto& load : dispatcher->workers()) EXPECT_EQ(load.sessions, 1u);
  EXPECT_EQ(refused(submit_session("c")), ErrorCode::session_limit);
}

TEST_F(Sessions, AnEndLetsOneInThatWaitedForRoom) {
  make({.sessions = {.max_per_worker = 1}});
  up(kA);
  const auto running = submit();
  const auto first = submit_session("a");
  const auto second = submit_session("b");  // there was room when it came
  answered(running);
  EXPECT_EQ(dispatched(first), kA);
  answered(first);
  EXPECT_FALSE(dispatched(second));
  end_session("a");
  EXPECT_EQ(dispatched(second), kA);
}

TEST_F(Sessions, AnExpiryLetsOneInThatWaitedForRoom) {
  make({.sessions = {.ttl = Millis(1'000), .max_per_worker = 1}});
  up(kA);
  const auto running = submit();
  const auto first = submit_session("a");
  const auto second = submit_session("b");
  answered(running);
  answered(first);
  pass(Millis(1'000));
  tick();
  EXPECT_EQ(dispatched(second), kA);
}

TEST_F(Sessions, ACleanupLetsOneInThatWaitedForRoom) {
  make({.sessions = {.max_per_worker = 1}});
  up(kA);
  const auto running = submit();
  const auto first = submit_session("a");
  const auto second = submit_session("b");
  const auto cleanup = submit({.only_on = kA});
  answered(running);
  answered(first);
  dispatcher->forget_worker_state(kA, actions);
  answered(cleanup);
  EXPECT_EQ(dispatched(second), kA);
}

TEST_F(Sessions, AResourceDoesNotLetOneInAboveTheLimit) {
  make({.sessions = {.max_per_worker = 1}});
  up(kA);
  up(kB);
  const auto first = submit_session("a");
  const auto holder = *dispatched(first);
  answered(first);
  ASSERT_TRUE(dispatcher->bind_resource("r", holder));
  EXPECT_EQ(refused(submit({.session = "b", .resource = "r"})), ErrorCode::session_limit);
  for (const auto& load : dispatcher->workers()) EXPECT_LE(load.sessions, 1u);
}

TEST_F(Sessions, CancellingWhatIsBehindLeavesTheOthersInOrder) {
  make();
  up(kA);
  const auto first = submit_session("s");
  const auto second = submit_session("s");
  const auto third = submit_session("s");
  EXPECT_TRUE(cancel(second));
  EXPECT_EQ(refused(second), ErrorCode::cancelled);
  answered(first);
  EXPECT_EQ(dispatched(third), kA);
}

TEST_F(Sessions, AMissedDeadlineHoldsTheSessionUntilItsWorkerLetsGo) {
  make({.in_flight = 4});
  up(kA);
  const auto first = submit({.session = "s", .deadline = Millis(100)});
  const auto second = submit_session("s");
  pass(Millis(100));
  tick();
  EXPECT_EQ(expired(first), ErrorCode::deadline_exceeded);
  EXPECT_FALSE(dispatched(second));
  answered(first);
  EXPECT_EQ(dispatched(second), kA);
}

}  // namespace
}  // namespace pons
