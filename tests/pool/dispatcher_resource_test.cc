// Resources of a dispatcher.
#include <gtest/gtest.h>

#include "pool/dispatcher.h"
#include "tests/pool/dispatcher_fixture.h"

namespace pons {
namespace {

using Resources = DispatcherTest;

TEST_F(Resources, RequestsRunWhereTheyAre) {
  make();
  up(kA);
  up(kB);
  ASSERT_TRUE(dispatcher->bind_resource("r", kB));
  EXPECT_EQ(dispatcher->resource_count(), 1u);
  for (int i = 0; i < 3; ++i) {
    const auto request = submit_resource("r");
    EXPECT_EQ(dispatched(request), kB);
    answered(request);
  }
}

TEST_F(Resources, AnUnknownOneGoesToAnyWorker) {
  make();
  up(kA);
  EXPECT_EQ(dispatched(submit_resource("r")), kA);
}

TEST_F(Resources, LostWithTheirWorker) {
  make();
  up(kA);
  up(kB);
  ASSERT_TRUE(dispatcher->bind_resource("r", kA));
  const auto running = submit({.only_on = kA});
  const auto waiting = submit_resource("r");
  EXPECT_EQ(down(kA), std::vector{running});
  EXPECT_EQ(refused(waiting), ErrorCode::resource_not_found);
  EXPECT_EQ(refused(submit_resource("r")), ErrorCode::resource_not_found);
  EXPECT_EQ(dispatcher->resource_count(), 0u);
  ASSERT_TRUE(dispatcher->bind_resource("r", kB));
  EXPECT_EQ(dispatched(submit_resource("r")), kB);
}

TEST_F(Resources, AnIdOfALivingWorkerIsNotTakenByAnother) {
  make();
  up(kA);
  up(kB);
  EXPECT_TRUE(dispatcher->bind_resource("r", kA));
  EXPECT_TRUE(dispatcher->bind_resource("r", kA));
  EXPECT_FALSE(dispatcher->bind_resource("r", kB));
  EXPECT_EQ(dispatcher->resource_count(), 1u);
  dispatcher->drop_resource("r");
  EXPECT_EQ(dispatcher->resource_count(), 0u);
  EXPECT_TRUE(dispatcher->bind_resource("r", kB));
}

TEST_F(Resources, SessionAndResourceOnDifferentWorkers) {
  make();
  up(kA);
  up(kB);
  const auto first = submit_session("s");
  const auto other = *dispatched(first) == kA ? kB : kA;
  answered(first);
  ASSERT_TRUE(dispatcher->bind_resource("r", other));
  EXPECT_EQ(refused(submit({.session = "s", .resource = "r"})), ErrorCode::bad_request);
  EXPECT_FALSE(refused(submit_session("s"))) << "the session goes on";
}

TEST_F(Resources, BehindASessionTheyAreLookedUpWhenTheirTurnComes) {
  make();
  up(kA);
  up(kB);
  const auto first = submit_session("s");
  const auto holder = *dispatched(first);
  const auto other = holder == kA ? kB : kA;
  ASSERT_TRUE(dispatcher->bind_resource("r", other));
  const auto behind = submit({.session = "s", .resource = "r"});
  down(other);
  answered(first);
  EXPECT_EQ(refused(behind), ErrorCode::resource_not_found) << "not: it lives on a different worker";
}

TEST_F(Resources, CreatedByTheRequestBeforeInTheSameSession) {
  make();
  up(kA);
  up(kB);
  const auto create = submit_session("s");
  const auto holder = *dispatched(create);
  const auto use = submit({.session = "s", .resource = "r"});
  ASSERT_TRUE(dispatcher->bind_resource("r", holder));
  answered(create);
  EXPECT_EQ(dispatched(use), holder);
}

TEST_F(Resources, AWrittenRequestFollowsAResourceThatLivesElsewhere) {
  make({.in_flight = 2});
  up(kA);
  const auto first = submit();
  const auto use = submit_resource("r");  // nobody knew it when it came
  up(kB);
  ASSERT_TRUE(dispatcher->bind_resource("r", kB));
  EXPECT_EQ(down(kA), std::vector{first});
  EXPECT_EQ(dispatched(use), kB);
}

TEST_F(Resources, ForgottenAfterCleanup) {
  make();
  up(kA);
  up(kB);
  ASSERT_TRUE(dispatcher->bind_resource("r", kA));
  ASSERT_TRUE(dispatcher->bind_resource("q", kB));
  const auto first = submit_session("s");
  const auto holder = *dispatched(first);
  answered(first);
  actions.clear();
  dispatcher->forget_worker_state(holder, actions);
  EXPECT_TRUE(event("ended", "s"));
  EXPECT_EQ(count(Kind::end_session), 0u);
  EXPECT_EQ(dispatcher->session_count(), 0u);
  EXPECT_EQ(dispatcher->resource_count(), 1u);
  EXPECT_TRUE(dispatcher->bind_resource(holder == kA ? "r" : "q", holder == kA ? kB : kA)) << "the id is free again";
}

TEST_F(Resources, TheMemoryOfLostOnesIsBounded) {
  make();
  up(kA);
  for (int i = 0; i < 10'001; ++i) ASSERT_TRUE(dispatcher->bind_resource("r" + std::to_string(i), kA));
  down(kA);
  up(kB);
  EXPECT_EQ(dispatcher->resource_count(), 0u);
  std::size_t refusals = 0;
  for (int i = 0; i < 10'001; ++i) {
    const auto request = submit_resource("r" + std::to_string(i));
    refusals += refused(request) ? 1u : 0u;
    if (dispatched(request)) answered(request);
  }
  EXPECT_EQ(refusals, 10'000u);
}

}  // namespace
}  // namespace pons
