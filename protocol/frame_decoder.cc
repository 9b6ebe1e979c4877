#include "protocol/frame_decoder.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace pons {
namespace {

constexpr std::size_t kHeaderSize = 4;
constexpr std::size_t kMinTail = 4096;  // a tail shorter than this is not worth a read
constexpr std::size_t kShownBytes = 64;

bool printable(char c) { return c >= 0x20 && c < 0x7f; }

// Somebody's text as one readable line, whatever bytes it holds.
std::string shown(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes.substr(0, kShownBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (printable(c)) {
      text += c;
    } else if (c == '\n') {
      text += "\\n";
    } else if (c == '\r') {
      text += "\\r";
    } else {
      text += "\\x";
      text += kHex[byte >> 4];
      text += kHex[byte & 15];
    }
  }
  return text;
}

}  // namespace

// Memory from malloc, so that a large one grows by remapping pages instead of copying them.
struct FrameDecoder::Block {
  explicit Block(std::size_t size) : data(static_cast<char*>(std::malloc(size))), capacity(size) {
    if (data == nullptr) throw std::bad_alloc();
  }
  ~Block() { std::free(data); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  void grow(std::size_t size) {
    char* const larger = static_cast<char*>(std::realloc(data, size));
    if (larger == nullptr) throw std::bad_alloc();
    data = larger;
    capacity = size;
  }

  char* data;
  std::size_t capacity;
};

FrameDecoder::FrameDecoder(std::size_t max_frame) : max_frame_(std::min<std::size_t>(max_frame, UINT32_MAX)) {}

std::uint32_t FrameDecoder::declared() const {
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < kHeaderSize; ++i) length = length << 8 | static_cast<unsigned char>(block_->data[begin_ + i]);
  return length;
}

std::size_t FrameDecoder::whole_frame() const {
  if (pending() < kHeaderSize || skip_ > 0 || dead_) return 0;
  const std::size_t length = declared();
  return length > max_frame_ ? 0 : kHeaderSize + length;
}

// Afterwards the bytes not yet cut stand at the front of a block of at least `capacity` that no frame refers to.
void FrameDecoder::make_room(std::size_t capacity) {
  const std::size_t kept = pending();
  if (block_ && block_.use_count() == 1) {
    if (kept > 0 && begin_ > 0) std::memmove(block_->data, block_->data + begin_, kept);
    if (block_->capacity < capacity) block_->grow(capacity);
  } else {
    auto fresh = std::make_shared<Block>(capacity);
    if (kept > 0) std::memcpy(fresh->data, block_->data + begin_, kept);
    block_ = std::move(fresh);
  }
  begin_ = 0;
  end_ = kept;
}

std::span<char> FrameDecoder::prepare() {
  if (dead_) begin_ = end_;  // nobody will ask for these bytes any more
  if (begin_ == end_ && block_ && block_.use_count() == 1) begin_ = end_ = 0;
  const std::size_t capacity = block_ ? block_->capacity : 0;
  const std::size_t whole = whole_frame();
  const bool unfinished = whole > pending();
  // No more than twice what was received, or what frames here really were of late; and no more than the frame under way needs.
  const std::size_t allowed = std::max({kReadSize, 2 * pending(), recent_ + kHeaderSize});
  const std::size_t wanted = std::max(kReadSize, unfinished ? std::min(whole, allowed) : pending() + kMinTail);
  const bool fits = unfinished && begin_ + whole <= capacity;
  if (!fits && (capacity - end_ < kMinTail || (unfinished && wanted > capacity))) make_room(wanted);
  return {block_->data + end_, block_->capacity - end_};
}

void FrameDecoder::commit(std::size_t n) { end_ += n; }

FrameDecoder::Event FrameDecoder::next() {
  if (dead_) return *dead_;
  if (skip_ > 0) {
    const std::size_t dropped = std::min<std::uint64_t>(skip_, pending());
    begin_ += dropped;
    skip_ -= dropped;
  }
  if (skip_ > 0 || pending() < kHeaderSize) return {};
  const std::uint32_t length = declared();
  const char* const header = block_->data + begin_;
  const bool text = !seen_frame_ && std::all_of(header, header + kHeaderSize, printable);
  if (text || length > kHopelessFactor * max_frame_) return refuse(length);
  if (length > max_frame_) {
    begin_ += kHeaderSize;
    skip_ = length;
    return Event{Kind::oversized, {}, length, {}};
  }
  return pending() < kHeaderSize + length ? Event{} : cut();
}

FrameDecoder::Event FrameDecoder::cut() {
  const std::size_t length = declared();
  Event event{Kind::frame, {}, length, {}};
  event.frame.body = {block_->data + begin_ + kHeaderSize, length};
  begin_ += kHeaderSize + length;
  seen_frame_ = seen_frame_ || length > 0;
  recent_ = std::max(length, recent_ - recent_ / 8);
  if (begin_ == end_ && block_->capacity > kReadSize) {
    // The frame alone keeps a large block alive: an idle stream holds no more than it needs.
    event.frame.owner = std::move(block_);
    begin_ = end_ = 0;
  } else {
    event.frame.owner = block_;
  }
  return event;
}

FrameDecoder::Event FrameDecoder::refuse(std::uint64_t length) {
  dead_ = Event{Kind::not_a_frame, {}, length, shown({block_->data + begin_, pending()})};
  return *dead_;
}

bool FrameDecoder::mid_frame() const { return skip_ > 0 || pending() > 0; }

std::size_t FrameDecoder::capacity() const { return block_ ? block_->capacity : 0; }

}  // namespace pons
