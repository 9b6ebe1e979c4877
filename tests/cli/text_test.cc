// What people and programs see: documents, tables, errors, progress.
#include <gtest/gtest.h>

#include <limits>

#include "host/cli/control.h"
#include "host/cli/error_text.h"
#include "host/cli/fault.h"
#include "host/cli/json_text.h"
#include "host/cli/listings.h"
#include "host/cli/progress_line.h"
#include "host/cli/table.h"

namespace pons::cli {
namespace {

using nlohmann::json;

TEST(JsonText, OneLineSaysWhatJsonCannot) {
  const json value{{"b", json::binary({1, 2})},
                   {"e", json::binary({3}, 7)},
                   {"n", std::numeric_limits<double>::quiet_NaN()},
                   {"i", {-std::numeric_limits<double>::infinity(), 1.5}}};
  EXPECT_EQ(one_line(value), R"({"b":{"$bin":"AQI="},"e":{"$bin":"Aw==","$ext":7},"i":[{"$float":"-inf"},1.5],"n":{"$float":"nan"}})");
}

TEST(JsonText, BinComesBack) {
  const json value{{"b", json::binary({1, 2})}, {"e", json::binary({3}, 7)}, {"plain", {{"$bin", 1}}}};
  EXPECT_EQ(from_printable(json::parse(one_line(value))).value(), value);
}

TEST(JsonText, ShortContainersStayOnOneLine) {
  EXPECT_EQ(pretty({{"a", {1, 2}}, {"b", json::object()}}, false), R"({"a": [1, 2], "b": {}})");
  const json longer{{"rows", {std::string(60, 'x'), std::string(60, 'y')}}, {"n", 1}};
  EXPECT_EQ(pretty(longer, false),
            "{\n  \"n\": 1,\n  \"rows\": [\n    \"" + std::string(60, 'x') + "\",\n    \"" + std::string(60, 'y') + "\"\n  ]\n}");
}

TEST(JsonText, PrettyIsStillTheSameDocument) {
  const json value = json::parse(
      R"({"a": [{"b": [1, 2.5, "é\u0007\u007f\u009b"]}, null, true], "long": "------------------------------------------------------------------------------------------"})");
  EXPECT_EQ(json::parse(pretty(value, false)), value);
  EXPECT_EQ(pretty(value, false).find('\x7f'), std::string::npos);
  EXPECT_EQ(pretty(value, false).find("\xc2\x9b"), std::string::npos);
}

TEST(JsonText, ColourIsOnlyWhereItIsAskedFor) {
  EXPECT_EQ(pretty({{"a", 1}}, false).find('\x1b'), std::string::npos);
  EXPECT_NE(pretty({{"a", 1}}, true).find('\x1b'), std::string::npos);
}

TEST(JsonText, HarmlessShowsControlCharacters) {
  EXPECT_EQ(harmless("a\x1b[31m\xc2\x9b\xff\x7f é\n\t"), "a\\x1b[31m\\x9b\\xff\\x7f é\n\t");
}

TEST(Table, ColumnsAreAlignedAndEmptyOnesLeftOut) {
  Table table({{"NAME"}, {"NONE"}, {"N", Table::Align::right}});
  table.add({"é", "", "1"});
  table.add({"longer", "", "100"});
  EXPECT_EQ(table.text(), "NAME      N\né         1\nlonger  100\n");
}

TEST(Table, CellsCannotBreakTheLine) {
  Table table({{"NAME"}});
  table.add({"a\nb\x1b[2J"});
  EXPECT_EQ(table.text(), "NAME\na b\\x1b[2J\n");
}

TEST(Listings, EmptyOnesSaySo) {
  EXPECT_EQ(list_text({{"frameworks", json::array()}}), "no adapters\n");
  EXPECT_EQ(workers_text({{"workers", json::array()}}), "no workers\n");
  EXPECT_EQ(sessions_text({{"sessions", json::array()}}), "no sessions\n");
}

TEST(Listings, ListNamesTheDefault) {
  const auto text = list_text(json::parse(R"({"default": "echo", "frameworks": [
    {"name": "echo", "adapter": "echo", "state": "ready", "version": "0.1.0", "commands": [{"name": "a"}, {"name": "b"}]},
    {"name": "x", "adapter": "xgboost", "state": "idle"}]})"));
  EXPECT_EQ(text,
            "NAME            STATE  ADAPTER  VERSION  COMMANDS\n"
            "echo (default)  ready  echo     0.1.0           2\n"
            "x               idle   xgboost\n");
}

TEST(Listings, WorkersAndSessionsInUnitsForPeople) {
  const auto workers = workers_text(json::parse(R"({"workers": [{"adapter": "echo", "worker_id": "echo#0.1", "pid": 42, "state": "idle",
    "uptime_s": 185.2, "memory_rss_bytes": 1572864, "requests": 7}]})"));
  EXPECT_EQ(workers,
            "WORKER    STATE  PID  UPTIME  REQUESTS   MEMORY\n"
            "echo#0.1  idle    42   3m05s         7  1.5 MiB\n");
  const auto sessions =
      sessions_text(json::parse(R"({"sessions": [{"session_id": "s", "adapter": "echo", "worker_id": null, "state": "lost",
    "requests": 1, "idle_s": 0.25, "expires_in_s": null}]})"));
  EXPECT_EQ(sessions,
            "SESSION  ADAPTER  STATE  REQUESTS  IDLE\n"
            "s        echo     lost          1  0.2s\n");
  EXPECT_EQ(sessions_text(json::parse(R"({"sessions": [{"session_id": "s", "state": "bound", "snapshot_age_s": 3.5}]})")),
            "SESSION  STATE  SNAPSHOT AGE\n"
            "s        bound          3.5s\n");
}

TEST(Listings, StatsSummariseErrorsAndLatencies) {
  const auto text =
      stats_text(json::parse(R"({"host": {"uptime_s": 3, "pid": 9, "memory_rss_bytes": 1048576, "connections": 2, "frames_in": 5,
    "frames_out": 4, "late_replies": 0}, "adapters": {"echo": {"size": 2, "workers": 1, "ready": 1, "busy": 0, "queued": 0, "sessions": 0,
    "resources": 0, "requests": 3, "restarts": 0, "errors": {"worker_error": 2}, "latency_ms": {"p50": 0.123, "p90": 12.7, "p99": 12.7, "max": 13}}}})"));
  EXPECT_NE(text.find("host: up 3.0s, pid 9, memory 1.0 MiB, 2 connections, 5 frames in, 4 out, 0 late replies\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("1/2"), std::string::npos);
  EXPECT_NE(text.find("0.12"), std::string::npos);
  EXPECT_NE(text.find("2 worker_error"), std::string::npos);
}

TEST(Listings, UnexpectedShapesDoNoHarm) {
  for (const auto* odd : {"null", "[]", "1", R"({"workers": {}, "sessions": 1, "frameworks": "x", "adapters": [], "host": 3})",
                          R"({"workers": [1, null], "sessions": [[]], "frameworks": ["x"], "adapters": {"a": 1}})"}) {
    const auto value = json::parse(odd);
    for (const auto text_of : {list_text, workers_text, sessions_text, stats_text}) EXPECT_FALSE(text_of(value).empty());
  }
}

TEST(Listings, TimesAndSizes) {
  EXPECT_EQ(short_time(0.44), "0.4s");
  EXPECT_EQ(short_time(9.97), "10s");
  EXPECT_EQ(short_time(59.6), "1m00s");
  EXPECT_EQ(short_time(7800), "2h10m");
  EXPECT_EQ(short_time(90000), "1d01h");
  EXPECT_EQ(short_size(812), "812 B");
  EXPECT_EQ(short_size(2048), "2.0 KiB");
}

TEST(ErrorText, ShowsCodeDetailsAndSuggestions) {
  Error error{ErrorCode::invalid_args, "Bad rows."};
  error.details = json::parse(R"({"errors": [{"path": "/rows/0", "message": "too short", "expected": "4 numbers"}],
                                  "stderr_tail": ["one", "two\u001b[2J"], "exit_status": 3, "worker": "echo#0.1"})");
  EXPECT_EQ(error_text(error, {"echo:echo", "echo:fail"}),
            "error: Bad rows. (invalid_args)\n"
            "  did you mean echo:echo or echo:fail?\n"
            "  /rows/0: too short (expected: 4 numbers)\n"
            "  exit_status: 3\n"
            "  stderr_tail:\n    one\n    two\\x1b[2J\n"
            "  worker: echo#0.1\n");
}

TEST(ErrorText, OneLineForPrograms) {
  Error error{ErrorCode::worker_crashed, "It died."};
  error.details = {{"signal", 11}};
  EXPECT_EQ(error_json(error, {}, false), R"({"code":"worker_crashed","details":{"signal":11},"error":"It died.","retryable":false})"
                                          "\n");
  EXPECT_EQ(error_json(error, {"a:b"}, true),
            R"({"code":"worker_crashed","details":{"signal":11},"did_you_mean":["a:b"],"error":"It died.","retryable":true})"
            "\n");
}

TEST(ErrorText, CodeOfAnAdapterIsShown) {
  Error error{ErrorCode::worker_error, "No."};
  error.details = {{"code", "content_filter"}};
  EXPECT_EQ(error_text(error, {}), "error: No. (content_filter)\n");
}

TEST(ExitStatus, DependsOnTheCode) {
  EXPECT_EQ(exit_status_of(ErrorCode::deadline_exceeded), ExitStatus::timed_out);
  EXPECT_EQ(exit_status_of(ErrorCode::queue_timeout), ExitStatus::timed_out);
  EXPECT_EQ(exit_status_of(ErrorCode::worker_error), ExitStatus::failed);
  EXPECT_EQ(exit_status_of(ErrorCode::unknown_command), ExitStatus::failed);
}

TEST(Changes, DottedKeysAreNested) {
  EXPECT_EQ(nested(json::parse(R"({"pool.size": 4, "pool": {"queue": 1}, "sessions.snapshot.every": null, "log_rate": 1})")),
            json::parse(R"({"pool": {"size": 4, "queue": 1}, "sessions": {"snapshot": {"every": null}}, "log_rate": 1})"));
  EXPECT_EQ(nested(json::parse(R"({"errors": {"*.RateLimit": {"code": "rate_limit"}}})")),
            json::parse(R"({"errors": {"*.RateLimit": {"code": "rate_limit"}}})"));
}

TEST(ProgressText, SaysWhatIsKnown) {
  EXPECT_EQ(progress_text({{"done", 2}, {"total", 5}, {"message", "training"}}), "40% (2 of 5) training");
  EXPECT_EQ(progress_text({{"done", 2}}), "2");
  EXPECT_EQ(progress_text({{"message", "a\nb\x1b"}}), "a b\\x1b");
  EXPECT_EQ(progress_text({{"done", "x"}}), "");
  EXPECT_EQ(progress_text(nullptr), "");
}

}  // namespace
}  // namespace pons::cli
