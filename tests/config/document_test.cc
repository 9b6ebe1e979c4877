#include "host/config/document.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>

#include "tests/config/config_fixture.h"

namespace pons {
namespace {

using nlohmann::json;

json yaml(std::string_view text) { return parse_document(text, "a.yaml").value; }

std::string failure(std::string_view text, const std::string& file = "a.yaml") {
  try {
    parse_document(text, file);
  } catch (const ConfigError& e) {
    return e.what();
  }
  return {};
}

TEST(Document, PlainScalarsAreTypedAsInYamlCore) {
  const std::pair<const char*, json> cases[] = {{"true", true},
                                                {"False", false},
                                                {"TRUE", true},
                                                {"yes", "yes"},
                                                {"on", "on"},
                                                {"null", nullptr},
                                                {"~", nullptr},
                                                {"12", 12},
                                                {"-12", -12},
                                                {"+12", 12},
                                                {"0o17", 15},
                                                {"0x1F", 31},
                                                {"017", 17},
                                                {"0b1", "0b1"},
                                                {"1.5", 1.5},
                                                {"-1e3", -1000.0},
                                                {".5", 0.5},
                                                {"1.", 1.0},
                                                {"1e", "1e"},
                                                {".", "."},
                                                {"-", nullptr},
                                                {"30s", "30s"},
                                                {"1_000", "1_000"},
                                                {"1:30", "1:30"},
                                                {"9223372036854775807", INT64_MAX},
                                                {"-9223372036854775808", INT64_MIN},
                                                {"18446744073709551615", UINT64_MAX},
                                                {"\"12\"", "12"},
                                                {"'true'", "true"},
                                                {"\"\"", ""},
                                                {"!!str 12", "12"},
                                                {"! 12", "12"},
                                                {"!!int 12", 12},
                                                {"!!float 12", 12},
                                                {"0x", "0x"},
                                                {"0xg", "0xg"},
                                                {"2026-11-21", "2026-11-21"}};
  for (const auto& [text, value] : cases) {
    if (std::string_view(text) == "-") continue;  // a list, see below
    EXPECT_EQ(yaml("k: " + std::string(text))["k"], value) << text;
  }
  EXPECT_EQ(yaml("-"), json::parse("[null]"));
  EXPECT_TRUE(yaml("k: 36893488147419103232")["k"].is_number_float());
  EXPECT_EQ(yaml("k: -18446744073709551615")["k"], -18446744073709551615.0);
  EXPECT_EQ(yaml("k: |\n  a\n  b\n")["k"], "a\nb\n");
}

TEST(Document, EmptyTextsAreNull) {
  for (const char* text : {"", "  \n", "# only a comment\n", "---\n", "\xef\xbb\xbf", "---\n...\n"}) {
    EXPECT_TRUE(yaml(text).is_null()) << text;
    EXPECT_TRUE(std::string_view(text).find('#') != 0 || yaml(text).is_null());
  }
  EXPECT_TRUE(parse_document("\n", "a.json").value.is_null());
}

struct Place {
  ConfigPath path;
  int key_line, key_column, value_line, value_column;
};

void expect_places(const Document& document, const std::vector<Place>& places) {
  for (const Place& place : places) {
    const Position key = document.key_at(place.path);
    const Position value = document.value_at(place.path);
    EXPECT_EQ(std::pair(key.line, key.column), std::pair(place.key_line, place.key_column)) << to_string(place.path);
    EXPECT_EQ(std::pair(value.line, value.column), std::pair(place.value_line, place.value_column)) << to_string(place.path);
  }
}

TEST(Document, YamlPlaces) {
  const std::string text =
      "host:\n  name: x\nadapters:\n  echo:\n    command: [python3, \"a b\"]\n    list:\n      - one\n      - two: 2\n  empty:\n  last: "
      "1\n";
  const std::vector<Place> places{{{"host"}, 1, 1, 2, 3},
                                  {{"host", "name"}, 2, 3, 2, 9},
                                  {{"adapters", "echo", "command"}, 5, 5, 5, 14},
                                  {{"adapters", "echo", "command", "1"}, 5, 24, 5, 24},
                                  {{"adapters", "echo", "list", "0"}, 7, 9, 7, 9},
                                  {{"adapters", "echo", "list", "1", "two"}, 8, 9, 8, 14},
                                  {{"adapters", "empty"}, 9, 3, 9, 3},
                                  {{"adapters", "last"}, 10, 3, 10, 9},
                                  {{"adapters", "nowhere", "deep"}, 3, 1, 3, 1}};
  expect_places(parse_document(text, "a.yaml"), places);
  std::string windows;
  for (const char c : text) windows += c == '\n' ? std::string("\r\n") : std::string(1, c);
  expect_places(parse_document(windows, "a.yaml"), places);
  EXPECT_EQ(parse_document(windows, "a.yaml").value, parse_document(text, "a.yaml").value);
  expect_places(parse_document("\xef\xbb\xbf" + text, "a.yaml"), places);
}

TEST(Document, JsonPlaces) {
  const std::string text =
      "{\n  \"a\": {\"b\\\"x\": [1, -2.5e3, \"\\\\\\\"]\", null]},\n\t\"c\" : true, \"d\":[], \"e\":{\"f\":\"\\ud83d\\ude00\"}\n}\n";
  const Document document = parse_document(text, "a.json");
  EXPECT_EQ(document.value, json::parse(text));
  expect_places(document, {{{}, 1, 1, 1, 1},
                           {{"a"}, 2, 3, 2, 8},
                           {{"a", "b\"x"}, 2, 9, 2, 17},
                           {{"a", "b\"x", "0"}, 2, 18, 2, 18},
                           {{"a", "b\"x", "1"}, 2, 21, 2, 21},
                           {{"a", "b\"x", "2"}, 2, 29, 2, 29},
                           {{"a", "b\"x", "3"}, 2, 38, 2, 38},
                           {{"c"}, 3, 2, 3, 8},
                           {{"d"}, 3, 14, 3, 18},
                           {{"e", "f"}, 3, 27, 3, 31}});
}

TEST(Document, JsonAsYamlGivesTheSame) {
  const char* const text = "{\"a\": [1, 2.5, \"x\\/y\", null, true], \"b\":{\"c\":\"d\"}}";
  EXPECT_EQ(yaml(text), json::parse(text));
}

TEST(Document, WhatIsWrongIsSaidWithItsPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"a: 1\nb: 2\na: 3\n", "a.yaml:3:1: a: the key stands twice (first in line 1)"},
      {"a:\n  b: 1\n  \"b\": 2\n", "a.yaml:3:3: a.b: the key stands twice (first in line 2)"},
      {"a: {x: {b: 1, b: {c: 1, c: 2}}, x: 3}",
       "a.yaml:1:15: a.x.b: the key stands twice (first in line 1)\n"
       "a.yaml:1:25: a.x.b.c: the key stands twice (first in line 1)\n"
       "a.yaml:1:33: a.x: the key stands twice (first in line 1)"},
      {"a: [1, 2", "a.yaml:1:8: a: not valid YAML: end of sequence flow not found"},
      {"a: 1\n---\nb: 2\n", "a.yaml:2:1: expected one document, found a second"},
      {"adapters:\n\thello: x\n", "a.yaml:2:1: not valid YAML: a tab; lines are indented with spaces alone"},
      {"host:\n  name: x\n  \tsocket: y\n", "a.yaml:3:3: host.name: not valid YAML: a tab; lines are indented with spaces alone"},
      {"a: *nope\n", "a.yaml:1:4: a: not valid YAML: the referenced anchor is not defined"},
      {"a: &x [*x]\n", "a.yaml:1:8: a: an alias inside of what it stands for"},
      {"x: &x {a: 1}\ny:\n  <<: *x\n", "a.yaml:3:3: y: merge keys (<<) are not part of YAML 1.2; write the keys out"},
      {"? [a, b]\n: 1\n", "a.yaml:1:3: expected a text as key"},
      {"? {a: b}\n: 1\n", "a.yaml:1:3: expected a text as key"},
      {"? \n: 1\n", "a.yaml:2:1: expected a text as key"},
      {"a: !thing 1\n", "a.yaml:1:4: a: the tag !thing does not fit here"},
      {"a: !!int x\n", "a.yaml:1:4: a: the tag tag:yaml.org,2002:int does not fit here"},
      {"a: !!binary aGk=\n", "a.yaml:1:4: a: the tag tag:yaml.org,2002:binary does not fit here"},
      {"a: !!set {x}\n", "a.yaml:1:4: a: the tag tag:yaml.org,2002:set does not fit here"},
      {"a: .inf\n", "a.yaml:1:4: a: expected a finite number, got .inf"},
      {"a: 1e999\n", "a.yaml:1:4: a: expected a finite number, got 1e999"},
      {"a: \"\\0\"\n", "a.yaml:1:4: a: a text must not hold the character NUL"},
      {"a: \xff\n", "a.yaml:1:4: expected text in UTF-8"},
      {"\xc3\xa4\xc3\xb6: x\nb: \x1b[31m\n", "a.yaml:2:4: expected text, found a control character"},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(failure(text), message) << text;
}

TEST(Document, WhatIsWrongInJson) {
  EXPECT_EQ(failure("{\"a\": 1,\n \"a\": 2}", "a.json"), "a.json:2:2: a: the key stands twice (first in line 1)");
  const std::string comma = failure("{\"a\": 1,\n}", "a.json");
  EXPECT_TRUE(comma.starts_with("a.json:2:1: not valid JSON: ")) << comma;
  EXPECT_TRUE(failure("{\"a\": 1} x", "a.json").starts_with("a.json:1:10: not valid JSON: "));
  EXPECT_TRUE(failure("{\"a\": \"\\ud800\"}", "a.json").find("not valid JSON: ") != std::string::npos);
  EXPECT_TRUE(failure("{\"a\": 1e999}", "a.json").find("not valid JSON: ") != std::string::npos) << failure("{\"a\": 1e999}", "a.json");
  EXPECT_EQ(failure("{\"a\": \"\\u0000\"}", "a.json"), "a.json:1:7: a: a text must not hold the character NUL");
  EXPECT_TRUE(failure("{a: 1}", "a.json").starts_with("a.json:1:2: not valid JSON: "));
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST(Document, BoundsHold) {
  const auto deep = [](std::size_t n, const char* begin, const char* end) { return repeated(begin, n) + "1" + repeated(end, n); };
  EXPECT_EQ(failure(deep(48, "[", "]")), "");
  EXPECT_EQ(failure(deep(48, "[", "]"), "a.json"), "");
  for (const std::string file : {"a.yaml", "a.json"}) {
    for (const std::size_t n : {49u, 5'000u, 100'000u}) {
      EXPECT_TRUE(failure(deep(n, "[", "]"), file).find("nested deeper than 48 levels") != std::string::npos) << file << " " << n;
    }
    EXPECT_TRUE(failure(deep(60, "{\"a\":", "}"), file).find("nested deeper") != std::string::npos) << file;
    EXPECT_TRUE(failure(std::string((1u << 20) + 1, ' '), file).find("is larger than 1MiB") != std::string::npos);
    EXPECT_TRUE(failure("{\"" + std::string(257, 'k') + "\": 1}", file).find("a key is longer than 256 bytes") != std::string::npos)
        << file;
    EXPECT_TRUE(failure("[" + repeated("1,", 120'000) + "1]", file).find("at most 100000 values") != std::string::npos) << file;
  }
  std::string deep_block;
  for (std::size_t i = 0; i < 60; ++i) deep_block += std::string(i, ' ') + "a:\n";
  EXPECT_TRUE(failure(deep_block).find("nested deeper") != std::string::npos);
}

TEST(Document, AliasesCountAsWhatTheyStandFor) {
  EXPECT_EQ(yaml("a: &x {n: [1, &s t]}\nb: *x\nc: *s\n*s : 1\n"), json::parse(R"({"a":{"n":[1,"t"]},"b":{"n":[1,"t"]},"c":"t","t":1})"));
  std::string laughs = "l0: &l0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 20; ++i) {
    const std::string below = "*l" + std::to_string(i - 1);
    const std::string own = "l" + std::to_string(i);
    laughs.append(own).append(": &").append(own).append(" [").append(repeated(below + ", ", 8)).append(below).append("]\n");
  }
  EXPECT_TRUE(failure(laughs).find("at most 100000 values") != std::string::npos) << failure(laughs);
  const std::string long_text = "a: &t \"" + std::string(200'000, 't') + "\"\nb: [" + repeated("*t, ", 100) + "*t]\n";
  EXPECT_TRUE(failure(long_text).find("bytes of text in all") != std::string::npos) << failure(long_text);
  std::string deep = "l0: &l0 [x]\n";
  for (int i = 1; i < 60; ++i) deep += "l" + std::to_string(i) + ": &l" + std::to_string(i) + " [*l" + std::to_string(i - 1) + "]\n";
  EXPECT_TRUE(failure(deep).find("nested deeper than 48 levels") != std::string::npos) << failure(deep);
}

TEST(Document, PathsAreReadable) {
  EXPECT_EQ(to_string(ConfigPath{"adapters", "dspy", "command", "0"}), "adapters.dspy.command[0]");
  EXPECT_EQ(to_string(ConfigPath{"errors", "*Rate.Limit"}), "errors.\"*Rate.Limit\"");
  EXPECT_EQ(to_string(ConfigPath{}), "");
}

class DocumentFile : public ConfigTest {
 protected:
  std::string failure(const std::filesystem::path& path) {
    const auto found = issues_of([&] { read_document(path); });
    return found.empty() ? "" : found.front();
  }
};

TEST_F(DocumentFile, SaysWhatIsWrongWithTheFile) {
  const std::string missing = (root_ / "missing.yaml").string();
  EXPECT_EQ(failure(missing), missing + ": no such file; expected a configuration");
  EXPECT_EQ(failure(root_), root_.string() + ": is a folder; expected a file");
  const std::string fifo = (root_ / "fifo").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(failure(fifo), fifo + ": is not a regular file");
  EXPECT_EQ(failure("/dev/zero"), "/dev/zero: is not a regular file");
  const std::string big = write("big.yaml", std::string((1u << 20) + 1, '#'));
  EXPECT_EQ(failure(big), big + ": is larger than 1MiB");
  const std::string secret = write("secret.yaml", "a: 1");
  std::filesystem::permissions(secret, std::filesystem::perms::none);
  if (::geteuid() != 0) {  // root may read everything
    EXPECT_EQ(failure(secret), secret + ": Permission denied");
  }
  const std::string loop = (root_ / "loop").string();
  std::filesystem::create_symlink(loop, loop);
  EXPECT_EQ(failure(loop), loop + ": Too many levels of symbolic links");
  EXPECT_EQ(failure("/proc/self/mem"), "/proc/self/mem: Input/output error");
}

}  // namespace
}  // namespace pons
