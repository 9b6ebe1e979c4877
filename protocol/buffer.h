// Bytes with shared ownership: a frame's body keeps the read buffer that it lies in alive, and is never copied.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace pons {

/// A body and what keeps its bytes alive. Copying copies the reference. Immutable once made.
struct Frame {
  std::shared_ptr<const void> owner;
  std::string_view body;

  /// A frame that owns its own text.
  static Frame of(std::string text) {
    auto owner = std::make_shared<const std::string>(std::move(text));
    const std::string_view body = *owner;
    return Frame{std::move(owner), body};
  }
};

}  // namespace pons
