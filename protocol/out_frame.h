// A frame ready to be written: header and body as pieces for one gathered write. Short pieces are copied together; long ones
// refer to the buffer they were received in, so that a payload is not copied.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/buffer.h"

namespace pons {

class OutFrame {
 public:
  static constexpr std::size_t kCopyBelow = 2048;  ///< bytes: a piece shorter than this is copied

  OutFrame();
  /// A whole body that is held elsewhere, as it is.
  static OutFrame of(std::string body);

  void reserve(std::size_t bytes);                          ///< room for so many bytes that will be copied
  void append(std::string_view bytes);                      ///< copied
  void append(std::string_view bytes, const Frame& owner);  ///< referred to if long; `bytes` lie in `owner`
  /// Copied pieces written in place: `write` appends to the string that it is given.
  template <class Write>
  void compose(Write write) {
    const std::size_t before = text_.size();
    write(text_);
    size_ += text_.size() - before;
  }
  /// Writes the length into the header; call once, after the last append.
  void finish();

  [[nodiscard]] std::size_t size() const { return size_; }  ///< header included
  /// The pieces in order, header first. Valid while this object is neither moved nor changed.
  void pieces(std::vector<iovec>& out) const;
  /// The body in one string (tests, transcoding).
  [[nodiscard]] std::string body() const;

 private:
  static constexpr std::size_t kHeaderSize = 4;
  struct External {
    std::size_t after;  // it follows text_[0, after)
    std::string_view bytes;
  };
  std::string text_;  // everything copied, one after the other; begins with the four bytes of the header
  std::vector<External> externals_;
  std::vector<std::shared_ptr<const void>> owners_;
  std::size_t size_ = kHeaderSize;
};

}  // namespace pons
