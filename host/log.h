// The host's log: lines on one descriptor (stderr; stdout belongs to the protocol), as text or as JSON.
//
// A call never waits for the reader of stderr: lines go to a bounded queue that a thread of the log's own writes out. When the queue is
// full the oldest lines are dropped, and a line says how many. The destructor waits for what is queued, but only for a bounded time.
// Thread safety: every member function may be called from any thread. Its constructor starts the thread: whatever must be
// forked from a process without threads comes before it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace pons {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };
enum class LogFormat : std::uint8_t { automatic, text, json };  ///< automatic: text on a terminal, else JSON

std::string_view to_string(LogLevel level);
std::string_view to_string(LogFormat format);  ///< `automatic` is "auto"
std::optional<LogLevel> log_level_from(std::string_view name);
std::optional<LogFormat> log_format_from(std::string_view name);

/// A named value beside a message; `time`, `level` and `message` are the line's own and get an underscore behind them.
struct LogField {
  std::string_view name;
  nlohmann::json value;
};
using LogFields = std::initializer_list<LogField>;
using LogFieldView = std::span<const LogField>;

/// Who printed a line, and where.
struct WorkerStream {
  std::string_view adapter;
  std::string_view worker;  ///< its id
  int pid = 0;
  std::string_view stream;  ///< "stdout", "stderr" or "stacks"
};

struct LogOptions {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::automatic;
  int fd = 2;                                      ///< borrowed; must stay open as long as the log, never made non-blocking
  std::optional<bool> colour{};                    ///< nothing: on a terminal without NO_COLOR
  std::size_t queue_bytes = 4u << 20;              ///< lines not yet written; beyond it the oldest are dropped
  std::chrono::milliseconds flush_timeout{1'000};  ///< how long the destructor waits for the reader
};

/// One per program, handed down by reference: `log.info("worker ready", {{"adapter", "echo"}, {"pid", 42}})`.
/// Text: `2026-11-21 03:00:00.123 info  worker ready adapter=echo pid=42`.
/// JSON: `{"time":"2026-11-21T03:00:00.123Z","level":"info","message":"worker ready","adapter":"echo","pid":42}`.
/// What is not UTF-8 is replaced; control characters never reach a terminal raw.
class Log {
 public:
  explicit Log(const LogOptions& options = {});
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void write(LogLevel level, std::string_view message, LogFields fields = {});
  void trace(std::string_view message, LogFields fields = {}) { write(LogLevel::trace, message, fields); }
  void debug(std::string_view message, LogFields fields = {}) { write(LogLevel::debug, message, fields); }
  void info(std::string_view message, LogFields fields = {}) { write(LogLevel::info, message, fields); }
  void warn(std::string_view message, LogFields fields = {}) { write(LogLevel::warn, message, fields); }
  void error(std::string_view message, LogFields fields = {}) { write(LogLevel::error, message, fields); }

  /// A line that a worker printed, without its line feed. One that is a log record (host/worker_record.h) is logged as that, any other, and
  /// `cut` parts of a longer one, as text at `info`.
  void worker_line(const WorkerStream& from, std::string_view line, bool cut = false);

  /// Whether a line of that level would be written: to skip the work of putting it together.
  [[nodiscard]] bool enabled(LogLevel level) const;
  void set_level(LogLevel level);

  /// Waits until what was queued before is written, at most `timeout`; false if it was not.
  bool flush(std::chrono::milliseconds timeout);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pons
