// What the results of the commands that every worker has must look like (docs/protocol.md, section 5). Pure: nothing is the answer that
// a result is right, else a sentence on what is wrong.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pons::conformance {

using Wrong = std::optional<std::string>;

Wrong wrong_status(const nlohmann::json& ping);
Wrong wrong_protocol(const nlohmann::json& ping);
Wrong wrong_stack_signal(const nlohmann::json& ping);
/// 0 if the result says nothing of a protocol.
int level_of(const nlohmann::json& ping);

Wrong wrong_info(const nlohmann::json& info);
Wrong wrong_commands(const nlohmann::json& info);
Wrong wrong_codecs(const nlohmann::json& info);
Wrong wrong_concurrency(const nlohmann::json& info);
bool lists_codec(const nlohmann::json& info, std::string_view codec);
bool has_capability(const nlohmann::json& info, std::string_view capability);
/// Names of listed commands; only those that are `idempotent`, if asked for.
std::vector<std::string> command_names(const nlohmann::json& info, bool only_idempotent);

/// Every number that section 5 names, at level 1; at level 0 those that are there.
Wrong wrong_stats(const nlohmann::json& stats, int level);
/// After `requests` more requests, of which `errors` have failed. What a level-0 worker does not count is not asked for.
Wrong wrong_growth(const nlohmann::json& before, const nlohmann::json& after, int requests, int errors);

Wrong wrong_cleanup(const nlohmann::json& cleanup);

/// An error reply of `code` whose sentence is `sentence`; at level 0 the code may be missing.
Wrong wrong_refusal(const nlohmann::json& reply, std::string_view code, std::string_view sentence, int level);

/// The first place where two documents differ in type or value; numbers of another kind differ, but for integers of either sign.
Wrong first_difference(const nlohmann::json& wanted, const nlohmann::json& got, const std::string& path = "");

}  // namespace pons::conformance
