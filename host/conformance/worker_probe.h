// One worker process, spoken to byte by byte on its raw channel: started as a pool does it, but with nobody between it and whoever asks.
//
// Single-threaded, without an event loop: each call runs until it has what it waits for, or its deadline has come, and reads meanwhile
// what the worker prints. The destructor kills the process and what is in its group.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "pool/process.h"
#include "pool/worker_key.h"
#include "protocol/frame_decoder.h"
#include "protocol/transport/task.h"

namespace pons::conformance {

class WorkerProbe {
 public:
  struct Incoming {
    enum class Kind : unsigned char {
      frame,      ///< `text` is a body
      broken,     ///< what came is no frame: `text` says why
      ended,      ///< end of file on the channel
      timed_out,  ///< nothing by the deadline
    };
    Kind kind = Kind::timed_out;
    std::string text{};
  };

  /// worker_start_failed with the reason if it cannot be started.
  static Result<std::unique_ptr<WorkerProbe>> start(ProcessLauncher& launcher, const SpawnSpec& spec, std::size_t max_frame,
                                                    TimePoint deadline);
  ~WorkerProbe();
  WorkerProbe(const WorkerProbe&) = delete;
  WorkerProbe& operator=(const WorkerProbe&) = delete;

  /// False if the worker did not take all of it by then.
  bool write(std::string_view bytes, TimePoint deadline);
  /// `body` as a frame.
  bool write_frame(std::string_view body, TimePoint deadline);
  Incoming receive(TimePoint deadline);

  /// Our end: the worker reads end of file.
  void close_channel();
  void signal(int number) { send_signal(spawned_.pidfd.get(), number); }
  /// Whether the process had ended by then.
  bool wait_end(TimePoint deadline);
  /// What it wrote to its dump pipe, from the first byte that comes by the deadline until 50 ms without another.
  std::string read_dump(TimePoint deadline);
  [[nodiscard]] bool has_dump() const { return static_cast<bool>(spawned_.dump); }

  [[nodiscard]] pid_t pid() const { return spawned_.pid; }
  /// "exited with status 3"; empty while it lives.
  [[nodiscard]] const ExitStatus& exit() const { return exit_; }
  [[nodiscard]] std::string end_words() const { return ended_ ? exit_.words() : std::string(); }
  /// The end of what it printed on stdout and stderr, one line.
  [[nodiscard]] std::string last_words() const;
  /// Bytes that it printed.
  [[nodiscard]] std::size_t printed() const { return printed_; }

 private:
  WorkerProbe(Spawned spawned, std::size_t max_frame);
  bool pump(TimePoint deadline);
  void read_channel();
  void write_channel();
  bool drain(UniqueFd& fd, std::string& into, std::size_t keep);
  [[nodiscard]] int out_fd() const { return spawned_.channel_out ? spawned_.channel_out.get() : spawned_.channel_in.get(); }

  Spawned spawned_;
  FrameDecoder decoder_;
  std::deque<Incoming> incoming_;
  std::string unsent_;
  std::string tail_;
  std::string dump_;
  std::size_t printed_ = 0;
  bool write_failed_ = false;
  bool channel_ended_ = false;
  bool ended_ = false;
  ExitStatus exit_{};
};

}  // namespace pons::conformance
