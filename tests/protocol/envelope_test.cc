#include "protocol/envelope.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "protocol/document.h"
#include "tests/protocol/random_document.h"

namespace pons {
namespace {

using nlohmann::json;

std::string bytes_of(const json& pieces) {
  std::string body;
  for (const json& piece : pieces) {
    const auto hex = piece.at(0).get<std::string>();
    std::string once;
    for (std::size_t i = 0; i < hex.size(); i += 2) once += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    for (std::size_t n = piece.at(1).get<std::size_t>(); n > 0; --n) body += once;
  }
  return body;
}

json vectors() {
  std::ifstream file(PONS_CONFORMANCE_DIR "/envelopes.json");
  return json::parse(file).at("vectors");
}

// What the expectation names, with the same keys, of a request that passed.
json described(const Envelope& e, std::string_view body, const json& expect) {
  json out{{"ok", true}, {"codec", to_string(e.codec)}, {"id", to_json(e.id)}, {"namespace", nullptr}, {"name", e.name()}};
  if (const auto space = e.name_space()) out["namespace"] = *space;
  if (e.session_id) out["session_id"] = *e.session_id;
  if (e.timeout_ms) out["timeout_ms"] = *e.timeout_ms;
  if (e.stream) out["stream"] = true;
  if (expect.contains("args_json")) out["args_json"] = e.args_range.in(body);
  return out;
}

TEST(EnvelopeVectors, EveryVectorGivesExactlyWhatItSays) {
  const json all = vectors();
  ASSERT_GT(all.size(), 60u);
  for (const json& vector : all) {
    SCOPED_TRACE(vector.at("name").get<std::string>());
    const std::string body = bytes_of(vector.at("body"));
    const json& expect = vector.at("expect");
    const auto parsed = Envelope::parse_request(body);
    ASSERT_EQ(parsed.has_value(), expect.at("ok").get<bool>()) << (parsed ? "" : parsed.error().error.message);
    if (parsed) {
      EXPECT_EQ(described(*parsed, body, expect), expect);
      continue;
    }
    const Envelope::Failure failure = parsed.error();
    EXPECT_EQ(to_string(failure.error.code), expect.at("code").get<std::string>());
    EXPECT_EQ(to_json(failure.id), expect.at("reply_id"));
    const bool msgpack = !body.empty() && ((static_cast<unsigned char>(body[0]) & 0xf0) == 0x80 || body[0] == '\xde' || body[0] == '\xdf');
    EXPECT_EQ(failure.codec, msgpack ? Codec::msgpack : Codec::json);
    EXPECT_TRUE(failure.error.message.ends_with(".")) << failure.error.message;
  }
}

Envelope::Failure refused(std::string_view body) {
  const auto parsed = Envelope::parse_request(body);
  EXPECT_FALSE(parsed) << body;
  return parsed ? Envelope::Failure{} : parsed.error();
}

Envelope accepted(std::string_view body) {
  const auto parsed = Envelope::parse_request(body);
  if (!parsed) throw Exception(parsed.error().error);
  return *parsed;
}

std::string packed(const json& value) { return encode_or_throw(Codec::msgpack, value); }

TEST(EnvelopeFields, RangesAreTheValues) {
  const std::string_view body =
      R"({ "args" : {"a":1} ,"id": "x" ,"timeout_ms":5,"meta":{},"session_id":"s","resource_id":"r","parent_id":4,"command":"n:c"})";
  const Envelope e = accepted(body);
  EXPECT_EQ(e.args_range.in(body), R"({"a":1})");
  EXPECT_EQ(e.id_range.in(body), "\"x\"");
  EXPECT_EQ(e.timeout_range.in(body), "5");
  EXPECT_EQ(e.meta_range.in(body), "{}");
  EXPECT_EQ(e.session_range.in(body), "\"s\"");
  EXPECT_EQ(e.resource_range.in(body), "\"r\"");
  EXPECT_EQ(e.parent_id_range.in(body), "4");
  EXPECT_EQ(e.command_range.in(body), "\"n:c\"");
  EXPECT_EQ(e.parent_id, 4u);
  EXPECT_EQ(e.members, 8u);
  EXPECT_EQ(e.first_member, 2u);
  EXPECT_EQ(body.substr(e.parent_key, 11), "\"parent_id\"");
  EXPECT_EQ(e.body_size, body.size());
}

TEST(EnvelopeFields, BothCodecsSayTheSame) {
  const json request{
      {"id", "x"},      {"command", "n:c:d"}, {"args", {{"resource_id", "from args"}}}, {"session_id", "s\0s"}, {"timeout_ms", 2.5},
      {"stream", true}, {"idempotent", false}};
  for (const std::string& body : {request.dump(), packed(request)}) {
    const Envelope e = accepted(body);
    EXPECT_EQ(std::get<std::string>(e.id), "x");
    EXPECT_EQ(e.name_space(), "n");
    EXPECT_EQ(e.name(), "c:d");
    EXPECT_EQ(e.resource_id, "from args");
    EXPECT_EQ(e.timeout_ms, 2.5);
    EXPECT_TRUE(e.stream);
    EXPECT_EQ(e.idempotent, false);
  }
}

TEST(EnvelopeFields, TheEnvelopesResourceBeatsThatOfArgs) {
  const json request{{"command", "c"}, {"args", {{"resource_id", "inner"}}}, {"resource_id", "outer"}};
  for (const std::string& body : {request.dump(), packed(request)}) EXPECT_EQ(accepted(body).resource_id, "outer");
}

TEST(EnvelopeFields, OnlyAStringResourceAtTheTopOfArgsCounts) {
  EXPECT_FALSE(accepted(R"({"command":"c","args":{"resource_id":5,"x":{"resource_id":"deep"}}})").resource_id);
  EXPECT_EQ(accepted(R"({"command":"c","args":{"resource\u005fid":"\u0061"}})").resource_id, "a");
}

TEST(EnvelopeFields, ADuplicateResourceInArgsIsFoundInBothCodecsAndWhateverItsType) {
  EXPECT_EQ(refused(R"({"id":3,"command":"c","args":{"resource_id":1,"resource\u005fid":2}})").id, RequestId{std::uint64_t{3}});
  const std::string resource = "\xabresource_id\xa1x";
  const Envelope::Failure failure = refused(
      "\x83\xa2id\x03\xa7"
      "command\xa1"
      "c\xa4"
      "args\x82" +
      resource + resource);
  EXPECT_EQ(failure.error.code, ErrorCode::bad_request);
  EXPECT_EQ(failure.id, RequestId{std::uint64_t{3}});
  EXPECT_EQ(failure.codec, Codec::msgpack);
}

TEST(EnvelopeFields, LengthsCountDecodedBytes) {
  std::string escaped;
  for (int i = 0; i < 128; ++i) escaped += "\\u0061";
  EXPECT_EQ(accepted(R"({"command":"c","id":")" + escaped + "\"}").id, RequestId{std::string(128, 'a')});
  EXPECT_EQ(refused(R"({"command":"c","id":")" + escaped + "b\"}").error.code, ErrorCode::bad_request);
  EXPECT_TRUE(accepted(R"({"command":"c","session_id":")" + escaped + escaped + "\"}").session_id);
  EXPECT_EQ(refused(R"({"command":"c","session_id":")" + escaped + escaped + "b\"}").error.code, ErrorCode::bad_request);
}

TEST(EnvelopeFields, ATimeoutIsCapped) {
  EXPECT_EQ(accepted(R"({"command":"c","timeout_ms":1e300})").timeout_ms, kMaxTimeoutMs);
  EXPECT_EQ(accepted(R"({"command":"c","timeout_ms":)" + std::string(500, '9') + "}").timeout_ms, kMaxTimeoutMs);
  EXPECT_EQ(accepted(packed({{"command", "c"}, {"timeout_ms", UINT64_MAX}})).timeout_ms, kMaxTimeoutMs);
}

TEST(EnvelopeFields, WrongTypesAreBadRequestsThatKeepTheId) {
  for (const json& wrong : std::initializer_list<json>{{{"session_id", 1}},
                                                       {{"session_id", nullptr}},
                                                       {{"resource_id", true}},
                                                       {{"timeout_ms", "5"}},
                                                       {{"timeout_ms", -1}},
                                                       {{"stream", 1}},
                                                       {{"stream", nullptr}},
                                                       {{"idempotent", "yes"}},
                                                       {{"meta", json::array()}},
                                                       {{"args", nullptr}},
                                                       {{"args", "x"}},
                                                       {{"command", nullptr}}}) {
    json request{{"id", 9}, {"command", "c"}};
    request.update(wrong);
    for (const std::string& body : {request.dump(), packed(request)}) {
      const Envelope::Failure failure = refused(body);
      EXPECT_EQ(failure.error.code, ErrorCode::bad_request) << request;
      EXPECT_EQ(failure.id, RequestId{std::uint64_t{9}}) << request;
      EXPECT_NE(failure.error.message.find('"' + wrong.begin().key() + '"'), std::string::npos) << failure.error.message;
    }
  }
}

TEST(EnvelopeFields, IdsOutOfRangeAreAnsweredWithZero) {
  for (const char* id : {"9223372036854775808", "18446744073709551616", "-1", "true", "[]", "{}", "1.0", "1e0"}) {
    const Envelope::Failure failure = refused(std::string(R"({"command":"c","id":)") + id + "}");
    EXPECT_EQ(failure.error.code, ErrorCode::bad_request) << id;
    EXPECT_EQ(failure.id, RequestId{std::uint64_t{0}}) << id;
  }
  EXPECT_EQ(accepted("\x82\xa2id\xd3" + std::string("\0\0\0\0\0\0\1\0", 8) +
                     "\xa7"
                     "command\xa1"
                     "c")
                .id,
            RequestId{std::uint64_t{256}});
  EXPECT_EQ(refused("\x82\xa2id\xd0\xff\xa7"
                    "command\xa1"
                    "c")
                .id,
            RequestId{std::uint64_t{0}});
}

TEST(EnvelopeFields, CommandsAreSplitAtTheFirstColonAndChecked) {
  const std::string longest(128, 'n'), space(64, 's');
  EXPECT_EQ(accepted("{\"command\":\"" + space + ":" + longest + "\"}").name(), longest);
  const std::vector<std::string> wrong{":c", "a:", "a b", "\\u00e4", "a/b", "sp.ace:c", "x" + space + ":c", longest + "n"};
  for (const std::string& bad : wrong) {
    const Envelope::Failure failure = refused("{\"id\":2,\"command\":\"" + bad + "\"}");
    EXPECT_EQ(failure.error.code, ErrorCode::bad_request) << bad;
    EXPECT_EQ(failure.id, RequestId{std::uint64_t{2}}) << bad;
  }
}

TEST(EnvelopeFields, AnyDuplicateKeyIsFoundAmongManyUnknownOnes) {
  std::string body = "{\"command\":\"c\"";
  for (int i = 0; i < 50000; ++i) body += ",\"k" + std::to_string(i) + "\":0";
  EXPECT_EQ(accepted(body + "}").members, 50001u);
  const Envelope::Failure failure = refused(body + ",\"\\u006b7\":1}");
  EXPECT_EQ(failure.error.message, "The key \"k7\" stands twice at the top level.");
}

TEST(EnvelopeFields, ABadFrameBeatsABadRequestFoundBeforeIt) {
  const Envelope::Failure failure = refused(R"({"id":5,"command":7,"args":{"a":tru}})");
  EXPECT_EQ(failure.error.code, ErrorCode::bad_frame);
  EXPECT_EQ(failure.id, RequestId{std::uint64_t{0}});
  EXPECT_EQ(failure.error.message, "Bad JSON at byte 32: a value was expected.");
}

TEST(EnvelopeFields, EmbeddedNulsPass) {
  const std::string nul("s\0s", 3);
  EXPECT_EQ(accepted(R"({"command":"c","session_id":"s\u0000s"})").session_id, nul);
  EXPECT_EQ(accepted(packed({{"command", "c"}, {"session_id", nul}})).session_id, nul);
}

TEST(EnvelopeFields, KeysOfMapsOutsideArgsMayBeAnything) {
  EXPECT_EQ(accepted("\x82\xa7"
                     "command\xa1"
                     "c\xa1x\x81\x01\x02")
                .members,
            2u);
}

TEST(EnvelopeKind, TheFirstOfEventCommandAndSuccessDecides) {
  EXPECT_EQ(accepted(R"({"success":true,"command":"c"})").kind, Envelope::Kind::request);
  EXPECT_EQ(accepted(R"({"success":true,"command":"c","event":"e"})").kind, Envelope::Kind::event);
  EXPECT_EQ(accepted(R"({"id":3,"success":false,"error":"no"})").kind, Envelope::Kind::reply);
}

TEST(EnvelopeKind, WhatIsWrongForAnotherKindDoesNotMatter) {
  EXPECT_TRUE(accepted(R"({"success":true,"args":5,"stream":"x","timeout_ms":null})").success);
  EXPECT_EQ(accepted(R"({"command":"c","success":5,"seq":-1,"error":{}})").kind, Envelope::Kind::request);
}

Envelope reply(std::string_view body, bool want_resource = false) {
  const auto parsed = Envelope::parse_reply(body, want_resource);
  if (!parsed) throw Exception(parsed.error().error);
  return *parsed;
}

TEST(EnvelopeReply, FieldsAreRead) {
  const json partial{{"id", 5}, {"success", true}, {"partial", true}, {"seq", 3}, {"result", {1, 2}}};
  const json failed{{"id", 5}, {"success", false}, {"error", "E: x"}, {"code", "mine"}, {"details", {{"type", "E"}}}};
  for (const bool json_text : {true, false}) {
    const std::string first = json_text ? partial.dump() : packed(partial), second = json_text ? failed.dump() : packed(failed);
    const Envelope p = reply(first), f = reply(second);
    EXPECT_TRUE(p.success && p.partial);
    EXPECT_EQ(p.seq, 3u);
    EXPECT_EQ(*decode(p.codec, p.result_range.in(first)), partial.at("result"));
    EXPECT_FALSE(f.success);
    EXPECT_EQ(f.error, "E: x");
    EXPECT_EQ(f.code, "mine");
    EXPECT_EQ(*decode(f.codec, f.details_range.in(second)), failed.at("details"));
  }
}

TEST(EnvelopeReply, NullStandsForMissing) {
  const Envelope e = reply(R"({"id":1,"success":true,"error":null,"code":null,"partial":null,"seq":null,"progress":null,"result":null})");
  EXPECT_EQ(e.error + e.code, "");
  EXPECT_FALSE(e.partial || e.seq || e.has_progress);
}

TEST(EnvelopeReply, OfAResultOnlyTheExtentIsFound) {
  const std::string_view odd = R"({"success":true,"result":{"a":tru, "s":"}\"]" [1 2]},"id":4})";
  EXPECT_EQ(reply(odd).result_range.in(odd), R"({"a":tru, "s":"}\"]" [1 2]})");
  EXPECT_FALSE(Envelope::parse_request(odd));
  EXPECT_FALSE(Envelope::parse_reply(R"({"success":true,"result":[1,2)", false));
  EXPECT_FALSE(Envelope::parse_reply(R"({"success":true,"result":"x)", false));
  EXPECT_FALSE(Envelope::parse_reply("\x82\xa7success\xc3\xa6result\x93\x01\x02", false));
  EXPECT_TRUE(Envelope::parse_reply("\x82\xa7success\xc3\xa6result\x92\x01\xa1\xff", false)) << "text inside is not looked at";
  EXPECT_FALSE(Envelope::parse_reply("\x82\xa7success\xc3\xa6result\xdd\xff\xff\xff\xff", false));
}

TEST(EnvelopeReply, TheExtentOfAResultIsThatOfTheFullCheckForThousandsOfRandomOnes) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  test::RandomDocuments random(seed);
  for (int i = 0; i < 4000; ++i) {
    const Codec codec = random.chance(60) ? Codec::json : Codec::msgpack;
    const json document{{"id", 1}, {"success", true}, {"result", random.value(codec, 5)}, {"padding", random.text(80)}};
    const std::string body = random.shuffled(codec, document);
    const auto full = Envelope::parse_request(body);
    ASSERT_TRUE(full) << full.error().error.message << body;
    const auto quick = Envelope::parse_reply(body, random.chance(50));
    ASSERT_TRUE(quick) << quick.error().error.message << body;
    ASSERT_EQ(quick->result_range.in(body), full->result_range.in(body));
  }
}

TEST(EnvelopeReply, BackslashesAcrossTheBlocksOfTheSearchAreFollowed) {
  for (std::size_t before = 0; before < 200; ++before) {
    for (const std::size_t backslashes : {1u, 2u, 3u, 63u, 64u, 65u, 129u}) {
      const std::string end = backslashes % 2 == 1 ? "\"]}\"" : "\"";
      const std::string result = "{\"k\":[\"" + std::string(before, 'x') + std::string(backslashes, '\\') + end + "]}";
      const std::string body = "{\"success\":true,\"result\":" + result + ",\"id\":4}";
      const auto parsed = Envelope::parse_reply(body, false);
      ASSERT_TRUE(parsed) << parsed.error().error.message << body;
      ASSERT_EQ(parsed->result_range.in(body), result);
    }
  }
}

TEST(EnvelopeReply, AResourceIsLookedForOnRequest) {
  const json created{{"id", 1}, {"success", true}, {"result", {{"x", {{"resource_id", "deep"}}}, {"resource_id", "model-1"}}}};
  for (const std::string& body : {created.dump(), packed(created)}) {
    EXPECT_EQ(reply(body, true).result_resource_id, "model-1");
    EXPECT_FALSE(reply(body, false).result_resource_id);
  }
  const json number{{"success", true}, {"result", {{"resource_id", 5}}}};
  for (const std::string& body : {number.dump(), packed(number)}) EXPECT_FALSE(reply(body, true).result_resource_id);
}

TEST(EnvelopeReply, AReverseRequestIsCheckedWholeAndMayDeclineTheSession) {
  const std::string_view body = R"({"id":1,"parent_id":7,"command":"a:b","session_id":null})";
  const Envelope e = reply(body);
  EXPECT_EQ(e.kind, Envelope::Kind::request);
  EXPECT_EQ(e.parent_id, 7u);
  EXPECT_FALSE(e.session_id);
  EXPECT_EQ(e.session_range.in(body), "null");
  EXPECT_FALSE(Envelope::parse_reply(R"({"command":"a:b","result":[1 2]})", false)) << "a key named result is nothing special in a request";
  EXPECT_FALSE(Envelope::parse_reply(R"({"command":"a:b","args":{"x":tru}})", false));
  EXPECT_FALSE(Envelope::parse_reply(R"({"command":"a:b","parent_id":"x"})", false));
}

TEST(EnvelopeReply, WhatIsNoEnvelopeIsRefused) {
  for (const char* body : {"{}", R"({"id":1})", R"({"success":1})", R"({"success":true,"seq":-1})", R"({"success":true,"partial":1})",
                           R"({"success":true,"code":5})", R"({"success":true,"id":null})", R"({"success":true} x)"}) {
    EXPECT_FALSE(Envelope::parse_reply(body, false)) << body;
  }
}

}  // namespace
}  // namespace pons
