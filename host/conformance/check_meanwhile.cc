// What may happen while a request runs: a cancellation, and the question where the worker hangs.
#include <string>

#include "host/conformance/groups.h"

namespace pons::conformance {

using nlohmann::json;

Ask begin_slow(Inspector& inspector, const SlowRequest& slow) {
  Ask request{.command = slow.command, .args = slow.args};
  const auto body = inspector.body_of(request);
  inspector.send({request.id, request.command}, body);
  if (inspector.worker().receive(Clock::now() + kBegun).kind == WorkerProbe::Incoming::Kind::timed_out) return request;
  throw NoReply{not_tested(slow.command + " did not run for " + std::to_string(kBegun.count()) + " ms")};
}

namespace {

constexpr std::uint64_t kNoRequest = 987'654'321;

Finding cancel_running(Inspector& inspector, const SlowRequest& slow) {
  const auto running = begin_slow(inspector, slow);
  inspector.ask({.command = "common:cancel", .args = {{"id", running.id}}});
  const auto reply = inspector.reply_to(running.id, running.command + ", which was cancelled");
  if (reply["success"] == true) return not_tested(slow.command + " succeeded before it was cancelled");
  return passed(outcome_of(reply));
}

Finding report_of(Inspector& inspector) {
  inspector.worker().signal(inspector.ping()["stack_signal"].get<int>());
  const auto text = inspector.worker().read_dump(inspector.deadline());
  if (inspector.worker().wait_end(Clock::now())) return failed("the signal ended it: it " + inspector.worker().end_words());
  return text.empty() ? failed("nothing was written to PONS_DUMP_FD") : passed(std::to_string(text.size()) + " bytes");
}

/// Nothing if the worker can be asked for its stacks.
std::string why_no_report(Inspector& inspector) {
  if (inspector.level() == 0) return "the worker is level 0";
  if (inspector.options().launch.channel != ChannelKind::fd) return "there is no PONS_DUMP_FD with channel: stdio";
  const auto& ping = inspector.ping();
  if (!ping.is_object() || !ping.contains("stack_signal")) return "it has no stack_signal";
  return wrong_stack_signal(ping) ? "its stack_signal is none" : "";
}

}  // namespace

void check_meanwhile(Inspector& inspector, const std::optional<SlowRequest>& slow) {
  Report& report = inspector.report();
  if (inspector.level() == 0) {
    for (const char* rule : {"cancel.unknown", "cancel.running"}) report.record(rule, not_tested("the worker is level 0"));
  } else {
    inspector.rule("cancel.unknown", [&] {
      return passed(outcome_of(inspector.ask({.command = "common:cancel", .args = {{"id", kNoRequest}}})));
    });
    if (slow) {
      inspector.rule("cancel.running", [&] { return cancel_running(inspector, *slow); });
    } else {
      report.record("cancel.running", not_tested(kNoSlow));
    }
  }
  if (const auto why = why_no_report(inspector); !why.empty()) {
    for (const char* rule : {"hang.report", "hang.report_running"}) report.record(rule, not_tested(why));
    return;
  }
  inspector.rule("hang.report", [&] { return report_of(inspector); });
  if (!slow) return report.record("hang.report_running", not_tested(kNoSlow));
  inspector.last_rule("hang.report_running", [&] {
    begin_slow(inspector, *slow);
    return report_of(inspector);
  });
}

}  // namespace pons::conformance
