#include "protocol/out_frame.h"

#include <cstring>
#include <stdexcept>
#include <utility>

#include "protocol/frame_decoder.h"

namespace pons {
namespace {

iovec piece(const char* data, std::size_t size) {
  // writev(2) never writes through iov_base; its type is shared with readv(2).
  return iovec{const_cast<char*>(data), size};
}

}  // namespace

OutFrame::OutFrame() : text_(kHeaderSize, '\0') {}

OutFrame OutFrame::of(std::string body) {
  OutFrame out;
  if (body.size() < kCopyBelow) {
    out.reserve(body.size());
    out.append(body);
  } else {
    const Frame frame = Frame::of(std::move(body));
    out.append(frame.body, frame);
  }
  out.finish();
  return out;
}

void OutFrame::reserve(std::size_t bytes) { text_.reserve(kHeaderSize + bytes); }

void OutFrame::append(std::string_view bytes) {
  text_.append(bytes);
  size_ += bytes.size();
}

void OutFrame::append(std::string_view bytes, const Frame& owner) {
  if (bytes.size() < kCopyBelow) {
    append(bytes);
    return;
  }
  externals_.push_back(External{text_.size(), bytes});
  if (owners_.empty() || owners_.back() != owner.owner) owners_.push_back(owner.owner);
  size_ += bytes.size();
}

void OutFrame::finish() {
  const std::size_t body = size_ - kHeaderSize;
  if (body > UINT32_MAX) throw std::length_error("a frame's body cannot be longer than 2^32 - 1 bytes");
  const FrameHeader header = frame_header(static_cast<std::uint32_t>(body));
  std::memcpy(text_.data(), header.bytes, kHeaderSize);
}

void OutFrame::pieces(std::vector<iovec>& out) const {
  std::size_t done = 0;
  for (const External& external : externals_) {
    if (external.after > done) out.push_back(piece(text_.data() + done, external.after - done));
    done = external.after;
    out.push_back(piece(external.bytes.data(), external.bytes.size()));
  }
  if (text_.size() > done) out.push_back(piece(text_.data() + done, text_.size() - done));
}

std::string OutFrame::body() const {
  std::string whole;
  whole.reserve(size_);
  std::vector<iovec> all;
  pieces(all);
  for (const iovec& part : all) whole.append(static_cast<const char*>(part.iov_base), part.iov_len);
  return whole.erase(0, kHeaderSize);
}

}  // namespace pons
