// The top level of a JSON body.
#include <charconv>
#include <limits>

#include "protocol/envelope_reader.h"
#include "protocol/json_scan.h"

namespace pons::detail {
namespace {

bool is(const JsonScanner::Text& text, std::string_view name) { return text.escaped ? text.decoded() == name : text.raw == name; }

void read_number(std::string_view digits, bool integer, FieldValue& value) {
  const char* const end = digits.data() + digits.size();
  if (integer && digits.front() != '-') {
    const auto [stop, failure] = std::from_chars(digits.data(), end, value.integer);
    value.whole = failure == std::errc{} && value.integer <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    value.number = static_cast<double>(value.integer);
    if (value.whole) return;
  }
  const auto [stop, failure] = std::from_chars(digits.data(), end, value.number);
  constexpr double kLargest = std::numeric_limits<double>::max();
  // Only an integer may be beyond double; a fraction that is out of range is too small for it.
  const bool beyond = failure == std::errc::result_out_of_range || value.number > kLargest || value.number < -kLargest;
  if (beyond) value.number = !integer ? 0 : digits.front() == '-' ? -kLargest : kLargest;
}

class JsonReader {
 public:
  JsonReader(std::string_view body, Envelope& envelope, Fields& fields, const ReadOptions& options)
      : scan_(body), envelope_(envelope), fields_(fields), options_(options) {}

  ScanProblem read() {
    const char* at = object();
    if (at != nullptr) {
      at = scan_.skip_space(at);
      if (at != scan_.end()) scan_.fail(at, "something follows the object");
    }
    return scan_.problem();
  }

 private:
  [[nodiscard]] std::uint32_t offset(const char* at) const { return static_cast<std::uint32_t>(at - scan_.begin()); }

  const char* object() {
    const char* at = scan_.skip_space(scan_.begin());
    if (at == scan_.end() || *at != '{') return scan_.fail(at, "an object was expected");
    at = scan_.skip_space(at + 1);
    envelope_.first_member = offset(at);
    return members(
        at, [this](const JsonScanner::Text& key, const char* key_at, const char* value_at) { return member(key, key_at, value_at); });
  }

  // `at` is the first key or the closing brace; `member` takes each key and the place of its value, and returns where that ends.
  template <class Member>
  const char* members(const char* at, Member member) {
    if (at != scan_.end() && *at == '}') return at + 1;
    for (;;) {
      JsonScanner::Text key;
      const char* const key_at = at;
      if ((at = scan_.key(at, key)) == nullptr) return nullptr;
      if ((at = member(key, key_at, scan_.skip_space(at))) == nullptr) return nullptr;
      at = scan_.skip_space(at);
      if (at == scan_.end()) return scan_.fail(at, "an object is not closed");
      if (*at == '}') return at + 1;
      if (*at != ',') return scan_.fail(at, "a comma or \"}\" was expected");
      at = scan_.skip_space(at + 1);
    }
  }

  const char* member(const JsonScanner::Text& text, const char* key_at, const char* at) {
    const std::string_view name = text.escaped ? fields_.keep(text.decoded()) : text.raw;
    const Key key = key_from(name);
    FieldValue value;
    const char* const stop = key == Key::args ? args(at, value) : key == Key::result ? result(at, value) : field(at, value);
    if (stop == nullptr) return nullptr;
    value.range = {offset(at), static_cast<std::uint32_t>(stop - at)};
    fields_.take(key, name, offset(key_at), value);
    return stop;
  }

  const char* field(const char* at, FieldValue& value) {
    if (at == scan_.end()) return scan_.value(at, 1);
    switch (*at) {
      case '"': {
        JsonScanner::Text text;
        at = scan_.string(at, text, "");
        value.type = FieldValue::Type::string;
        value.text = text.raw;
        value.escaped = text.escaped;
        return at;
      }
      case 't':
      case 'f':
        value.type = FieldValue::Type::boolean;
        value.boolean = *at == 't';
        return scan_.value(at, 1);
      case 'n':
        value.type = FieldValue::Type::null;
        return scan_.value(at, 1);
      case '{':
        value.type = FieldValue::Type::map;
        return scan_.value(at, 1);
      case '[':
        return scan_.value(at, 1);
      default:
        return number(at, value);
    }
  }

  const char* number(const char* at, FieldValue& value) {
    if (*at != '-' && (*at < '0' || *at > '9')) return scan_.value(at, 1);
    bool integer = false;
    const char* const stop = scan_.number(at, integer);
    if (stop == nullptr) return nullptr;
    value.type = FieldValue::Type::number;
    read_number({at, static_cast<std::size_t>(stop - at)}, integer, value);
    return stop;
  }

  const char* args(const char* at, FieldValue& value) {
    if (at == scan_.end() || *at != '{') return field(at, value);
    value.type = FieldValue::Type::map;
    bool seen = false;
    return members(scan_.skip_space(at + 1), [&](const JsonScanner::Text& key, const char* key_at, const char* value_at) -> const char* {
      if (!is(key, kResourceId)) return scan_.value(value_at, 2);
      if (seen) fields_.args_resource_twice(offset(key_at));
      seen = true;
      if (value_at == scan_.end() || *value_at != '"') return scan_.value(value_at, 2);
      JsonScanner::Text id;
      const char* const stop = scan_.string(value_at, id, "");
      if (stop != nullptr) fields_.take_args_resource(id.decoded());
      return stop;
    });
  }

  const char* result(const char* at, FieldValue& value) {
    if (options_.sender == Sender::parent) return field(at, value);
    if (!options_.want_resource || at == scan_.end() || *at != '{') return scan_.extent(at);
    return members(scan_.skip_space(at + 1), [&](const JsonScanner::Text& key, const char*, const char* value_at) -> const char* {
      if (!is(key, kResourceId) || value_at == scan_.end() || *value_at != '"') return scan_.extent(value_at);
      JsonScanner::Text id;
      const char* const stop = scan_.string(value_at, id, "");
      if (stop != nullptr) envelope_.result_resource_id = id.decoded();
      return stop;
    });
  }

  JsonScanner scan_;
  Envelope& envelope_;
  Fields& fields_;
  const ReadOptions& options_;
};

}  // namespace

ScanProblem read_json(std::string_view body, Envelope& envelope, Fields& fields, const ReadOptions& options) {
  return JsonReader(body, envelope, fields, options).read();
}

ScanProblem check_json_value(std::string_view value) {
  JsonScanner scan(value);
  const char* const stop = scan.value(scan.begin(), 1);
  if (stop != nullptr && stop != scan.end()) scan.fail(stop, "something follows the value");
  return scan.problem();
}

}  // namespace pons::detail
