#include "protocol/json_extent.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "protocol/text_scan.h"

namespace pons::detail {
namespace {

constexpr std::ptrdiff_t kBlock = 64;

// Every bit becomes the parity of itself and those below: between two quotes, ones.
std::uint64_t parity(std::uint64_t bits) {
  for (unsigned shift = 1; shift < 64; shift *= 2) bits ^= bits << shift;
  return bits;
}

// What one block says, with what it must know of those before.
class Blocks {
 public:
  // Brackets outside strings, as bits.
  struct Brackets {
    std::uint64_t open;
    std::uint64_t close;
  };

  Brackets read(const char* at) {
    const std::uint64_t quotes = mask_of_64<Only<'"'>>(at) & ~escaped(mask_of_64<Only<'\\'>>(at));
    const std::uint64_t inside = parity(quotes) ^ in_string_;
    in_string_ = (inside >> 63) != 0 ? ~std::uint64_t{0} : 0;
    return {mask_of_64<BracketOr<'{'>>(at) & ~inside, mask_of_64<BracketOr<'}'>>(at) & ~inside};
  }

 private:
  // The bytes behind a backslash that is not itself behind one.
  std::uint64_t escaped(std::uint64_t backslashes) {
    std::uint64_t found = after_backslash_ ? 1 : 0;
    after_backslash_ = false;
    backslashes &= ~found;
    while (backslashes != 0) {
      const int place = std::countr_zero(backslashes);
      if (place == 63) {
        after_backslash_ = true;
        break;
      }
      const std::uint64_t next = std::uint64_t{2} << place;
      found |= next;
      backslashes &= ~(next | next >> 1);
    }
    return found;
  }

  std::uint64_t in_string_ = 0;  // all ones: the last block ended inside a string
  bool after_backslash_ = false;
};

// The place in the block where `depth` comes to 0, or -1; `depth` is carried on.
int closing_place(Blocks::Brackets brackets, std::uint64_t& depth) {
  const auto closed = static_cast<std::uint64_t>(std::popcount(brackets.close));
  if (depth > closed) {
    depth += static_cast<std::uint64_t>(std::popcount(brackets.open)) - closed;
    return -1;
  }
  for (std::uint64_t both = brackets.open | brackets.close; both != 0; both &= both - 1) {
    const std::uint64_t lowest = both & (0 - both);
    if ((brackets.open & lowest) != 0) {
      ++depth;
    } else if (--depth == 0) {
      return std::countr_zero(lowest);
    }
  }
  return -1;
}

}  // namespace

const char* end_of_container(const char* at, const char* end) {
  Blocks blocks;
  std::uint64_t depth = 0;
  for (; end - at >= kBlock; at += kBlock) {
    const int place = closing_place(blocks.read(at), depth);
    if (place >= 0) return at + place + 1;
  }
  std::array<char, kBlock> last;
  last.fill(' ');
  std::memcpy(last.data(), at, static_cast<std::size_t>(end - at));
  const int place = closing_place(blocks.read(last.data()), depth);
  return place >= 0 ? at + place + 1 : nullptr;
}

}  // namespace pons::detail
