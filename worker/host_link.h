// The worker's end of the channel: requests in, replies out. It reads as much as there is, cuts and parses all of it, and answers by
// itself what no handler is needed for: bad frames, `common:cancel`, and requests that are cancelled before they begin.
//
// Whoever waits for work reads: the thread that serves, inside next(). A second thread takes over when the first has been away from
// the channel for a moment (reading_turn.h), so that cancellations and the end of the host are seen while a handler runs, and gives
// the channel back when the first one waits again. If the host is gone and the thread that serves does not come back within
// kEndGrace, the second thread ends the process with status kLostExit.
//
// Threads: all but state() belongs to one thread, the one that serves.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "protocol/frame_decoder.h"
#include "protocol/limits.h"
#include "worker/incoming.h"
#include "worker/ledger.h"
#include "worker/outbox.h"
#include "worker/reading_turn.h"
#include "worker/request_queue.h"
#include "worker/stop_signal.h"
#include "worker/worker.h"

namespace pons {

class HostLink {
 public:
  enum class State : std::uint8_t {
    open,
    ended,   ///< the host is gone, or wants this worker gone
    broken,  ///< what came is no stream of frames; broken_text() shows it
  };
  /// Whether a request may begin now, beside so many that have begun and have no reply yet; those behind it wait for their turn.
  using MayBegin = std::function<bool(const Incoming&, std::size_t begun)>;

  static constexpr std::chrono::milliseconds kTick{2};
  static constexpr std::chrono::milliseconds kEndGrace{1000};
  static constexpr int kLostExit = 3;
  static constexpr std::size_t kSpliced = 4096;

  /// `ledger` counts what the link answers; `name` is the worker's, for messages. Both outlive the link.
  HostLink(ChannelFds fds, const StopSignal& stop, Ledger& ledger, std::string_view name);
  ~HostLink();
  HostLink(const HostLink&) = delete;
  HostLink& operator=(const HostLink&) = delete;

  /// The next request, which has then begun. Sends what is gathered and waits while none may begin; nullptr at the deadline, when the
  /// link is over, once when SIGTERM has come, and when a request that had begun was cancelled.
  IncomingPtr next(SteadyTime deadline, const MayBegin& may_begin);
  /// A request that had begun has its terminal reply.
  void finish(const Incoming& request);
  /// Nothing more begins: the link is not open any more, or SIGTERM has come and nothing is left that had begun.
  [[nodiscard]] bool is_over() const;
  /// Waits until the request is cancelled, the link is not open any more, or it is `until`.
  void wait_cancelled(const Incoming& request, SteadyTime until);

  /// A request to the host, under an id of its own, from its making to its destruction. What comes after that is dropped.
  class Call {
   public:
    explicit Call(HostLink& link);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    [[nodiscard]] std::uint64_t id() const { return id_; }
    /// Its next reply, partial ones too; nothing once `request` is cancelled, past its deadline, or the link is not open any more.
    [[nodiscard]] std::optional<Answer> wait(const Incoming& request) const;

   private:
    HostLink& link_;
    std::uint64_t id_;
  };

  /// One frame whose body is `parts`. Short ones are gathered until flush(), next(), or until this thread has been away for a moment.
  void send(std::initializer_list<std::string_view> parts);
  void send(std::string_view body) { send({body}); }
  /// Writes what is gathered; blocks while the host does not read.
  void flush();
  /// Sends what is gathered and ends the second thread. Nothing is sent or received afterwards. Called by the destructor.
  void close();

  /// What the host takes as the body of one frame. Frames from it may be larger by kSpliced: the host puts in an id, a time and a session.
  [[nodiscard]] std::size_t max_frame() const { return max_frame_.load(); }
  void set_max_frame(std::size_t bytes) { max_frame_.store(bytes); }

  /// From any thread.
  [[nodiscard]] State state() const { return state_.load(); }
  [[nodiscard]] const std::string& broken_text() const { return broken_text_; }

 private:
  using Lock = std::unique_lock<std::mutex>;
  /// What came of wanting to read: the other thread goes on, as there is no time to wait; nobody read; the other thread gave it back.
  enum class Taken : std::uint8_t { no, free, back };

  // The thread that serves
  bool was_cancelled();
  IncomingPtr take(const MayBegin& may_begin);
  void look(SteadyTime deadline);
  Taken take_channel(SteadyTime deadline);
  void leave_channel();
  void wait_for_input(SteadyTime deadline);
  void wait_for_reader(Lock& lock, SteadyTime until, const std::function<bool()>& done);

  // The thread that reads
  void watch();
  void read_in_turn(Lock& lock);
  void wait_for_input_or_call();
  void await_end(Lock& lock);

  // Whoever reads
  bool cut();
  void accept(Frame frame);
  void take_answer(Answer answer);
  void cancel(const Frame& frame, const Envelope& envelope);
  void interrupt(Incoming& request);
  void refuse(const Envelope& request);
  void on_input(short wanted, short came);
  void end(State state);

  const ChannelFds fds_;
  const StopSignal& stop_;
  Ledger& ledger_;
  const std::string_view name_;
  Outbox outbox_;
  std::atomic<State> state_{State::open};
  std::atomic<bool> has_cancelled_{false};
  std::string broken_text_;  // written before state_
  FrameDecoder decoder_;     // of whoever reads
  std::atomic<std::size_t> max_frame_{kDefaultMaxFrame};
  bool stop_told_ = false;  // of the thread that serves

  mutable std::mutex mutex_;          // guards what follows
  std::condition_variable work_;      // the thread that reads waits for something to do
  std::condition_variable progress_;  // the thread that serves waits for the other
  RequestQueue queue_;
  ReadingTurn turn_;
  std::map<std::uint64_t, std::deque<Answer>> calls_;
  std::uint64_t last_call_ = 0;
  std::uint64_t reads_ = 0;  // how often the thread that serves has begun to read
  bool serving_reads_ = false;
  std::atomic<bool> thread_reads_{false};  // written under the mutex
  bool is_wanted_ = false;                 // the thread that serves wants the channel back
  bool read_now_ = false;                  // it sleeps: no need to wait for ticks
  bool is_resting_ = false;
  bool is_closing_ = false;

  int call_fd_;  // wakes the thread that reads out of its poll
  std::thread thread_;
};

}  // namespace pons
