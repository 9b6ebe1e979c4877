#include "pool/stack_dump.h"

#include <unistd.h>

#include <algorithm>

#include "protocol/utf8.h"

namespace pons {

struct StackDump::Reader : std::enable_shared_from_this<Reader> {
  Reader(Executor executor, UniqueFd pipe) : pipe_(executor, pipe.release()), silence_(executor), longest_(executor) {}

  bool ask(Callback callback) {
    callbacks_.push_back(std::move(callback));
    if (callbacks_.size() > 1) return false;
    take_all();  // what it wrote unasked
    text_.clear();
    const auto over = [weak = weak_from_this()](error_code ec) {
      const auto self = weak.lock();
      if (!ec && self) self->finish();
    };
    longest_.expires_after(kLongest);
    longest_.async_wait(over);
    await();
    return true;
  }

  void finish() {
    if (callbacks_.empty()) return;
    take_all();
    silence_.cancel();
    longest_.cancel();
    pipe_.cancel();
    const auto text = repaired_utf8(std::exchange(text_, {}));
    for (const auto& callback : std::exchange(callbacks_, {})) callback(text);
  }

  void close() {
    callbacks_.clear();
    error_code ignored;
    pipe_.close(ignored);
  }

 private:
  void await() {
    pipe_.async_wait(Descriptor::wait_read, [weak = weak_from_this()](error_code ec) {
      const auto self = weak.lock();
      if (ec || !self || self->callbacks_.empty()) return;
      if (self->take() <= 0) return;  // end of file, or nothing after all: the timers end it
      self->silence_.expires_after(kSilence);
      self->silence_.async_wait([weak](error_code timer_ec) {
        const auto reader = weak.lock();
        if (!timer_ec && reader) reader->finish();
      });
      self->await();
    });
  }

  /// As much as the pipe can hold, even if it writes for ever.
  void take_all() {
    for (std::size_t taken = 0; taken < kMost;) {
      const auto n = take();
      if (n <= 0) return;
      taken += static_cast<std::size_t>(n);
    }
  }

  /// Bytes taken; 0 or less: nothing there.
  ssize_t take() {
    std::array<char, 16384> buffer;
    const auto n = ::read(pipe_.native_handle(), buffer.data(), buffer.size());
    if (n > 0) text_.append(buffer.data(), std::min(static_cast<std::size_t>(n), kMost - std::min(kMost, text_.size())));
    return n;
  }

  Descriptor pipe_;
  Timer silence_, longest_;
  std::string text_;
  std::vector<Callback> callbacks_;
};

StackDump::StackDump(Executor executor, UniqueFd pipe) : reader_(std::make_shared<Reader>(executor, std::move(pipe))) {}
StackDump::~StackDump() { reader_->close(); }
bool StackDump::ask(Callback callback) { return reader_->ask(std::move(callback)); }
void StackDump::finish() { reader_->finish(); }

}  // namespace pons
