// fork for children that must not run the handlers of this process.
#pragma once

#include <sys/types.h>

namespace pons {

/// A signal that comes before the child has reset its handlers must not run those of the host: they write into pipes that both share.
/// The child has all signals blocked, and unblocks them itself. As fork: -1 with errno.
pid_t fork_with_signals_blocked();

}  // namespace pons
