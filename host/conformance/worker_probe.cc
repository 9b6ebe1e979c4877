#include "host/conformance/worker_probe.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <limits>
#include <utility>

#include "host/conformance/reply_ledger.h"

namespace pons::conformance {

namespace {

constexpr std::size_t kTail = 2048;          // bytes kept of what it prints
constexpr std::size_t kMostDump = 1u << 18;  // as a host takes
constexpr Millis kSilence{50};

int millis_until(TimePoint deadline) {
  const auto left = std::chrono::ceil<Millis>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
}

void make_non_blocking(int fd) {
  if (fd >= 0) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

}  // namespace

WorkerProbe::WorkerProbe(Spawned spawned, std::size_t max_frame) : spawned_(std::move(spawned)), decoder_(max_frame) {
  for (const int fd : {spawned_.channel_in.get(), spawned_.channel_out.get(), spawned_.out.get(), spawned_.err.get(), spawned_.dump.get()})
    make_non_blocking(fd);
}

Result<std::unique_ptr<WorkerProbe>> WorkerProbe::start(ProcessLauncher& launcher, const SpawnSpec& spec, std::size_t max_frame,
                                                        TimePoint deadline) {
  auto spawned = launcher.spawn(spec);
  if (!spawned) return spawned.error();
  std::unique_ptr<WorkerProbe> probe(new WorkerProbe(std::move(*spawned), max_frame));
  pollfd status{probe->spawned_.exec_status.get(), POLLIN, 0};
  while (::poll(&status, 1, millis_until(deadline)) < 0 && errno == EINTR) {
  }
  SpawnFailure failure;
  if (status.revents != 0 && ::read(status.fd, &failure, sizeof failure) == static_cast<ssize_t>(sizeof failure)) {
    return Error{ErrorCode::worker_start_failed, explain_exec_failure(spec, failure)};
  }
  return probe;
}

WorkerProbe::~WorkerProbe() {
  if (!spawned_.pidfd || ended_) return;
  signal_group(spawned_.pidfd.get(), spawned_.pid, SIGKILL);
  wait_end(TimePoint::max());
}

/// Waits until something happens, and takes it. False at the deadline.
bool WorkerProbe::pump(TimePoint deadline) {
  const int in = channel_ended_ ? -1 : spawned_.channel_in.get();
  const int out = unsent_.empty() || write_failed_ ? -1 : out_fd();
  const int ended = ended_ ? -1 : spawned_.pidfd.get();
  std::array<pollfd, 6> fds{{{in, POLLIN, 0},
                             {out, POLLOUT, 0},
                             {spawned_.out.get(), POLLIN, 0},
                             {spawned_.err.get(), POLLIN, 0},
                             {spawned_.dump.get(), POLLIN, 0},
                             {ended, POLLIN, 0}}};
  const int count = ::poll(fds.data(), fds.size(), millis_until(deadline));
  if (count == 0) return false;
  if (count < 0) return true;  // a signal
  if (fds[0].revents != 0) read_channel();
  if (fds[1].revents != 0) write_channel();
  if (fds[2].revents != 0 && !drain(spawned_.out, tail_, kTail)) spawned_.out.reset();
  if (fds[3].revents != 0 && !drain(spawned_.err, tail_, kTail)) spawned_.err.reset();
  if (fds[4].revents != 0 && !drain(spawned_.dump, dump_, kMostDump)) spawned_.dump.reset();
  if (fds[5].revents != 0) {
    spawned_.group.reset();
    exit_ = reap(spawned_.pidfd.get());
    ended_ = true;
  }
  return true;
}

/// False at its end.
bool WorkerProbe::drain(UniqueFd& fd, std::string& into, std::size_t keep) {
  std::array<char, 65536> buffer;
  const auto n = ::read(fd.get(), buffer.data(), buffer.size());
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  if (&into == &tail_) printed_ += static_cast<std::size_t>(n);
  into.append(buffer.data(), static_cast<std::size_t>(n));
  if (into.size() > keep) into.erase(0, into.size() - keep);
  return true;
}

void WorkerProbe::read_channel() {
  const auto space = decoder_.prepare();
  const auto n = ::read(spawned_.channel_in.get(), space.data(), space.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    channel_ended_ = true;
    if (decoder_.mid_frame()) incoming_.push_back({Incoming::Kind::broken, "its channel ended inside a frame"});
    return;
  }
  decoder_.commit(static_cast<std::size_t>(n));
  for (auto event = decoder_.next(); event.kind != FrameDecoder::Kind::need_more; event = decoder_.next()) {
    if (event.kind == FrameDecoder::Kind::frame && event.frame.body.empty()) {
      incoming_.push_back({Incoming::Kind::broken, "a frame of length 0"});
    } else if (event.kind == FrameDecoder::Kind::frame) {
      incoming_.push_back({Incoming::Kind::frame, std::string(event.frame.body)});
    } else if (event.kind == FrameDecoder::Kind::oversized) {
      incoming_.push_back({Incoming::Kind::broken, "a frame of " + std::to_string(event.length) + " bytes, more than max_frame"});
    } else {
      incoming_.push_back({Incoming::Kind::broken, "no frame, but \"" + shown_bytes(event.text) + "\""});
      channel_ended_ = true;  // it cannot be followed any further
      return;
    }
  }
}

void WorkerProbe::write_channel() {
  const auto n = ::write(out_fd(), unsent_.data(), unsent_.size());
  if (n > 0) unsent_.erase(0, static_cast<std::size_t>(n));
  if (n < 0 && errno != EAGAIN && errno != EINTR) write_failed_ = true;
}

bool WorkerProbe::write(std::string_view bytes, TimePoint deadline) {
  unsent_ += bytes;
  while (!unsent_.empty() && !write_failed_ && pump(deadline)) {
  }
  return unsent_.empty();
}

bool WorkerProbe::write_frame(std::string_view body, TimePoint deadline) {
  const auto header = frame_header(static_cast<std::uint32_t>(body.size()));
  return write(std::string(header.bytes, sizeof header.bytes).append(body), deadline);
}

WorkerProbe::Incoming WorkerProbe::receive(TimePoint deadline) {
  while (incoming_.empty()) {
    if (channel_ended_) return {Incoming::Kind::ended, {}};
    if (!pump(deadline)) return {};
  }
  auto first = std::move(incoming_.front());
  incoming_.pop_front();
  return first;
}

void WorkerProbe::close_channel() {
  spawned_.channel_in.reset();
  spawned_.channel_out.reset();
  channel_ended_ = true;
  write_failed_ = true;
}

bool WorkerProbe::wait_end(TimePoint deadline) {
  while (!ended_ && pump(deadline)) {
  }
  return ended_;
}

std::string WorkerProbe::read_dump(TimePoint deadline) {
  while (dump_.empty() && spawned_.dump && pump(deadline)) {
  }
  for (auto size = dump_.size(); size > 0; size = dump_.size()) {
    const auto silence = Clock::now() + kSilence;
    while (dump_.size() == size && spawned_.dump && pump(silence)) {
    }
    if (dump_.size() == size) break;
  }
  return std::exchange(dump_, {});
}

std::string WorkerProbe::last_words() const {
  const auto end = tail_.find_last_not_of("\r\n \t");
  if (end == std::string::npos) return {};
  const auto begin = tail_.find_last_of('\n', end);
  return shown_bytes(std::string_view(tail_).substr(begin + 1, end - begin));
}

}  // namespace pons::conformance
