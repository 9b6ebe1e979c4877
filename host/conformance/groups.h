// The groups of rules, each in a file of its own. They record what became of their rules in the inspector's report.
#pragma once

#include <optional>

#include "host/conformance/conformance.h"
#include "host/conformance/inspector.h"
#include "host/conformance/results.h"

namespace pons::conformance {

/// False if the worker does not get ready: then nothing else can be tested.
bool check_handshake(Inspector& inspector);
void check_commands(Inspector& inspector);
void check_requests(Inspector& inspector);
void check_resources(Inspector& inspector);
void check_sessions(Inspector& inspector);
void check_meanwhile(Inspector& inspector, const std::optional<SlowRequest>& slow);
void check_end(Inspector& inspector, const std::optional<SlowRequest>& slow);

inline constexpr const char* kNoSlow = "no request that takes long was named (--slow)";
inline constexpr Millis kBegun{300};  ///< what has not been answered for so long is taken to run

/// Sends it, and lets it begin. Throws NoReply (not tested) if it ends too soon for that.
Ask begin_slow(Inspector& inspector, const SlowRequest& slow);

/// A failure if something is wrong, else a pass.
inline Finding verdict(const Wrong& wrong, std::string seen = {}) { return wrong ? failed(*wrong) : passed(std::move(seen)); }

}  // namespace pons::conformance
