// Rewrites single top-level values of a body without touching the rest (docs/protocol.md, section 6).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/buffer.h"
#include "protocol/envelope.h"
#include "protocol/out_frame.h"

namespace pons {

/// What a request carries when it goes to a worker: replaced where present, inserted where not.
struct RequestPatch {
  std::uint64_t id = 0;
  std::string_view command;                      ///< without namespace
  std::optional<double> timeout_ms;              ///< the time left; written as an integer of milliseconds, at least 1
  std::optional<std::string_view> session_id{};  ///< inherited: only where the request has none
};

/// `frame` was parsed into `envelope`. `parent_id` of a parent's request is removed (section 6).
OutFrame splice_request(const Frame& frame, const Envelope& envelope, const RequestPatch& patch);

/// A worker's request without the null that says that it does not inherit a session.
std::string without_session(const Frame& frame, const Envelope& envelope);

/// A worker's reply with the caller's id in the place of the host's. Both are of the same codec.
OutFrame splice_reply(const Frame& frame, const Envelope& envelope, const RequestId& id);

}  // namespace pons
