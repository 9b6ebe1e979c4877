#include "host/worker_record.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace pons {
namespace {

using nlohmann::json;

const json* field(const WorkerRecord& record, std::string_view name) {
  for (const auto& [key, value] : record.fields) {
    if (key == name) return &value;
  }
  return nullptr;
}

TEST(WorkerRecord, EveryLevelHasOneOfOurs) {
  const std::vector<std::pair<std::string, LogLevel>> levels{
      {"trace", LogLevel::trace},  {"debug", LogLevel::debug}, {"info", LogLevel::info},     {"warn", LogLevel::warn},
      {"warning", LogLevel::warn}, {"error", LogLevel::error}, {"critical", LogLevel::error}};
  for (const auto& [name, level] : levels) {
    const auto record = parse_worker_record(json{{"level", name}, {"message", "m"}}.dump());
    ASSERT_TRUE(record) << name;
    EXPECT_EQ(record->level, level) << name;
    EXPECT_EQ(record->message, "m");
    EXPECT_TRUE(record->fields.empty());
  }
}

TEST(WorkerRecord, OtherLinesAreNone) {
  for (const char* line :
       {"", " ", "{", "}", "{}", "loading {\"level\": \"info\", \"message\": \"m\"}", "{\"level\": \"info\", \"message\": \"m\"} x",
        "{\"level\": \"info\"}", "{\"message\": \"m\"}", "{\"level\": \"loud\", \"message\": \"m\"}", "{\"level\": 20, \"message\": \"m\"}",
        "{\"level\": \"info\", \"message\": 5}", "{\"level\": \"info\", \"message\": \"m\"}{\"level\": \"info\", \"message\": \"m\"}",
        "[{\"level\": \"info\", \"message\": \"m\"}]", "{'level': 'info', 'message': 'm'}", "{\"level\": \"off\", \"message\": \"m\"}",
        "{\"level\": \"info\", \"message\": \"\xff\"}"}) {
    EXPECT_FALSE(parse_worker_record(line)) << line;
  }
}

TEST(WorkerRecord, FieldsWithAMeaningComeFirstAndWhole) {
  const std::string trace(4'000, 't');
  const json line{{"level", "error"},      {"message", "m"},   {"a", 1},       {"session", "s"},
                  {"correlation_id", "c"}, {"command", "run"}, {"request", 7}, {"exception", trace},
                  {"logger", "app"},       {"z", true}};
  const auto record = parse_worker_record("  " + line.dump() + "\r");
  ASSERT_TRUE(record);
  std::vector<std::string> names;
  for (const auto& [name, value] : record->fields) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"logger", "exception", "request", "command", "correlation_id", "session", "a", "z"}));
  EXPECT_EQ(*field(*record, "exception"), trace);
  EXPECT_EQ(*field(*record, "request"), 7);
}

TEST(WorkerRecord, OurOwnNamesStayOurs) {
  const json line{{"level", "info"}, {"message", "m"}, {"adapter", "evil"}, {"worker", 1}, {"pid", 1}, {"stream", "x"}, {"time", "never"}};
  const auto record = parse_worker_record(line.dump());
  ASSERT_TRUE(record);
  for (const char* name : {"adapter", "worker", "pid", "stream", "time"}) {
    EXPECT_EQ(field(*record, name), nullptr) << name;
    EXPECT_NE(field(*record, std::string(name) + "_"), nullptr) << name;
  }
}

TEST(WorkerRecord, IsBoundedInNumberAndSize) {
  json line{{"level", "info"}, {"message", "m"},  {"map", json::object()},
            {"list", {1}},     {"null", nullptr}, {"text", std::string(3'000, 'x')}};
  line["a b=c"] = 1;
  line[""] = 1;
  line[std::string(WorkerRecord::kLongestName + 1, 'n')] = 1;
  const auto record = parse_worker_record(line.dump());
  ASSERT_TRUE(record);
  ASSERT_EQ(record->fields.size(), 2u);
  EXPECT_TRUE(field(*record, "null")->is_null());
  EXPECT_EQ(*field(*record, "text"), std::string(WorkerRecord::kLongestText, 'x') + "...");
  for (int i = 0; i < 100; ++i) line["f" + std::to_string(i)] = i;
  EXPECT_EQ(parse_worker_record(line.dump())->fields.size(), WorkerRecord::kMostFields);
}

// Whatever is done to a record, what comes out of it keeps the promises; most of it is a record no more.
TEST(WorkerRecord, RandomLinesKeepThePromises) {
  std::mt19937 random(20261121);
  const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  const std::string seed =
      R"({"level":"warning","message":"m\u00e4","logger":"a.b","request":7,"x":[{"y":null}],"pid":1,"f":1.5e3,"t":"\n"})";
  const std::string pieces = "{}[]\":,\\ \t\r\nabc019.-+eu\xff\xc3\xa4";
  int records = 0;
  for (int run = 0; run < 20'000; ++run) {
    std::string line = seed;
    for (std::size_t change = below(4); change > 0; --change) {
      const auto at = below(line.size());
      switch (below(3)) {
        case 0:
          line[at] = pieces[below(pieces.size())];
          break;
        case 1:
          line.erase(at, below(8));
          break;
        default:
          line.insert(at, 1, pieces[below(pieces.size())]);
      }
      if (line.empty()) line = " ";
    }
    const auto record = parse_worker_record(line);
    if (!record) continue;
    ++records;
    ASSERT_TRUE(json::accept(line)) << line;
    for (const auto& [name, value] : record->fields) {
      ASSERT_TRUE(value.is_primitive()) << line;
      ASSERT_TRUE(name != "adapter" && name != "worker" && name != "pid" && name != "stream" && name != "time") << line;
      ASSERT_EQ(name.find_first_of(" =\n\""), std::string::npos) << line;
    }
  }
  EXPECT_GT(records, 4'000);
  EXPECT_LT(records, 19'000);
}

}  // namespace
}  // namespace pons
