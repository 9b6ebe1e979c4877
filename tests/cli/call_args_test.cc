#include "host/cli/call_args.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <map>

namespace pons::cli {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

const std::map<std::string, std::string> kFiles{{"object.json", R"({"a": 1, "b": {"c": null}})"},
                                                {"rows.json", "[[1, 2]]\n"},
                                                {"text.txt", "two\nlines\n"},
                                                {"bytes.bin", std::string("\xff\x00\x01", 3)},
                                                {"broken.json", "{\"a\": }"}};

ArgSources sources() {
  return {[](const std::string& path) -> Result<std::string> {
            const auto found = kFiles.find(path);
            if (found == kFiles.end()) return Error{ErrorCode::invalid_args, "cannot open " + path};
            return found->second;
          },
          []() -> Result<std::string> { return std::string(R"({"from": "stdin"})"); }};
}

Result<json> args_of(const Words& words, Codec codec = Codec::json) { return parse_call_args(words, codec, sources()); }

struct Good {
  const char* name;
  Words words;
  const char* args;
};
class GoodArgs : public testing::TestWithParam<Good> {};
INSTANTIATE_TEST_SUITE_P(
    CallArgs, GoodArgs,
    testing::Values(Good{"none", {}, "{}"}, Good{"object", {R"({"a": [1, 2]})"}, R"({"a": [1, 2]})"},
                    Good{"text", {"k=v"}, R"({"k": "v"})"}, Good{"text_that_looks_like_json", {"k=1"}, R"({"k": "1"})"},
                    Good{"json", {"k:=1"}, R"({"k": 1})"},
                    Good{"json_object", {R"(k:={"a": [true, null]})"}, R"({"k": {"a": [true, null]}})"},
                    Good{"negative", {"k:=-1.5"}, R"({"k": -1.5})"}, Good{"empty_text", {"k="}, R"({"k": ""})"},
                    Good{"equals_in_text", {"k=a=b:=c"}, R"({"k": "a=b:=c"})"}, Good{"colon_in_key", {"a:b=c"}, R"({"a:b": "c"})"},
                    Good{"file", {"@object.json"}, R"({"a": 1, "b": {"c": null}})"}, Good{"stdin", {"-"}, R"({"from": "stdin"})"},
                    Good{"text_of_a_file", {"k=@text.txt"}, R"({"k": "two\nlines\n"})"},
                    Good{"json_of_a_file", {"k:=@rows.json"}, R"({"k": [[1, 2]]})"}, Good{"literal_at", {"k=@@name"}, R"({"k": "@name"})"},
                    Good{"several", {"a=1", "b:=2"}, R"({"a": "1", "b": 2})"},
                    Good{"last_counts", {"@object.json", "a=x", "a=y"}, R"({"a": "y", "b": {"c": null}})"},
                    Good{"object_after_pairs", {"a=x", R"({"a": 2})"}, R"({"a": 2})"}, Good{"utf8", {"k=hé"}, R"({"k": "hé"})"},
                    Good{"bin_stays_an_object_in_json", {R"(k:={"$bin": "AA=="})"}, R"({"k": {"$bin": "AA=="}})"}),
    [](const auto& tested) { return tested.param.name; });
TEST_P(GoodArgs, BecomeADocument) {
  const auto args = args_of(GetParam().words);
  ASSERT_TRUE(args) << args.error().message;
  EXPECT_EQ(*args, json::parse(GetParam().args));
}

struct Bad {
  const char* name;
  Words words;
  const char* says;
};
class BadArgs : public testing::TestWithParam<Bad> {};
INSTANTIATE_TEST_SUITE_P(CallArgs, BadArgs,
                         testing::Values(Bad{"word", {"word"}, "\"word\" is no argument"}, Bad{"no_key", {"=v"}, "no key"},
                                         Bad{"no_key_json", {":=1"}, "no key"}, Bad{"broken_object", {"{"}, "ARGS: "},
                                         Bad{"broken_json", {"k:={"}, "k: "}, Bad{"broken_file", {"@broken.json"}, "broken.json: "},
                                         Bad{"missing_file", {"@none"}, "none"}, Bad{"missing_file_of_a_key", {"k=@none"}, "none"},
                                         Bad{"file_is_no_object", {"@rows.json"}, "a JSON object is expected, not: array"},
                                         Bad{"bytes_over_json", {"k=@bytes.bin"}, "--codec msgpack"},
                                         Bad{"not_utf8", {"k=\xff"}, "not UTF-8"}, Bad{"two_values", {"k:=1 2"}, "k: "}),
                         [](const auto& tested) { return tested.param.name; });
TEST_P(BadArgs, AreNamed) {
  const auto args = args_of(GetParam().words);
  ASSERT_FALSE(args);
  EXPECT_EQ(args.error().code, ErrorCode::invalid_args);
  EXPECT_NE(args.error().message.find(GetParam().says), std::string::npos) << args.error().message;
}

TEST(CallArgs, DepthIsBounded) {
  EXPECT_FALSE(args_of({"k:=" + std::string(100'000, '[')}));
  EXPECT_FALSE(args_of({"k:=" + std::string(100, '[') + std::string(100, ']')}));
}

TEST(CallArgs, BytesAreBinOverMessagePack) {
  const json bytes = json::binary({0xff, 0x00, 0x01});
  EXPECT_EQ(args_of({"k=@bytes.bin"}, Codec::msgpack).value(), (json{{"k", bytes}}));
  EXPECT_EQ(args_of({R"(k:={"a": [{"$bin": "/wAB"}]})"}, Codec::msgpack).value(), (json{{"k", {{"a", json::array({bytes})}}}}));
  EXPECT_FALSE(args_of({R"(k:={"$bin": "/wA"})"}, Codec::msgpack));
}

TEST(CallArgs, TextsThatLookLikeOtherValuesAreNoted) {
  const std::vector<std::string> given{"size=2", "on=true", "x=null",        "rows=[1]", "o={}", "text=hi",
                                       "n:=3",   "empty=",  R"({"a=1": 1})", "-",        "@f=1"};
  EXPECT_EQ(notes_on_texts(given, ErrorCode::invalid_args),
            "note: size=2 is a text; a number is written size:=2\n"
            "note: on=true is a text; true is written on:=true\n"
            "note: x=null is a text; null is written x:=null\n"
            "note: rows=[1] is a text; a list is written rows:=[1]\n"
            "note: o={} is a text; a map is written o:={}\n");
  EXPECT_EQ(notes_on_texts({"size=2"}, ErrorCode::worker_crashed), "");
}

TEST(CallArgs, MetaIsText) {
  EXPECT_EQ(parse_meta({}).value(), json(nullptr));
  EXPECT_EQ(parse_meta({"user_id=a", "n=1=2"}).value(), (json{{"user_id", "a"}, {"n", "1=2"}}));
  EXPECT_FALSE(parse_meta({"user_id"}));
  EXPECT_FALSE(parse_meta({"=a"}));
}

TEST(CallArgs, FilesAreReadWhole) {
  EXPECT_NE(read_file("/nonexistent/x").error().message.find("cannot open /nonexistent/x: No such file"), std::string::npos);
  EXPECT_NE(read_file("/").error().message.find("Is a directory"), std::string::npos);
  EXPECT_EQ(read_file("/dev/null").value(), "");
}

}  // namespace
}  // namespace pons::cli
