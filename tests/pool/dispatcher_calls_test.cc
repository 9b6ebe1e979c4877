// Reverse requests: their place in the queue, and those that could only wait for themselves.
#include <gtest/gtest.h>

#include "tests/pool/dispatcher_fixture.h"

namespace pons {
namespace {

using Calls = DispatcherTest;

TEST_F(Calls, GoBeforeOthersInTheQueueAndAmongThemselvesInOrder) {
  make({.size = 2});
  up(kA);
  const auto running = submit();
  const auto root = submit();
  const auto first = call({});  // of another pool's worker
  const auto second = call({});
  answered(running);
  EXPECT_EQ(dispatched(first), kA);
  answered(first);
  EXPECT_EQ(dispatched(second), kA);
  answered(second);
  EXPECT_EQ(dispatched(root), kA);
  answered(root);
  expect_empty();
}

TEST_F(Calls, TheFirstWaiterIsTheOldestOfBothKinds) {
  make({.size = 2});
  up(kA);
  submit();
  const auto start = now;
  submit();
  pass(Millis{50});
  call({});
  EXPECT_EQ(dispatcher->waiting_since(), start);
}

TEST_F(Calls, OfTheOnlyWorkerByItselfIsACycle) {
  make({.size = 1});
  up(kA);
  const auto parent = submit();
  EXPECT_EQ(refused(call({parent})), ErrorCode::call_cycle);
  EXPECT_TRUE(dispatcher->is_running(parent));
  answered(parent);
  expect_empty();
}

TEST_F(Calls, OfAnotherWorkerOfTheSamePoolRuns) {
  make({.size = 2});
  up(kA);
  up(kB);
  const auto parent = submit();
  EXPECT_EQ(dispatched(parent), kA);
  const auto child = call({parent});
  EXPECT_EQ(dispatched(child), kB);
  EXPECT_EQ(refused(call({child, parent})), ErrorCode::call_cycle);  // both are held now
  answered(child);
  answered(parent);
  expect_empty();
}

TEST_F(Calls, WaitForAWorkerThatMayStillCome) {
  make({.size = 1, .overflow = 1});
  up(kA);
  const auto parent = submit();
  const auto child = call({parent});
  EXPECT_FALSE(refused(child));
  EXPECT_FALSE(dispatched(child));
  up(kB);
  EXPECT_EQ(dispatched(child), kB);
}

TEST_F(Calls, WaitForTheOneThatFollowsARetiringWorker) {
  make({.size = 1});
  up(kA);
  const auto parent = submit();
  retire(kA);
  const auto child = call({parent});
  EXPECT_FALSE(refused(child));
  up(kB);
  EXPECT_EQ(dispatched(child), kB);
}

TEST_F(Calls, WaitForARequestThatIsNoAncestor) {
  make({.size = 2});
  up(kA);
  up(kB);
  const auto parent = submit();
  const auto other = submit();
  const auto child = call({parent});
  EXPECT_FALSE(refused(child));
  answered(other);
  EXPECT_EQ(dispatched(child), kB);
}

TEST_F(Calls, AreNotWrittenBehindTheirAncestorToAWorkerThatKeepsTheOrder) {
  make({.in_flight = 4, .size = 2});
  up(kA);
  up(kB);
  const auto parent = submit();
  EXPECT_EQ(dispatched(parent), kA);
  const auto other = submit();
  EXPECT_EQ(dispatched(other), kB);
  EXPECT_EQ(dispatched(call({parent})), kB);
  EXPECT_EQ(dispatched(call({parent})), kB);
}

TEST_F(Calls, UseAnotherSlotOfAWorkerThatServesSeveralAtATime) {
  make({.in_flight = 2, .size = 1});
  up(kA, {.in_order = false});
  const auto parent = submit();
  const auto child = call({parent});
  EXPECT_EQ(dispatched(child), kA);
  EXPECT_EQ(refused(call({child, parent})), ErrorCode::call_cycle);
}

TEST_F(Calls, ThatWaitBehindAnAncestorRunOnceItsWorkerProvesToServeSeveral) {
  make({.in_flight = 3, .size = 1, .overflow = 1});
  up(kA);
  const auto parent = submit();
  const auto second = submit();
  const auto child = call({parent});
  EXPECT_FALSE(dispatched(child));
  actions.clear();
  dispatcher->spoke(second, now, actions);
  EXPECT_EQ(dispatched(child), kA);
}

TEST_F(Calls, OfTheirOwnSessionAreACycle) {
  make({.size = 2});
  up(kA);
  up(kB);
  const auto parent = submit_session("s");
  EXPECT_EQ(refused(call({parent}, {.session = "s"})), ErrorCode::call_cycle);
  EXPECT_EQ(dispatched(call({parent}, {.session = "t"})), kB);
}

TEST_F(Calls, OfAResourceOnTheirAncestorsWorkerAreACycle) {
  make({.size = 2});
  up(kA);
  up(kB);
  const auto parent = submit();
  ASSERT_EQ(dispatched(parent), kA);
  dispatcher->bind_resource("here", kA);
  dispatcher->bind_resource("there", kB);
  EXPECT_EQ(refused(call({parent}, {.resource = "here"})), ErrorCode::call_cycle);
  EXPECT_EQ(dispatched(call({parent}, {.resource = "there"})), kB);
}

TEST_F(Calls, OfAllWorkersAreACycleForTheShareOfTheirAncestor) {
  make({.size = 2});
  up(kA);
  up(kB);
  const auto parent = submit();
  EXPECT_EQ(refused(call({parent}, {.only_on = kA, .gathered = 99})), ErrorCode::call_cycle);
  EXPECT_EQ(dispatched(call({parent}, {.only_on = kB, .gathered = 99})), kB);
}

TEST_F(Calls, AnAncestorThatHasEndedHoldsNothing) {
  make({.size = 1});
  up(kA);
  const auto parent = submit();
  answered(parent);
  EXPECT_EQ(dispatched(call({parent})), kA);
}

}  // namespace
}  // namespace pons
