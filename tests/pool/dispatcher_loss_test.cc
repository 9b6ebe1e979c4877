// What a dispatcher does when workers hang, die or retire.
#include <gtest/gtest.h>

#include "pool/dispatcher.h"
#include "tests/pool/dispatcher_fixture.h"

namespace pons {
namespace {

constexpr Dispatcher::Traits kConcurrent{.in_order = false};
constexpr Dispatcher::Traits kSnapshots{.in_order = true, .can_snapshot = true};

using Loss = DispatcherTest;

TEST_F(Loss, AnIdempotentRequestRunsAgainElsewhere) {
  make({.max_attempts = 2});
  up(kA);
  const auto request = submit();
  idempotent.insert(request);
  up(kB);
  EXPECT_TRUE(down(kA).empty());
  EXPECT_EQ(count(Kind::retry), 1u);
  EXPECT_EQ(dispatched(request), kB);
  EXPECT_EQ(down(kB), std::vector{request}) << "two runs in all";
  expect_empty();
}

TEST_F(Loss, WhatHadNotBegunHasNotUsedUpAnAttempt) {
  make({.in_flight = 2, .max_attempts = 2});
  up(kA);
  const auto first = submit();
  const auto second = submit();
  idempotent.insert(second);
  EXPECT_EQ(down(kA), std::vector{first});
  up(kB);
  ASSERT_EQ(dispatched(second), kB);
  EXPECT_TRUE(down(kB).empty());
  up(kC);
  EXPECT_EQ(dispatched(second), kC);
}

TEST_F(Loss, ARequestOfALostSessionDoesNotRunAgain) {
  make();
  up(kA);
  up(kB);
  const auto request = submit_session("s");
  idempotent.insert(request);
  EXPECT_EQ(down(*dispatched(request)), std::vector{request});
}

TEST_F(Loss, ASessionThatBeginsAnew) {
  make({.sessions = {.on_loss = OnLoss::restart}});
  up(kA);
  const auto first = submit_session("s");
  answered(first);
  down(kA);
  EXPECT_TRUE(event("lost", "s"));
  up(kB);
  EXPECT_EQ(dispatched(submit_session("s")), kB);
  EXPECT_TRUE(event("bound", "s"));
}

TEST_F(Loss, AHungRequestWaitsForItsNeighbours) {
  make({.in_flight = 3, .cancel_grace = Millis(100)});
  up(kA, kConcurrent);
  const auto hung = submit({.deadline = Millis(1'000)});
  const auto neighbour = submit({.deadline = Millis(5'000)});
  pass(Millis(1'000));
  tick();
  EXPECT_EQ(expired(hung), ErrorCode::deadline_exceeded);
  pass(Millis(100));
  tick();
  EXPECT_EQ(count(Kind::abandon), 0u);
  EXPECT_TRUE(dispatcher->overdue(kA));
  EXPECT_FALSE(dispatched(submit())) << "it takes no new ones";
  answered(neighbour);
  EXPECT_EQ(count(Kind::abandon), 1u);
}

TEST_F(Loss, NeighboursHaveNoMoreThanTheirOwnDeadline) {
  make({.in_flight = 3, .cancel_grace = Millis(100)});
  up(kA, kConcurrent);
  submit({.deadline = Millis(1'000)});
  const auto neighbour = submit({.deadline = Millis(5'000)});
  pass(Millis(1'000));
  tick();
  pass(Millis(100));
  tick();
  pass(Millis(3'900));
  tick();
  EXPECT_EQ(expired(neighbour), ErrorCode::deadline_exceeded);
  EXPECT_EQ(count(Kind::abandon), 1u);
}

TEST_F(Loss, InOrderOnlyTheFirstHasBegun) {
  make({.in_flight = 3, .cancel_grace = Millis(100)});
  up(kA);
  submit({.deadline = Millis(1'000)});
  const auto behind = submit({.deadline = Millis(60'000)});
  pass(Millis(1'000));
  tick();
  pass(Millis(100));
  tick();
  EXPECT_EQ(count(Kind::abandon), 1u) << "what has not begun will run elsewhere";
  up(kB);
  down(kA);
  EXPECT_EQ(dispatched(behind), kB);
}

TEST_F(Loss, InOrderTheFirstMayFinishAndTheLateOneBehindItHasItsGraceInItsTurn) {
  make({.in_flight = 3, .cancel_grace = Millis(100)});
  up(kA);
  const auto first = submit({.deadline = Millis(60'000)});
  const auto late = submit({.deadline = Millis(1'000)});
  pass(Millis(1'000));
  tick();
  EXPECT_EQ(expired(late), ErrorCode::deadline_exceeded);
  pass(Millis(10'000));
  tick();
  answered(first);
  EXPECT_EQ(count(Kind::abandon), 0u) << "it begins only now";
  EXPECT_EQ(dispatcher->next_deadline(), now + Millis(100));
  pass(Millis(100));
  tick();
  EXPECT_EQ(count(Kind::abandon), 1u);
}

TEST_F(Loss, AnAnswerOutOfOrderShowsThatTheOthersMayHaveBegunToo) {
  make({.in_flight = 3});
  up(kA);
  const auto first = submit();
  const auto second = submit();
  const auto third = submit();
  answered(second);
  EXPECT_EQ(down(kA), (std::vector{first, third}));
}

TEST_F(Loss, APartOfAnAnswerShowsItToo) {
  make({.in_flight = 3});
  up(kA);
  const auto first = submit();
  const auto second = submit();
  dispatcher->spoke(second, now, actions);
  EXPECT_EQ(down(kA), (std::vector{first, second}));
}

TEST_F(Loss, WhoeverLiesBehindTheFirstHasItsGraceOnceItsWorkerDoesNotKeepTheOrder) {
  for (const bool by_a_part : {false, true}) {
    make({.in_flight = 3, .cancel_grace = Millis(100)});
    up(kA);
    const auto first = submit({.deadline = Millis(60'000)});
    const auto late = submit({.deadline = Millis(1'000)});
    const auto overtakes = submit({.deadline = Millis(60'000)});
    pass(Millis(1'000));
    tick();
    EXPECT_EQ(expired(late), ErrorCode::deadline_exceeded);
    pass(Millis(10'000));
    tick();
    if (by_a_part) dispatcher->spoke(overtakes, now, actions);
    answered(overtakes);
    EXPECT_EQ(dispatcher->next_deadline(), now + Millis(100));
    pass(Millis(100));
    tick();
    EXPECT_EQ(count(Kind::abandon), 0u) << "the first may finish";
    answered(first);
    EXPECT_EQ(count(Kind::abandon), 1u);
  }
}

TEST_F(Loss, ALateAnswerMakesTheWorkerGoodAgain) {
  make({.in_flight = 2, .cancel_grace = Millis(100)});
  up(kA, kConcurrent);
  const auto slow = submit({.deadline = Millis(1'000)});
  submit({.deadline = Millis(60'000)});
  pass(Millis(1'000));
  tick();
  pass(Millis(100));
  tick();
  answered(slow);
  EXPECT_EQ(count(Kind::abandon), 0u);
  EXPECT_EQ(dispatched(submit()), kA);
}

TEST_F(Loss, TheQueueIsBoundedByBytesToo) {
  make({.queue_bytes = 1'000});
  submit({.bytes = 600});
  EXPECT_EQ(refused(submit({.bytes = 600})), ErrorCode::overloaded);
  EXPECT_NE(actions[0].error.message.find("queue_bytes"), std::string::npos);
  EXPECT_FALSE(refused(submit({.bytes = 400})));
  up(kA);
  EXPECT_FALSE(refused(submit({.bytes = 500}))) << "what runs waits no more";
}

TEST_F(Loss, TheQueueIsBoundedForRequestsToAllWorkersToo) {
  make({.queue = 2});
  up(kA);
  up(kB);
  EXPECT_FALSE(submit_to_all({kA, kB})) << "nothing of it waits";
  EXPECT_FALSE(submit_to_all({kA, kB}));
  EXPECT_FALSE(submit_to_all({kA, kB})) << "one that waits counts once";
  EXPECT_EQ(submit_to_all({kA, kB}), ErrorCode::overloaded);
  EXPECT_EQ(refused(submit()), ErrorCode::overloaded);
  answered(2);  // the first share of the first
  answered(5);
  EXPECT_EQ(submit_to_all({kA, kB}), ErrorCode::overloaded) << "shares of both wait for the other worker";
  answered(3);
  EXPECT_FALSE(submit_to_all({kA, kB})) << "one of them has begun everywhere";
}

TEST_F(Loss, EachShareOfARequestToAllWorkersHoldsItsBytes) {
  make({.queue_bytes = 1'000});
  up(kA);
  up(kB);
  EXPECT_FALSE(submit_to_all({kA, kB}, 600)) << "what runs waits no more";
  EXPECT_EQ(submit_to_all({kA, kB}, 600), ErrorCode::overloaded);
  EXPECT_FALSE(submit_to_all({kA, kB}, 400));
  EXPECT_EQ(refused(submit({.bytes = 300})), ErrorCode::overloaded);
  EXPECT_FALSE(refused(submit({.bytes = 200})));
}

TEST_F(Loss, HowLongTheFirstHasWaited) {
  make();
  EXPECT_FALSE(dispatcher->waiting_since());
  const auto since = now;
  submit();
  pass(Millis(10));
  submit();
  EXPECT_EQ(dispatcher->waiting_since(), since);
  up(kA);
  EXPECT_EQ(dispatcher->waiting_since(), now);
}

TEST_F(Loss, ARetiringWorkerServesWhatItHolds) {
  make();
  up(kA);
  answered(submit_session("s"));
  ASSERT_TRUE(dispatcher->bind_resource("r", kA));
  retire(kA);
  EXPECT_FALSE(dispatched(submit()));
  cancel(last_key);
  EXPECT_EQ(dispatched(submit_session("s")), kA);
  answered(last_key);
  EXPECT_EQ(dispatched(submit_resource("r")), kA);
  EXPECT_FALSE(dispatched(submit_session("t")));
}

// ---- Snapshots

using Snapshots = DispatcherTest;

/// A session with `turns` answers, each exported.
class SavedSession : public DispatcherTest {
 protected:
  void play(int turns, Stale stale = Stale::refuse) {
    SessionOptions sessions;
    sessions.snapshot.stale = stale;
    make({.sessions = sessions});
    up(kA, kSnapshots);
    for (int i = 1; i <= turns; ++i) {
      answered(submit_session("s"));
      const auto key = sent(Kind::export_session, "s", kA);
      ASSERT_TRUE(key);
      exported(*key, i);
    }
  }
};

TEST_F(Snapshots, TheNextRequestWaitsForTheExport) {
  make({.in_flight = 4});
  up(kA, kSnapshots);
  const auto first = submit_session("s");
  const auto second = submit_session("s");
  answered(first);
  const auto key = sent(Kind::export_session, "s", kA);
  ASSERT_TRUE(key);
  EXPECT_FALSE(dispatched(second));
  exported(*key, 1);
  EXPECT_EQ(dispatched(second), kA);
}

TEST_F(Snapshots, AWorkerThatCannotIsNotAsked) {
  make();
  up(kA);
  answered(submit_session("s"));
  EXPECT_TRUE(actions.empty());
}

TEST_F(Snapshots, EverySoManyAnswers) {
  SessionOptions sessions;
  sessions.snapshot.every = 3;
  make({.sessions = sessions});
  up(kA, kSnapshots);
  for (int i = 1; i <= 6; ++i) {
    answered(submit_session("s"));
    const auto key = sent(Kind::export_session, "s");
    EXPECT_EQ(key.has_value(), i % 3 == 0) << i;
    if (key) exported(*key, i);
  }
}

TEST_F(Snapshots, AfterAWhileUnused) {
  SessionOptions sessions;
  sessions.snapshot.every = 0;
  sessions.snapshot.after = Millis(500);
  make({.sessions = sessions});
  up(kA, kSnapshots);
  answered(submit_session("s"));
  EXPECT_EQ(count(Kind::export_session), 0u);
  EXPECT_EQ(dispatcher->next_deadline(), now + Millis(500));
  pass(Millis(500));
  tick();
  const auto key = sent(Kind::export_session, "s", kA);
  ASSERT_TRUE(key);
  exported(*key, 1);
  pass(Millis(500));
  tick();
  EXPECT_TRUE(actions.empty()) << "nothing new";
}

TEST_F(SavedSession, GoesOnElsewhere) {
  play(2);
  down(kA);
  EXPECT_FALSE(event("lost", "s"));
  EXPECT_TRUE(dispatcher->sessions()[0].restoring);
  up(kB, kSnapshots);
  const auto request = submit_session("s");
  const auto import = sent(Kind::import_session, "s", kB);
  ASSERT_TRUE(import);
  EXPECT_FALSE(dispatched(request));
  imported(*import, 2);
  EXPECT_TRUE(event("restored", "s"));
  EXPECT_EQ(dispatched(request), kB);
  EXPECT_FALSE(dispatcher->take_restored(request)) << "nothing was lost";
}

TEST_F(SavedSession, IsLostIfMoreWasAnswered) {
  play(2);
  answered(submit_session("s"));  // its export is on its way when the worker dies
  down(kA);
  EXPECT_TRUE(event("lost", "s"));
  EXPECT_EQ(refused(submit_session("s")), ErrorCode::session_lost);
  EXPECT_EQ(actions[0].error.details.at("covers"), 2);
  EXPECT_EQ(actions[0].error.details.at("answered"), 3);
}

TEST_F(SavedSession, GoesOnStaleWhereThatIsAllowedAndSaysSoOnce) {
  play(2, Stale::allow);
  answered(submit_session("s"));
  down(kA);
  up(kB, kSnapshots);
  const auto request = submit_session("s");
  imported(*sent(Kind::import_session, "s", kB), 2);
  ASSERT_EQ(dispatched(request), kB);
  const auto restored = dispatcher->take_restored(request);
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->covers, 2u);
  EXPECT_EQ(restored->answered, 3u);
  EXPECT_FALSE(dispatcher->take_restored(request));
}

TEST_F(SavedSession, ARequestThatRanDoesNotMakeItLost) {
  play(1);
  const auto running = submit_session("s");
  EXPECT_EQ(down(kA), std::vector{running});
  EXPECT_FALSE(event("lost", "s")) << "it was not answered";
  up(kB, kSnapshots);
  submit_session("s");
  EXPECT_TRUE(sent(Kind::import_session, "s", kB));
}

TEST_F(SavedSession, AnIdempotentRequestRunsAgainOnTheRestoredSession) {
  play(1);
  const auto running = submit_session("s");
  idempotent.insert(running);
  EXPECT_TRUE(down(kA).empty());
  up(kB, kSnapshots);
  const auto import = sent(Kind::import_session, "s", kB);
  ASSERT_TRUE(import);
  imported(*import, 1);
  EXPECT_EQ(dispatched(running), kB);
}

TEST_F(SavedSession, IsLostIfItCannotBeImported) {
  play(1);
  down(kA);
  up(kB, kSnapshots);
  const auto request = submit_session("s");
  imported(*sent(Kind::import_session, "s", kB), std::nullopt);
  EXPECT_TRUE(event("lost", "s"));
  EXPECT_EQ(refused(request), ErrorCode::session_lost);
  EXPECT_EQ(dispatcher->workers()[0].sessions, 0u);
}

TEST_F(SavedSession, IsLostIfImportsKillWorkers) {
  play(1);
  down(kA);
  const auto request = submit_session("s");
  up(kB, kSnapshots);
  ASSERT_TRUE(sent(Kind::import_session, "s", kB));
  down(kB);
  up(kC, kSnapshots);
  ASSERT_TRUE(sent(Kind::import_session, "s", kC));
  down(kC);
  EXPECT_EQ(refused(request), ErrorCode::session_lost);
}

TEST_F(SavedSession, IsLostIfNoWorkerReadsSnapshotsAnyMore) {
  play(1);
  down(kA);
  up(kB);
  EXPECT_TRUE(event("lost", "s"));
  EXPECT_EQ(refused(submit_session("s")), ErrorCode::session_lost);
}

TEST_F(SavedSession, IsImportedElsewhereIfTheWorkerThatItWaitedForDies) {
  play(1);
  down(kA);
  up(kB, kSnapshots);
  ASSERT_TRUE(dispatcher->bind_resource("r", kB));
  const auto running = submit();
  ASSERT_EQ(dispatched(running), kB);
  const auto waiting = submit({.session = "s", .resource = "r"});
  const auto next = submit_session("s");
  up(kC, kSnapshots);
  EXPECT_FALSE(sent(Kind::import_session, "s")) << "its resource is elsewhere";
  EXPECT_EQ(down(kB), std::vector{running});
  const auto import = sent(Kind::import_session, "s", kC);
  ASSERT_TRUE(import);
  imported(*import, 1);
  EXPECT_EQ(refused(waiting), ErrorCode::resource_not_found);
  EXPECT_EQ(dispatched(next), kC);
}

TEST_F(Snapshots, ASessionLeavesARetiringWorkerOnceItsSnapshotIsKept) {
  for (const bool kept : {true, false}) {
    make();
    up(kA, kSnapshots);
    answered(submit_session("s"));
    const auto key = sent(Kind::export_session, "s", kA);
    ASSERT_TRUE(key);
    up(kB, kSnapshots);
    retire(kA);
    exported(*key, 1, false);
    EXPECT_FALSE(told_to_end(kA, "s")) << "the store may refuse it";
    const auto next = submit_session("s");
    EXPECT_FALSE(dispatched(next));
    actions.clear();
    if (kept) {
      dispatcher->snapshot_kept("s", 1, now, actions);
      EXPECT_TRUE(told_to_end(kA, "s"));
      EXPECT_TRUE(sent(Kind::import_session, "s", kB));
    } else {
      dispatcher->set_snapshot("s", std::nullopt, now, actions);
      EXPECT_FALSE(told_to_end(kA, "s"));
      EXPECT_EQ(dispatched(next), kA) << "nobody else has its state";
    }
  }
}

TEST_F(SavedSession, MovesAwayFromARetiringWorker) {
  play(1);
  up(kB, kSnapshots);
  retire(kA);
  EXPECT_TRUE(told_to_end(kA, "s"));
  const auto request = submit_session("s");
  imported(*sent(Kind::import_session, "s", kB), 1);
  EXPECT_EQ(dispatched(request), kB);
}

TEST_F(Snapshots, ARetiringWorkerIsAskedForWhatIsNotSavedYet) {
  SessionOptions sessions;
  sessions.snapshot.every = 0;
  make({.sessions = sessions});
  up(kA, kSnapshots);
  answered(submit_session("s"));
  up(kB, kSnapshots);
  retire(kA);
  const auto key = sent(Kind::export_session, "s", kA);
  ASSERT_TRUE(key);
  exported(*key, 1);
  EXPECT_TRUE(told_to_end(kA, "s"));
  EXPECT_EQ(dispatcher->workers()[0].sessions, 0u);
}

TEST_F(Snapshots, OfAnEarlierRun) {
  make();
  EXPECT_TRUE(dispatcher->adopt_session("whole", 3, 3, now));
  EXPECT_TRUE(dispatcher->adopt_session("stale", 3, 4, now));
  up(kA, kSnapshots);
  submit_session("whole");
  EXPECT_TRUE(sent(Kind::import_session, "whole", kA));
  EXPECT_EQ(refused(submit_session("stale")), ErrorCode::session_lost);
  EXPECT_EQ(actions[0].error.details.at("answered"), 4);
}

TEST_F(Snapshots, AnExportBehindALongRequestHasItsTimeInItsTurn) {
  make({.in_flight = 2, .cancel_grace = Millis(100)});
  up(kA, kSnapshots);
  const auto first = submit_session("s");
  const auto slow = submit({.deadline = Millis(600'000)});
  answered(first);
  const auto key = sent(Kind::export_session, "s", kA);
  ASSERT_TRUE(key);
  pass(Millis(300'000));
  tick();
  answered(slow);
  EXPECT_EQ(count(Kind::abandon), 0u);
  exported(*key, 1);
  EXPECT_TRUE(dispatched(submit_session("s")));
}

TEST_F(Snapshots, AnExportBehindOthersHasItsTimeOnceItsWorkerDoesNotKeepTheOrder) {
  make({.in_flight = 3, .cancel_grace = Millis(100)});
  up(kA, kSnapshots);
  const auto first = submit_session("s");
  submit({.deadline = Millis(600'000)});
  const auto overtakes = submit({.deadline = Millis(600'000)});
  answered(first);
  ASSERT_TRUE(sent(Kind::export_session, "s", kA));
  answered(overtakes);
  EXPECT_EQ(dispatcher->next_deadline(), now + Millis(30'000)) << "the same that it has alone";
}

TEST_F(SavedSession, IsLostIfAnOlderSnapshotWasLoadedThanWasThought) {
  play(2);
  down(kA);
  up(kB, kSnapshots);
  const auto request = submit_session("s");
  imported(*sent(Kind::import_session, "s", kB), 1);
  EXPECT_EQ(refused(request), ErrorCode::session_lost);
  EXPECT_TRUE(told_to_end(kB, "s")) << "what it has imported";
}

TEST_F(Snapshots, AllAreExportedBeforeTheirWorkersGo) {
  SessionOptions sessions;
  sessions.snapshot.every = 10;
  make({.in_flight = 4, .sessions = sessions});
  up(kA, kSnapshots);
  answered(submit_session("s"));
  answered(submit_session("t"));
  actions.clear();
  dispatcher->export_all(now, actions);
  EXPECT_TRUE(sent(Kind::export_session, "s"));
  EXPECT_TRUE(sent(Kind::export_session, "t"));
  EXPECT_EQ(dispatcher->own_requests(), 2u);
}

TEST_F(Snapshots, AnExportThatHangsEndsItsWorker) {
  make({.cancel_grace = Millis(100)});
  up(kA, kSnapshots);
  answered(submit_session("s"));
  ASSERT_TRUE(sent(Kind::export_session, "s", kA));
  pass(Millis(30'000));
  tick();
  EXPECT_EQ(count(Kind::expire), 0u) << "nobody waits for it";
  pass(Millis(100));
  tick();
  EXPECT_EQ(count(Kind::abandon), 1u);
  down(kA);
  EXPECT_TRUE(event("lost", "s"));
}

}  // namespace
}  // namespace pons
