// Requests and workers. Sessions and resources have tests of their own.
#include "pool/dispatcher.h"

#include <gtest/gtest.h>

#include "tests/pool/dispatcher_fixture.h"

namespace pons {
namespace {

using Requests = DispatcherTest;

TEST_F(Requests, WaitsForAWorkerAndGoesToTheFirst) {
  make();
  const auto request = submit();
  EXPECT_TRUE(actions.empty());
  EXPECT_EQ(dispatcher->waiting(), 1u);
  up(kA);
  EXPECT_EQ(dispatched(request), kA);
  EXPECT_EQ(dispatcher->waiting(), 0u);
  EXPECT_EQ(dispatcher->running(), 1u);
  EXPECT_TRUE(dispatcher->is_running(request));
  answered(request);
  EXPECT_TRUE(actions.empty());
  EXPECT_FALSE(dispatcher->is_running(request));
  expect_empty();
}

TEST_F(Requests, NeverMoreThanInFlightOnAWorker) {
  make({.in_flight = 2});
  up(kA);
  const auto first = submit();
  const auto second = submit();
  EXPECT_EQ(dispatched(second), kA);
  const auto third = submit();
  EXPECT_FALSE(dispatched(third));
  answered(second);
  EXPECT_EQ(dispatched(third), kA);
  answered(first);
  answered(third);
  expect_empty();
}

TEST_F(Requests, WaitersAreServedInOrderOfArrival) {
  make();
  up(kA);
  auto running = submit();
  std::vector<RequestKey> waiting;
  for (int i = 0; i < 5; ++i) waiting.push_back(submit());
  for (const auto next : waiting) {
    answered(running);
    ASSERT_EQ(dispatched(next), kA);
    running = next;
  }
}

TEST_F(Requests, TheQueueIsBounded) {
  make({.queue = 2});
  up(kA);
  submit();
  submit();
  submit();
  const auto surplus = submit();
  EXPECT_EQ(refused(surplus), ErrorCode::overloaded);
  ASSERT_EQ(actions.size(), 1u);
  EXPECT_GE(actions[0].error.details.at("retry_after_ms").get<int>(), 1);
  EXPECT_EQ(dispatcher->waiting(), 2u);
}

TEST_F(Requests, WithoutAQueueNothingWaits) {
  make({.queue = 0});
  EXPECT_EQ(refused(submit()), ErrorCode::overloaded);
  up(kA);
  EXPECT_TRUE(dispatched(submit()));
  EXPECT_EQ(refused(submit()), ErrorCode::overloaded);
}

TEST_F(Requests, LeastLoadedChoosesTheFewestRunning) {
  make({.in_flight = 3});
  up(kA);
  up(kB);
  const auto first = submit();
  const auto to_first = *dispatched(first);
  submit();
  EXPECT_NE(*dispatched(last_key), to_first);
  submit();
  const auto third = *dispatched(last_key);
  submit();
  EXPECT_NE(*dispatched(last_key), third);
  for (const auto& load : dispatcher->workers()) EXPECT_EQ(load.in_flight, 2u);
}

TEST_F(Requests, EqualWorkersTakeTurns) {
  make();
  up(kA);
  up(kB);
  std::vector<WorkerKey> used;
  for (int i = 0; i < 4; ++i) {
    const auto request = submit();
    used.push_back(*dispatched(request));
    answered(request);
  }
  EXPECT_NE(used[0], used[1]);
  EXPECT_EQ(used[0], used[2]);
  EXPECT_EQ(used[1], used[3]);
}

TEST_F(Requests, LifoChoosesTheOneUsedLast) {
  make({.selection = Selection::lifo});
  up(kA);
  up(kB);
  const auto first = submit();
  const auto worker = *dispatched(first);
  answered(first);
  for (int i = 0; i < 4; ++i) {
    const auto request = submit();
    EXPECT_EQ(dispatched(request), worker);
    answered(request);
  }
}

TEST_F(Requests, QueueTimeoutWhileWaiting) {
  make();
  const auto request = submit({.queue = Millis(100)});
  EXPECT_EQ(dispatcher->next_deadline(), now + Millis(100));
  pass(Millis(99));
  tick();
  EXPECT_TRUE(actions.empty());
  pass(Millis(1));
  tick();
  EXPECT_EQ(refused(request), ErrorCode::queue_timeout);
  EXPECT_EQ(dispatcher->next_deadline(), TimePoint::max());
  expect_empty();
}

TEST_F(Requests, AnExpiredWaiterNeverReachesAWorker) {
  make();
  up(kA);
  const auto running = submit();
  const auto late = submit({.queue = Millis(100)});
  const auto next = submit();
  pass(Millis(100));
  answered(running);  // before the tick of that same moment
  EXPECT_FALSE(dispatched(late));
  EXPECT_EQ(refused(late), ErrorCode::queue_timeout);
  EXPECT_EQ(dispatched(next), kA);
}

TEST_F(Requests, AnExpiredWaiterDoesNotReachANewWorkerEither) {
  make();
  const auto late = submit({.queue = Millis(100)});
  pass(Millis(200));
  up(kA);
  EXPECT_EQ(refused(late), ErrorCode::queue_timeout);
  EXPECT_EQ(count(Kind::dispatch), 0u);
  expect_empty();
}

TEST_F(Requests, ARequestWithoutTimeIsRefusedAtTheDoor) {
  make();
  up(kA);
  const auto request = submit({.deadline = Millis(0)});
  EXPECT_FALSE(dispatched(request));
  EXPECT_EQ(refused(request), ErrorCode::queue_timeout);
  expect_empty();
}

TEST_F(Requests, AMissedDeadlineIsAnsweredButKeepsTheSlotUntilTheWorkerLetsGo) {
  make();
  up(kA);
  const auto request = submit({.deadline = Millis(500)});
  const auto next = submit();
  pass(Millis(500));
  tick();
  EXPECT_EQ(expired(request), ErrorCode::deadline_exceeded);
  EXPECT_FALSE(dispatched(next));
  EXPECT_FALSE(dispatcher->is_running(request));
  EXPECT_EQ(dispatcher->running(), 1u);
  EXPECT_FALSE(cancel(request)) << "its caller has had an answer";
  answered(request);
  EXPECT_EQ(dispatched(next), kA);
}

TEST_F(Requests, AWorkerThatDoesNotLetGoIsAbandonedOnce) {
  make({.cancel_grace = Millis(300)});
  up(kA);
  const auto request = submit({.deadline = Millis(500)});
  pass(Millis(500));
  tick();
  EXPECT_EQ(dispatcher->next_deadline(), now + Millis(300));
  pass(Millis(300));
  tick();
  ASSERT_EQ(actions.size(), 1u);
  EXPECT_EQ(actions[0].kind, Kind::abandon);
  EXPECT_EQ(actions[0].request, request);
  EXPECT_EQ(actions[0].worker, kA);
  pass(Millis(10'000));
  tick();
  EXPECT_TRUE(actions.empty());
  EXPECT_TRUE(down(kA).empty()) << "its caller has had an answer";
  expect_empty();
}

TEST_F(Requests, CancelOfAWaiterRefusesIt) {
  make();
  const auto request = submit();
  EXPECT_TRUE(cancel(request));
  EXPECT_EQ(refused(request), ErrorCode::cancelled);
  EXPECT_FALSE(cancel(request));
  EXPECT_EQ(dispatcher->next_deadline(), TimePoint::max());
  expect_empty();
}

TEST_F(Requests, CancelOfARunningOneByItsCaller) {
  make({.cancel_grace = Millis(300)});
  up(kA);
  const auto request = submit();
  EXPECT_TRUE(cancel(request));
  EXPECT_EQ(expired(request), ErrorCode::cancelled);
  EXPECT_EQ(dispatcher->next_deadline(), now + Millis(300));
}

TEST_F(Requests, CancelByDisconnectionLeavesTheWorkerUntilTheDeadline) {
  make({.cancel_grace = Millis(300)});
  up(kA);
  const auto request = submit({.deadline = Millis(5'000)});
  EXPECT_TRUE(cancel(request, CancelBy::disconnection));
  EXPECT_EQ(expired(request), ErrorCode::cancelled);
  EXPECT_EQ(dispatcher->next_deadline(), now + Millis(5'000));
  pass(Millis(4'999));
  tick();
  EXPECT_TRUE(actions.empty());
  pass(Millis(1));
  tick();
  EXPECT_EQ(count(Kind::abandon), 1u);
}

TEST_F(Requests, AnsweringTwiceOrUnknownIsIgnored) {
  make();
  up(kA);
  const auto request = submit();
  answered(request);
  answered(request);
  answered(4711);
  EXPECT_TRUE(actions.empty());
  EXPECT_TRUE(dispatched(submit()));
}

TEST_F(Requests, AnAnswerToWhatOnlyWaitsIsIgnored) {
  make();
  const auto request = submit();
  answered(request);
  EXPECT_EQ(dispatcher->waiting(), 1u);
  up(kA);
  EXPECT_EQ(dispatched(request), kA);
}

// ---- Workers

using Workers = DispatcherTest;

TEST_F(Workers, WhatHadBegunDiesWithItAndItsNeighboursGoElsewhereInTheirOldPlace) {
  make({.in_flight = 3});
  up(kA);
  const auto first = submit();
  const auto second = submit();
  const auto third = submit();
  const auto waiting = submit();
  EXPECT_EQ(down(kA), std::vector{first});
  EXPECT_EQ(dispatcher->waiting(), 3u);
  EXPECT_EQ(count(Kind::refuse), 0u);
  up(kB);
  ASSERT_EQ(actions.size(), 3u);
  EXPECT_EQ(actions[0].request, second);
  EXPECT_EQ(actions[1].request, third);
  EXPECT_EQ(actions[2].request, waiting);
}

TEST_F(Workers, NeighboursGoStraightToAnotherLivingWorker) {
  make({.in_flight = 2});
  up(kA);
  const auto first = submit();
  const auto second = submit();
  up(kB);
  EXPECT_EQ(down(kA), std::vector{first});
  EXPECT_EQ(dispatched(second), kB);
}

TEST_F(Workers, OutOfOrderAllMayHaveBegun) {
  make({.in_flight = 3});
  up(kA, {.in_order = false});
  const auto first = submit();
  const auto second = submit();
  EXPECT_EQ(down(kA), (std::vector{first, second}));
  expect_empty();
}

TEST_F(Workers, AnAbandonedHeadIsWhatHadBegun) {
  make({.in_flight = 2});
  up(kA);
  const auto first = submit();
  const auto second = submit();
  cancel(first);
  EXPECT_TRUE(down(kA).empty());
  EXPECT_EQ(dispatcher->waiting(), 1u);
  up(kB);
  EXPECT_EQ(dispatched(second), kB);
}

TEST_F(Workers, AMovedNeighbourKeepsItsOwnDeadline) {
  make({.in_flight = 2});
  up(kA);
  submit();
  const auto second = submit({.deadline = Millis(700)});
  pass(Millis(100));
  down(kA);
  EXPECT_EQ(dispatcher->next_deadline(), now + Millis(600));
  pass(Millis(600));
  tick();
  EXPECT_EQ(refused(second), ErrorCode::queue_timeout);
  expect_empty();
}

TEST_F(Workers, ADrainingWorkerGetsNothingNew) {
  make();
  up(kA);
  const auto running = submit();
  const auto next = submit();
  dispatcher->worker_draining(kA);
  answered(running);
  EXPECT_TRUE(actions.empty());
  up(kB);
  EXPECT_EQ(dispatched(next), kB);
}

TEST_F(Workers, RefuseAllEndsWhatWaitsAndLeavesWhatRuns) {
  make();
  up(kA);
  const auto running = submit();
  const auto plain = submit();
  const auto session = submit_session("s");
  const auto behind = submit_session("s");
  actions.clear();
  dispatcher->refuse_all(Error{ErrorCode::pool_failed, "No"}, actions);
  EXPECT_EQ(refused(plain), ErrorCode::pool_failed);
  EXPECT_EQ(refused(session), ErrorCode::pool_failed);
  EXPECT_EQ(refused(behind), ErrorCode::pool_failed);
  EXPECT_EQ(actions.size(), 3u);
  EXPECT_EQ(dispatcher->session_count(), 0u);
  EXPECT_TRUE(dispatcher->is_running(running));
  EXPECT_EQ(dispatcher->waiting(), 0u);
}

TEST_F(Workers, AShareGoesToItsWorkerOnly) {
  make({.queue = 0});
  up(kA);
  up(kB);
  const auto first = submit({.only_on = kB});
  EXPECT_EQ(dispatched(first), kB);
  const auto second = submit({.only_on = kB});
  EXPECT_TRUE(actions.empty()) << "shares wait although the queue is full";
  answered(first);
  EXPECT_EQ(dispatched(second), kB);
}

TEST_F(Workers, AShareOfADeadWorkerFails) {
  make();
  up(kA);
  EXPECT_EQ(refused(submit({.only_on = kB})), ErrorCode::worker_crashed);
  up(kB);
  const auto running = submit({.only_on = kB});
  const auto waiting = submit({.only_on = kB});
  EXPECT_EQ(down(kB), std::vector{running});
  EXPECT_EQ(refused(waiting), ErrorCode::worker_crashed);
  expect_empty();
}

TEST_F(Workers, AShareDoesNotCareForSessionAndResource) {
  make();
  up(kA);
  up(kB);
  const auto bound = submit_session("s");
  const auto holder = *dispatched(bound);
  answered(bound);
  ASSERT_TRUE(dispatcher->bind_resource("r", holder));
  const auto other = holder == kA ? kB : kA;
  EXPECT_EQ(dispatched(submit({.session = "s", .only_on = other})), other);
  answered(last_key);
  EXPECT_EQ(dispatched(submit({.resource = "r", .only_on = other})), other);
}

}  // namespace
}  // namespace pons
