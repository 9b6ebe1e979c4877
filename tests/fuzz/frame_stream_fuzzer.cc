// Byte streams: the decoder, fed in pieces of any size, says what a plain reading of the whole stream says, and holds no more memory
// than it received. The first bytes of the input choose the limit, the sizes of the reads and whether frames are held.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/frame_decoder.h"

namespace pons::fuzz {
namespace {

struct Said {
  FrameDecoder::Kind kind;
  std::string body;
  std::uint64_t length;
  bool operator==(const Said&) const = default;
};

void require(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// docs/protocol.md, section 1, in the plainest way.
std::vector<Said> plainly(std::string_view stream, std::uint64_t max_frame) {
  std::vector<Said> said;
  bool good = false;
  while (stream.size() >= 4) {
    std::uint64_t length = 0;
    bool printable = true;
    for (const char c : stream.substr(0, 4)) {
      length = length * 256 + static_cast<unsigned char>(c);
      printable = printable && c >= ' ' && c <= '~';
    }
    if (length > 16 * max_frame || (printable && !good)) {
      said.push_back({FrameDecoder::Kind::not_a_frame, "", length});
      break;
    }
    stream.remove_prefix(4);
    if (length > max_frame) {
      said.push_back({FrameDecoder::Kind::oversized, "", length});
    } else if (length <= stream.size()) {
      said.push_back({FrameDecoder::Kind::frame, std::string(stream.substr(0, length)), length});
      good = good || length > 0;
    }
    if (length > stream.size()) break;
    stream.remove_prefix(length);
  }
  return said;
}

// Keeps every frame it is told to hold, and checks at the end that nobody wrote into one.
class Listener {
 public:
  explicit Listener(bool hold) : hold_(hold) {}

  // False once the stream cannot be followed.
  bool drain(FrameDecoder& decoder) {
    for (auto event = decoder.next(); event.kind != FrameDecoder::Kind::need_more; event = decoder.next()) {
      said.push_back({event.kind, std::string(event.frame.body), event.length});
      if (event.kind == FrameDecoder::Kind::not_a_frame) {
        require(!event.text.empty() && decoder.next().kind == event.kind, "what cannot be followed stays so");
        return false;
      }
      if (hold_ && event.kind == FrameDecoder::Kind::frame) held_.push_back(event.frame);
    }
    return true;
  }
  void check_held() const {
    std::size_t i = 0;
    for (const Said& one : said) {
      if (hold_ && one.kind == FrameDecoder::Kind::frame) require(held_.at(i++).body == one.body, "a frame that is held changes");
    }
  }

  std::vector<Said> said;

 private:
  bool hold_;
  std::vector<Frame> held_;
};

void check(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return;
  const std::size_t max_frame = std::size_t{1} << (data[0] % 33);
  const std::size_t read_size = std::size_t{1} + data[1] * std::size_t{data[1]};
  const std::string_view stream(reinterpret_cast<const char*>(data) + 3, size - 3);
  FrameDecoder decoder(max_frame);
  Listener listener((data[2] & 1) != 0);
  const bool lazy = (data[2] & 2) != 0;  // drains only when all has been read
  std::size_t received = 0;
  bool alive = true;
  while (alive && received < stream.size()) {
    const auto space = decoder.prepare();
    require(!space.empty(), "there is always room to read into");
    const std::size_t n = std::min({read_size, space.size(), stream.size() - received});
    std::memcpy(space.data(), stream.data() + received, n);
    decoder.commit(n);
    received += n;
    if (!lazy) alive = listener.drain(decoder);
    require(decoder.capacity() <= 2 * FrameDecoder::kReadSize + 2 * received, "memory is bounded by what was received");
  }
  if (lazy) listener.drain(decoder);
  listener.check_held();
  require(listener.said == plainly(stream, std::min<std::uint64_t>(max_frame, UINT32_MAX)), "the same events");
}

}  // namespace
}  // namespace pons::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pons::fuzz::check(data, size);
  return 0;
}
