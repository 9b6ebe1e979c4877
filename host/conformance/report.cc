#include "host/conformance/report.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace pons::conformance {

namespace {

constexpr std::array kRules{
    Rule{"handshake.start", 6, "The program can be started."},
    Rule{"handshake.ping", 6, "The first request, ping with initialization, succeeds within timeouts.startup."},
    Rule{"handshake.status", 5, "The result of ping is a map with status \"ok\"."},
    Rule{"handshake.protocol", 6, "protocol in the result of ping is missing (level 0) or 1."},
    Rule{"handshake.stack_signal", 6, "stack_signal in the result of ping is missing, or the number of a signal."},
    Rule{"handshake.info", 6, "The second request, get_info, succeeds within timeouts.startup."},
    Rule{"info.shape", 5, "get_info names the worker: name, version, capabilities (a list of strings)."},
    Rule{"info.commands", 5, "get_info lists the commands, each name once; idempotent is a bool, args_schema a map."},
    Rule{"info.codecs", 6, "codecs in get_info is missing, or lists json, perhaps msgpack, and nothing else."},
    Rule{"info.concurrency", 5, "concurrency in get_info is missing, or a whole number of at least 1."},
    Rule{"frame.stream", 1, "What it writes on its channel is whole frames, none empty or too large, and nothing else."},
    Rule{"frame.body", 2, "Each body is one well-formed JSON object or MessagePack map."},
    Rule{"reply.envelope", 4, "A reply has a bool success; a failed one an error sentence, and at level 1 a code."},
    Rule{"reply.codec", 2, "A reply uses the codec of its request."},
    Rule{"reply.id", 3, "A reply carries the id of its request, as it came."},
    Rule{"reply.one", 4, "Every request gets exactly one terminal reply."},
    Rule{"reply.partial", 4, "Partial replies come only if stream was asked for, with seq 0, 1, 2, or progress; none at level 0."},
    Rule{"reverse.parent", 6, "A request of the worker names the outstanding request that it belongs to; none at level 0."},
    Rule{"commands.plain", 5, "ping, get_info, get_stats and cleanup are answered without a namespace."},
    Rule{"commands.own_namespace", 5, "They are answered under the adapter's own namespace."},
    Rule{"commands.common_namespace", 5, "They are answered under common:."},
    Rule{"commands.again", 5, "A later ping with initialization is a ping like any other."},
    Rule{"commands.unknown", 5, "An unknown command is refused with: Unknown command: X"},
    Rule{"commands.unknown_namespace", 5, "An unknown namespace is refused with: Unknown namespace: X"},
    Rule{"commands.no_args", 3, "Missing args count as an empty map."},
    Rule{"commands.odd_args", 3, "Args that a command does not know, of whatever kind, do not harm the worker."},
    Rule{"commands.listed", 4, "Each listed command that is idempotent is answered when called without args, and the worker lives on."},
    Rule{"commands.args_unchanged", 2, "Args keep their types and values in both directions."},
    Rule{"stats.shape", 5, "get_stats counts: no number is missing (level 1), none is negative."},
    Rule{"stats.growth", 5, "requests_processed and errors grow, and nothing shrinks."},
    Rule{"cleanup.shape", 5, "cleanup says status \"cleaned\" and how many resources and sessions it removed."},
    Rule{"cleanup.again", 5, "A second cleanup finds nothing left to remove."},
    Rule{"request.ids", 3, "Integers of 0 to 2^63-1 and strings of up to 128 bytes are ids."},
    Rule{"request.unknown_keys", 2, "Unknown keys beside command and args change nothing."},
    Rule{"request.form", 2, "White space, escapes and the order of keys change nothing."},
    Rule{"request.utf8", 2, "Text of all of Unicode is taken."},
    Rule{"request.large", 1, "A frame of 1 MiB is taken."},
    Rule{"request.split", 1, "A frame that arrives byte by byte is taken."},
    Rule{"request.joined", 1, "Requests that arrive in one piece, before the first is answered, are all answered."},
    Rule{"codec.msgpack", 6, "A worker that lists msgpack answers MessagePack requests."},
    Rule{"codec.msgpack_forms", 3, "Any integer format of MessagePack is taken for the id."},
    Rule{"resource.unknown", 7, "An unknown resource is refused with resource_not_found."},
    Rule{"resource.cycle", 5, "A resource can be created, is listed, and is gone when it was deleted."},
    Rule{"resource.cleanup", 5, "cleanup frees resources."},
    Rule{"session.end_unknown", 6, "common:end_session of an unknown session succeeds."},
    Rule{"session.snapshot", 6, "A session that was exported can be imported, and be exported again."},
    Rule{"session.format", 6, "A snapshot of an unknown format is refused."},
    Rule{"cancel.unknown", 6, "common:cancel of an id that is not outstanding is answered."},
    Rule{"cancel.running", 6, "A request that is cancelled while it runs gets its one terminal reply soon."},
    Rule{"hang.report", 6, "stack_signal makes the worker write its stacks to PONS_DUMP_FD, and it lives on."},
    Rule{"hang.report_running", 6, "It does so while a request runs."},
    Rule{"end.eof", 6, "End of file on its channel ends the worker."},
    Rule{"end.eof_running", 6, "End of file ends it while a request runs, too."},
    Rule{"end.sigterm", 6, "SIGTERM ends it."},
    Rule{"end.processes", 6, "Nothing that it has started is left behind."},
    Rule{"end.descriptor", 6, "Nothing that it has started holds its channel open."},
};

const Rule* find_rule(std::string_view id) {
  const auto* const found = std::find_if(kRules.begin(), kRules.end(), [&](const Rule& rule) { return rule.id == id; });
  return found == kRules.end() ? nullptr : found;
}

int badness(Outcome outcome) {
  switch (outcome) {
    case Outcome::not_tested:
      return 0;
    case Outcome::pass:
      return 1;
    case Outcome::fail:
      return 2;
  }
  return 0;
}

}  // namespace

std::span<const Rule> all_rules() { return kRules; }

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::pass:
      return "pass";
    case Outcome::fail:
      return "fail";
    case Outcome::not_tested:
      return "not tested";
  }
  return {};
}

void Report::record(std::string_view id, Finding finding) {
  const Rule* const rule = find_rule(id);
  if (rule == nullptr) throw std::out_of_range("no rule is called " + std::string(id));
  const auto [at, is_new] = findings_.try_emplace(rule->id, finding);
  if (!is_new && badness(finding.outcome) > badness(at->second.outcome)) at->second = std::move(finding);
}

std::vector<Report::Line> Report::lines(std::string_view why_not) const {
  std::vector<Line> lines;
  for (const Rule& rule : kRules) {
    const auto found = findings_.find(rule.id);
    lines.push_back({&rule, found != findings_.end() ? found->second : not_tested(std::string(why_not))});
  }
  return lines;
}

bool Report::failed(std::string_view id) const {
  const auto found = findings_.find(id);
  return found != findings_.end() && found->second.outcome == Outcome::fail;
}

bool Report::any_failed() const {
  return std::any_of(findings_.begin(), findings_.end(), [](const auto& entry) { return entry.second.outcome == Outcome::fail; });
}

}  // namespace pons::conformance
