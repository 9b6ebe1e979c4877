// How a worker ends, and what it leaves behind.
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string>

#include "host/conformance/groups.h"
#include "pool/watcher.h"

namespace pons::conformance {

namespace {

std::string stop_time(const Inspector& inspector) { return std::to_string(inspector.options().timeouts.stop.count()) + " ms"; }

std::vector<pid_t> others(Inspector& inspector) {
  auto pids = find_instance(inspector.instance());
  std::erase(pids, inspector.worker().pid());
  return pids;
}

/// Those of `pids` that have not ended by `deadline`.
std::vector<pid_t> wait_for_all(std::vector<pid_t> pids, TimePoint deadline) {
  std::erase_if(pids, [&](pid_t pid) {
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd) return true;
    pollfd ended{pidfd.get(), POLLIN, 0};
    const auto left = std::max<std::int64_t>(0, std::chrono::duration_cast<Millis>(deadline - Clock::now()).count());
    return ::poll(&ended, 1, static_cast<int>(left)) > 0;
  });
  return pids;
}

std::string listed(const std::vector<pid_t>& pids) {
  std::string text;
  for (const pid_t pid : pids) text += (text.empty() ? "pid " : ", ") + std::to_string(pid);
  return text;
}

/// By itself, and not by a fault of its own; `allowed` is the signal that may have ended it.
Finding ended(Inspector& inspector, const std::string& told, int allowed) {
  auto& worker = inspector.worker();
  if (!worker.wait_end(inspector.stop_deadline()))
    return failed("it lives on for " + stop_time(inspector) + " (timeouts.stop) after " + told);
  if (worker.exit().signal != 0 && worker.exit().signal != allowed) return failed("it " + worker.end_words());
  return passed("it " + worker.end_words());
}

Finding end_of_file(Inspector& inspector) {
  inspector.worker().close_channel();
  auto finding = ended(inspector, "end of file", 0);
  if (finding.outcome != Outcome::pass) {
    inspector.report().record("end.processes", not_tested("the worker did not end"));
    return finding;
  }
  const auto left = wait_for_all(others(inspector), inspector.stop_deadline());
  inspector.report().record("end.processes", left.empty() ? passed({}) : failed("it left behind " + listed(left)));
  return finding;
}

/// The channel ends with the last process that holds it.
Finding descriptor(Inspector& inspector) {
  const auto children = others(inspector);
  if (children.empty()) return not_tested("it has started no process");
  auto& worker = inspector.worker();
  worker.signal(SIGKILL);
  if (!worker.wait_end(inspector.stop_deadline())) return not_tested("the worker did not end");
  const auto after = worker.receive(inspector.deadline());
  if (after.kind == WorkerProbe::Incoming::Kind::timed_out) return failed("its channel is held open by one of " + listed(children));
  return passed(listed(children));
}

}  // namespace

void check_end(Inspector& inspector, const std::optional<SlowRequest>& slow) {
  inspector.last_rule("end.eof", [&] { return end_of_file(inspector); });
  if (slow) {
    inspector.last_rule("end.eof_running", [&] {
      begin_slow(inspector, *slow);
      inspector.worker().close_channel();
      return ended(inspector, "end of file", 0);
    });
  } else {
    inspector.report().record("end.eof_running", not_tested(kNoSlow));
  }
  inspector.last_rule("end.sigterm", [&] {
    inspector.worker().signal(SIGTERM);
    return ended(inspector, "SIGTERM", SIGTERM);
  });
  inspector.last_rule("end.descriptor", [&] { return descriptor(inspector); });
}

}  // namespace pons::conformance
