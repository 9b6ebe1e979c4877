// Small things about requests and replies that the files of a pool share.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/splice.h"
#include "protocol/transport/channel.h"

namespace pons {

/// Turns a framework's error without a code into one of ours: the class name or first word, to a code and whether to retry.
using ErrorTranslation = std::function<std::optional<std::pair<std::string, std::optional<bool>>>(std::string_view type)>;

/// The result of a reply as a document; the error that it says, or that stands for it, as an Error.
Result<nlohmann::json> result_document(const Result<Message>& reply);

/// `request` as it goes to a peer that reads `codec`. unsupported_codec names `peer`.
Result<OutFrame> forwarded(const Message& request, const RequestPatch& patch, Codec codec, const std::string& peer);

/// A reply as its caller gets it: in `codec`, and with a code if it is an error. `translate` may be empty.
void adapt_reply(Result<Message>& reply, Codec codec, bool idempotent, const ErrorTranslation& translate);

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
