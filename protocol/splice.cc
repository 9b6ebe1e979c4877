#include "protocol/splice.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <variant>

#include "protocol/json_scan.h"
#include "protocol/limits.h"
#include "protocol/msgpack_scan.h"

namespace pons {
namespace {

enum class Field : std::uint8_t { front, id, command, timeout, session, nothing };

// The bytes [offset, offset + size) make way for a field's new value; `front` is where the members that are missing go.
struct Edit {
  std::uint32_t offset;
  std::uint32_t size;
  Field field;
};

// A timeout as it goes on the wire.
std::uint64_t whole_milliseconds(double timeout_ms) {
  return timeout_ms >= 1 ? static_cast<std::uint64_t>(std::min(timeout_ms, kMaxTimeoutMs)) : 1;
}

class Splicer {
 public:
  Splicer(const Frame& frame, const Envelope& envelope) : frame_(frame), envelope_(envelope), members_(envelope.members) {}

  void set_id(std::uint64_t id) {
    id_number_ = id;
    set(Field::id, envelope_.id_range);
  }
  void set_id(std::string_view id) {
    id_text_ = id;
    id_is_text_ = true;
    set(Field::id, envelope_.id_range);
  }
  void set_command(std::string_view command) {
    command_ = command;
    set(Field::command, envelope_.command_range);
  }
  void set_timeout(double timeout_ms) {
    timeout_ = whole_milliseconds(timeout_ms);
    set(Field::timeout, envelope_.timeout_range);
  }
  void set_session(std::string_view session) {
    session_ = session;
    set(Field::session, {});
  }
  /// The member whose key begins at `key`; nothing if the range of its value is empty.
  void remove(std::uint32_t key, ByteRange value);
  OutFrame finish();

 private:
  static constexpr std::size_t kInserted = 64;  // bytes that a number and its key never exceed

  void set(Field field, ByteRange range);
  void plan(Edit edit) { edits_.at(edit_count_++) = edit; }
  [[nodiscard]] bool json() const { return envelope_.codec == Codec::json; }
  [[nodiscard]] ByteRange member(std::uint32_t key, ByteRange value) const;
  void plan_front();
  void append_front(std::string& out) const;
  void append_value(std::string& out, Field field) const;
  void append_number(std::string& out, std::uint64_t number) const;
  void append_text(std::string& out, std::string_view text) const;
  void copy(OutFrame& out, std::size_t from, std::size_t to) const;

  const Frame& frame_;
  const Envelope& envelope_;
  std::uint32_t members_;  // that the new body has
  std::uint64_t id_number_ = 0;
  std::string_view id_text_;
  bool id_is_text_ = false;
  std::string_view command_;
  std::string_view session_;
  std::uint64_t timeout_ = 1;
  std::array<Edit, 6> edits_;
  std::size_t edit_count_ = 0;
  std::array<Field, 4> missing_;
  std::size_t missing_count_ = 0;
  bool new_header_ = false;
};

std::string_view key_of(Field field) {
  switch (field) {
    case Field::id:
      return "id";
    case Field::command:
      return "command";
    case Field::timeout:
      return "timeout_ms";
    case Field::session:
      return "session_id";
    case Field::front:
    case Field::nothing:
      return {};
  }
  return {};
}

void Splicer::set(Field field, ByteRange range) {
  if (!range.empty()) {
    plan({range.offset, range.size, field});
  } else {
    missing_.at(missing_count_++) = field;
    ++members_;
  }
}

void Splicer::remove(std::uint32_t key, ByteRange value) {
  if (value.empty()) return;
  const ByteRange whole = member(key, value);
  plan({whole.offset, whole.size, Field::nothing});
  --members_;
}

// From the key to the end of the value; in JSON with one of the commas beside it.
ByteRange Splicer::member(std::uint32_t key, ByteRange value) const {
  std::uint32_t begin = key;
  std::uint32_t end = value.offset + value.size;
  if (!json()) return {begin, end - begin};
  const auto space = [this](std::uint32_t at) { return std::string_view(" \t\r\n").find(frame_.body[at]) != std::string_view::npos; };
  std::uint32_t next = end;
  while (space(next)) ++next;  // the body was checked: a comma or the closing brace is there
  if (frame_.body[next] == ',') {
    end = next + 1;
  } else if (begin != envelope_.first_member) {
    --begin;
    while (frame_.body[begin] != ',') --begin;
  }
  return {begin, end - begin};
}

// A MessagePack map tells its count in front, so a new count needs a new header.
void Splicer::plan_front() {
  new_header_ = !json() && members_ != envelope_.members;
  if (new_header_) {
    plan({0, envelope_.first_member, Field::front});
  } else if (missing_count_ > 0) {
    plan({envelope_.first_member, 0, Field::front});
  }
}

void Splicer::append_number(std::string& out, std::uint64_t number) const {
  if (!json()) return detail::append_msgpack_uint(out, number);
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void Splicer::append_text(std::string& out, std::string_view text) const {
  return json() ? detail::append_json_string(out, text) : detail::append_msgpack_str(out, text);
}

void Splicer::append_front(std::string& out) const {
  if (new_header_) detail::append_msgpack_map(out, members_);
  for (std::size_t i = 0; i < missing_count_; ++i) {
    append_text(out, key_of(missing_[i]));
    if (json()) out += ':';
    append_value(out, missing_[i]);
    if (json() && (i + 1 < missing_count_ || members_ > missing_count_)) out += ',';
  }
}

void Splicer::append_value(std::string& out, Field field) const {
  switch (field) {
    case Field::front:
      return append_front(out);
    case Field::id:
      return id_is_text_ ? append_text(out, id_text_) : append_number(out, id_number_);
    case Field::command:
      return append_text(out, command_);
    case Field::timeout:
      return append_number(out, timeout_);
    case Field::session:
      return append_text(out, session_);
    case Field::nothing:
      return;
  }
}

void Splicer::copy(OutFrame& out, std::size_t from, std::size_t to) const { out.append(frame_.body.substr(from, to - from), frame_); }

OutFrame Splicer::finish() {
  plan_front();
  const auto last = edits_.begin() + static_cast<std::ptrdiff_t>(edit_count_);
  // What is inserted comes before what is removed in the same place.
  std::sort(edits_.begin(), last,
            [](const Edit& a, const Edit& b) { return a.offset != b.offset ? a.offset < b.offset : a.size < b.size; });
  OutFrame out;
  const std::size_t written = 5 * kInserted + 6 * (id_text_.size() + command_.size() + session_.size());
  out.reserve(written + std::min(frame_.body.size(), (edit_count_ + 1) * OutFrame::kCopyBelow));
  std::size_t done = 0;
  for (auto edit = edits_.begin(); edit != last; ++edit) {
    copy(out, done, edit->offset);
    out.compose([this, edit](std::string& text) { append_value(text, edit->field); });
    done = edit->offset + edit->size;
  }
  copy(out, done, frame_.body.size());
  out.finish();
  return out;
}

}  // namespace

OutFrame splice_request(const Frame& frame, const Envelope& envelope, const RequestPatch& patch) {
  Splicer splicer(frame, envelope);
  splicer.set_id(patch.id);
  splicer.set_command(patch.command);
  if (patch.timeout_ms) splicer.set_timeout(*patch.timeout_ms);
  if (patch.session_id) splicer.set_session(*patch.session_id);
  splicer.remove(envelope.parent_key, envelope.parent_id_range);
  return splicer.finish();
}

std::string without_session(const Frame& frame, const Envelope& envelope) {
  Splicer splicer(frame, envelope);
  splicer.remove(envelope.session_key, envelope.session_range);
  return splicer.finish().body();
}

OutFrame splice_reply(const Frame& frame, const Envelope& envelope, const RequestId& id) {
  Splicer splicer(frame, envelope);
  if (const auto* const number = std::get_if<std::uint64_t>(&id)) {
    splicer.set_id(*number);
  } else {
    splicer.set_id(std::string_view(std::get<std::string>(id)));
  }
  return splicer.finish();
}

}  // namespace pons
