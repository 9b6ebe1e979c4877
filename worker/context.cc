#include "worker/context.h"

#include "worker/reply.h"

namespace pons {

void Context::throw_if_cancelled() const {
  if (const Cancellation why = cancellation(); why != Cancellation::none) throw Exception(error_of(why));
}

}  // namespace pons
