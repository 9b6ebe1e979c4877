#include "host/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <mutex>
#include <utility>
#include <vector>

#include "host/log_format.h"
#include "host/log_writer.h"
#include "host/worker_record.h"

namespace pons {
namespace {

struct LevelName {
  LogLevel level;
  std::string_view name;
  spdlog::level::level_enum spdlog_level;
  std::string_view colour;
};

constexpr std::array kLevels{LevelName{LogLevel::trace, "trace", spdlog::level::trace, "\x1b[2m"},
                             LevelName{LogLevel::debug, "debug", spdlog::level::debug, "\x1b[2m"},
                             LevelName{LogLevel::info, "info", spdlog::level::info, "\x1b[32m"},
                             LevelName{LogLevel::warn, "warn", spdlog::level::warn, "\x1b[33m"},
                             LevelName{LogLevel::error, "error", spdlog::level::err, "\x1b[31m"},
                             LevelName{LogLevel::off, "off", spdlog::level::off, ""}};

const LevelName& row_of(LogLevel level) { return kLevels[static_cast<std::size_t>(level)]; }

const LevelName& row_of(spdlog::level::level_enum level) {
  for (const LevelName& row : kLevels) {
    if (row.spdlog_level == level) return row;
  }
  return kLevels.back();
}

// `%*`: the level in our words, padded to one width, in its colour where that is wanted.
class LevelFlag : public spdlog::custom_flag_formatter {
 public:
  explicit LevelFlag(bool colour) : colour_(colour) {}
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/, spdlog::memory_buf_t& out) override {
    const LevelName& row = row_of(message.level);
    std::string text(row.name);
    text.resize(5, ' ');
    if (colour_) text = std::string(row.colour) + text + "\x1b[0m";
    out.append(text.data(), text.data() + text.size());
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<LevelFlag>(colour_); }

 private:
  bool colour_;
};

std::unique_ptr<spdlog::formatter> make_formatter(bool json, bool colour) {
  if (json) {
    return std::make_unique<spdlog::pattern_formatter>(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v)", spdlog::pattern_time_type::utc, "\n");
  }
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::local, "\n");
  formatter->add_flag<LevelFlag>('*', colour).set_pattern("%Y-%m-%d %H:%M:%S.%e %* %v");
  return formatter;
}

// Hands finished lines to the writer. Public functions of spdlog's base are locked.
class WriterSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit WriterSink(LogWriter& writer) : writer_(writer) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    writer_.push(std::string(line.data(), line.size()));
  }
  void flush_() override {}  // the writer's thread does it

 private:
  LogWriter& writer_;
};

bool wants_json(const LogOptions& options) {
  if (options.format == LogFormat::automatic) return ::isatty(options.fd) == 0;
  return options.format == LogFormat::json;
}

bool wants_colour(const LogOptions& options) {
  const char* const no_colour = std::getenv("NO_COLOR");
  return options.colour.value_or(::isatty(options.fd) != 0 && (no_colour == nullptr || *no_colour == '\0'));
}

}  // namespace

std::string_view to_string(LogLevel level) { return row_of(level).name; }

std::string_view to_string(LogFormat format) {
  switch (format) {
    case LogFormat::automatic:
      return "auto";
    case LogFormat::text:
      return "text";
    case LogFormat::json:
      return "json";
  }
  return {};
}

std::optional<LogLevel> log_level_from(std::string_view name) {
  for (const LevelName& row : kLevels) {
    if (row.name == name) return row.level;
  }
  return std::nullopt;
}

std::optional<LogFormat> log_format_from(std::string_view name) {
  for (const LogFormat format : {LogFormat::automatic, LogFormat::text, LogFormat::json}) {
    if (to_string(format) == name) return format;
  }
  return std::nullopt;
}

class Log::Impl {
 public:
  explicit Impl(const LogOptions& options)
      : json_(wants_json(options)),
        colour_(wants_colour(options)),
        writer_(options.fd, options.queue_bytes, options.flush_timeout,
                [json = json_, colour = colour_](std::size_t count) { return dropped_line(json, colour, count); }),
        sink_(std::make_shared<WriterSink>(writer_)),
        logger_("pons", sink_) {
    sink_->set_formatter(make_formatter(json_, colour_));
    logger_.set_error_handler([](const std::string&) {});  // spdlog's own would write to stderr, and may wait for it
    set_level(options.level);
  }

  void write(LogLevel level, std::string_view message, LogFieldView fields) {
    if (!enabled(level)) return;
    logger_.log(row_of(level).spdlog_level, payload(json_, level, message, fields));
  }
  [[nodiscard]] bool enabled(LogLevel level) const { return level != LogLevel::off && logger_.should_log(row_of(level).spdlog_level); }
  void set_level(LogLevel level) { logger_.set_level(row_of(level).spdlog_level); }
  bool flush(std::chrono::milliseconds timeout) { return writer_.flush(timeout); }

 private:
  static std::string payload(bool json, LogLevel level, std::string_view message, LogFieldView fields) {
    return json ? json_payload(level, message, fields) : text_payload(message, fields);
  }

  // Made by the writer's thread, beside the sink and its lock.
  static std::string dropped_line(bool json, bool colour, std::size_t count) {
    const LogField field{"count", count};
    const std::string text = payload(json, LogLevel::warn, "log lines dropped: nobody reads them fast enough", LogFieldView(&field, 1));
    const spdlog::details::log_msg message("pons", spdlog::level::warn, text);
    spdlog::memory_buf_t line;
    make_formatter(json, colour)->format(message, line);
    return {line.data(), line.size()};
  }

  bool json_;
  bool colour_;
  LogWriter writer_;
  std::shared_ptr<WriterSink> sink_;
  spdlog::logger logger_;
};

Log::Log(const LogOptions& options) : impl_(std::make_unique<Impl>(options)) {}
Log::~Log() = default;

void Log::write(LogLevel level, std::string_view message, LogFields fields) {
  impl_->write(level, message, LogFieldView(fields.begin(), fields.size()));
}

void Log::worker_line(const WorkerStream& from, std::string_view line, bool cut) {
  std::vector<LogField> fields{{"adapter", from.adapter}, {"worker", from.worker}, {"pid", from.pid}, {"stream", from.stream}};
  const auto record = cut ? std::nullopt : parse_worker_record(line);
  if (!record) return impl_->write(LogLevel::info, line, fields);
  for (const auto& [name, value] : record->fields) fields.push_back({name, value});
  impl_->write(record->level, record->message, fields);
}

bool Log::enabled(LogLevel level) const { return impl_->enabled(level); }
void Log::set_level(LogLevel level) { impl_->set_level(level); }
bool Log::flush(std::chrono::milliseconds timeout) { return impl_->flush(timeout); }

}  // namespace pons
