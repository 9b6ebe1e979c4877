#include "host/conformance/reply_ledger.h"

#include <gtest/gtest.h>

#include "protocol/document.h"

namespace pons::conformance {
namespace {

using nlohmann::json;
using Kind = ReplyLedger::Judged::Kind;

ReplyLedger ledger_at(int level) {
  ReplyLedger ledger;
  ledger.set_level(level);
  return ledger;
}

/// The rule that a frame breaks; empty: none.
std::string broken_by(ReplyLedger& ledger, const json& frame, Codec codec = Codec::json) {
  return std::string(ledger.judge(encode_or_throw(codec, frame)).fault.rule);
}

TEST(ReplyLedger, AReplyEndsItsRequest) {
  auto ledger = ledger_at(1);
  ledger.sent({.id = 7, .command = "ping"});
  ledger.sent({.id = "7", .command = "get_info"});
  const auto judged = ledger.judge(R"({"id": "7", "success": true, "result": 1})");
  EXPECT_EQ(judged.kind, Kind::terminal);
  EXPECT_EQ(judged.id, "7");
  EXPECT_EQ(judged.document["result"], 1);
  EXPECT_EQ(ledger.outstanding(), 1u);
}

TEST(ReplyLedger, IdsAreEchoedAsTheyCame) {
  for (const char* wrong : {R"("7")", "8", "-7"}) {
    auto ledger = ledger_at(1);
    ledger.sent({.id = 7, .command = "ping"});
    const auto judged = ledger.judge(std::string(R"({"success": true, "id": )") + wrong + "}");
    EXPECT_EQ(judged.kind, Kind::fault) << wrong;
    EXPECT_TRUE(judged.fault.rule == "reply.id" || judged.fault.rule == "reply.envelope") << wrong << judged.fault.rule;
  }
  auto ledger = ledger_at(1);
  ledger.sent({.id = 7, .command = "ping"});
  EXPECT_EQ(broken_by(ledger, {{"success", true}}), "reply.id");
}

TEST(ReplyLedger, ASecondReplyIsSeen) {
  auto ledger = ledger_at(1);
  ledger.sent({.id = 7, .command = "ping"});
  const json reply{{"id", 7}, {"success", true}};
  EXPECT_EQ(broken_by(ledger, reply), "");
  const auto again = ledger.judge(reply.dump());
  EXPECT_EQ(again.fault.rule, "reply.one");
  EXPECT_NE(again.fault.seen.find("ping"), std::string::npos) << again.fault.seen;
}

TEST(ReplyLedger, BodiesThatAreNoDocument) {
  for (const std::string body : {"\xc1", "[]", "{", "{}x", "{\"id\": 1, \"success\": true, \"result\": \"\xff\"}", "{\"a\": nan}"}) {
    auto ledger = ledger_at(1);
    ledger.sent({.id = 1, .command = "ping"});
    EXPECT_EQ(ledger.judge(body).fault.rule, "frame.body") << body;
  }
}

TEST(ReplyLedger, EnvelopesThatAreNone) {
  for (const char* body : {R"({"id": 1})", R"({"id": 1, "success": "yes"})", R"({"id": 1, "success": true, "success": true})",
                           R"({"event": "x"})", R"({"id": 1, "success": false})", R"({"id": 1, "success": false, "error": ""})",
                           R"({"id": 1, "success": false, "error": "no"})", R"({"id": 1, "success": false, "error": "no", "code": 7})",
                           R"({"id": 1, "success": false, "error": "no", "code": "x", "retryable": 1})",
                           R"({"id": 1, "success": false, "error": "no", "code": "x", "details": []})"}) {
    auto ledger = ledger_at(1);
    ledger.sent({.id = 1, .command = "ping"});
    EXPECT_EQ(ledger.judge(body).fault.rule, "reply.envelope") << body;
  }
}

TEST(ReplyLedger, AtLevel0AnErrorNeedsNoCode) {
  auto ledger = ledger_at(0);
  ledger.sent({.id = 1, .command = "ping"});
  EXPECT_EQ(broken_by(ledger, {{"id", 1}, {"success", false}, {"error", "ValueError: no"}}), "");
}

TEST(ReplyLedger, TheCodecIsThatOfTheRequest) {
  auto ledger = ledger_at(1);
  ledger.sent({.id = 1, .command = "ping", .codec = Codec::msgpack});
  ledger.sent({.id = 2, .command = "ping", .codec = Codec::json});
  EXPECT_EQ(broken_by(ledger, {{"id", 1}, {"success", true}}, Codec::json), "reply.codec");
  EXPECT_EQ(broken_by(ledger, {{"id", 2}, {"success", true}}, Codec::msgpack), "reply.codec");
  EXPECT_EQ(broken_by(ledger, {{"id", 1}, {"success", true}}, Codec::msgpack), "");
}

json partial(json more) {
  json frame{{"id", 1}, {"success", true}, {"partial", true}};
  frame.update(more);
  return frame;
}

TEST(ReplyLedger, PartialRepliesCountFrom0) {
  auto ledger = ledger_at(1);
  ledger.sent({.id = 1, .command = "chat", .stream = true});
  EXPECT_EQ(broken_by(ledger, partial({{"seq", 0}, {"result", "a"}})), "");
  EXPECT_EQ(broken_by(ledger, partial({{"progress", {{"done", 1}}}})), "");
  EXPECT_EQ(broken_by(ledger, partial({{"seq", 1}, {"result", "b"}})), "");
  EXPECT_EQ(ledger.partials(), 3u);
  EXPECT_EQ(broken_by(ledger, partial({{"seq", 3}, {"result", "c"}})), "reply.partial");
}

TEST(ReplyLedger, PartialRepliesThatNobodyAskedForOrThatAreMalformed) {
  const auto first = [](int level, bool stream, const json& frame) {
    auto ledger = ledger_at(level);
    ledger.sent({.id = 1, .command = "chat", .stream = stream});
    return broken_by(ledger, frame);
  };
  EXPECT_EQ(first(1, false, partial({{"seq", 0}, {"result", "a"}})), "reply.partial");
  EXPECT_EQ(first(0, true, partial({{"seq", 0}, {"result", "a"}})), "reply.partial");
  EXPECT_EQ(first(1, true, partial({{"result", "a"}})), "reply.partial");
  EXPECT_EQ(first(1, true, partial({{"seq", 1}, {"result", "a"}})), "reply.partial");
  EXPECT_EQ(first(1, true, partial({{"progress", {{"done", 1}}}, {"seq", 0}})), "reply.partial");
  EXPECT_EQ(first(1, true, partial({{"progress", 1}})), "reply.partial");
  EXPECT_EQ(first(1, true, partial({{"success", false}, {"seq", 0}})), "reply.partial");
}

TEST(ReplyLedger, RequestsOfAWorkerBelongToOneOfOurs) {
  auto ledger = ledger_at(1);
  ledger.sent({.id = 5, .command = "run"});
  const json call{{"id", 1}, {"command", "llama:chat"}, {"parent_id", 5}};
  EXPECT_EQ(ledger.judge(call.dump()).kind, Kind::reverse_request);
  EXPECT_EQ(broken_by(ledger, {{"id", 1}, {"command", "llama:chat"}}), "reverse.parent");
  EXPECT_EQ(broken_by(ledger, {{"id", 1}, {"command", "llama:chat"}, {"parent_id", 6}}), "reverse.parent");
  EXPECT_EQ(broken_by(ledger, {{"command", "llama:chat"}, {"parent_id", 5}}), "reverse.parent");
  ledger.set_level(0);
  EXPECT_EQ(broken_by(ledger, call), "reverse.parent");
  EXPECT_EQ(ledger.reverse_requests(), 5u);
}

}  // namespace
}  // namespace pons::conformance
