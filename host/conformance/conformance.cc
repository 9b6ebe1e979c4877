#include "host/conformance/conformance.h"

#include <utility>

#include "host/conformance/groups.h"
#include "host/conformance/inspector.h"

namespace pons::conformance {

CheckResult check_worker(const PoolOptions& pool, const std::string& instance, ProcessLauncher& launcher, const CheckOptions& options) {
  Inspector inspector(pool, instance, launcher, options.patience);
  if (check_handshake(inspector)) {
    check_commands(inspector);
    check_requests(inspector);
    check_resources(inspector);
    check_sessions(inspector);
    check_meanwhile(inspector, options.slow);
    check_end(inspector, options.slow);
  }
  inspector.conclude();
  return {std::move(inspector.report()), inspector.level()};
}

}  // namespace pons::conformance
