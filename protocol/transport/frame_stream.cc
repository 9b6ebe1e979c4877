#include "protocol/transport/frame_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <exception>
#include <utility>

namespace pons {

namespace {

constexpr std::size_t kMaxPieces = 256;  // pieces of one gathered write

bool has_hung_up(Descriptor& descriptor) {
  pollfd fd{descriptor.native_handle(), 0, 0};
  return ::poll(&fd, 1, 0) > 0 && (fd.revents & (POLLERR | POLLHUP)) != 0;
}

}  // namespace

std::shared_ptr<FrameStream> FrameStream::create(Executor executor, UniqueFd in, UniqueFd out, Options options) {
  return std::shared_ptr<FrameStream>(new FrameStream(executor, std::move(in), std::move(out), options));
}

FrameStream::FrameStream(Executor executor, UniqueFd in, UniqueFd out, Options options)
    : executor_(executor),
      flush_queue_(asio::use_service<FlushQueue>(executor.context())),
      options_(options),
      in_(executor),
      in_flags_(::fcntl(in.get(), F_GETFL)),
      out_flags_(out ? ::fcntl(out.get(), F_GETFL) : 0),
      decoder_(options.max_frame),
      resume_(executor),
      write_deadline_(executor) {
  in_.assign(in.get());
  (void)in.release();
  in_.native_non_blocking(true);
  if (out) {
    out_.emplace(executor);
    out_->assign(out.get());
    (void)out.release();
    out_->native_non_blocking(true);
  }
}

FrameStream::~FrameStream() { close(); }

void FrameStream::start(Handler& handler) {
  handler_ = &handler;
  const auto report = [self = shared_from_this()](std::exception_ptr failure) {
    if (failure) self->end(End::gone, "reading failed");  // out of memory: the connection cannot go on, the host can
  };
  asio::co_spawn(executor_, read_loop(), report);
  if (out_) watch_hangup();
}

bool FrameStream::must_pause() const { return paused_ || (options_.output_limit != 0 && unsent_ > options_.output_limit); }

Task<void> FrameStream::read_loop() {
  const auto self = shared_from_this();
  while (!closed_ && !reading_done_) {
    if (must_pause()) {
      watch_hangup();
      resume_.expires_at(TimePoint::max());
      co_await resume_.async_wait(use_task);
      continue;
    }
    const auto space = decoder_.prepare();
    const auto buffer = asio::buffer(space.data(), space.size());
    const auto [ec, n] = co_await in_.async_read_some(buffer, use_task);
    if (closed_ || reading_done_) co_return;
    if (ec) {
      if (ec == asio::error::eof && !broken_ && !hung_up()) {
        end(decoder_.mid_frame() ? End::cut : End::half_closed);
      } else {
        end(End::gone, ec.message());
      }
      co_return;
    }
    decoder_.commit(n);
    if (!handle_input()) co_return;
  }
}

bool FrameStream::handle_input() {
  const FlushQueue::Turn turn(flush_queue_);
  while (!closed_ && !closing_) {
    auto event = decoder_.next();
    switch (event.kind) {
      case FrameDecoder::Kind::need_more:
        return true;
      case FrameDecoder::Kind::frame:
        handler_->on_frame(std::move(event.frame));
        break;
      case FrameDecoder::Kind::oversized:
        handler_->on_oversized(event.length);
        break;
      case FrameDecoder::Kind::not_a_frame:
        end(End::not_a_frame, std::move(event.text));
        return false;
    }
  }
  return false;
}

bool FrameStream::hung_up() { return options_.watch_hangup && has_hung_up(output()); }

/// A socket that is being read says itself that its peer has gone, and reads faster while nothing else waits on it.
void FrameStream::watch_hangup() {
  if (!options_.watch_hangup || hangup_watched_ || closed_) return;
  hangup_watched_ = true;
  output().async_wait(Descriptor::wait_error, [self = shared_from_this()](error_code ec) {
    self->hangup_watched_ = false;
    if (ec || self->closed_ || self->broken_) return;
    if (self->hung_up()) {
      self->lose_peer("the peer hung up");
    } else {
      self->watch_hangup();
    }
  });
}

void FrameStream::send(OutFrame frame) {
  if (!writable()) return;
  unsent_ += frame.size();
  given_ += frame.size();
  queue_.push_back(std::move(frame));
  schedule_flush();
}

void FrameStream::schedule_flush() {
  if (flush_scheduled_ || waiting_writable_) return;
  flush_scheduled_ = true;
  if (flush_queue_.in_turn()) {
    flush_queue_.add(shared_from_this());
  } else {
    asio::post(executor_, [self = shared_from_this()] { self->flush_scheduled(); });
  }
}

void FrameStream::flush_scheduled() {
  flush_scheduled_ = false;
  flush();
}

void FlushQueue::flush() {
  for (std::size_t i = 0; i < streams_.size(); ++i) {  // flushing may make others send
    const auto stream = std::move(streams_[i]);
    stream->flush_scheduled();
  }
  streams_.clear();
}

void FrameStream::flush() {
  while (!queue_.empty() && writable()) {
    const ssize_t n = write_some();
    if (n >= 0) {
      consume(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      wait_writable();
      return;
    } else if (errno != EINTR) {
      lose_peer("writing failed");
      break;
    }
  }
  if (closing_) {
    close();
  } else if (!closed_ && handler_ != nullptr) {
    if (!must_pause()) resume_.cancel();
    handler_->on_written(unsent_);
  }
}

ssize_t FrameStream::write_some() {
  pieces_.clear();
  for (const auto& frame : queue_) {
    frame.pieces(pieces_);
    if (pieces_.size() >= kMaxPieces) break;
  }
  std::size_t skip = head_offset_;
  std::size_t first = 0;
  while (skip >= pieces_[first].iov_len) skip -= pieces_[first++].iov_len;
  pieces_[first].iov_base = static_cast<char*>(pieces_[first].iov_base) + skip;
  pieces_[first].iov_len -= skip;
  const auto count = std::min(pieces_.size() - first, kMaxPieces);
  return ::writev(output().native_handle(), &pieces_[first], static_cast<int>(count));
}

void FrameStream::consume(std::size_t n) {
  unsent_ -= n;
  head_offset_ += n;
  while (!queue_.empty() && head_offset_ >= queue_.front().size()) {
    head_offset_ -= queue_.front().size();
    queue_.pop_front();
  }
}

void FrameStream::wait_writable() {
  waiting_writable_ = true;
  if (options_.write_timeout.count() > 0) {
    write_deadline_.expires_after(options_.write_timeout);
    write_deadline_.async_wait([self = shared_from_this()](error_code ec) {
      const bool ours = self->write_deadline_.expiry() <= Clock::now();  // it may have been set anew after this was on its way
      if (!ec && ours && self->waiting_writable_) self->end(End::stuck, "the peer does not read");
    });
  }
  output().async_wait(Descriptor::wait_write, [self = shared_from_this()](error_code ec) {
    self->waiting_writable_ = false;
    self->write_deadline_.cancel();
    if (self->closed_) return;
    if (ec) {
      self->lose_peer(ec.message());
    } else {
      self->flush();
    }
  });
  if (handler_ != nullptr) handler_->on_written(unsent_);
}

bool FrameStream::has_input() {
  if (closed_ || reading_done_) return false;
  pollfd fd{in_.native_handle(), POLLIN, 0};
  return ::poll(&fd, 1, 0) > 0;
}

void FrameStream::pause(bool paused) {
  paused_ = paused;
  if (!must_pause()) resume_.cancel();
}

/// Nothing can be written any more. What the peer had sent before is still read, if the end of it is sure to come: `gone` follows then.
void FrameStream::lose_peer(std::string text) {
  if (closed_ || broken_) return;
  if (!closing_ && !reading_done_ && has_hung_up(in_)) {
    drop_output();
    if (!must_pause()) resume_.cancel();
  } else {
    end(End::gone, std::move(text));
  }
}

void FrameStream::drop_output() {
  broken_ = true;
  queue_.clear();
  unsent_ = head_offset_ = 0;
}

void FrameStream::end(End end, std::string text) {
  if (closed_ || gone_) return;
  reading_done_ = true;
  gone_ = end == End::gone || end == End::stuck;
  if (gone_) drop_output();
  resume_.cancel();
  if (closing_) {
    if (broken_) close();
    return;
  }
  const auto self = shared_from_this();  // the handler may let go of us
  if (handler_ != nullptr) handler_->on_end(end, std::move(text));
  if (!gone_) watch_hangup();
}

void FrameStream::close_after_flush(std::function<void()> done) {
  if (done) flushed_.push_back(std::move(done));
  if (closed_ || broken_ || queue_.empty()) {
    close();
    tell_flushed();
    return;
  }
  closing_ = true;
  handler_ = nullptr;
  reading_done_ = true;
  resume_.cancel();
  schedule_flush();
}

void FrameStream::tell_flushed() {
  for (const auto& done : std::exchange(flushed_, {})) done();
}

void FrameStream::close() {
  if (closed_) return;
  closed_ = true;
  reading_done_ = true;
  error_code ignored;
  resume_.cancel();
  write_deadline_.cancel();
  if (in_flags_ >= 0 && out_) ::fcntl(in_.native_handle(), F_SETFL, in_flags_);
  in_.close(ignored);
  if (out_) {
    if (out_flags_ >= 0) ::fcntl(out_->native_handle(), F_SETFL, out_flags_);
    out_->close(ignored);
  }
  drop_output();
  tell_flushed();
}

int FrameStream::peer_pid() const {
  ucred peer{};
  socklen_t size = sizeof peer;
  const int fd = const_cast<Descriptor&>(in_).native_handle();
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

}  // namespace pons
