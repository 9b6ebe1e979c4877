#include "protocol/document.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <regex>

#include "tests/protocol/random_document.h"

namespace pons {
namespace {

using nlohmann::json;
using test::RandomDocuments;

TEST(Document, EncodeThenDecodeGivesTheSameForThousandsOfRandomValues) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomDocuments random(seed);
  for (int i = 0; i < 4000; ++i) {
    const Codec codec = random.chance(50) ? Codec::json : Codec::msgpack;
    const json value = random.value(codec, 6);
    std::string bytes;
    ASSERT_TRUE(encode(codec, value, bytes));
    const auto back = decode(codec, bytes);
    ASSERT_TRUE(back) << back.error().message << "\n" << bytes;
    ASSERT_EQ(*back, value);
  }
}

TEST(Document, ReadsAndWritesWhatNlohmannDoes) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomDocuments random(seed);
  for (int i = 0; i < 4000; ++i) {
    const json text = random.value(Codec::json, 6);
    ASSERT_EQ(encode_or_throw(Codec::json, text), text.dump());
    ASSERT_EQ(*decode(Codec::json, text.dump(2)), text);
    const json packed = random.value(Codec::msgpack, 6);
    const std::vector<std::uint8_t> bytes = json::to_msgpack(packed);
    ASSERT_EQ(*decode(Codec::msgpack, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}), json::from_msgpack(bytes));
  }
}

TEST(Document, NumbersReadAsNlohmannReadsThem) {
  for (const char* number : {"0", "-0", "-0.0", "1e5", "1E+5", "2.5e-3", "1e-400", "-1e-400", "4.9e-324", "1.7976931348623157e308",
                             "0e999999999999", "0.00000000000000000001e25", "9223372036854775807", "9223372036854775808",
                             "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616"}) {
    const auto value = decode(Codec::json, number);
    ASSERT_TRUE(value) << number;
    EXPECT_EQ(value->dump(), json::parse(number).dump());
    EXPECT_EQ(value->type(), json::parse(number).type()) << number;
  }
  for (const char* number :
       {"1e309", "-1e309", "1.8e308", "01", "1.", ".5", "-", "1e", "+1", "0x1", "1e99999999999999999999", "Infinity", "NaN"}) {
    EXPECT_FALSE(decode(Codec::json, number)) << number;
  }
}

TEST(Document, TranscodingThereAndBackGivesTheSame) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomDocuments random(seed);
  for (int i = 0; i < 2000; ++i) {
    const json value = random.value(Codec::json, 6);
    const std::string text = encode_or_throw(Codec::json, value);
    const auto packed = transcode(text, Codec::json, Codec::msgpack);
    ASSERT_TRUE(packed) << packed.error().message;
    const auto back = transcode(*packed, Codec::msgpack, Codec::json);
    ASSERT_TRUE(back) << back.error().message;
    ASSERT_EQ(json::parse(*back), value);
  }
}

std::string nested(int levels) {
  return std::string(static_cast<std::size_t>(levels), '[') + std::string(static_cast<std::size_t>(levels), ']');
}

TEST(Document, NestingIsBoundedInBothCodecsAndBothWays) {
  EXPECT_TRUE(decode(Codec::json, nested(64)));
  EXPECT_EQ(decode(Codec::json, nested(65)).error().code, ErrorCode::bad_frame);
  EXPECT_EQ(decode(Codec::json, nested(1'000'000)).error().code, ErrorCode::bad_frame);
  EXPECT_TRUE(decode(Codec::msgpack, std::string(64, '\x91') + '\xc0'));
  EXPECT_EQ(decode(Codec::msgpack, std::string(65, '\x91') + '\xc0').error().code, ErrorCode::bad_frame);
  EXPECT_EQ(decode(Codec::msgpack, std::string(1'000'000, '\x91') + '\xc0').error().code, ErrorCode::bad_frame);
  json deep = json::array();
  for (int i = 1; i < 64; ++i) deep = json::array({std::move(deep)});
  std::string out = "kept";
  EXPECT_TRUE(encode(Codec::json, deep, out));
  deep = json::array({std::move(deep)});
  for (const Codec codec : {Codec::json, Codec::msgpack}) {
    out = "kept";
    const auto encoded = encode(codec, deep, out);
    ASSERT_FALSE(encoded);
    EXPECT_EQ(encoded.error().code, ErrorCode::bad_frame);
    EXPECT_EQ(out, "kept");
  }
}

TEST(Document, WhatIsMalformedIsNamedWithItsPlace) {
  EXPECT_EQ(decode(Codec::json, "[1,]").error().message, "Bad JSON at byte 3: a value was expected.");
  EXPECT_EQ(decode(Codec::json, "1 2").error().message, "Bad JSON at byte 2: something follows the value.");
  EXPECT_EQ(decode(Codec::json, "").error().message, "Bad JSON at byte 0: the text ends where a value was expected.");
  EXPECT_EQ(decode(Codec::msgpack, "\xc0\xc0").error().message, "Bad MessagePack at byte 1: something follows the value.");
  EXPECT_EQ(decode(Codec::msgpack, "\x81\x01\x02").error().message, "Bad MessagePack at byte 1: the key of a map is not a string.");
}

TEST(Document, AnyValueStandsAlone) {
  EXPECT_EQ(*decode(Codec::json, " null "), nullptr);
  EXPECT_EQ(*decode(Codec::json, "-0"), 0);
  EXPECT_EQ(*decode(Codec::msgpack, "\xff"), -1);
}

TEST(Document, IntegersKeepTheirValueAndLongOnesBecomeDoubles) {
  EXPECT_EQ(*decode(Codec::json, "18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(*decode(Codec::json, "-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(*decode(Codec::json, "123456789012345678901234567890"), 123456789012345678901234567890.0);
  const auto packed = transcode("123456789012345678901234567890", Codec::json, Codec::msgpack);
  ASSERT_TRUE(packed);
  EXPECT_EQ(packed->front(), '\xcb');
}

TEST(Document, AnIntegerBeyondDoubleIsAnErrorNotInfinity) {
  const auto decoded = decode(Codec::json, std::string(400, '9'));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::bad_frame);
}

TEST(Document, BinaryAndExtensionsStayWhatTheyAre) {
  const std::string ext8 = std::string("\xc7\x03\xfe", 3) + "abc";
  const std::string fixext4 = std::string("\xd6\x07", 2) + "abcd";
  const std::string bin = std::string("\xc4\x02", 2) + "\xff\x01";
  for (const std::string& bytes : {ext8, fixext4, bin}) {
    const auto value = decode(Codec::msgpack, bytes);
    ASSERT_TRUE(value);
    EXPECT_EQ(encode_or_throw(Codec::msgpack, *value), bytes);
  }
  EXPECT_FALSE(decode(Codec::msgpack, bin)->get_binary().has_subtype());
}

Error json_error(const json& value) {
  std::string out;
  const auto encoded = encode(Codec::json, value, out);
  EXPECT_FALSE(encoded);
  EXPECT_EQ(out, "");
  return encoded ? Error{} : encoded.error();
}

TEST(Document, WhatJsonCannotCarryIsNamedByItsPointer) {
  const json binary = json::binary({1, 2});
  const Error bin = json_error({{"a", {1, {{"x/y~", binary}}}}});
  EXPECT_EQ(bin.code, ErrorCode::unsupported_codec);
  EXPECT_EQ(bin.message, "The value at \"/a/1/x~1y~0\" is binary, which JSON cannot carry.");
  const Error nan = json_error({1.0, {2.0, std::nan("")}});
  EXPECT_EQ(nan.code, ErrorCode::worker_error);
  EXPECT_EQ(nan.message, "The value at \"/1/1\" is NaN or infinite, which JSON cannot carry.");
  EXPECT_EQ(json_error(std::numeric_limits<double>::infinity()).message, "The value at \"\" is NaN or infinite, which JSON cannot carry.");
}

TEST(Document, TextThatIsNotUtf8IsRefusedInBothCodecs) {
  for (const Codec codec : {Codec::json, Codec::msgpack}) {
    std::string out;
    const auto value = encode(codec, {{"a", {"ok", "bad\xff"}}}, out);
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().message, "The value at \"/a/1\" is a string that is not valid UTF-8.");
    const auto key = encode(codec, {{"k\xc0", 1}}, out);
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().message, "The value at \"/k\xef\xbf\xbd\" has a key that is not valid UTF-8.");
  }
}

TEST(Document, EncodeOrThrowThrows) { EXPECT_THROW((void)encode_or_throw(Codec::json, std::nan("")), Exception); }

TEST(Document, ABinaryBodyCannotBeTranscodedToJson) {
  const std::string body = encode_or_throw(Codec::msgpack, {{"args", {{"blob", json::binary({1})}}}});
  const auto text = transcode(body, Codec::msgpack, Codec::json);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, ErrorCode::unsupported_codec);
  EXPECT_NE(text.error().message.find("/args/blob"), std::string::npos);
}

class Bodies : public testing::TestWithParam<Codec> {
 protected:
  json parsed(const std::string& body) {
    EXPECT_TRUE(Envelope::parse_reply(body, false)) << body;
    const auto value = decode(GetParam(), body);
    EXPECT_TRUE(value) << body;
    return value ? *value : json();
  }
};

TEST_P(Bodies, AnErrorSaysEverything) {
  const Error error{ErrorCode::overloaded, "Too \"busy\".", {{"retry_after_ms", 5}}};
  json body = parsed(error_body(GetParam(), RequestId{std::uint64_t{7}}, error));
  EXPECT_TRUE(body.at("timestamp").is_string());
  body.erase("timestamp");
  EXPECT_EQ(body, (json{{"id", 7},
                        {"success", false},
                        {"error", "Too \"busy\"."},
                        {"code", "overloaded"},
                        {"retryable", true},
                        {"details", {{"retry_after_ms", 5}}}}));
}

TEST_P(Bodies, AnErrorWithoutDetailsHasNone) {
  const json body = parsed(error_body(GetParam(), RequestId{"a\"b"}, Error{ErrorCode::worker_crashed, "Gone."}, true));
  EXPECT_FALSE(body.contains("details"));
  EXPECT_EQ(body.at("id"), "a\"b");
  EXPECT_EQ(body.at("retryable"), true);
}

TEST_P(Bodies, AnErrorReachesItsCallerWhateverItHolds) {
  json deep = 1;
  for (int i = 0; i < 80; ++i) deep = json::array({std::move(deep)});
  const json details{{"stderr_tail", "cut \xe2\x82"}, {"k\xff", 1}, {"deep", deep}, {"ok", 5}};
  const json body = parsed(error_body(GetParam(), RequestId{std::uint64_t{1}}, Error{ErrorCode::worker_error, "bad \xff text", details}));
  EXPECT_EQ(body.at("error"), "bad \xef\xbf\xbd text");
  EXPECT_EQ(body.at("details").at("stderr_tail"), "cut \xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(body.at("details").at("ok"), 5);
}

TEST_P(Bodies, AResultIsWrapped) {
  json body = parsed(result_body(GetParam(), RequestId{std::uint64_t{7}}, {{"x", {1, 2.5, nullptr}}}));
  body.erase("timestamp");
  EXPECT_EQ(body, (json{{"id", 7}, {"success", true}, {"result", {{"x", {1, 2.5, nullptr}}}}}));
}

TEST_P(Bodies, AResultThatCannotBeSaidBecomesAnError) {
  json deep = json::object();
  for (int i = 0; i < 63; ++i) deep = json::array({std::move(deep)});
  const json body = parsed(result_body(GetParam(), RequestId{std::uint64_t{7}}, deep));
  EXPECT_EQ(body.at("success"), false);
  EXPECT_EQ(body.at("id"), 7);
  EXPECT_EQ(body.at("code"), "bad_frame");
}

INSTANTIATE_TEST_SUITE_P(BothCodecs, Bodies, testing::Values(Codec::json, Codec::msgpack),
                         [](const auto& codec) { return std::string(to_string(codec.param)); });

TEST(ResultBody, BinaryInJsonBecomesUnsupportedCodec) {
  const auto body = json::parse(result_body(Codec::json, RequestId{std::uint64_t{1}}, json::binary({1})));
  EXPECT_EQ(body.at("code"), "unsupported_codec");
}

TEST(Timestamp, IsUtcWithMicroseconds) {
  EXPECT_TRUE(std::regex_match(timestamp_now(), std::regex(R"(20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d\.\d{6}Z)"))) << timestamp_now();
}

}  // namespace
}  // namespace pons
