#include "protocol/transport/channel.h"

#include <gtest/gtest.h>

#include "tests/transport/stream_fixture.h"

namespace pons {
namespace {

class ChannelTest : public StreamTest {
 protected:
  void open(std::size_t max_frame = kDefaultMaxFrame) {
    auto [ours, theirs] = socket_pair();
    peer = std::move(theirs);
    Channel::Callbacks callbacks;
    callbacks.on_event = [this](Message&& message) { events.emplace_back(message.frame.body); };
    callbacks.on_request = [this](Message&& message) { requests.push_back(message.envelope.command); };
    callbacks.on_late_reply = [this] { ++late; };
    callbacks.on_unmatched = [this](const Message& message) { unmatched.emplace_back(message.frame.body); };
    callbacks.on_end = [this](const std::string& reason) {
      reasons.push_back(reason);
      if (const auto hook = then_end) hook();
    };
    channel = std::make_unique<Channel>(io.get_executor(), std::move(ours), UniqueFd{}, FrameStream::Options{.max_frame = max_frame},
                                        std::move(callbacks));
  }
  void SetUp() override { open(); }
  void TearDown() override {
    channel.reset();
    settle();
  }
  /// Expects a reply; what comes is written down as the text of its body or of its error.
  std::uint64_t expect(bool want_resource = false) {
    const auto id = channel->next_id();
    channel->expect(
        id,
        [this, id](Result<Message>&& reply) { replies.emplace_back(id, reply ? std::string(reply->frame.body) : reply.error().message); },
        want_resource);
    return id;
  }
  void answer(const std::string& body) {
    write(framed(body));
    settle();
  }
  static std::string reply_to(std::uint64_t id, const std::string& more = "") {
    return R"({"id":)" + std::to_string(id) + R"(,"success":true,"result":1)" + more + "}";
  }

  std::unique_ptr<Channel> channel;
  std::vector<std::pair<std::uint64_t, std::string>> replies;
  Bodies events, requests, unmatched, reasons;
  int late = 0;
  std::function<void()> then_end;
};

TEST_F(ChannelTest, MatchesRepliesInAnyOrder) {
  const auto first = expect();
  const auto second = expect();
  EXPECT_NE(first, second);
  EXPECT_EQ(channel->outstanding(), 2u);
  answer(reply_to(second));
  answer(reply_to(first));
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[0], std::pair(second, reply_to(second)));
  EXPECT_EQ(replies[1], std::pair(first, reply_to(first)));
  EXPECT_EQ(channel->outstanding(), 0u);
}

TEST_F(ChannelTest, SendsWhatItIsGiven) {
  channel->send(OutFrame::of("{}"));
  EXPECT_EQ(unframed(read_bytes(6)), Bodies{"{}"});
}

TEST_F(ChannelTest, AReplyThatNobodyWaitsForIsLate) {
  const auto id = expect();
  answer(reply_to(id));
  answer(reply_to(id));
  answer(reply_to(4711));
  answer(R"({"id":"text","success":true})");
  EXPECT_EQ(late, 3);
  EXPECT_EQ(unmatched.size(), 3u);
  EXPECT_EQ(replies.size(), 1u);
  EXPECT_TRUE(reasons.empty());
}

TEST_F(ChannelTest, AReplyWithoutAnIdIsTheOnlyOutstandingRequests) {
  const auto id = expect();
  answer(R"({"success":true})");
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].first, id);
}

TEST_F(ChannelTest, AReplyWithoutAnIdIsNobodysIfThereAreMore) {
  answer(R"({"success":true})");
  EXPECT_EQ(late, 1);
  expect();
  expect();
  answer(R"({"success":true})");
  EXPECT_EQ(late, 2);
  EXPECT_TRUE(replies.empty());
  EXPECT_EQ(channel->outstanding(), 2u);
}

TEST_F(ChannelTest, ForgottenRepliesAreLate) {
  const auto first = expect();
  const auto second = expect();
  channel->forget(first);
  channel->forget(first);
  channel->forget(4711);
  EXPECT_EQ(channel->outstanding(), 1u);
  answer(reply_to(first));
  EXPECT_EQ(late, 1);
  answer(R"({"success":true})");
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].first, second);
}

TEST_F(ChannelTest, PartialRepliesKeepTheRequest) {
  const auto id = expect();
  answer(reply_to(id, R"(,"partial":true,"seq":0)"));
  answer(reply_to(id, R"(,"partial":true,"seq":1)"));
  EXPECT_EQ(channel->outstanding(), 1u);
  answer(reply_to(id));
  EXPECT_EQ(replies.size(), 3u);
  EXPECT_EQ(channel->outstanding(), 0u);
}

TEST_F(ChannelTest, TheResourceIsReadWhileSomebodyWantsIt) {
  std::optional<std::string> found;
  const auto ask = [&](bool want) {
    const auto id = channel->next_id();
    channel->expect(
        id, [&](Result<Message>&& reply) { found = reply->envelope.result_resource_id; }, want);
    return id;
  };
  const auto reply = [&](std::uint64_t id) {
    found = "unset";
    answer(R"({"id":)" + std::to_string(id) + R"(,"success":true,"result":{"resource_id":"r-1"}})");
  };
  reply(ask(false));
  EXPECT_EQ(found, std::nullopt);
  reply(ask(true));
  EXPECT_EQ(found, "r-1");
  reply(ask(false));
  EXPECT_EQ(found, std::nullopt);
  channel->forget(ask(true));
  reply(ask(false));
  EXPECT_EQ(found, std::nullopt) << "who wanted it was forgotten";
}

TEST_F(ChannelTest, EventsAndRequestsOfThePeer) {
  answer(R"({"event":"worker.ready","seq":1,"data":{}})");
  answer(R"({"command":"other:run","id":1,"parent_id":2})");
  EXPECT_EQ(events.size(), 1u);
  EXPECT_EQ(requests, Bodies{"other:run"});
}

TEST_F(ChannelTest, AnOversizedReplyFailsTheOnlyRequest) {
  open(100);
  const auto id = expect();
  write(header_of(1'000));
  settle();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].first, id);
  EXPECT_NE(replies[0].second.find("1000"), std::string::npos);
  EXPECT_EQ(channel->outstanding(), 0u);
  write(std::string(1'000, 'x'));
  const auto next = expect();
  answer(reply_to(next));
  EXPECT_EQ(replies.back().first, next) << "the channel goes on behind it";
  EXPECT_TRUE(reasons.empty());
}

TEST_F(ChannelTest, AnOversizedReplyToOneOfSeveralEndsTheChannel) {
  open(100);
  expect();
  const auto second = expect();
  write(header_of(1'000) + std::string(1'000, 'x'));
  answer(reply_to(second));
  ASSERT_EQ(reasons.size(), 1u);
  EXPECT_NE(reasons[0].find("1000"), std::string::npos);
  EXPECT_TRUE(replies.empty()) << "nothing is taken from a channel that has ended";
}

TEST_F(ChannelTest, GarbageEndsItWithAReason) {
  const auto id = expect();
  write(framed("this is no envelope") + framed(reply_to(id)));
  settle();
  ASSERT_EQ(reasons.size(), 1u);
  EXPECT_NE(reasons[0].find("envelope"), std::string::npos) << reasons[0];
  EXPECT_TRUE(replies.empty()) << "nothing is taken from a channel that has ended";
  answer("more garbage");
  EXPECT_EQ(reasons.size(), 1u);
}

TEST_F(ChannelTest, PrintedTextEndsItAndIsShown) {
  write("Loading model...\n");
  settle();
  ASSERT_EQ(reasons.size(), 1u);
  EXPECT_NE(reasons[0].find("Loading model"), std::string::npos);
}

TEST_F(ChannelTest, APlainEndHasNoReasonAndACutOneHas) {
  expect();
  peer.reset();
  settle();
  EXPECT_EQ(reasons, Bodies{""});
  EXPECT_TRUE(replies.empty());
  open();
  write(header_of(50) + "half");
  peer.reset();
  settle();
  ASSERT_EQ(reasons.size(), 2u);
  EXPECT_NE(reasons[1], "");
}

TEST_F(ChannelTest, RepliesThatCameBeforeTheEndAreTaken) {
  const auto id = expect();
  write(framed(reply_to(id)));
  peer.reset();
  channel->send(OutFrame::of("{}"));  // fails
  settle();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(reasons, Bodies{""});
}

TEST_F(ChannelTest, MayBeDestroyedInOnEnd) {
  const auto witness = std::make_shared<std::string>("captured");
  then_end = [this, witness] {
    channel.reset();
    EXPECT_EQ(*witness, "captured");
  };
  write(framed("garbage") + framed(reply_to(1)));
  settle();
  EXPECT_EQ(reasons.size(), 1u);
  EXPECT_EQ(channel, nullptr);
}

TEST_F(ChannelTest, TheCallbackThatDestroysItStaysAlive) {
  auto [ours, theirs] = socket_pair();
  peer = std::move(theirs);
  const auto witness = std::make_shared<std::string>("captured");
  int calls = 0;
  const auto destroy = [this, witness, &calls] {  // the only copy of `witness` but ours lies in the callback
    channel.reset();
    calls += *witness == "captured" ? 1 : 0;
  };
  for (const char* body : {R"({"event":"e","seq":1})", R"({"command":"c"})", R"({"id":9,"success":true})"}) {
    Channel::Callbacks callbacks;
    callbacks.on_event = [destroy](Message&&) { destroy(); };
    callbacks.on_request = [destroy](Message&&) { destroy(); };
    callbacks.on_unmatched = [destroy](const Message&) { destroy(); };
    callbacks.on_late_reply = [] {};
    callbacks.on_end = [destroy](const std::string&) { destroy(); };
    auto pair = socket_pair();
    peer = std::move(pair.second);
    channel = std::make_unique<Channel>(io.get_executor(), std::move(pair.first), UniqueFd{}, FrameStream::Options{}, std::move(callbacks));
    write(framed(body) + framed(body));
    settle();
    EXPECT_EQ(channel, nullptr);
  }
  EXPECT_EQ(calls, 3);
}

TEST_F(ChannelTest, MayBeDestroyedInAReplyPartialOrNot) {
  for (const char* more : {"", R"(,"partial":true,"seq":0)"}) {
    open();
    const auto witness = std::make_shared<std::string>("captured");
    int calls = 0;
    const auto id = channel->next_id();
    channel->expect(id, [this, witness, &calls](Result<Message>&&) {
      channel.reset();
      calls += *witness == "captured" ? 1 : 0;
    });
    write(framed(reply_to(id, more)) + framed(reply_to(id, more)));
    settle();
    EXPECT_EQ(calls, 1);
  }
}

TEST_F(ChannelTest, AReplyMayExpectAndForgetOthers) {
  int answered = 0;
  const auto first = channel->next_id();
  const auto second = expect();
  channel->expect(first, [&](Result<Message>&&) {
    ++answered;
    channel->forget(second);
    for (int i = 0; i < 100; ++i) expect();  // the table grows meanwhile
  });
  answer(reply_to(first));
  EXPECT_EQ(answered, 1);
  EXPECT_EQ(channel->outstanding(), 100u);
}

TEST_F(ChannelTest, AfterCloseNothingIsCalled) {
  const auto id = expect();
  write(framed(reply_to(id)));
  channel->close();
  channel->close();
  peer.reset();
  settle();
  EXPECT_TRUE(replies.empty() && reasons.empty());
  EXPECT_EQ(late, 0);
  EXPECT_EQ(channel->outstanding(), 0u);
}

TEST_F(ChannelTest, MessagePackReplies) {
  const auto id = expect();
  ASSERT_EQ(id, 1u);
  answer("\x82\xa2id\x01\xa7success\xc3");
  EXPECT_EQ(replies.size(), 1u);
}

}  // namespace
}  // namespace pons
