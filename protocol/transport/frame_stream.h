// Frames over a stream socket, or over a pair of pipes.
//
// Reading is greedy: as many bytes as there are, then every frame in them goes to the handler. Writing is gathered: frames sent in one
// turn of the loop leave in one system call. Reading pauses while more than `output_limit` bytes wait to be written to this same peer,
// and while the owner asked for it.
//
// Object lifetimes: made by create(), held by shared_ptr; the handler must outlive the stream or call close() first. After close() no
// callback comes. Thread safety: none; everything happens on the loop's thread. SIGPIPE must be ignored by the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/frame_decoder.h"
#include "protocol/out_frame.h"
#include "protocol/transport/flush_queue.h"
#include "protocol/transport/task.h"
#include "protocol/transport/unique_fd.h"

namespace pons {

class FrameStream : public std::enable_shared_from_this<FrameStream> {
 public:
  struct Options {
    std::size_t max_frame = kDefaultMaxFrame;
    std::size_t output_limit = 64u << 20;        ///< bytes unsent, above which reading pauses; 0: never
    std::chrono::milliseconds write_timeout{0};  ///< a peer that takes no byte for so long is gone; 0: waits for ever
    bool watch_hangup = false;                   ///< report a peer that is gone while nothing is being written (POLLHUP, POLLERR)
  };

  enum class End : std::uint8_t {
    half_closed,  ///< end of file between frames; writing still works. `gone` may follow
    cut,          ///< end of file inside a frame; otherwise as half_closed
    gone,         ///< the peer is gone: a write failed, or it hung up
    stuck,        ///< it took no byte for write_timeout
    not_a_frame,  ///< the stream cannot be followed; the text shows its first bytes
  };

  class Handler {
   public:
    virtual void on_frame(Frame frame) = 0;
    /// A frame above max_frame begins; its bytes are being skipped.
    virtual void on_oversized(std::uint64_t length) = 0;
    /// Reading has ended. Only `gone` and `stuck` may come a second time, after half_closed, cut or not_a_frame.
    virtual void on_end(End end, std::string text) = 0;
    /// Unsent output has shrunk (called after each write).
    virtual void on_written(std::size_t unsent) { (void)unsent; }

   protected:
    ~Handler() = default;
  };

  /// `out` empty: `in` is a socket used in both directions. Descriptors become non-blocking; modes of borrowed ones (stdio) are put back.
  static std::shared_ptr<FrameStream> create(Executor executor, UniqueFd in, UniqueFd out, Options options);
  ~FrameStream();

  void start(Handler& handler);
  /// Queues a frame. It leaves at the end of this turn of the loop. Dropped if the peer is gone.
  void send(OutFrame frame);
  /// Stops or goes on reading, on top of what output_limit does.
  void pause(bool paused);
  [[nodiscard]] std::size_t unsent() const { return unsent_; }
  /// Bytes ever queued: all before given() - unsent() have left.
  [[nodiscard]] std::uint64_t given() const { return given_; }
  /// More can be read at once: bytes, or the end of the file.
  [[nodiscard]] bool has_input();
  [[nodiscard]] bool writable() const { return !closed_ && !broken_; }
  /// Writes what is queued, then closes. The handler is not called any more. `done` is called when all is written, or cannot be, or at
  /// close().
  void close_after_flush(std::function<void()> done = {});
  void close();

  /// The process at the other end of a unix socket, 0 if unknown.
  [[nodiscard]] int peer_pid() const;

 private:
  friend class FlushQueue;
  FrameStream(Executor executor, UniqueFd in, UniqueFd out, Options options);
  Task<void> read_loop();
  bool handle_input();  // false: reading is over
  [[nodiscard]] bool must_pause() const;
  void schedule_flush();
  void flush();
  void flush_scheduled();
  ssize_t write_some();
  void consume(std::size_t n);
  void wait_writable();
  void watch_hangup();
  void end(End end, std::string text = {});
  void lose_peer(std::string text);
  void drop_output();
  void tell_flushed();
  [[nodiscard]] bool hung_up();
  Descriptor& output() { return out_ ? *out_ : in_; }

  Executor executor_;
  FlushQueue& flush_queue_;
  Options options_;
  Descriptor in_;
  std::optional<Descriptor> out_;
  int in_flags_ = 0;  // modes to put back
  int out_flags_ = 0;
  Handler* handler_ = nullptr;
  FrameDecoder decoder_;
  Timer resume_;  // an event: reading may go on
  Timer write_deadline_;
  std::deque<OutFrame> queue_;
  std::size_t head_offset_ = 0;  // bytes of queue_.front() already written
  std::size_t unsent_ = 0;
  std::uint64_t given_ = 0;
  std::vector<iovec> pieces_;
  std::vector<std::function<void()>> flushed_;
  bool flush_scheduled_ = false;
  bool waiting_writable_ = false;
  bool paused_ = false;
  bool broken_ = false;  // nothing can be written any more
  bool gone_ = false;    // that was told, with `gone` or `stuck`
  bool closed_ = false;
  bool closing_ = false;
  bool reading_done_ = false;
  bool hangup_watched_ = false;
};

}  // namespace pons
