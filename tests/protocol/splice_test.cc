#include "protocol/splice.h"

#include <gtest/gtest.h>

#include <random>

#include "protocol/document.h"
#include "tests/protocol/random_document.h"

namespace pons {
namespace {

using nlohmann::json;
using test::RandomDocuments;

// What decode() gives; the body must also pass as what it was.
json documented(Codec codec, const std::string& body) {
  auto value = decode(codec, body);
  if (!value) ADD_FAILURE() << value.error().message << "\n" << body;
  return value ? *value : json();
}

Envelope envelope_of(const Frame& frame) {
  auto parsed = Envelope::parse_reply(frame.body, false);
  if (!parsed) throw std::runtime_error(parsed.error().error.message + "\n" + std::string(frame.body));
  return *parsed;
}

json random_request(RandomDocuments& random, Codec codec) {
  json request = random.object(codec, 3);  // keys nobody knows
  for (const char* known : {"id", "command", "timeout_ms", "parent_id", "session_id", "args", "event", "success"}) request.erase(known);
  request["command"] = random.chance(50) ? "echo:echo" : "ping";
  if (random.chance(60)) request["id"] = random.chance(50) ? json(random.below(1u << 20)) : json(random.text(8));
  if (random.chance(60)) request["args"] = random.object(codec, 4);
  if (random.chance(40)) request["timeout_ms"] = 0.5 + static_cast<double>(random.below(100000));
  if (random.chance(40)) request["parent_id"] = random.below(1u << 20);
  return request;
}

std::uint64_t fresh_seed() { return std::random_device{}(); }

TEST(WithoutSession, TakesTheNullAwayAndNothingElse) {
  const std::uint64_t seed = fresh_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomDocuments random(seed);
  for (int i = 0; i < 3000 && !testing::Test::HasFailure(); ++i) {
    const Codec codec = random.chance(50) ? Codec::json : Codec::msgpack;
    json request = random_request(random, codec);
    request["session_id"] = nullptr;
    const Frame frame = Frame::of(random.shuffled(codec, request));
    const Envelope envelope = envelope_of(frame);
    EXPECT_TRUE(envelope.declines_session());
    request.erase("session_id");
    EXPECT_EQ(documented(codec, without_session(frame, envelope)), request) << frame.body;
  }
}

TEST(SpliceRequest, ReplacesWhatItNamesAndNothingElseInThousandsOfRandomBodies) {
  const std::uint64_t seed = fresh_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomDocuments random(seed);
  for (int i = 0; i < 6000 && !testing::Test::HasFailure(); ++i) {
    const Codec codec = random.chance(50) ? Codec::json : Codec::msgpack;
    json request = random_request(random, codec);
    const Frame frame = Frame::of(random.shuffled(codec, request));
    RequestPatch patch{random.below(1u << 30), "run", std::nullopt};
    if (random.chance(60)) patch.timeout_ms = static_cast<double>(random.below(100000));
    const std::string session = random.text(8);
    if (random.chance(40)) patch.session_id = session;

    const Envelope before = envelope_of(frame);
    const std::string body = splice_request(frame, before, patch).body();

    request["id"] = patch.id;
    request["command"] = "run";
    request.erase("parent_id");
    if (patch.session_id) request["session_id"] = session;
    if (patch.timeout_ms) request["timeout_ms"] = std::max(1.0, *patch.timeout_ms);
    EXPECT_EQ(documented(codec, body), request) << frame.body << "\n" << body;
    const Frame after = Frame::of(body);
    EXPECT_EQ(envelope_of(after).args_range.in(after.body), before.args_range.in(frame.body)) << "args are the same bytes";
  }
}

TEST(SpliceReply, PutsBackTheCallersIdInThousandsOfRandomBodies) {
  const std::uint64_t seed = fresh_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomDocuments random(seed);
  for (int i = 0; i < 4000 && !testing::Test::HasFailure(); ++i) {
    const Codec codec = random.chance(50) ? Codec::json : Codec::msgpack;
    json reply{{"success", true}, {"result", random.value(codec)}};
    if (random.chance(80)) reply["id"] = random.below(1u << 20);
    const Frame frame = Frame::of(random.shuffled(codec, reply));
    const RequestId id = random.chance(50) ? RequestId{std::uint64_t{random.below(1u << 30)}} : RequestId{random.text(60)};

    const std::string body = splice_reply(frame, envelope_of(frame), id).body();

    reply["id"] = to_json(id);
    EXPECT_EQ(documented(codec, body), reply) << frame.body << "\n" << body;
  }
}

std::string spliced(const std::string& body, RequestPatch patch) {
  const Frame frame = Frame::of(body);
  return splice_request(frame, envelope_of(frame), patch).body();
}

TEST(SpliceRequest, InsertsWhatIsMissingAtTheFront) {
  EXPECT_EQ(spliced(R"( { "command" : "a:b" } )", {7, "b", 12.9}), R"( { "id":7,"timeout_ms":12,"command" : "b" } )");
}

TEST(SpliceRequest, RemovesTheParentWhereverItStands) {
  EXPECT_EQ(spliced(R"({"parent_id":1,"id":2,"command":"a"})", {3, "a", {}}), R"({"id":3,"command":"a"})");
  EXPECT_EQ(spliced(R"({"id":2,"parent_id" : 1 , "command":"a"})", {3, "a", {}}), R"({"id":3, "command":"a"})");
  EXPECT_EQ(spliced(R"({"id":2,"command":"a" , "parent_id":1 })", {3, "a", {}}), R"({"id":3,"command":"a"  })");
  EXPECT_EQ(spliced(R"({"command":"a","parent\u005fid":1})", {3, "a", {}}), R"({"id":3,"command":"a"})");
}

TEST(SpliceRequest, AParentIdOfAnyTypeFromAParentIsRemoved) {
  const Frame frame = Frame::of(R"({"parent_id":{"x":["}",","]},"command":"ping"})");
  const auto parsed = Envelope::parse_request(frame.body);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(splice_request(frame, *parsed, {3, "ping", {}}).body(), R"({"id":3,"command":"ping"})");
}

TEST(SpliceRequest, ATimeoutIsAtLeastOneMillisecondAndAtMostWhatTheProtocolCounts) {
  EXPECT_EQ(spliced(R"({"id":1,"command":"a","timeout_ms":5})", {1, "a", 0.01}), R"({"id":1,"command":"a","timeout_ms":1})");
  EXPECT_EQ(spliced(R"({"id":1,"command":"a","timeout_ms":5})", {1, "a", -3}), R"({"id":1,"command":"a","timeout_ms":1})");
  EXPECT_EQ(spliced(R"({"id":1,"command":"a","timeout_ms":5})", {1, "a", 1e30}), R"({"id":1,"command":"a","timeout_ms":2147483648})");
}

TEST(SpliceRequest, WithoutATimeoutTheCallersStays) {
  EXPECT_EQ(spliced(R"({"id":1,"command":"a","timeout_ms":5.5})", {1, "a", {}}), R"({"id":1,"command":"a","timeout_ms":5.5})");
}

TEST(SpliceRequest, TheHeaderOfAMapGrowsPastItsFormat) {
  json request{{"command", "a"}};
  for (int i = 0; i < 14; ++i) request["k" + std::to_string(i)] = i;
  std::string body;
  encode(Codec::msgpack, request, body).value();
  ASSERT_EQ(body.front(), '\x8f');
  const std::string out = spliced(body, {300, "a", 70000.0});
  EXPECT_EQ(out.substr(0, 3), std::string("\xde\x00\x11", 3));
  request["id"] = 300;
  request["timeout_ms"] = 70000;
  EXPECT_EQ(documented(Codec::msgpack, out), request);
}

TEST(SpliceReply, EscapesATextId) {
  const Frame frame = Frame::of(R"({"id":1,"success":true})");
  const std::string id("q\"b\\n\n\x01\0ä", 10);
  const std::string body = splice_reply(frame, envelope_of(frame), RequestId{id}).body();
  EXPECT_EQ(documented(Codec::json, body).at("id").get<std::string>(), id);
}

TEST(Splice, ALongPayloadIsReferredToAndKeepsItsBufferAlive) {
  const std::string payload(1 << 20, 'x');
  std::vector<iovec> pieces;
  OutFrame out;
  const char* place = nullptr;
  {
    const Frame frame = Frame::of(R"({"id":1,"command":"a","args":{"p":")" + payload + "\"}}");
    place = frame.body.data();
    out = splice_request(frame, envelope_of(frame), {2, "b", 10.0});
  }
  out.pieces(pieces);
  ASSERT_LE(pieces.size(), 4u);
  bool referred = false;
  for (const iovec& piece : pieces) {
    const char* const data = static_cast<const char*>(piece.iov_base);
    referred = referred || (data > place && data < place + payload.size() && piece.iov_len >= payload.size());
  }
  EXPECT_TRUE(referred);
  EXPECT_EQ(documented(Codec::json, out.body()), (json{{"id", 2}, {"command", "b"}, {"timeout_ms", 10}, {"args", {{"p", payload}}}}));
}

TEST(Splice, AShortBodyIsOnePiece) {
  const Frame frame = Frame::of(R"({"id":1,"command":"a","args":{"x":1}})");
  const OutFrame out = splice_request(frame, envelope_of(frame), {2, "b", 10.0});
  std::vector<iovec> pieces;
  out.pieces(pieces);
  EXPECT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces.front().iov_len, out.size());
}

}  // namespace
}  // namespace pons
