// What a worker does that behaves: the bad one behaves, too, but for what its mode says.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/workers/raw_channel.h"

namespace bad {

using OnRequest = std::function<void(const nlohmann::json& request)>;

/// What a good worker says to a common command; null for any other. `probe`, which it lists, is as any other, and may be run for nothing.
nlohmann::json common_result(const std::string& command, int level);

/// Until end of file: the common commands as they should be, unknown ones (`no_such...`) refused, `on_request` for all others.
void serve(const RawChannel& channel, const OnRequest& on_request, int level = 1);

}  // namespace bad
