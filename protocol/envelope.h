// The top level of a body (docs/protocol.md, sections 2 to 4), read in one pass without building a tree. `args` and `result` stay
// bytes. For a request every byte is checked in that pass, whatever it is nested in; so what passes is a well-formed document.
//
// An Envelope holds offsets into the body that it was parsed from, and copies of the short decoded strings: it may be moved about
// freely, and is used together with that body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/codec.h"
#include "protocol/error.h"
#include "protocol/limits.h"

namespace pons {

/// The caller's id as it came. A missing one is 0.
using RequestId = std::variant<std::uint64_t, std::string>;

/// Where something lies in the body. Empty: not there (no value of either codec is empty).
struct ByteRange {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  [[nodiscard]] bool empty() const { return size == 0; }
  [[nodiscard]] std::string_view in(std::string_view body) const { return body.substr(offset, size); }
};

struct Envelope {
  enum class Kind : std::uint8_t { request, reply, event };

  /// What went wrong, and what the error reply must carry: its codec is known even for a body that is no document.
  struct Failure {
    Error error;
    Codec codec = Codec::json;
    RequestId id = std::uint64_t{0};
  };

  Codec codec = Codec::json;
  Kind kind = Kind::request;

  // Both
  RequestId id = std::uint64_t{0};
  bool has_id = false;

  // Request. `command` is what stands in the body (decoded); namespace and name are parts of it.
  std::string command;
  std::optional<std::size_t> colon;  ///< where the namespace ends
  [[nodiscard]] std::optional<std::string_view> name_space() const;
  [[nodiscard]] std::string_view name() const;
  std::optional<std::string> session_id;
  /// A worker's request: null stands where its session would be.
  [[nodiscard]] bool declines_session() const { return !session_range.empty() && !session_id; }
  /// The envelope's `resource_id`, else a string `args.resource_id`.
  std::optional<std::string> resource_id;
  std::optional<double> timeout_ms;
  bool stream = false;
  std::optional<bool> idempotent;

  // Reply
  bool success = false;
  bool partial = false;
  std::optional<std::uint64_t> seq;
  std::string code;                               ///< of an error; empty if the worker gave none
  std::string error;                              ///< the human sentence of a failed reply
  std::optional<std::string> result_resource_id;  ///< a string `result.resource_id`
  bool has_progress = false;

  // Ranges of the values (not the keys) at the top level.
  ByteRange id_range, command_range, args_range, timeout_range, meta_range, session_range, resource_range, result_range, details_range,
      parent_id_range;
  std::optional<std::uint64_t> parent_id;  ///< reverse requests
  std::uint32_t parent_key = 0;            ///< where the key of `parent_id` begins, if it is there
  std::uint32_t session_key = 0;           ///< and that of `session_id`
  std::uint32_t body_size = 0;
  std::uint32_t first_member = 0;  ///< where the first key begins (or the closing brace; the end of the map's header in MessagePack)
  std::uint32_t members = 0;       ///< top-level pairs

  /// Any body, fully checked, as it comes from a parent. Never throws but for lack of memory.
  static boost::system::result<Envelope, Failure> parse_request(std::string_view body);
  /// A frame of a worker or of a host: top-level keys are checked and read; nested values are checked as in a request, too, but for
  /// `result` of a reply, of which only the extent is found (JSON: strings and brackets matched; MessagePack: structure walked).
  /// A `result.resource_id` is looked for only if `want_resource`.
  static boost::system::result<Envelope, Failure> parse_reply(std::string_view body, bool want_resource);
};

/// Makes value() of a failed parse throw Exception (found by argument-dependent look-up).
[[noreturn]] inline void throw_exception_from_error(const Envelope::Failure& failure, const boost::source_location& /*where*/) {
  throw Exception(failure.error);
}

/// True for what section 3 allows as a namespace.
bool valid_namespace(std::string_view name);

}  // namespace pons
