#include "host/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace pons {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A pipe in the place of stderr.
class Pipe {
 public:
  Pipe() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    read_ = fds[0];
    write_ = fds[1];
  }
  ~Pipe() {
    close_reader();
    ::close(write_);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  [[nodiscard]] int writer() const { return write_; }
  void close_reader() {
    if (read_ >= 0) ::close(read_);
    read_ = -1;
  }
  // What is in it now.
  std::string drain() const {
    std::string out;
    char buffer[4096];
    pollfd ready{read_, POLLIN, 0};
    while (::poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN) != 0) {
      const ssize_t n = ::read(read_, buffer, sizeof buffer);
      if (n <= 0) break;
      out.append(buffer, static_cast<std::size_t>(n));
    }
    return out;
  }

 private:
  int read_ = -1;
  int write_ = -1;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

LogOptions options_for(const Pipe& pipe, LogFormat format) {
  LogOptions options;
  options.fd = pipe.writer();
  options.format = format;
  return options;
}

TEST(Log, JsonLinesHoldMessageAndFieldsInOrder) {
  const Pipe pipe;
  Log log(options_for(pipe, LogFormat::json));
  log.info("worker ready", {{"adapter", "echo"}, {"pid", 42}, {"ok", true}});
  ASSERT_TRUE(log.flush(seconds(10)));
  const std::string text = pipe.drain();
  ASSERT_TRUE(text.ends_with("\n"));
  const json line = json::parse(text);
  EXPECT_EQ(line["level"], "info");
  EXPECT_EQ(line["message"], "worker ready");
  EXPECT_EQ(line["adapter"], "echo");
  EXPECT_EQ(line["pid"], 42);
  EXPECT_EQ(line["ok"], true);
  const auto time = line["time"].get<std::string>();
  EXPECT_EQ(time.size(), std::string("2026-11-21T03:00:00.123Z").size()) << time;
  EXPECT_TRUE(text.find(R"("level":"info","message":"worker ready","adapter":"echo","pid":42,"ok":true})") != std::string::npos) << text;
}

TEST(Log, AutomaticIsJsonWhereThereIsNoTerminal) {
  const Pipe pipe;
  Log log(options_for(pipe, LogFormat::automatic));
  log.warn("hm");
  ASSERT_TRUE(log.flush(seconds(10)));
  EXPECT_EQ(json::parse(pipe.drain())["level"], "warn");
}

TEST(Log, JsonStaysValidWhateverIsLogged) {
  const Pipe pipe;
  Log log(options_for(pipe, LogFormat::json));
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  const std::vector<std::string> bad{all, "\xff\xfe", "two\nlines", "{} {0} %v %d", "\xed\xa0\x80", std::string("\0x", 2), "\"quoted\" \\"};
  for (const std::string& text : bad) {
    log.info(text, {{"field", text}});
    log.worker_line({"echo", "echo#0.1", 7, "stdout"}, text);
  }
  ASSERT_TRUE(log.flush(seconds(10)));
  const std::vector<std::string> lines = lines_of(pipe.drain());
  ASSERT_EQ(lines.size(), bad.size() * 2);
  for (const std::string& line : lines) EXPECT_TRUE(json::accept(line)) << line;
  EXPECT_EQ(json::parse(lines[6])["message"], "{} {0} %v %d");
  EXPECT_EQ(json::parse(lines[4])["message"], "two\nlines");
}

TEST(Log, FieldsCannotReplaceWhatTheLineSays) {
  const Pipe pipe;
  Log log(options_for(pipe, LogFormat::json));
  log.error("true message", {{"message", "other"}, {"level", "x"}, {"time", 1}, {"message", "third"}});
  ASSERT_TRUE(log.flush(seconds(10)));
  const json line = json::parse(pipe.drain());
  EXPECT_EQ(line["message"], "true message");
  EXPECT_EQ(line["level"], "error");
  EXPECT_EQ(line["message_"], "other");
  EXPECT_EQ(line["message__"], "third");
  EXPECT_EQ(line["level_"], "x");
  EXPECT_EQ(line["time_"], 1);
}

TEST(Log, TextIsOneLineWithoutControlCharacters) {
  const Pipe pipe;
  Log log(options_for(pipe, LogFormat::text));
  log.info("a\nb\x1b[31m\xc2\x9b\x7f \xff \xc3\xa4", {{"plain", "x"}, {"spaced", "x y"}, {"n", 3}, {"empty", ""}, {"c", "x\ny"}});
  ASSERT_TRUE(log.flush(seconds(10)));
  const std::vector<std::string> lines = lines_of(pipe.drain());
  ASSERT_EQ(lines.size(), 1u);
  const std::string wanted = " info  a\\x0ab\\x1b[31m\\x9b\\x7f \xef\xbf\xbd \xc3\xa4 plain=x spaced=\"x y\" n=3 empty=\"\" c=\"x\\ny\"";
  EXPECT_TRUE(lines[0].ends_with(wanted)) << lines[0];
}

TEST(Log, ColoursOnlyTheLevel) {
  const Pipe pipe;
  LogOptions options = options_for(pipe, LogFormat::text);
  options.colour = true;
  Log log(options);
  log.error("red");
  ASSERT_TRUE(log.flush(seconds(10)));
  EXPECT_TRUE(pipe.drain().ends_with(" \x1b[31merror\x1b[0m red\n"));
}

TEST(Log, WorkerLinesCarryWhoPrintedThem) {
  const Pipe pipe;
  Log log(options_for(pipe, LogFormat::json));
  log.worker_line({"echo", "echo#0.3", 4711, "stderr"}, "Traceback");
  ASSERT_TRUE(log.flush(seconds(10)));
  json line = json::parse(pipe.drain());
  line.erase("time");
  EXPECT_EQ(
      line,
      json(
          {{"level", "info"}, {"message", "Traceback"}, {"adapter", "echo"}, {"worker", "echo#0.3"}, {"pid", 4711}, {"stream", "stderr"}}));
}

TEST(Log, RecordsOfWorkersAreLoggedAtTheirLevelWithTheirFields) {
  const Pipe pipe;
  Log log(options_for(pipe, LogFormat::json));
  const WorkerStream from{"echo", "echo#0.3", 4711, "stderr"};
  const std::string record = R"({"level": "warning", "message": "low on memory", "logger": "app", "request": 7, "pid": 1, "free": 0.5})";
  log.worker_line(from, record);
  log.worker_line(from, R"({"level": "debug", "message": "below the level of this log"})");
  log.worker_line(from, record, true);  // a part of a longer line
  ASSERT_TRUE(log.flush(seconds(10)));
  const std::vector<std::string> lines = lines_of(pipe.drain());
  ASSERT_EQ(lines.size(), 2u);
  json line = json::parse(lines[0]);
  line.erase("time");
  EXPECT_EQ(line, json({{"level", "warn"},
                        {"message", "low on memory"},
                        {"adapter", "echo"},
                        {"worker", "echo#0.3"},
                        {"pid", 4711},
                        {"stream", "stderr"},
                        {"logger", "app"},
                        {"request", 7},
                        {"free", 0.5},
                        {"pid_", 1}}));
  EXPECT_EQ(json::parse(lines[1])["message"], record);
  EXPECT_EQ(json::parse(lines[1])["level"], "info");
}

TEST(Log, RecordsOfWorkersAsText) {
  const Pipe pipe;
  Log log(options_for(pipe, LogFormat::text));
  log.worker_line({"echo", "echo#0.3", 4711, "stdout"},
                  R"({"level":"error","message":"a\nb","exception":"Traceback\n  x","adapter":"evil"})");
  ASSERT_TRUE(log.flush(seconds(10)));
  const auto text = pipe.drain();
  const std::string wanted =
      R"( error a\x0ab adapter=echo worker=echo#0.3 pid=4711 stream=stdout exception="Traceback\n  x" adapter_=evil)";
  EXPECT_NE(text.find(wanted + "\n"), std::string::npos) << text;
}

TEST(Log, LevelsFilter) {
  const Pipe pipe;
  LogOptions options = options_for(pipe, LogFormat::json);
  options.level = LogLevel::warn;
  Log log(options);
  EXPECT_FALSE(log.enabled(LogLevel::info));
  EXPECT_TRUE(log.enabled(LogLevel::error));
  log.info("no");
  log.warn("yes");
  log.set_level(LogLevel::debug);
  log.debug("also");
  log.trace("no");
  log.set_level(LogLevel::off);
  log.error("no");
  EXPECT_FALSE(log.enabled(LogLevel::off));
  ASSERT_TRUE(log.flush(seconds(10)));
  const std::vector<std::string> lines = lines_of(pipe.drain());
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(json::parse(lines[0])["message"], "yes");
  EXPECT_EQ(json::parse(lines[1])["message"], "also");
}

TEST(Log, NamesOfLevelsAndFormatsGoBothWays) {
  for (const char* name : {"trace", "debug", "info", "warn", "error", "off"}) {
    const auto level = log_level_from(name);
    ASSERT_TRUE(level) << name;
    EXPECT_EQ(to_string(*level), name);
  }
  for (const char* name : {"auto", "text", "json"}) {
    const auto format = log_format_from(name);
    ASSERT_TRUE(format) << name;
    EXPECT_EQ(to_string(*format), name);
  }
  EXPECT_FALSE(log_level_from("warning"));
  EXPECT_FALSE(log_format_from(""));
}

TEST(Log, NobodyReadingHoldsUpNobodyAndTheOldestLinesGo) {
  const Pipe pipe;
  LogOptions options = options_for(pipe, LogFormat::json);
  options.queue_bytes = 64 * 1024;
  options.flush_timeout = milliseconds(50);
  constexpr int kLines = 20'000;  // some megabytes: more than pipe and queue hold
  const auto begin = std::chrono::steady_clock::now();
  std::string read;
  {
    Log log(options);
    for (int i = 0; i < kLines; ++i) log.info(std::string(100, 'x'), {{"i", i}});
    EXPECT_FALSE(log.flush(milliseconds(20)));
    read = pipe.drain();
    // Once somebody reads, the newest lines come, and a line that says how many are missing.
    while (!log.flush(milliseconds(5))) read += pipe.drain();
    read += pipe.drain();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(60));
  const std::vector<std::string> lines = lines_of(read);
  std::size_t dropped = 0;
  std::size_t seen = 0;
  int last = -1;
  for (const std::string& text : lines) {
    const json line = json::parse(text);
    if (line.contains("count")) {
      dropped += line["count"].get<std::size_t>();
      EXPECT_EQ(line["level"], "warn");
      continue;
    }
    EXPECT_GT(line["i"].get<int>(), last);
    last = line["i"];
    ++seen;
  }
  EXPECT_EQ(last, kLines - 1);
  EXPECT_GT(dropped, 0u);
  EXPECT_EQ(seen + dropped, static_cast<std::size_t>(kLines));
}

TEST(Log, ItsEndIsBoundedWhenNobodyReads) {
  const Pipe pipe;
  LogOptions options = options_for(pipe, LogFormat::json);
  options.flush_timeout = milliseconds(100);
  std::chrono::steady_clock::time_point end_begins;
  {
    Log log(options);
    for (int i = 0; i < 5'000; ++i) log.info(std::string(200, 'x'));
    end_begins = std::chrono::steady_clock::now();
  }
  const auto took = std::chrono::steady_clock::now() - end_begins;
  EXPECT_GE(took, milliseconds(90));
  EXPECT_LT(took, seconds(10));
}

TEST(Log, WhatWasLoggedIsWrittenBeforeTheEnd) {
  const Pipe pipe;
  {
    Log log(options_for(pipe, LogFormat::json));
    for (int i = 0; i < 200; ++i) log.info("line", {{"i", i}});
  }
  EXPECT_EQ(lines_of(pipe.drain()).size(), 200u);
}

TEST(Log, AReaderThatIsGoneIsNoFailure) {
  Pipe pipe;
  pipe.close_reader();
  Log log(options_for(pipe, LogFormat::text));
  for (int i = 0; i < 100; ++i) log.info("nobody hears this");
  EXPECT_TRUE(log.flush(seconds(10)));  // and no SIGPIPE ended the test
}

TEST(Log, LinesOfManyThreadsStayWhole) {
  const Pipe pipe;
  std::string read;
  {
    Log log(options_for(pipe, LogFormat::json));
    std::vector<std::thread> threads;
    std::atomic<int> running{4};
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&log, &running, t] {
        for (int i = 0; i < 500; ++i) log.info("hello", {{"thread", t}, {"i", i}});
        --running;
      });
    }
    while (running > 0 || !log.flush(milliseconds(1))) {
      read += pipe.drain();
      if (log.enabled(LogLevel::info)) log.set_level(LogLevel::debug);
    }
    for (std::thread& thread : threads) thread.join();
    while (!log.flush(milliseconds(1))) read += pipe.drain();
  }
  read += pipe.drain();
  std::vector<int> next(4, 0);
  const std::vector<std::string> lines = lines_of(read);
  EXPECT_EQ(lines.size(), 2000u);
  for (const std::string& text : lines) {
    const json line = json::parse(text);
    EXPECT_EQ(line["i"], next[line["thread"].get<std::size_t>()]++);
  }
}

TEST(Log, LongLinesArriveWhole) {
  const Pipe pipe;
  const std::string big(300'000, 'y');
  std::string read;
  {
    Log log(options_for(pipe, LogFormat::json));
    log.info(big);
    while (!log.flush(milliseconds(1))) read += pipe.drain();
  }
  read += pipe.drain();
  EXPECT_EQ(json::parse(read)["message"], big);
}

}  // namespace
}  // namespace pons
