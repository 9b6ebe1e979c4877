#include "protocol/envelope_fields.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "protocol/json_scan.h"

namespace pons::detail {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Key::unknown)> kNames{
    "id",        "command", "args",    "session_id", "resource_id", "timeout_ms", "stream", "idempotent", "meta",    "timestamp",
    "parent_id", "event",   "success", "partial",    "seq",         "result",     "error",  "code",       "details", "progress"};

Key key_if(std::string_view name, Key candidate) { return name == kNames[static_cast<std::size_t>(candidate)] ? candidate : Key::unknown; }

Key first_of(std::string_view name, std::initializer_list<Key> candidates) {
  for (const Key candidate : candidates) {
    if (key_if(name, candidate) != Key::unknown) return candidate;
  }
  return Key::unknown;
}

// As a message shows it: quoted, and not longer than is useful.
std::string shown(std::string_view text) {
  constexpr std::size_t kShown = 64;
  std::size_t size = std::min(text.size(), kShown);
  while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  std::string out;
  append_json_string(out, text.substr(0, size));
  if (size < text.size()) out += "...";
  return out;
}

std::string at_byte(std::uint32_t offset) { return "at byte " + std::to_string(offset); }

bool word_character(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; }

bool valid_name(std::string_view name) {
  const auto allowed = [](char c) { return word_character(c) || c == '.' || c == ':'; };
  return !name.empty() && name.size() <= kMaxNameBytes && std::all_of(name.begin(), name.end(), allowed);
}

}  // namespace

Key key_from(std::string_view name) {
  using enum Key;
  switch (name.size()) {
    case 2:
      return key_if(name, id);
    case 3:
      return key_if(name, seq);
    case 4:
      return first_of(name, {args, meta, code});
    case 5:
      return first_of(name, {error, event});
    case 6:
      return first_of(name, {result, stream});
    case 7:
      return first_of(name, {command, success, partial, details});
    case 8:
      return key_if(name, progress);
    case 9:
      return first_of(name, {parent_id, timestamp});
    case 10:
      return first_of(name, {session_id, timeout_ms, idempotent});
    case 11:
      return key_if(name, resource_id);
    default:
      return unknown;
  }
}

void Fields::take(Key key, std::string_view name, std::uint32_t key_offset, const FieldValue& value) {
  ++envelope_.members;
  if (key == Key::unknown) {
    unknown_.push_back(name);
    return;
  }
  if (seen(key)) {
    if (key == Key::id) bad_id_ = true;
    complain(Concerns::every_frame, "The key " + shown(name) + " stands twice at the top level (again " + at_byte(key_offset) + ").");
    return;
  }
  seen_ |= 1u << static_cast<unsigned>(key);
  if (key == Key::parent_id) envelope_.parent_key = key_offset;
  if (key == Key::session_id) envelope_.session_key = key_offset;
  set(key, value);
}

void Fields::take_odd_key(std::uint32_t key_offset) {
  ++envelope_.members;
  complain(Concerns::every_frame, "A key at the top level is not a string (" + at_byte(key_offset) + ").");
}

void Fields::args_resource_twice(std::uint32_t key_offset) {
  complain(Concerns::request, "The key \"resource_id\" stands twice in \"args\" (again " + at_byte(key_offset) + ").");
}

void Fields::complain(Concerns whom, std::string message) {
  std::string& problem = whom == Concerns::every_frame ? frame_problem_ : whom == Concerns::request ? request_problem_ : reply_problem_;
  if (problem.empty()) problem = std::move(message);
}

void Fields::wrong(Concerns whom, std::string_view name, const FieldValue& value, std::string_view expected) {
  std::string message = "The value of ";
  message.append(shown(name)).append(" (").append(at_byte(value.range.offset)).append(") must be ").append(expected).append(".");
  complain(whom, std::move(message));
}

void Fields::set(Key key, const FieldValue& value) {
  Envelope& e = envelope_;
  const std::string_view name = kNames[static_cast<std::size_t>(key)];
  switch (key) {
    case Key::id:
      return set_id(value);
    case Key::command:
      e.command_range = value.range;
      if (value.type != FieldValue::Type::string) return wrong(Concerns::request, name, value, "a string");
      e.command = text_of(value);
      return;
    case Key::args:
      return set_map(name, value, e.args_range);
    case Key::session_id:
      e.session_range = value.range;
      return set_affinity(name, value, e.session_id);
    case Key::resource_id:
      e.resource_range = value.range;
      return set_affinity(name, value, e.resource_id);
    case Key::timeout_ms:
      return set_timeout(value);
    case Key::stream:
      return set_flag(Concerns::request, name, value, e.stream);
    case Key::idempotent:
      return set_flag(Concerns::request, name, value, e.idempotent.emplace(false));
    case Key::meta:
      return set_map(name, value, e.meta_range);
    case Key::parent_id:
      return set_parent(value);
    case Key::success:
      return set_flag(Concerns::reply, name, value, e.success);
    case Key::partial:
      if (value.type != FieldValue::Type::null) set_flag(Concerns::reply, name, value, e.partial);
      return;
    case Key::seq:
      return set_sequence(value);
    case Key::result:
      e.result_range = value.range;
      return;
    case Key::error:
      return set_text(name, value, e.error);
    case Key::code:
      return set_text(name, value, e.code);
    case Key::details:
      e.details_range = value.range;
      return;
    case Key::progress:
      e.has_progress = value.type != FieldValue::Type::null;
      return;
    case Key::timestamp:
    case Key::event:
    case Key::unknown:
      return;
  }
}

std::string Fields::text_of(const FieldValue& value) {
  return value.escaped ? JsonScanner::Text{value.text, true}.decoded() : std::string(value.text);
}

void Fields::set_id(const FieldValue& value) {
  envelope_.id_range = value.range;
  if (value.type == FieldValue::Type::number && value.whole) {
    envelope_.id = value.integer;
  } else if (value.type == FieldValue::Type::string) {
    envelope_.id = text_of(value);
    bad_id_ = bad_id_ || std::get<std::string>(envelope_.id).size() > kMaxIdBytes;
  } else {
    bad_id_ = true;
  }
  if (bad_id_) wrong(Concerns::every_frame, "id", value, "an integer from 0 to 9223372036854775807 or a string of at most 128 bytes");
  envelope_.has_id = !bad_id_;
}

void Fields::set_affinity(std::string_view name, const FieldValue& value, std::optional<std::string>& field) {
  // A worker's reverse request declines to inherit the session by null.
  if (name == "session_id" && sender_ == Sender::worker && value.type == FieldValue::Type::null) return;
  if (value.type == FieldValue::Type::string) field = text_of(value);
  if (!field || field->size() > kMaxAffinityBytes) wrong(Concerns::request, name, value, "a string of at most 256 bytes");
}

void Fields::set_timeout(const FieldValue& value) {
  envelope_.timeout_range = value.range;
  if (value.type == FieldValue::Type::number && std::isfinite(value.number) && value.number > 0) {
    envelope_.timeout_ms = std::min(value.number, kMaxTimeoutMs);
  } else {
    wrong(Concerns::request, "timeout_ms", value, "a finite number greater than 0");
  }
}

void Fields::set_parent(const FieldValue& value) {
  envelope_.parent_id_range = value.range;
  if (value.whole) {
    envelope_.parent_id = value.integer;
  } else if (sender_ == Sender::worker) {
    wrong(Concerns::request, "parent_id", value, "the id of the request being served");
  }
}

void Fields::set_text(std::string_view name, const FieldValue& value, std::string& field) {
  if (value.type == FieldValue::Type::string) {
    field = text_of(value);
  } else if (value.type != FieldValue::Type::null) {
    wrong(Concerns::reply, name, value, "a string");
  }
}

void Fields::set_flag(Concerns whom, std::string_view name, const FieldValue& value, bool& field) {
  if (value.type == FieldValue::Type::boolean) {
    field = value.boolean;
  } else {
    wrong(whom, name, value, "true or false");
  }
}

void Fields::set_sequence(const FieldValue& value) {
  if (value.whole) {
    envelope_.seq = value.integer;
  } else if (value.type != FieldValue::Type::null) {
    wrong(Concerns::reply, "seq", value, "an integer that is not negative");
  }
}

void Fields::set_map(std::string_view name, const FieldValue& value, ByteRange& range) {
  range = value.range;
  if (value.type != FieldValue::Type::map) wrong(Concerns::request, name, value, "a map");
}

void Fields::check_command() {
  Envelope& e = envelope_;
  const std::size_t colon = e.command.find(':');
  if (colon != std::string::npos) e.colon = colon;
  if (const auto space = e.name_space(); space && !valid_namespace(*space)) {
    complain(Concerns::request, "The namespace of the command " + shown(e.command) + " must be 1 to 64 of the characters A-Z a-z 0-9 _ -.");
  } else if (!valid_name(e.name())) {
    complain(Concerns::request, "The name in the command " + shown(e.command) + " must be 1 to 128 of the characters A-Z a-z 0-9 _ - . :.");
  }
}

void Fields::find_duplicates() {
  if (unknown_.size() < 2) return;
  std::sort(unknown_.begin(), unknown_.end());
  const auto twice = std::adjacent_find(unknown_.begin(), unknown_.end());
  if (twice != unknown_.end()) complain(Concerns::every_frame, "The key " + shown(*twice) + " stands twice at the top level.");
}

std::optional<Envelope::Kind> Fields::kind() const {
  if (seen(Key::event)) return Envelope::Kind::event;
  if (seen(Key::command)) return Envelope::Kind::request;
  if (seen(Key::success)) return Envelope::Kind::reply;
  return std::nullopt;
}

Envelope::Failure Fields::failure(std::string message) const {
  return {Error{ErrorCode::bad_request, std::move(message)}, envelope_.codec, bad_id_ ? RequestId{std::uint64_t{0}} : envelope_.id};
}

std::optional<Envelope::Failure> Fields::finish() {
  find_duplicates();
  if (!frame_problem_.empty()) return failure(std::move(frame_problem_));
  const auto what = kind();
  if (!what) return failure("The frame has none of the keys \"command\" (a request), \"success\" (a reply) and \"event\".");
  envelope_.kind = *what;
  if (*what == Envelope::Kind::request) {
    if (request_problem_.empty()) check_command();
    if (!request_problem_.empty()) return failure(std::move(request_problem_));
    if (!envelope_.resource_id) envelope_.resource_id = std::move(args_resource_);
  }
  if (*what == Envelope::Kind::reply && !reply_problem_.empty()) return failure(std::move(reply_problem_));
  return std::nullopt;
}

}  // namespace pons::detail

namespace pons {

bool valid_namespace(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNamespaceBytes && std::all_of(name.begin(), name.end(), detail::word_character);
}

}  // namespace pons
