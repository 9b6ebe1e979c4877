// What a forked child that does not exec does with the memory that it has from its parent. Async-signal-safe, without allocation.
#pragma once

namespace pons {

/// Empties the environment as others see it (/proc/PID/environ), and makes `title` the command line that they see. getenv must not be
/// called afterwards.
void clear_environment(const char* title);

/// Gives back the large anonymous mappings that it shares with its parent, the heap among them, so that the parent does not pay for each
/// page that it writes from now on. Nothing that was allocated may be used afterwards, nor anything allocated; the stack and the static
/// data stay. Without effect under the sanitizers, whose own state lies there.
void give_back_memory();

}  // namespace pons
