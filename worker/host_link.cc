#include "worker/host_link.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <system_error>
#include <utility>

#include "protocol/document.h"
#include "worker/reply.h"

namespace pons {
namespace {

using Clock = std::chrono::steady_clock;

constexpr short kInput = POLLIN;
constexpr short kOnlyTheEnd = POLLRDHUP;        // nothing may be read, but that the host is gone must be seen
constexpr std::size_t kMaxUnsent = 256u << 10;  // bytes of replies to cancellations, while the host does not read

SteadyTime deadline_of(const Envelope& envelope) {
  if (!envelope.timeout_ms) return SteadyTime::max();
  const std::chrono::duration<double, std::milli> allowed(std::min(*envelope.timeout_ms, kMaxTimeoutMs));
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(allowed);
}

/// For poll(): rounded up, so that it is not called again and again in the last millisecond.
int milliseconds_until(SteadyTime deadline) {
  if (deadline == SteadyTime::max()) return -1;
  const SteadyTime now = Clock::now();
  if (deadline <= now) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count();
  return static_cast<int>(std::min<decltype(left)>(left, INT_MAX));
}

/// Starts a thread that no signal is delivered to: the handlers of an adapter run where they always did.
template <class Body>
std::thread thread_without_signals(Body body) {
  sigset_t all;
  sigset_t old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  std::thread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  pthread_setname_np(thread.native_handle(), "pons-reader");
  return thread;
}

/// Says why, if stderr takes it without blocking, and ends the process without running anything else of it.
[[noreturn]] void end_process(std::string_view name) {
  const std::string text = std::string(name) + ": the host is gone, and what runs did not return within " +
                           std::to_string(HostLink::kEndGrace.count()) + " ms\n";
  pollfd writable{STDERR_FILENO, POLLOUT, 0};
  if (poll(&writable, 1, 0) == 1) static_cast<void>(!write(STDERR_FILENO, text.data(), text.size()));
  _exit(HostLink::kLostExit);
}

}  // namespace

HostLink::HostLink(ChannelFds fds, const StopSignal& stop, Ledger& ledger, std::string_view name)
    : fds_(fds), stop_(stop), ledger_(ledger), name_(name), outbox_(fds.out), call_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (call_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  thread_ = thread_without_signals([this] { watch(); });
}

HostLink::~HostLink() {
  close();
  ::close(call_fd_);
}

void HostLink::close() {
  if (!thread_.joinable()) return;
  if (state() == State::ended) {
    outbox_.flush_some();  // perhaps only half of the host is gone
  } else {
    outbox_.flush();
  }
  {
    const Lock lock(mutex_);
    is_closing_ = true;
  }
  work_.notify_all();
  eventfd_write(call_fd_, 1);
  thread_.join();
  end(State::ended);
}

void HostLink::finish(const Incoming& request) {
  const Lock lock(mutex_);
  queue_.finish(request);
}

bool HostLink::is_over() const {
  if (state() != State::open) return true;
  if (!stop_.requested()) return false;
  const Lock lock(mutex_);
  return queue_.begun() == 0;
}

void HostLink::send(std::initializer_list<std::string_view> parts) {
  if (!thread_.joinable()) return;  // closed
  outbox_.send(parts);
  if (thread_reads_.load()) flush();  // nobody looks any more whether something is gathered
}

void HostLink::flush() {
  outbox_.flush();
  if (outbox_.is_broken()) end(State::ended);
}

void HostLink::end(State state) {
  State open = State::open;
  state_.compare_exchange_strong(open, state);
}

// The thread that serves

IncomingPtr HostLink::next(SteadyTime deadline, const MayBegin& may_begin) {
  for (bool has_looked = false;; has_looked = true) {
    if (is_over()) return nullptr;
    if (stop_.requested() && !std::exchange(stop_told_, true)) return nullptr;
    if (was_cancelled()) return nullptr;
    if (auto request = take(may_begin)) return request;
    if (has_looked && Clock::now() >= deadline) return nullptr;
    flush();
    look(deadline);
  }
}

/// Whether a request that had begun was, since this was asked last. Asked before each request: the program looks after what it holds.
bool HostLink::was_cancelled() { return has_cancelled_.load() && has_cancelled_.exchange(false); }

IncomingPtr HostLink::take(const MayBegin& may_begin) {
  const Lock lock(mutex_);
  const Incoming* front = queue_.front();
  if (front == nullptr || stop_.requested() || !may_begin(*front, queue_.begun())) return nullptr;
  return queue_.begin_front();
}

/// Waits until the deadline for something to come, and reads it.
void HostLink::look(SteadyTime deadline) {
  switch (take_channel(deadline)) {
    case Taken::no:
      return;
    case Taken::free:
      if (!cut()) wait_for_input(deadline);
      break;
    case Taken::back:
      break;  // what the other thread has read comes first
  }
  leave_channel();
}

HostLink::Taken HostLink::take_channel(SteadyTime deadline) {
  Lock lock(mutex_);
  const bool is_taken = thread_reads_.load();
  if (is_taken && Clock::now() >= deadline) return Taken::no;
  if (is_taken) {
    is_wanted_ = true;
    eventfd_write(call_fd_, 1);
    progress_.wait(lock, [this] { return serving_reads_; });
  }
  serving_reads_ = true;
  read_now_ = false;
  ++reads_;
  return is_taken ? Taken::back : Taken::free;
}

void HostLink::leave_channel() {
  const Lock lock(mutex_);
  serving_reads_ = false;
  if (std::exchange(is_resting_, false)) work_.notify_one();
}

void HostLink::wait_for_input(SteadyTime deadline) {
  pollfd fds[] = {{fds_.in, kInput, 0}, {stop_told_ ? -1 : stop_.fd(), POLLIN, 0}};
  if (poll(fds, 2, milliseconds_until(deadline)) > 0) on_input(fds[0].events, fds[0].revents);
}

void HostLink::wait_cancelled(const Incoming& request, SteadyTime until) {
  flush();
  Lock lock(mutex_);
  wait_for_reader(lock, until, [&] { return request.cancelled.load() || state() != State::open; });
}

/// The other thread reads meanwhile, from now on.
void HostLink::wait_for_reader(Lock& lock, SteadyTime until, const std::function<bool()>& done) {
  if (!thread_reads_.load()) {
    read_now_ = true;
    is_resting_ = false;
    work_.notify_one();
  }
  if (until == SteadyTime::max()) return progress_.wait(lock, done);
  progress_.wait_until(lock, until, done);
}

HostLink::Call::Call(HostLink& link) : link_(link) {
  const Lock lock(link_.mutex_);
  id_ = ++link_.last_call_;
  link_.calls_[id_];
}

HostLink::Call::~Call() {
  const Lock lock(link_.mutex_);
  link_.calls_.erase(id_);
}

std::optional<Answer> HostLink::Call::wait(const Incoming& request) const {
  Lock lock(link_.mutex_);
  auto& answers = link_.calls_.at(id_);
  const auto over = [&] { return request.cancelled.load() || link_.state() != State::open; };
  link_.wait_for_reader(lock, request.deadline, [&] { return !answers.empty() || over(); });
  if (answers.empty() || over()) return std::nullopt;
  auto answer = std::move(answers.front());
  answers.pop_front();
  return answer;
}

// The thread that reads

void HostLink::watch() {
  Lock lock(mutex_);
  while (!is_closing_) {
    if (state() != State::open) {
      await_end(lock);
      continue;
    }
    const auto step = std::exchange(read_now_, false) ? ReadingTurn::Step::read : turn_.on_tick(reads_, serving_reads_);
    switch (step) {
      case ReadingTurn::Step::tick:
        work_.wait_for(lock, kTick, [this] { return read_now_ || is_closing_; });
        break;
      case ReadingTurn::Step::rest:
        is_resting_ = true;
        work_.wait(lock, [this] { return !is_resting_ || is_closing_; });
        break;
      case ReadingTurn::Step::read:
        read_in_turn(lock);
        break;
    }
  }
}

void HostLink::read_in_turn(Lock& lock) {
  thread_reads_.store(true);
  while (!is_closing_ && !is_wanted_ && state() == State::open) {
    lock.unlock();
    wait_for_input_or_call();
    lock.lock();
  }
  thread_reads_.store(false);
  serving_reads_ = std::exchange(is_wanted_, false);  // handed over here: until the other thread runs, this one would take it again
  progress_.notify_all();
}

void HostLink::wait_for_input_or_call() {
  const bool has_unsent = outbox_.flush_some();
  if (outbox_.is_broken()) return end(State::ended);
  const bool may_answer = outbox_.pending() <= kMaxUnsent;
  if (may_answer) cut();
  pollfd fds[] = {{fds_.in, may_answer ? kInput : kOnlyTheEnd, 0}, {call_fd_, POLLIN, 0}, {has_unsent ? fds_.out : -1, POLLOUT, 0}};
  const bool other_writes = !may_answer && !has_unsent;  // and does not say when it has done so
  if (poll(fds, 3, other_writes ? static_cast<int>(kTick.count()) : -1) <= 0) return;
  if (fds[1].revents != 0) {
    eventfd_t calls = 0;
    eventfd_read(call_fd_, &calls);
  }
  on_input(fds[0].events, fds[0].revents);
}

/// The host is gone. Ends the process if the thread that serves does not notice in time.
void HostLink::await_end(Lock& lock) {
  progress_.notify_all();
  if (!work_.wait_for(lock, kEndGrace, [this] { return is_closing_; })) end_process(name_);
}

// Whoever reads

void HostLink::on_input(short wanted, short came) {
  if (came == 0) return;
  if (wanted == kOnlyTheEnd) return end(State::ended);
  const auto space = decoder_.prepare();
  const ssize_t count = read(fds_.in, space.data(), space.size());
  if (count > 0) {
    decoder_.commit(static_cast<std::size_t>(count));
    cut();
  } else if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
    end(State::ended);
  }
}

/// Accepts the frames that have been read. False if there was none.
bool HostLink::cut() {
  decoder_.set_max_frame(max_frame() + kSpliced);
  for (bool any = false;; any = true) {
    auto event = decoder_.next();
    switch (event.kind) {
      case FrameDecoder::Kind::need_more:
        return any;
      case FrameDecoder::Kind::frame:
        accept(std::move(event.frame));
        break;
      case FrameDecoder::Kind::oversized:
        outbox_.append(error_reply(Codec::json, std::uint64_t{0}, too_large(event.length, max_frame())));
        break;
      case FrameDecoder::Kind::not_a_frame:
        broken_text_ = std::move(event.text);
        end(State::broken);
        return true;
    }
  }
}

void HostLink::accept(Frame frame) {
  auto envelope = Envelope::parse_request(frame.body);
  if (!envelope) {
    const auto& failure = envelope.error();
    return outbox_.append(error_reply(failure.codec, failure.id, failure.error));
  }
  if (envelope->kind == Envelope::Kind::reply) return take_answer({std::move(frame), std::move(*envelope)});
  if (envelope->kind != Envelope::Kind::request) return;
  if (envelope->command == "common:cancel") return cancel(frame, *envelope);
  const SteadyTime deadline = deadline_of(*envelope);
  auto request = std::make_shared<Incoming>(std::move(frame), std::move(*envelope), deadline);
  const Lock lock(mutex_);
  queue_.push(std::move(request));
}

void HostLink::take_answer(Answer answer) {
  const auto* id = std::get_if<std::uint64_t>(&answer.envelope.id);
  const Lock lock(mutex_);
  const auto call = id != nullptr ? calls_.find(*id) : calls_.end();
  if (call == calls_.end()) return;  // nobody waits for it any more
  call->second.push_back(std::move(answer));
  progress_.notify_all();
}

void HostLink::cancel(const Frame& frame, const Envelope& envelope) {
  const auto args = decode(envelope.codec, args_of(frame, envelope).body);
  const auto wanted = args ? request_id_from(*args, "id") : std::nullopt;
  if (!wanted) {
    return outbox_.append(
        error_reply(envelope.codec, envelope.id, Error{ErrorCode::invalid_args, "common:cancel needs the id of a request"}));
  }
  RequestQueue::Cancelled cancelled;
  {
    const Lock lock(mutex_);
    cancelled = queue_.cancel(*wanted);
  }
  const bool found = cancelled.begun != nullptr || cancelled.not_begun != nullptr;
  outbox_.append(result_body(envelope.codec, envelope.id, {{"found", found}}));  // before the reply that the cancellation brings about
  if (cancelled.begun != nullptr) interrupt(*cancelled.begun);
  if (cancelled.not_begun != nullptr) refuse(cancelled.not_begun->envelope);
}

void HostLink::interrupt(Incoming& request) {
  request.cancelled.store(true);
  has_cancelled_.store(true);
  const Lock lock(mutex_);
  progress_.notify_all();
}

void HostLink::refuse(const Envelope& request) {
  outbox_.append(error_reply(request.codec, request.id, Error{ErrorCode::cancelled, "The request was cancelled before it ran"}));
  ledger_.begin(request);
  ledger_.answer(request, false);
}

}  // namespace pons
