#include "host/log_writer.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string_view>
#include <system_error>
#include <utility>

namespace pons {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// A pipe that is ready takes so much without blocking.
constexpr std::size_t kChunk = PIPE_BUF;
// Beyond the flush timeout: for the thread to notice that it ended.
constexpr milliseconds kEndGrace{200};

int make_event() {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  return fd;
}

}  // namespace

struct LogWriter::State {
  State(int out, std::size_t most, DroppedLine say) : fd(out), queue_bytes(most), dropped_line(std::move(say)), stop_event(make_event()) {}
  ~State() { ::close(stop_event); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // Sleeps until there is a line, and takes it; false: stopped, and nothing left (or no time left for it).
  bool next(std::string& line);
  void write(std::string_view line);
  bool wait_writable();

  const int fd;
  const std::size_t queue_bytes;
  const DroppedLine dropped_line;
  const int stop_event;  // readable once `stopping`: ends a wait for the reader

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::string> lines;
  std::size_t bytes = 0;
  std::size_t dropped = 0;     // not yet reported
  std::uint64_t pushed = 0;    // all that ever came
  std::uint64_t finished = 0;  // of them: written or dropped
  bool busy = false;           // the thread holds a line
  bool stopping = false;
  bool ended = false;
  Clock::time_point deadline{};  // once stopping
};

bool LogWriter::State::next(std::string& line) {
  std::unique_lock lock(mutex);
  if (busy) {
    busy = false;
    ++finished;
    changed.notify_all();
  }
  changed.wait(lock, [&] { return stopping || !lines.empty(); });
  if (lines.empty() || (stopping && Clock::now() >= deadline)) return false;
  line.clear();
  if (dropped > 0) line = dropped_line(std::exchange(dropped, 0));
  bytes -= lines.front().size();
  line += lines.front();
  lines.pop_front();
  busy = true;
  return true;
}

// False: nobody will take it, or the time is over.
bool LogWriter::State::wait_writable() {
  while (true) {
    int timeout = -1;
    bool stop = false;
    {
      const std::lock_guard lock(mutex);
      stop = stopping;
      const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
      if (stop) timeout = static_cast<int>(std::max<milliseconds::rep>(0, left.count()));
    }
    pollfd wanted[2] = {{fd, POLLOUT, 0}, {stop ? -1 : stop_event, POLLIN, 0}};
    const int ready = ::poll(wanted, 2, timeout);
    if (ready < 0 && errno != EINTR) return false;
    if (ready == 0) return false;
    if (ready > 0 && (wanted[0].revents & POLLOUT) != 0) return true;
    if (ready > 0 && wanted[0].revents != 0) return false;  // closed, or its reader is gone
  }
}

// A line that cannot be written is lost: there is no other place to say so.
void LogWriter::State::write(std::string_view line) {
  while (!line.empty() && wait_writable()) {
    const ssize_t n = ::write(fd, line.data(), std::min(line.size(), kChunk));
    if (n > 0) {
      line.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EINTR && errno != EAGAIN) {
      return;
    }
  }
}

void LogWriter::run(const std::shared_ptr<State>& state) {
  std::string line;
  while (state->next(line)) state->write(line);
  const std::lock_guard lock(state->mutex);
  state->ended = true;
  state->changed.notify_all();
}

LogWriter::LogWriter(int fd, std::size_t queue_bytes, milliseconds flush_timeout, DroppedLine dropped_line)
    : state_(std::make_shared<State>(fd, queue_bytes, std::move(dropped_line))), flush_timeout_(flush_timeout) {
  // Signals are for the thread that waits for them; and a SIGPIPE raised here stays pending here.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([state = state_] { run(state); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LogWriter::~LogWriter() {
  bool ended = false;
  {
    std::unique_lock lock(state_->mutex);
    state_->stopping = true;
    state_->deadline = Clock::now() + flush_timeout_;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(state_->stop_event, &one, sizeof one);
    state_->changed.notify_all();
    ended = state_->changed.wait_for(lock, flush_timeout_ + kEndGrace, [&] { return state_->ended; });
  }
  if (ended) {
    thread_.join();
  } else {
    thread_.detach();  // a terminal that was stopped can hold a write for ever; the end of the program must not wait for it
  }
}

void LogWriter::push(std::string line) {
  const std::lock_guard lock(state_->mutex);
  ++state_->pushed;
  state_->bytes += line.size();
  state_->lines.push_back(std::move(line));
  while (state_->bytes > state_->queue_bytes) {
    state_->bytes -= state_->lines.front().size();
    state_->lines.pop_front();
    ++state_->dropped;
    ++state_->finished;
  }
  state_->changed.notify_all();
}

bool LogWriter::flush(milliseconds timeout) {
  std::unique_lock lock(state_->mutex);
  // Lines leave in their order, so that many finished are those that came first.
  const std::uint64_t wanted = state_->pushed;
  return state_->changed.wait_for(lock, timeout, [&] { return state_->finished >= wanted; });
}

}  // namespace pons
