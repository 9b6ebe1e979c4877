// MessagePack bodies: the view and msgpack-cxx agree, field by field; what is spliced reads as expected.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <msgpack.hpp>

#include "protocol/document.h"
#include "protocol/limits.h"
#include "tests/fuzz/reference.h"

namespace pons::fuzz {
namespace {

using nlohmann::json;

bool utf8(const std::string& text) {
  try {
    (void)json(text).dump();
    return true;
  } catch (const json::type_error&) {
    return false;
  }
}

// msgpack-cxx's objects as documents. What the protocol forbids beyond MessagePack itself is noted on the way.
class Converter {
 public:
  bool bad = false;      // text that is no UTF-8, or nesting too deep
  bool odd_key = false;  // somewhere below the top level

  json convert(const msgpack::object& object, int depth) {
    switch (object.type) {
      case msgpack::type::NIL:
        return nullptr;
      case msgpack::type::BOOLEAN:
        return object.via.boolean;
      case msgpack::type::POSITIVE_INTEGER:
        return object.via.u64;
      case msgpack::type::NEGATIVE_INTEGER:
        return object.via.i64;
      case msgpack::type::FLOAT32:
      case msgpack::type::FLOAT64:
        return object.via.f64;
      case msgpack::type::STR:
        return text(object);
      case msgpack::type::BIN:
        return json::binary({object.via.bin.ptr, object.via.bin.ptr + object.via.bin.size});
      case msgpack::type::EXT: {
        const char* const data = object.via.ext.data();
        return json::binary({data, data + object.via.ext.size}, static_cast<std::uint8_t>(object.via.ext.type()));
      }
      case msgpack::type::ARRAY:
        return array(object.via.array, depth + 1);
      case msgpack::type::MAP:
        return map(object.via.map, depth + 1);
    }
    return nullptr;
  }

 private:
  json text(const msgpack::object& object) {
    std::string content(object.via.str.ptr, object.via.str.size);
    bad = bad || !utf8(content);
    return content;
  }
  json array(const msgpack::object_array& items, int depth) {
    bad = bad || depth > kMaxDepth;
    json out = json::array();
    for (std::uint32_t i = 0; i < items.size; ++i) out.push_back(convert(items.ptr[i], depth));
    return out;
  }
  json map(const msgpack::object_map& pairs, int depth) {
    bad = bad || depth > kMaxDepth;
    json out = json::object();
    for (std::uint32_t i = 0; i < pairs.size; ++i) {
      const bool string_key = pairs.ptr[i].key.type == msgpack::type::STR;
      odd_key = odd_key || !string_key;
      const json key = convert(pairs.ptr[i].key, depth);
      json value = convert(pairs.ptr[i].val, depth);
      if (string_key) out[key.get<std::string>()] = std::move(value);
    }
    return out;
  }
};

int resources_in(const msgpack::object& args) {
  int found = 0;
  if (args.type != msgpack::type::MAP) return 0;
  for (std::uint32_t i = 0; i < args.via.map.size; ++i) {
    const msgpack::object& key = args.via.map.ptr[i].key;
    if (key.type == msgpack::type::STR && std::string_view(key.via.str.ptr, key.via.str.size) == "resource_id") ++found;
  }
  return found;
}

std::optional<Members> members_of(std::string_view body) {
  // No count or size can be larger than the body; without a bound msgpack-cxx would reserve what is declared. Deeper than the
  // protocol allows, but bounded, since the conversion below recurses.
  const std::size_t n = body.size();
  const msgpack::unpack_limit limit(n, n, n, n, n, 4 * kMaxDepth);
  msgpack::object_handle handle;
  std::size_t end = 0;
  try {
    handle = msgpack::unpack(body.data(), n, end, nullptr, nullptr, limit);
  } catch (const msgpack::unpack_error&) {
    return std::nullopt;
  }
  if (end != n || handle->type != msgpack::type::MAP) return std::nullopt;
  Members members;
  Converter everything;
  for (std::uint32_t i = 0; i < handle->via.map.size; ++i) {
    const msgpack::object_kv& pair = handle->via.map.ptr[i];
    Member member;
    member.odd_key = pair.key.type != msgpack::type::STR;
    const json key = everything.convert(pair.key, 1);
    if (!member.odd_key) member.key = key.get<std::string>();
    Converter one;
    member.value = one.convert(pair.val, 1);
    member.whole = pair.val.type == msgpack::type::POSITIVE_INTEGER;
    member.args_resources = member.key == "args" ? resources_in(pair.val) : 0;
    // A key that is no string is a bad frame inside args, a bad request at the top, and nobody's business elsewhere.
    if (one.bad || (one.odd_key && member.key == "args" && !member.odd_key)) return std::nullopt;
    members.push_back(std::move(member));
  }
  if (everything.bad) return std::nullopt;
  return members;
}

// NaN is not equal to itself; members that hold one are compared by their bytes instead.
bool holds_nan(const json& value) {
  if (value.is_number_float()) return std::isnan(value.get<double>());
  if (!value.is_structured()) return false;
  return std::any_of(value.begin(), value.end(), holds_nan);
}

void check(std::string_view body) {
  // The first byte chooses the codec: the other one has a fuzzer of its own.
  const auto first = body.empty() ? 0u : static_cast<unsigned char>(body.front());
  if ((first & 0xf0) != 0x80 && first != 0xde && first != 0xdf) return;
  const auto members = members_of(body);
  compare(body, members);
  (void)Envelope::parse_reply(body, true);
  (void)transcode(body, Codec::msgpack, Codec::json);
  const bool comparable = members && std::none_of(members->begin(), members->end(), [](const Member& m) { return holds_nan(m.value); });
  if (comparable) check_splices(body, members_of);
}

}  // namespace
}  // namespace pons::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pons::fuzz::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
