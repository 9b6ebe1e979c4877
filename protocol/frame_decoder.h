// Cuts frames out of a byte stream (docs/protocol.md, section 1). Entirely passive: the owner reads bytes into it.
//
//   for (;;) {
//     auto space = decoder.prepare();                 // where to read
//     decoder.commit(read(fd, space.data(), space.size()));
//     for (auto event = decoder.next(); event.kind != FrameDecoder::Kind::need_more; event = decoder.next()) ...
//   }
//
// Memory: the buffer starts at kReadSize and grows with the bytes received (at most doubling), never with the length declared,
// except that a frame may be given at once the size that this stream's recent frames really had. Frames share the buffer they
// were read into; a new one is begun when frames still refer to the old one and its tail is used up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "protocol/buffer.h"
#include "protocol/limits.h"

namespace pons {

class FrameDecoder {
 public:
  enum class Kind : std::uint8_t {
    need_more,    ///< nothing whole is left in the buffer
    frame,        ///< `frame` is a whole body (an empty one is a bad frame: the envelope says so)
    oversized,    ///< `length` is above max_frame: reported once, as soon as it is read; its bytes are skipped, never stored
    not_a_frame,  ///< the stream cannot be followed (section 1): `text` shows its first bytes; every later next() says the same
  };
  struct Event {
    Kind kind = Kind::need_more;
    Frame frame{};
    std::uint64_t length = 0;
    std::string text{};
  };

  static constexpr std::size_t kReadSize = 64u << 10;  ///< bytes of a buffer that no large frame has asked to be larger

  explicit FrameDecoder(std::size_t max_frame = kDefaultMaxFrame);

  /// Another limit from now on.
  void set_max_frame(std::size_t max_frame) { max_frame_ = std::min<std::size_t>(max_frame, UINT32_MAX); }

  /// Where the next bytes go: never empty; large while a large frame is under way.
  std::span<char> prepare();
  /// `n` bytes were written to the start of the last prepare().
  void commit(std::size_t n);
  Event next();

  /// Bytes of an unfinished frame are buffered (or being skipped): an end of file now cuts a frame.
  [[nodiscard]] bool mid_frame() const;
  /// Bytes of memory held by the decoder itself.
  [[nodiscard]] std::size_t capacity() const;

 private:
  struct Block;
  [[nodiscard]] std::size_t pending() const { return end_ - begin_; }
  [[nodiscard]] std::uint32_t declared() const;   // the length at begin_; needs four bytes
  [[nodiscard]] std::size_t whole_frame() const;  // header and body of the frame under way; 0 while its length is not known
  void make_room(std::size_t capacity);
  Event cut();
  Event refuse(std::uint64_t length);

  std::size_t max_frame_;
  std::shared_ptr<Block> block_;
  std::size_t begin_ = 0;   // first byte not yet cut
  std::size_t end_ = 0;     // one past the last byte received
  std::uint64_t skip_ = 0;  // bytes of an oversized frame still to come
  std::size_t recent_ = 0;  // size of recent large frames, decaying
  bool seen_frame_ = false;
  std::optional<Event> dead_;  // what every next() says once the stream cannot be followed
};

/// The four bytes before a body of `size` bytes, big-endian.
struct FrameHeader {
  char bytes[4];
};
constexpr FrameHeader frame_header(std::uint32_t size) {
  return {{static_cast<char>(size >> 24), static_cast<char>(size >> 16), static_cast<char>(size >> 8), static_cast<char>(size)}};
}

}  // namespace pons
