#include "pool/line_reader.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace pons {

namespace {

constexpr std::size_t kReadBytes = 32'768;      // in one turn of the loop
constexpr std::size_t kFinishBytes = 1u << 20;  // more than any pipe holds: somebody else writes into it still

}  // namespace

std::shared_ptr<LineReader> LineReader::create(Executor executor, UniqueFd fd, int rate, Callbacks callbacks) {
  std::shared_ptr<LineReader> reader(new LineReader(executor, std::move(fd), rate, std::move(callbacks)));
  reader->await();
  return reader;
}

LineReader::LineReader(Executor executor, UniqueFd fd, int rate, Callbacks callbacks)
    : fd_(executor), second_end_(executor), rate_(rate), callbacks_(std::make_shared<const Callbacks>(std::move(callbacks))) {
  fd_.assign(fd.get());
  (void)fd.release();
  fd_.native_non_blocking(true);
}

void LineReader::close() {
  callbacks_ = std::make_shared<const Callbacks>();
  error_code ignored;
  fd_.close(ignored);
  second_end_.cancel();
}

void LineReader::finish() {
  const auto self = shared_from_this();
  for (std::size_t turn = 0; turn < kFinishBytes / kReadBytes && read() == Read::some; ++turn) {
  }
  last_line();
  report_dropped();
  close();
}

void LineReader::await() {
  fd_.async_wait(Descriptor::wait_read, [self = shared_from_this()](error_code ec) {
    if (ec || !self->fd_.is_open()) return;
    if (self->read() == Read::end) return self->end();
    if (self->fd_.is_open()) self->await();
  });
}

LineReader::Read LineReader::read() {
  if (!fd_.is_open()) return Read::nothing_now;
  std::array<char, kReadBytes> buffer;
  const auto n = ::read(fd_.native_handle(), buffer.data(), buffer.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return Read::nothing_now;
  if (n <= 0) return Read::end;
  now_ = Clock::now();
  if (now_ - second_ >= std::chrono::seconds(1)) begin_second();
  take({buffer.data(), static_cast<std::size_t>(n)});
  return Read::some;
}

void LineReader::end() {
  last_line();
  report_dropped();
  second_end_.cancel();
  if (const auto callbacks = callbacks_; callbacks->on_end) callbacks->on_end();
}

void LineReader::take(std::string_view bytes) {
  while (!bytes.empty() && fd_.is_open()) {
    if (rate_ > 0 && passed_ >= rate_) skip(bytes);
    const auto newline = bytes.find('\n');
    partial_.append(bytes.substr(0, newline));
    const bool whole = newline != std::string_view::npos;
    bytes.remove_prefix(whole ? newline + 1 : bytes.size());
    if (!whole && partial_.size() < kMaxLine) return;
    // A carriage return at the very end may belong to the newline: it does not make the line longer.
    const auto size = partial_.size() - (partial_.ends_with('\r') ? 1 : 0);
    std::size_t cut = 0;
    for (; size - cut > kMaxLine; cut += kMaxLine) {
      cut_ = true;
      line(partial_.substr(cut, kMaxLine), true);
    }
    partial_.erase(0, cut);
    if (whole) {
      if (partial_.ends_with('\r')) partial_.pop_back();
      line(std::exchange(partial_, {}), std::exchange(cut_, false));
    }
  }
}

/// Without its newline.
void LineReader::last_line() {
  if (!partial_.empty()) line(std::exchange(partial_, {}), cut_);
}

/// Nothing more is passed on in this second: takes off all lines but the last, which are kept for the tail, and only counts them.
void LineReader::skip(std::string_view& bytes) {
  auto end = bytes.size();
  for (std::size_t lines = 0; lines <= kTailLines; ++lines) {
    end = end == 0 ? std::string_view::npos : bytes.rfind('\n', end - 1);
    if (end == std::string_view::npos) return;  // there are no more than that
  }
  drop(static_cast<std::uint64_t>(std::count(bytes.data(), bytes.data() + end + 1, '\n')));
  partial_.clear();
  cut_ = false;
  bytes.remove_prefix(end + 1);
}

void LineReader::line(std::string text, bool cut) {
  tail_.push_back(text.substr(0, kTailBytes));
  tail_bytes_ += tail_.back().size();
  while (tail_.size() > kTailLines || tail_bytes_ > kTailBytes) {
    tail_bytes_ -= tail_.front().size();
    tail_.pop_front();
  }
  pass(std::move(text), cut);
}

void LineReader::pass(std::string text, bool cut) {
  if (rate_ > 0 && passed_ >= rate_) return drop(1);
  ++passed_;
  if (const auto callbacks = callbacks_; callbacks->on_line) callbacks->on_line(std::move(text), cut);
}

void LineReader::drop(std::uint64_t lines) {
  const bool first = dropped_ == 0;
  dropped_ += lines;
  if (!first) return;
  second_end_.expires_at(second_ + std::chrono::seconds(1));
  second_end_.async_wait([weak = weak_from_this()](error_code ec) {
    const auto self = weak.lock();
    if (!ec && self) self->report_dropped();
  });
}

void LineReader::begin_second() {
  second_ = now_;
  passed_ = 0;
  report_dropped();
}

void LineReader::report_dropped() {
  const auto callbacks = callbacks_;
  const auto count = std::exchange(dropped_, 0);
  if (count > 0 && callbacks->on_dropped) callbacks->on_dropped(count);
}

}  // namespace pons
