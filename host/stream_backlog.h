// How much of one stream its caller has not taken yet. The stream shares its connection with other replies: so what it wrote is
// remembered by where it ends in all that the connection was given, in a few pieces. Entirely passive.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pons {

class StreamBacklog {
 public:
  /// `bytes` of the stream were written; they end at `end`, which only grows. Chunks share a piece until it has `piece` bytes: so
  /// many may count as undelivered a little too long.
  void add(std::size_t bytes, std::uint64_t end, std::size_t piece) {
    if (pieces_.empty() || pieces_.back().bytes >= piece) pieces_.push_back({});
    pieces_.back().bytes += bytes;
    pieces_.back().end = end;
    bytes_ += bytes;
  }
  /// The caller has taken all up to `end`.
  void delivered(std::uint64_t end) {
    const auto left = std::find_if(pieces_.begin(), pieces_.end(), [&](const Piece& piece) { return piece.end > end; });
    std::for_each(pieces_.begin(), left, [&](const Piece& piece) { bytes_ -= piece.bytes; });
    pieces_.erase(pieces_.begin(), left);
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Piece {
    std::size_t bytes = 0;
    std::uint64_t end = 0;
  };
  std::vector<Piece> pieces_;
  std::size_t bytes_ = 0;
};

}  // namespace pons
