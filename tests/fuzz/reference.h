// A second opinion on a body: the rules of docs/protocol.md, sections 2 and 3, applied to the members that another library read.
// Slow and plain on purpose.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/envelope.h"

namespace pons::fuzz {

/// One pair at the top level, in the order of the body.
struct Member {
  std::string key;
  nlohmann::json value;
  bool odd_key = false;    ///< the key is no string
  bool whole = false;      ///< `value` is written as an integer, not negative
  int args_resources = 0;  ///< of `args`: how often the key `resource_id` stands in it
  bool operator==(const Member&) const = default;
};
using Members = std::vector<Member>;

/// What must come out.
struct Verdict {
  bool accepted = false;
  nlohmann::json id = 0;
};
/// `members` of a body that is no bad frame.
Verdict judge(const Members& members);

/// Ends the process with a message unless `held`.
void require(bool held, const char* what);

/// The view agrees with the reference: it accepts what that accepts, with the same fields, and refuses the rest for the same id.
/// A reference that found no document at all is an empty optional: then the view must say bad_frame.
void compare(std::string_view body, const std::optional<Members>& reference);

/// Reads a body of either codec by a library that is not ours; each fuzzer gives its own.
using Reader = std::optional<Members> (*)(std::string_view body);

/// A request or reply, spliced, is read by `reader` as the same members but for those that were replaced.
void check_splices(std::string_view body, Reader reader);

}  // namespace pons::fuzz
