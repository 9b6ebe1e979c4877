// Thousands of damaged configurations: each is read, or refused with a reason; nothing crashes or hangs.
#include <random>

#include "host/config/document.h"
#include "tests/config/config_fixture.h"

namespace pons {
namespace {

constexpr std::string_view kYaml = R"(# a comment
host:
  name: lab
  log: {level: info, format: auto}
  max_frame: 64MiB
default: x
defaults: &d
  timeouts: {request: 30s}
  env: {A: "1"}
adapters:
  x:
    command: [run, "two words", 'three']
    options:
      text: |
        lines
        and lines
      again: *d
      folded: >-
        more
    pool: {size: 1, queue: 0x10}
    errors:
      "*RateLimitError": {code: rate_limit, retryable: true}
  y: {command: [run], health: {interval: 0}, limits: {cpu_affinity: [0-3, 4], cpu: 1.5}, devices: {variable: GPU, values: ["0"]}}
)";

constexpr std::string_view kJson = R"({"host": {"name": "lab", "write_timeout": "30s"}, "default": "x",
 "adapters": {"x": {"command": ["run", "\u00e4\n"], "options": {"n": [1, -2.5e3, null, true, {}]}, "pool": {"size": 2}}}}
)";

constexpr std::string_view kPieces[] = {"&a ",
                                        "*a",
                                        "<<: ",
                                        "? ",
                                        ": ",
                                        "- ",
                                        "|\n",
                                        ">\n",
                                        "{",
                                        "}",
                                        "[",
                                        "]",
                                        "!!str ",
                                        "!x ",
                                        "\"",
                                        "'",
                                        "#",
                                        "\n",
                                        "\r\n",
                                        "\t",
                                        "  ",
                                        "%YAML 1.2\n",
                                        "---\n",
                                        "...\n",
                                        "\\u0000",
                                        "\xff",
                                        "\xef\xbb\xbf",
                                        "0",
                                        "-",
                                        "1e999",
                                        "~",
                                        "999999999999999999999999",
                                        ",",
                                        "@",
                                        "`",
                                        "\\ud800",
                                        "\xc2\x85",
                                        "\xe2\x80\xa8"};

class Mutations : public ConfigTest {
 protected:
  std::string mutate(std::string text) {
    const int edits = pick(1, 6);
    for (int i = 0; i < edits; ++i) {
      const auto at = static_cast<std::size_t>(pick(0, static_cast<int>(text.size())));
      const auto length = static_cast<std::size_t>(pick(0, 12));
      switch (pick(0, 4)) {
        case 0:
          text.insert(at, kPieces[static_cast<std::size_t>(pick(0, static_cast<int>(std::size(kPieces)) - 1))]);
          break;
        case 1:
          text.erase(at, length);
          break;
        case 2:
          text.insert(at, text.substr(static_cast<std::size_t>(pick(0, static_cast<int>(text.size()))), length * 4));
          break;
        case 3:
          if (at < text.size()) text[at] = static_cast<char>(pick(0, 255));
          break;
        default:
          text.resize(pick(0, 20) == 0 ? at : text.size());
      }
    }
    return text;
  }

  void survive(std::string_view seed_text, const std::string& file, int rounds) {
    int good = 0;
    int bad = 0;
    for (int i = 0; i < rounds; ++i) {
      const std::string text = mutate(std::string(seed_text));
      try {
        const Config config = parse(text, file);
        EXPECT_EQ(to_json(parse(to_json(config).dump(), "again.json")), to_json(config)) << text;
        ++good;
      } catch (const ConfigError& e) {
        EXPECT_FALSE(e.issues().empty()) << text;
        for (const ConfigIssue& issue : e.issues()) {
          EXPECT_FALSE(issue.message.empty()) << text;
          EXPECT_NE(issue.message, "does not fit the schema") << text;
        }
        ++bad;
      }
    }
    EXPECT_GT(good, 0);
    EXPECT_GT(bad, 0);
  }

 private:
  int pick(int from, int to) { return std::uniform_int_distribution<int>(from, to)(random_); }

  std::mt19937 random_{20261121};
};

TEST_F(Mutations, OfYaml) { survive(kYaml, "pons.yaml", 300); }
TEST_F(Mutations, OfJson) { survive(kJson, "pons.json", 300); }

}  // namespace
}  // namespace pons
