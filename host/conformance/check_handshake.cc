// The first two requests on a channel, and what a worker says of itself in them.
#include <chrono>
#include <string>

#include "host/conformance/groups.h"

namespace pons::conformance {

bool check_handshake(Inspector& inspector) {
  Report& report = inspector.report();
  const auto begin = Clock::now();
  const auto took = [&begin] {
    return "after " + std::to_string(std::chrono::duration_cast<Millis>(Clock::now() - begin).count()) + " ms";
  };
  try {
    inspector.start();
  } catch (const NoReply& no_reply) {
    report.record("handshake.start", no_reply.finding);
    return false;
  }
  report.record("handshake.start", passed(inspector.options().launch.command.front()));
  const char* under_way = "handshake.ping";
  try {
    inspector.shake_hands([&] {
      const auto& ping = inspector.ping();
      report.record("handshake.ping", passed(took()));
      report.record("handshake.status", verdict(wrong_status(ping)));
      report.record("handshake.protocol", verdict(wrong_protocol(ping), "level " + std::to_string(level_of(ping))));
      report.record("handshake.stack_signal",
                    verdict(wrong_stack_signal(ping),
                            ping.is_object() && ping.contains("stack_signal") ? "signal " + shown(ping["stack_signal"]) : "it has none"));
      under_way = "handshake.info";
    });
  } catch (const NoReply& no_reply) {
    report.record(under_way, no_reply.finding);
    return false;
  }
  const auto& info = inspector.info();
  report.record("handshake.info", passed(took()));
  report.record("info.shape", verdict(wrong_info(info)));
  report.record("info.commands", verdict(wrong_commands(info), std::to_string(command_names(info, false).size()) + " commands"));
  report.record("info.codecs", verdict(wrong_codecs(info), lists_codec(info, "msgpack") ? "json and msgpack" : "json"));
  report.record("info.concurrency", verdict(wrong_concurrency(info)));
  return true;
}

}  // namespace pons::conformance
