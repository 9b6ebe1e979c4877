// Random documents and envelopes from a seed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "protocol/codec.h"

namespace pons::test {

class RandomDocuments {
 public:
  explicit RandomDocuments(std::uint64_t seed) : engine_(seed) {}

  std::size_t below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(engine_); }
  bool chance(unsigned percent) { return below(100) < percent; }

  /// Text with quotes, control characters, NUL and code points of every length in UTF-8.
  std::string text(std::size_t longest = 12) {
    static const std::vector<std::string> pieces{"a",  "Z", "\"", "\\", "/", "\n", std::string(1, '\0'), "\x1f", "\x7f", "ä",
                                                 "語", "😀", " ",  "}",  "]", ","};
    std::string out;
    for (std::size_t n = below(longest + 1); n > 0; --n) out += pieces[below(pieces.size())];
    return out;
  }

  /// Any value; binary only for MessagePack.
  nlohmann::json value(Codec codec, int depth = 4) {
    switch (below(depth > 0 ? 9 : 7)) {
      case 0:
        return nullptr;
      case 1:
        return chance(50);
      case 2:
        return engine_() >> below(64);
      case 3:
        return -static_cast<std::int64_t>(engine_() >> (1 + below(63)));
      case 4:
        return std::normal_distribution<double>(0, 1e6)(engine_);
      case 5:
        return text(chance(5) ? 3000 : 12);
      case 6:
        return codec == Codec::msgpack ? binary() : nlohmann::json(1.5e-300);
      case 7:
        return array(codec, depth);
      default:
        return object(codec, depth);
    }
  }

  nlohmann::json object(Codec codec, int depth) {
    nlohmann::json out = nlohmann::json::object();
    for (std::size_t n = below(5); n > 0; --n) out[text(4)] = value(codec, depth - 1);
    return out;
  }

  /// An object's bytes, its members in random order and, in JSON, with random white space.
  std::string shuffled(Codec codec, const nlohmann::json& object);

 private:
  nlohmann::json binary() {
    nlohmann::json::binary_t bytes;
    for (std::size_t n = below(40); n > 0; --n) bytes.push_back(static_cast<std::uint8_t>(engine_()));
    if (chance(50)) bytes.set_subtype(below(128));
    return nlohmann::json::binary(bytes);
  }
  nlohmann::json array(Codec codec, int depth) {
    nlohmann::json out = nlohmann::json::array();
    for (std::size_t n = below(5); n > 0; --n) out.push_back(value(codec, depth - 1));
    return out;
  }
  std::string space() { return std::string(chance(70) ? 0 : below(3), " \n\t\r"[below(4)]); }

  std::mt19937_64 engine_;
};

inline std::string RandomDocuments::shuffled(Codec codec, const nlohmann::json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) keys.push_back(item.key());
  std::shuffle(keys.begin(), keys.end(), engine_);
  std::string out;
  if (codec == Codec::msgpack) {
    const std::size_t n = keys.size();
    out = n < 16 && chance(70) ? std::string(1, static_cast<char>(0x80 | n)) : std::string("\xde\0", 2) + static_cast<char>(n);
    for (const std::string& key : keys) {
      nlohmann::json::to_msgpack(key, out);
      nlohmann::json::to_msgpack(object[key], out);
    }
    return out;
  }
  out = space() + "{" + space();
  for (const std::string& key : keys) {
    if (key != keys.front()) out += space() + "," + space();
    out += nlohmann::json(key).dump() + space() + ":" + space() + object[key].dump();
  }
  return out + space() + "}" + space();
}

}  // namespace pons::test
