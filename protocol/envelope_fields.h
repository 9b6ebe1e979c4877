// Collects the top-level members of a body into an Envelope, whatever its codec: types, ranges, duplicates. Internal to the protocol
// library.
//
// What is wrong with a field is kept until the whole body has been read: only then is known whether the frame is a request, a reply or
// an event, which id the error reply must carry, and that the body is no bad frame.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/envelope.h"

namespace pons::detail {

/// The keys that mean something at the top level.
enum class Key : std::uint8_t {
  id,
  command,
  args,
  session_id,
  resource_id,
  timeout_ms,
  stream,
  idempotent,
  meta,
  timestamp,
  parent_id,
  event,
  success,
  partial,
  seq,
  result,
  error,
  code,
  details,
  progress,
  unknown,
};
Key key_from(std::string_view name);

/// One value at the top level, read as far as a field could need it.
struct FieldValue {
  enum class Type : std::uint8_t { null, boolean, number, string, map, other };
  Type type = Type::other;
  bool boolean = false;
  bool whole = false;  ///< a number of an integer form, in 0..2^63-1: `integer` holds it
  std::uint64_t integer = 0;
  double number = 0;      ///< of any number; an integer beyond double counts as the largest one
  std::string_view text;  ///< of a string: decoded, or (`escaped`) as it stands
  bool escaped = false;
  ByteRange range;
};

enum class Sender : std::uint8_t { parent, worker };

class Fields {
 public:
  Fields(Envelope& envelope, Sender sender) : envelope_(envelope), sender_(sender) {}

  /// The next member. `name` (decoded) must outlive this object: keep() does that for one that is not in the body as it stands.
  void take(Key key, std::string_view name, std::uint32_t key_offset, const FieldValue& value);
  std::string_view keep(std::string name) { return owned_names_.emplace_back(std::move(name)); }
  /// A key that is no string.
  void take_odd_key(std::uint32_t key_offset);
  /// `args.resource_id`, if it is a string; and that the key stands there twice.
  void take_args_resource(std::string id) { args_resource_ = std::move(id); }
  void args_resource_twice(std::uint32_t key_offset);

  /// After the last member: decides what the frame is. Nothing if it is all right.
  std::optional<Envelope::Failure> finish();

 private:
  enum class Concerns : std::uint8_t { every_frame, request, reply };
  void complain(Concerns whom, std::string message);
  void wrong(Concerns whom, std::string_view name, const FieldValue& value, std::string_view expected);
  void set(Key key, const FieldValue& value);
  void set_id(const FieldValue& value);
  static std::string text_of(const FieldValue& value);
  void set_affinity(std::string_view name, const FieldValue& value, std::optional<std::string>& field);
  void set_timeout(const FieldValue& value);
  void set_parent(const FieldValue& value);
  void set_text(std::string_view name, const FieldValue& value, std::string& field);
  void set_flag(Concerns whom, std::string_view name, const FieldValue& value, bool& field);
  void set_sequence(const FieldValue& value);
  void set_map(std::string_view name, const FieldValue& value, ByteRange& range);
  void check_command();
  void find_duplicates();
  [[nodiscard]] bool seen(Key key) const { return (seen_ >> static_cast<unsigned>(key) & 1) != 0; }
  [[nodiscard]] std::optional<Envelope::Kind> kind() const;
  [[nodiscard]] Envelope::Failure failure(std::string message) const;

  Envelope& envelope_;
  Sender sender_;
  std::uint32_t seen_ = 0;  // one bit for each key
  bool bad_id_ = false;
  std::string frame_problem_, request_problem_, reply_problem_;  // the first of each; empty: none
  std::optional<std::string> args_resource_;
  std::vector<std::string_view> unknown_;
  std::list<std::string> owned_names_;
};

}  // namespace pons::detail
