// The parts of the echo adapter. Each adds its commands to the worker.
#pragma once

#include "worker/worker.h"

namespace pons::echo {

/// call: asks somebody else.
void add_call(Worker& worker);
/// fail, crash, hang, spam, grow: what a worker should not do.
void add_misbehaviour(Worker& worker);
/// whoami: where and as what this process runs, and what of the request arrived.
void add_whoami(Worker& worker);

/// Where `hang` hangs: computing, or blocked. Exported by name, to be found in the report of the hang.
void hang_for_ever(bool spin);

}  // namespace pons::echo
