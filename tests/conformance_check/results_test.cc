#include "host/conformance/results.h"

#include <gtest/gtest.h>

#include <limits>

namespace pons::conformance {
namespace {

using nlohmann::json;

json with(json document, const char* key, json value) {
  document[key] = std::move(value);
  return document;
}
json without(json document, const char* key) {
  document.erase(key);
  return document;
}

TEST(WorkerResults, Ping) {
  EXPECT_FALSE(wrong_status({{"status", "ok"}, {"worker_id", "a#0.1"}}));
  for (const json& ping : {json("ok"), json(), json::object(), json{{"status", "OK"}}, json::array({"status", "ok"})}) {
    EXPECT_TRUE(wrong_status(ping)) << ping;
  }
}

TEST(WorkerResults, Protocol) {
  EXPECT_EQ(level_of({{"status", "ok"}}), 0);
  EXPECT_EQ(level_of({{"protocol", 1}}), 1);
  EXPECT_FALSE(wrong_protocol({{"status", "ok"}}));
  EXPECT_FALSE(wrong_protocol({{"protocol", 1}}));
  for (const json& protocol : {json(2), json(0), json("1"), json(), json(1.0), json{{"min", 1}}}) {
    EXPECT_TRUE(wrong_protocol({{"protocol", protocol}})) << protocol;
  }
}

TEST(WorkerResults, StackSignal) {
  EXPECT_FALSE(wrong_stack_signal(json::object()));
  EXPECT_FALSE(wrong_stack_signal({{"stack_signal", 38}}));
  for (const json& number : {json(0), json(-1), json(65), json("38"), json()}) {
    EXPECT_TRUE(wrong_stack_signal({{"stack_signal", number}})) << number;
  }
}

const json kInfo{
    {"name", "hello"},
    {"version", "1.0"},
    {"capabilities", {"text"}},
    {"commands",
     {{{"name", "greet"}, {"description", "Greets."}, {"idempotent", true}, {"args_schema", json::object()}}, {{"name", "train"}}}}};

TEST(WorkerResults, Info) {
  EXPECT_FALSE(wrong_info(kInfo));
  EXPECT_FALSE(wrong_commands(kInfo));
  EXPECT_EQ(command_names(kInfo, false), (std::vector<std::string>{"greet", "train"}));
  EXPECT_EQ(command_names(kInfo, true), (std::vector<std::string>{"greet"}));
  for (const char* key : {"name", "version", "capabilities"}) {
    EXPECT_TRUE(wrong_info(without(kInfo, key))) << key;
    EXPECT_TRUE(wrong_info(with(kInfo, key, 1))) << key;
    EXPECT_TRUE(wrong_info(with(kInfo, key, ""))) << key;
  }
  EXPECT_TRUE(wrong_info(with(kInfo, "capabilities", {"text", 1})));
  EXPECT_TRUE(wrong_info(json::array()));
  EXPECT_TRUE(wrong_commands(without(kInfo, "commands")));
}

TEST(WorkerResults, Commands) {
  const auto wrong = [](json commands) { return wrong_commands({{"commands", std::move(commands)}}).has_value(); };
  EXPECT_FALSE(wrong(json::array()));
  EXPECT_TRUE(wrong(json::object()));
  EXPECT_TRUE(wrong(json::array({"greet"})));
  EXPECT_TRUE(wrong(json::array({{{"description", "?"}}})));
  EXPECT_TRUE(wrong(json::array({{{"name", ""}}})));
  EXPECT_TRUE(wrong(json::array({{{"name", "a"}}, {{"name", "a"}}})));
  EXPECT_TRUE(wrong(json::array({{{"name", "a"}, {"idempotent", 1}}})));
  EXPECT_TRUE(wrong(json::array({{{"name", "a"}, {"args_schema", "any"}}})));
  EXPECT_TRUE(wrong(json::array({{{"name", "a"}, {"description", 1}}})));
}

TEST(WorkerResults, Codecs) {
  EXPECT_FALSE(wrong_codecs(json::object()));
  EXPECT_FALSE(wrong_codecs({{"codecs", {"json", "msgpack"}}}));
  EXPECT_TRUE(wrong_codecs({{"codecs", {"msgpack"}}}));
  EXPECT_TRUE(wrong_codecs({{"codecs", {"json", "cbor"}}}));
  EXPECT_TRUE(wrong_codecs({{"codecs", "json"}}));
  EXPECT_TRUE(lists_codec(json::object(), "json"));
  EXPECT_FALSE(lists_codec(json::object(), "msgpack"));
  EXPECT_TRUE(lists_codec({{"codecs", {"json", "msgpack"}}}, "msgpack"));
}

TEST(WorkerResults, Concurrency) {
  EXPECT_FALSE(wrong_concurrency(json::object()));
  EXPECT_FALSE(wrong_concurrency({{"concurrency", 8}}));
  for (const json& value : {json(0), json(-1), json(1.5), json("1"), json()})
    EXPECT_TRUE(wrong_concurrency({{"concurrency", value}})) << value;
}

const json kStats{{"requests_processed", 3}, {"errors", 0},           {"start_time", "2026-11-21T03:00:00Z"},
                  {"uptime_s", 1.5},         {"active_resources", 0}, {"sessions", 1},
                  {"memory_rss_bytes", 4096}};

TEST(WorkerResults, Stats) {
  EXPECT_FALSE(wrong_stats(kStats, 1));
  EXPECT_FALSE(wrong_stats(with(kStats, "start_time", 1.7e9), 1));
  EXPECT_TRUE(wrong_stats(json::array(), 0));
  for (const auto& [key, value] : kStats.items()) {
    EXPECT_TRUE(wrong_stats(without(kStats, key.c_str()), 1)) << key;
    EXPECT_FALSE(wrong_stats(without(kStats, key.c_str()), 0)) << key;
    for (const int level : {0, 1}) {
      EXPECT_TRUE(wrong_stats(with(kStats, key.c_str(), -1), level)) << key;
      EXPECT_TRUE(wrong_stats(with(kStats, key.c_str(), json::array()), level)) << key;
    }
  }
  EXPECT_TRUE(wrong_stats(with(kStats, "errors", 0.5), 1));
}

TEST(WorkerResults, Growth) {
  auto after = with(with(kStats, "requests_processed", 5), "errors", 1);
  EXPECT_FALSE(wrong_growth(kStats, after, 2, 1));
  EXPECT_TRUE(wrong_growth(kStats, after, 3, 1));
  EXPECT_TRUE(wrong_growth(kStats, after, 2, 2));
  EXPECT_TRUE(wrong_growth(kStats, with(after, "uptime_s", 1.0), 2, 1));
  EXPECT_FALSE(wrong_growth(without(kStats, "errors"), without(after, "errors"), 2, 1));
}

TEST(WorkerResults, Cleanup) {
  const json good{{"status", "cleaned"}, {"resources_removed", 0}, {"sessions_removed", 2}};
  EXPECT_FALSE(wrong_cleanup(good));
  EXPECT_TRUE(wrong_cleanup("cleaned"));
  for (const auto& [key, value] : good.items()) {
    EXPECT_TRUE(wrong_cleanup(without(good, key.c_str()))) << key;
    EXPECT_TRUE(wrong_cleanup(with(good, key.c_str(), -1))) << key;
  }
}

TEST(WorkerResults, Refusals) {
  const json good{{"success", false}, {"error", "Unknown command: x"}, {"code", "unknown_command"}};
  const auto wrong = [](const json& reply, int level) {
    return wrong_refusal(reply, "unknown_command", "Unknown command: x", level).has_value();
  };
  EXPECT_FALSE(wrong(good, 1));
  EXPECT_FALSE(wrong(without(good, "code"), 0));
  EXPECT_TRUE(wrong(without(good, "code"), 1));
  EXPECT_TRUE(wrong(with(good, "code", "worker_error"), 0));
  EXPECT_TRUE(wrong(with(good, "error", "What?"), 1));
  EXPECT_TRUE(wrong({{"success", true}}, 0));
}

TEST(WorkerResults, DifferencesAreFoundByTheirPath) {
  const json wanted{{"a", {1, {{"b", 0.5}}}}, {"text", "x"}, {"bin", json::binary({1})}, {"nan", std::nan("")}};
  EXPECT_FALSE(first_difference(wanted, wanted));
  EXPECT_FALSE(first_difference(json(std::int64_t{5}), json(std::uint64_t{5})));
  auto other = wanted;
  other["a"][1]["b"] = 1;
  EXPECT_NE(first_difference(wanted, other).value_or("").find("/a/1/b"), std::string::npos);
  EXPECT_TRUE(first_difference(wanted, without(wanted, "text")));
  EXPECT_TRUE(first_difference(wanted, with(wanted, "more", 1)));
  EXPECT_TRUE(first_difference(wanted, with(wanted, "bin", json::binary({2}))));
  EXPECT_TRUE(first_difference(json(1), json(1.0)));
  EXPECT_TRUE(first_difference(json::array({1, 2}), json::array({1})));
}

}  // namespace
}  // namespace pons::conformance
