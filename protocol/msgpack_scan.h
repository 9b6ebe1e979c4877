// Checks MessagePack byte by byte without building anything: counts against the bytes that remain, str for UTF-8, depth, keys.
// No recursion, no reservation. Internal to the protocol library.
//
// Every step takes the place where it begins and returns the place where it ends, or nullptr; then problem() says why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/scan_problem.h"

namespace pons::detail {

enum class MsgpackKind : std::uint8_t { nil, boolean, positive, negative, real, str, bin, ext, array, map, never };

/// A value's first bytes, read.
struct MsgpackHead {
  MsgpackKind kind = MsgpackKind::never;
  std::uint64_t number =
      0;  ///< boolean: 0 or 1; positive: the value; negative: its bits; str, bin, ext: bytes that follow; array, map: elements, pairs
  double real = 0;  ///< of positive, negative and real
};

enum class MsgpackKeys : std::uint8_t { any, strings };  ///< what the maps inside a value may have as keys

class MsgpackScanner {
 public:
  explicit MsgpackScanner(std::string_view bytes) : begin_(bytes.data()), end_(begin_ + bytes.size()) {}

  [[nodiscard]] const char* begin() const { return begin_; }
  [[nodiscard]] const char* end() const { return end_; }
  [[nodiscard]] const ScanProblem& problem() const { return problem_; }
  const char* fail(const char* where, const char* what);

  /// Up to where the content begins; that what is declared can fit into the bytes that remain is checked.
  const char* head(const char* at, MsgpackHead& head);
  /// The text of a str whose head has been read; its size is known to fit.
  const char* text(const char* at, std::uint64_t size);
  /// A str, its text checked. `at` is at any value; `is_str` tells. If it is none, returns `at`.
  const char* str(const char* at, std::string_view& content, bool& is_str);
  /// One value with everything in it, checked. `depth` containers are open around it.
  const char* value(const char* at, int depth, MsgpackKeys keys);
  /// One value of which only the end is looked for.
  const char* extent(const char* at);

 private:
  const char* after_simple(const char* at, bool is_key) const;

  const char* begin_;
  const char* end_;
  ScanProblem problem_;
};

void append_msgpack_uint(std::string& out, std::uint64_t value);
void append_msgpack_str(std::string& out, std::string_view text);
void append_msgpack_map(std::string& out, std::uint32_t pairs);

}  // namespace pons::detail
