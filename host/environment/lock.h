// Two that would make one environment at a time: the second waits for the first.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>

#include "protocol/error.h"
#include "protocol/transport/unique_fd.h"

namespace pons {

/// Takes the lock at `path`, whose folder exists; gives it back when the result is closed. While another process has it, `waits_for` is
/// called once with its pid (0: unknown). `stop_fd`, if it becomes readable, ends the waiting: cancelled. invalid_configuration if the
/// file cannot be made.
Result<UniqueFd> wait_for_lock(const std::filesystem::path& path, int stop_fd, const std::function<void(pid_t)>& waits_for);

}  // namespace pons
