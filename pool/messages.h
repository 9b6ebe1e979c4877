// Small things about requests and replies that the files of a pool share.
#pragma once

#include <string>
#include <string_view>

#include "protocol/transport/channel.h"

namespace pons {

/// A reply with a codec of its own, as a message.
Result<Message> message_of(std::string body, bool want_resource = false);

inline bool makes_resource(std::string_view name) { return name.starts_with("create_") || name.starts_with("load_"); }

/// The name without `common:`, which may stand before a common command.
inline std::string_view plain_name(const Envelope& request) {
  constexpr std::string_view kCommon = "common:";
  const auto name = request.name();
  return name.starts_with(kCommon) ? name.substr(kCommon.size()) : name;
}

}  // namespace pons
