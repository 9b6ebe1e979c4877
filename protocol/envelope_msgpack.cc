// The top level of a MessagePack body.
#include <limits>

#include "protocol/envelope_reader.h"
#include "protocol/msgpack_scan.h"

namespace pons::detail {
namespace {

FieldValue::Type type_of(MsgpackKind kind) {
  switch (kind) {
    case MsgpackKind::nil:
      return FieldValue::Type::null;
    case MsgpackKind::boolean:
      return FieldValue::Type::boolean;
    case MsgpackKind::positive:
    case MsgpackKind::negative:
    case MsgpackKind::real:
      return FieldValue::Type::number;
    case MsgpackKind::str:
      return FieldValue::Type::string;
    case MsgpackKind::map:
      return FieldValue::Type::map;
    case MsgpackKind::array:
    case MsgpackKind::bin:
    case MsgpackKind::ext:
    case MsgpackKind::never:
      return FieldValue::Type::other;
  }
  return FieldValue::Type::other;
}

class MsgpackReader {
 public:
  MsgpackReader(std::string_view body, Envelope& envelope, Fields& fields, const ReadOptions& options)
      : scan_(body), envelope_(envelope), fields_(fields), options_(options) {}

  ScanProblem read() {
    MsgpackHead map;
    const char* at = scan_.head(scan_.begin(), map);
    if (at == nullptr) return scan_.problem();
    envelope_.first_member = offset(at);
    for (std::uint64_t i = 0; at != nullptr && i < map.number; ++i) at = member(at);
    if (at != nullptr && at != scan_.end()) scan_.fail(at, "something follows the map");
    return scan_.problem();
  }

 private:
  [[nodiscard]] std::uint32_t offset(const char* at) const { return static_cast<std::uint32_t>(at - scan_.begin()); }

  const char* member(const char* at) {
    std::string_view name;
    bool is_str = false;
    const char* const key_at = at;
    if ((at = scan_.str(at, name, is_str)) == nullptr) return nullptr;
    if (!is_str) {
      fields_.take_odd_key(offset(key_at));
      if ((at = scan_.value(at, 1, MsgpackKeys::any)) == nullptr) return nullptr;
      return scan_.value(at, 1, MsgpackKeys::any);
    }
    const Key key = key_from(name);
    FieldValue value;
    MsgpackHead head;
    const char* const content = scan_.head(at, head);
    if (content == nullptr) return nullptr;
    describe(head, value);
    const char* const stop = key == Key::args ? args(at, head) : key == Key::result ? result(at, head) : field(at, content, head, value);
    if (stop == nullptr) return nullptr;
    value.range = {offset(at), static_cast<std::uint32_t>(stop - at)};
    fields_.take(key, name, offset(key_at), value);
    return stop;
  }

  static void describe(const MsgpackHead& head, FieldValue& value) {
    value.type = type_of(head.kind);
    value.boolean = head.number != 0;
    value.integer = head.number;
    value.whole = head.kind == MsgpackKind::positive && head.number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    value.number = head.real;
  }

  const char* field(const char* at, const char* content, const MsgpackHead& head, FieldValue& value) {
    if (value.type == FieldValue::Type::map || value.type == FieldValue::Type::other) return scan_.value(at, 1, MsgpackKeys::any);
    if (value.type != FieldValue::Type::string) return content;
    value.text = {content, head.number};
    return scan_.text(content, head.number);
  }

  // The pairs of a map one level down; `other` takes every value but that of a string `resource_id`, which `resource` takes.
  template <class Resource, class Other>
  const char* pairs(const char* at, const MsgpackHead& head, Resource resource, Other other) {
    MsgpackHead ignored;
    at = scan_.head(at, ignored);
    for (std::uint64_t i = 0; at != nullptr && i < head.number; ++i) {
      std::string_view key;
      bool is_str = false;
      const char* const key_at = at;
      if ((at = scan_.str(at, key, is_str)) == nullptr) return nullptr;
      if (!is_str && (at = other(at, true)) == nullptr) return nullptr;
      at = is_str && key == kResourceId ? resource(key_at, at) : other(at, false);
    }
    return at;
  }

  const char* args(const char* at, const MsgpackHead& head) {
    if (head.kind != MsgpackKind::map) return scan_.value(at, 1, MsgpackKeys::strings);
    bool seen = false;
    const auto other = [this](const char* value_at, bool is_key) {
      if (is_key) return scan_.fail(value_at, "the key of a map is not a string");
      return scan_.value(value_at, 2, MsgpackKeys::strings);
    };
    const auto resource = [&](const char* key_at, const char* value_at) {
      if (seen) fields_.args_resource_twice(offset(key_at));
      seen = true;
      std::string_view id;
      bool is_str = false;
      const char* const stop = scan_.str(value_at, id, is_str);
      if (stop == nullptr || !is_str) return stop == nullptr ? stop : other(value_at, false);
      fields_.take_args_resource(std::string(id));
      return stop;
    };
    return pairs(at, head, resource, other);
  }

  const char* result(const char* at, const MsgpackHead& head) {
    if (options_.sender == Sender::parent) return scan_.value(at, 1, MsgpackKeys::any);
    if (!options_.want_resource || head.kind != MsgpackKind::map) return scan_.extent(at);
    const auto other = [this](const char* value_at, bool) { return scan_.extent(value_at); };
    const auto resource = [&](const char*, const char* value_at) {
      std::string_view id;
      bool is_str = false;
      const char* const stop = scan_.str(value_at, id, is_str);
      if (stop == nullptr || !is_str) return stop == nullptr ? stop : scan_.extent(value_at);
      envelope_.result_resource_id = std::string(id);
      return stop;
    };
    return pairs(at, head, resource, other);
  }

  MsgpackScanner scan_;
  Envelope& envelope_;
  Fields& fields_;
  const ReadOptions& options_;
};

}  // namespace

ScanProblem read_msgpack(std::string_view body, Envelope& envelope, Fields& fields, const ReadOptions& options) {
  return MsgpackReader(body, envelope, fields, options).read();
}

ScanProblem check_msgpack_value(std::string_view value) {
  MsgpackScanner scan(value);
  const char* const stop = scan.value(scan.begin(), 1, MsgpackKeys::any);
  if (stop != nullptr && stop != scan.end()) scan.fail(stop, "something follows the value");
  return scan.problem();
}

}  // namespace pons::detail
