#include "protocol/document_codec.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>

#include "protocol/json_scan.h"
#include "protocol/limits.h"
#include "protocol/msgpack_scan.h"

namespace pons::detail {
namespace {

using nlohmann::json;

// Recurses at most kMaxDepth deep.
class JsonBuilder {
 public:
  explicit JsonBuilder(std::string_view text) : scan_(text) {}

  ScanProblem read(json& out) {
    const char* at = value(scan_.begin(), 0, out);
    if (at != nullptr) at = scan_.skip_space(at);
    if (at != nullptr && at != scan_.end()) scan_.fail(at, "something follows the value");
    return scan_.problem();
  }

 private:
  const char* value(const char* at, int depth, json& out) {
    at = scan_.skip_space(at);
    if (at == scan_.end()) return scan_.value(at, depth);
    switch (*at) {
      case '{':
        return object(at, depth, out);
      case '[':
        return array(at, depth, out);
      case '"':
        return text(at, out);
      case 't':
      case 'f':
        out = *at == 't';
        return scan_.value(at, depth);
      case 'n':
        out = nullptr;
        return scan_.value(at, depth);
      default:
        return number(at, depth, out);
    }
  }

  const char* text(const char* at, json& out) {
    JsonScanner::Text found;
    at = scan_.string(at, found, "");
    if (at != nullptr) out = found.decoded();
    return at;
  }

  const char* number(const char* at, int depth, json& out) {
    if (*at != '-' && (*at < '0' || *at > '9')) return scan_.value(at, depth);
    bool integer = false;
    const char* const stop = scan_.number(at, integer);
    if (stop == nullptr) return nullptr;
    if (integer && (read_integer<std::uint64_t>(at, stop, out) || read_integer<std::int64_t>(at, stop, out))) return stop;
    double real = 0;
    const auto [end, failure] = std::from_chars(at, stop, real);
    // A fraction that is out of range is too small, for one that is too large was refused; an integer may have any length.
    const bool beyond = failure == std::errc::result_out_of_range || !std::isfinite(real);
    if (beyond && integer) return scan_.fail(at, "an integer is too large for a double");
    out = beyond ? std::copysign(0.0, *at == '-' ? -1.0 : 1.0) : real;
    return stop;
  }

  template <class Integer>
  static bool read_integer(const char* at, const char* stop, json& out) {
    Integer value = 0;
    const auto [end, failure] = std::from_chars(at, stop, value);
    if (failure != std::errc{} || end != stop) return false;
    out = value;
    return true;
  }

  const char* array(const char* at, int depth, json& out) {
    if (depth >= kMaxDepth) return scan_.fail(at, "the nesting is deeper than 64");
    out = json::array();
    at = scan_.skip_space(at + 1);
    if (at != scan_.end() && *at == ']') return at + 1;
    for (;;) {
      if ((at = value(at, depth + 1, out.emplace_back())) == nullptr) return nullptr;
      at = scan_.skip_space(at);
      if (at == scan_.end()) return scan_.fail(at, "an array is not closed");
      if (*at == ']') return at + 1;
      if (*at++ != ',') return scan_.fail(at - 1, "a comma or \"]\" was expected");
    }
  }

  const char* object(const char* at, int depth, json& out) {
    if (depth >= kMaxDepth) return scan_.fail(at, "the nesting is deeper than 64");
    out = json::object();
    at = scan_.skip_space(at + 1);
    if (at != scan_.end() && *at == '}') return at + 1;
    for (;;) {
      JsonScanner::Text key;
      if ((at = scan_.key(scan_.skip_space(at), key)) == nullptr) return nullptr;
      if ((at = value(at, depth + 1, out[key.decoded()])) == nullptr) return nullptr;
      at = scan_.skip_space(at);
      if (at == scan_.end()) return scan_.fail(at, "an object is not closed");
      if (*at == '}') return at + 1;
      if (*at++ != ',') return scan_.fail(at - 1, "a comma or \"}\" was expected");
    }
  }

  JsonScanner scan_;
};

// Of bytes that were checked: every size is true, every key a string, the depth bounded.
class MsgpackBuilder {
 public:
  explicit MsgpackBuilder(std::string_view checked) : scan_(checked), at_(scan_.begin()) {}

  json value() {
    MsgpackHead head;
    at_ = scan_.head(at_, head);
    switch (head.kind) {
      case MsgpackKind::nil:
      case MsgpackKind::never:
        return nullptr;
      case MsgpackKind::boolean:
        return head.number != 0;
      case MsgpackKind::positive:
        return head.number;
      case MsgpackKind::negative:
        return static_cast<std::int64_t>(head.number);
      case MsgpackKind::real:
        return head.real;
      case MsgpackKind::str:
        return std::string(take(head.number));
      case MsgpackKind::bin:
        return json::binary(bytes(head.number));
      case MsgpackKind::ext: {
        const auto type = static_cast<std::uint8_t>(*at_++);
        return json::binary(bytes(head.number - 1), type);
      }
      case MsgpackKind::array:
        return array(head.number);
      case MsgpackKind::map:
        return map(head.number);
    }
    return nullptr;
  }

 private:
  std::string_view take(std::uint64_t size) {
    const std::string_view taken(at_, size);
    at_ += size;
    return taken;
  }
  std::vector<std::uint8_t> bytes(std::uint64_t size) {
    const std::string_view taken = take(size);
    return {taken.begin(), taken.end()};
  }
  json array(std::uint64_t count) {
    json::array_t items;
    items.reserve(count);
    for (; count > 0; --count) items.push_back(value());
    return items;
  }
  json map(std::uint64_t pairs) {
    json::object_t members;
    for (; pairs > 0; --pairs) {
      MsgpackHead head;
      at_ = scan_.head(at_, head);
      std::string key(take(head.number));
      members.insert_or_assign(std::move(key), value());
    }
    return members;
  }

  MsgpackScanner scan_;
  const char* at_;
};

void write_float(double value, std::string& out) {
  std::array<char, 64> text;
  // nlohmann's own, so that a number reads the same whoever wrote it.
  out.append(text.data(), nlohmann::detail::to_chars(text.data(), text.data() + text.size(), value));
}

template <class Integer>
void write_integer(Integer value, std::string& out) {
  std::array<char, 24> text;
  out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
}

void write_array(const json& value, std::string& out) {
  char before = '[';
  for (const json& item : value) {
    out += std::exchange(before, ',');
    write_json_document(item, out);
  }
  if (before == '[') out += '[';
  out += ']';
}

void write_object(const json& value, std::string& out) {
  char before = '{';
  for (const auto& [key, item] : value.get_ref<const json::object_t&>()) {
    out += std::exchange(before, ',');
    append_json_string(out, key);
    out += ':';
    write_json_document(item, out);
  }
  if (before == '{') out += '{';
  out += '}';
}

}  // namespace

ScanProblem read_json_document(std::string_view text, json& out) { return JsonBuilder(text).read(out); }

ScanProblem read_msgpack_document(std::string_view bytes, json& out) {
  MsgpackScanner scan(bytes);
  const char* stop = scan.value(scan.begin(), 0, MsgpackKeys::strings);
  if (stop != nullptr && stop != scan.end()) stop = scan.fail(stop, "something follows the value");
  if (stop != nullptr) out = MsgpackBuilder(bytes).value();
  return scan.problem();
}

void write_json_document(const json& value, std::string& out) {
  switch (value.type()) {
    case json::value_t::object:
      return write_object(value, out);
    case json::value_t::array:
      return write_array(value, out);
    case json::value_t::string:
      return append_json_string(out, value.get_ref<const std::string&>());
    case json::value_t::boolean:
      out += value.get<bool>() ? "true" : "false";
      return;
    case json::value_t::number_integer:
      return write_integer(value.get<std::int64_t>(), out);
    case json::value_t::number_unsigned:
      return write_integer(value.get<std::uint64_t>(), out);
    case json::value_t::number_float:
      return write_float(value.get<double>(), out);
    case json::value_t::null:
    case json::value_t::binary:
    case json::value_t::discarded:
      out += "null";
      return;
  }
}

}  // namespace pons::detail
