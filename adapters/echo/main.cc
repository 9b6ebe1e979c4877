// The echo adapter: the mock framework of the tests and the peer of the benchmarks. Its commands have handlers, which are called one after
// the other; only `wait` is held in a loop of its own.
#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "adapters/echo/commands.h"
#include "adapters/echo/waiting_room.h"

namespace {

using nlohmann::json;

struct Counter {
  std::int64_t value;
};

void add_counter(pons::Worker& worker) {
  worker.resource<Counter>("counter", {.description = "Counts from `start`; each execution adds `inputs.add`.",
                                       .create = [](const json& args) { return Counter{args.value("start", std::int64_t{0})}; },
                                       .execute =
                                           [](Counter& counter, const json& inputs) {
                                             counter.value += inputs.is_null() ? 1 : inputs.value("add", std::int64_t{1});
                                             return json{{"value", counter.value}};
                                           },
                                       .describe =
                                           [](const Counter& counter) {
                                             return json{{"value", counter.value}};
                                           }});
}

using SessionCounts = std::map<std::string, std::int64_t>;

void add_session_count(pons::Worker& worker, SessionCounts& counts) {
  worker.command("count", {.description = "How often this session has called it."},
                 [&counts](const json& /*args*/, pons::Context& context) {
                   if (!context.session_id()) throw pons::Exception(pons::ErrorCode::invalid_args, "count needs a session_id");
                   return json{{"session_id", *context.session_id()}, {"count", ++counts[*context.session_id()]}};
                 });
  worker.on_end_session([&counts](const std::string& session) { counts.erase(session); });
  worker.session_snapshot(
      "echo-count/1",
      [&counts](const std::string& session) {
        const auto at = counts.find(session);
        return json::to_msgpack(at != counts.end() ? at->second : 0);
      },
      [&counts](const std::string& session, const pons::Worker::Bytes& state) {
        counts[session] = json::from_msgpack(state).get<std::int64_t>();
      });
  worker.on_stats([&counts] { return json{{"session_counts", counts.size()}}; });
}

json run_sleep(const json& args, pons::Context& context) {
  const std::chrono::milliseconds wanted(args.value("ms", std::int64_t{0}));
  if (context.sleep(wanted)) context.throw_if_cancelled();
  return {{"slept_ms", wanted.count()}};
}

json run_stream(const json& args, pons::Context& context) {
  const auto n = args.value("n", std::int64_t{3});
  const std::chrono::milliseconds interval(args.value("interval_ms", std::int64_t{0}));
  for (std::int64_t i = 0; i < n; ++i) {
    if (context.sleep(interval)) context.throw_if_cancelled();
    context.progress(static_cast<double>(i), static_cast<double>(n));
    context.send_partial({{"i", i}});
  }
  return {{"n", n}};
}

}  // namespace

int main(int argc, char** argv) {
  SessionCounts counts;
  pons::Worker worker("echo", "0.1.0");
  worker.raw_command("echo", {.description = "Returns its args, byte by byte.", .idempotent = true},
                     [](const pons::RawArgs& args) { return pons::RawResult(args.bytes); });
  worker.command("sleep", {.description = "Returns after `ms` milliseconds, unless cancelled.", .idempotent = true}, run_sleep);
  worker.command("stream", {.description = "Sends `n` chunks, `interval_ms` apart.", .idempotent = true}, run_stream);
  add_counter(worker);
  add_session_count(worker, counts);
  pons::echo::WaitingRoom waiting_room;
  waiting_room.declare(worker);
  pons::echo::add_call(worker);
  pons::echo::add_misbehaviour(worker);
  pons::echo::add_whoami(worker);
  return worker.run(argc, argv, [&] { waiting_room.serve(worker); });
}
