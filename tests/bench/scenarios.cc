#include "tests/bench/scenarios.h"

#include <stdexcept>
#include <string>

#include "tests/bench/batches.h"

namespace pons::bench {
namespace {

constexpr std::size_t kLargeData = std::size_t{1} << 20;

/// The median round trip in microseconds; `least` bytes at least come back.
double batch_of_large_round_trips(Connection& connection, const Request& request, int count, std::size_t least) {
  std::vector<double> times;
  times.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const auto begin = Clock::now();
    const std::string_view body = connection.exchange(request.frame());
    times.push_back(microseconds(Clock::now() - begin));
    if (body.size() < least) throw std::runtime_error("a reply is too short: " + std::string(body.substr(0, 200)));
  }
  return quantile(std::move(times), 0.5);
}

}  // namespace

Figure small_round_trip(const Paths& paths, const Effort& effort, bool pinned) {
  const std::optional<int> core = pinned ? std::optional(last_core()) : std::nullopt;
  const PinnedTo pin(core);
  Target host = start_host(paths, "  echo: {adapter: echo}\n", core);
  Target relay = start_relay(paths, "blocking", 1, core);
  Target echo_worker = start_echo_worker(paths, core);
  Target bare_worker = start_relay_on_pair(paths, "worker", 0, core);

  Request request = Request::json("echo:echo", kSmallBody);
  Request request_to_worker = Request::json("echo", kSmallBody);
  host.connection.exchange_ok(request.frame());
  echo_worker.connection.exchange_ok(request_to_worker.frame());
  const auto contestant = [&effort](const std::string& name, Target& target, Request& what) {
    return warmed_up(name, [&target, &what, &effort] { return batch_of_round_trips(target.connection, what, effort.round_trips); });
  };
  auto series = in_turns(effort.rounds, {contestant("pons", host, request), contestant("bare relay", relay, request),
                                         contestant("the echo worker without a host", echo_worker, request_to_worker),
                                         contestant("the bare worker without a relay", bare_worker, request)});
  end_host(host);
  return figure_of(pinned ? "round trip, 100 B, depth 1, one core" : "round trip, 100 B, depth 1, free", "us", std::move(series),
                   {Goal::at_most, 1.25});
}

Figure python_round_trip(const Paths& paths, const Effort& effort, bool pinned) {
  const std::optional<int> core = pinned ? std::optional(last_core()) : std::nullopt;
  const PinnedTo pin(core);
  Target host = start_host(paths, "  python: " + paths.sources + "/sdk_worker.py\n", core);
  Target relay = start_relay_to_python(paths, core);
  Request request = Request::json("python:echo", kSmallBody);
  host.connection.exchange_ok(request.frame());
  const auto contestant = [&](const std::string& name, Target& target) {
    return warmed_up(name, [&] { return batch_of_round_trips(target.connection, request, effort.round_trips); });
  };
  auto series = in_turns(effort.rounds, {contestant("pons, Python SDK", host), contestant("bare relay, plain Python loop", relay)});
  end_host(host);
  return figure_of(pinned ? "Python worker, 100 B, depth 1, one core" : "Python worker, 100 B, depth 1, free", "us", std::move(series),
                   {Goal::at_most, 1.6});
}

Figure pipelined_throughput(const Paths& paths, const Effort& effort) {
  Target host = start_host(paths, "  echo: {adapter: echo, pool: {size: 2, in_flight: 64, lazy: false, min_ready: 2}}\n", std::nullopt);
  Target relay = start_relay(paths, "batching", 2, std::nullopt);
  Request request = Request::json("echo:echo", kSmallBody);
  host.connection.exchange_ok(request.frame());
  const auto contestant = [&](const std::string& name, Target& target) {
    return warmed_up(name, [&] { return batch_of_pipelined(target.connection, request, effort.pipelined); });
  };
  auto series = in_turns(effort.rounds, {contestant("pons", host), contestant("bare relay", relay)});
  end_host(host);
  return figure_of("throughput, 100 B, depth 64, 2 workers", "replies/ms", std::move(series), {Goal::at_least, 0.3});
}

Figure large_round_trip(const Paths& paths, const Effort& effort) {
  Target host = start_host(paths, "  echo: {adapter: echo}\n", std::nullopt);
  Target relay = start_relay(paths, "blocking", 1, std::nullopt);
  const Request request = Request::msgpack("echo:echo", kLargeData);
  host.connection.exchange_ok(request.frame());
  const auto contestant = [&](const std::string& name, Target& target) {
    return warmed_up(name, [&] { return batch_of_large_round_trips(target.connection, request, effort.large, kLargeData); });
  };
  auto series = in_turns(effort.rounds, {contestant("pons", host), contestant("bare relay, whole frames", relay)});
  end_host(host);
  return figure_of("round trip, 1 MiB MessagePack, depth 1", "us", std::move(series), {Goal::at_most, 1.3});
}

std::vector<Figure> start_to_first_reply(const Paths& paths, const Effort& effort) {
  const std::string config = write_config(paths, "  echo: {adapter: echo}\n");
  const auto host_start = [&paths, &config](const char* command) {
    const Request request = Request::json_args(command, "{}");
    const auto begin = Clock::now();
    Target host = start_stdio_host(paths, config);
    host.connection.exchange_ok(request.frame());
    const double time = microseconds(Clock::now() - begin) / 1000;
    end_host(host);
    return time;
  };
  const auto relay_start = [&paths] {
    const Request request = Request::json("echo:echo", kSmallBody);
    const auto begin = Clock::now();
    Target relay = start_relay_on_pair(paths, "blocking", 1, std::nullopt);
    relay.connection.exchange(request.frame());
    return microseconds(Clock::now() - begin) / 1000;
  };
  auto series = in_turns(effort.starts, {warmed_up("pons", [&] { return host_start("host:ping"); }),
                                         warmed_up("pons", [&] { return host_start("echo:ping"); }), warmed_up("bare relay", relay_start)});
  const auto figure = [&series](const char* name, std::size_t which) {
    return Figure{.name = name, .unit = "ms", .measured = series[which], .reference = series[2], .goal = {}, .information = {}};
  };
  return {figure("start to the reply to host:ping", 0), figure("start to the reply to echo:ping", 1)};
}

Figure host_memory(const Paths& paths, const Effort& effort, int workers) {
  const std::string count = std::to_string(workers);
  Series resident{"pons", {}};
  Series proportional{"its proportional share (PSS)", {}};
  for (int round = 0; round < effort.memory_rounds; ++round) {
    Target host =
        start_host(paths, "  echo: {adapter: echo, pool: {size: " + count + ", lazy: false, min_ready: " + count + "}}\n", std::nullopt);
    wait_for_workers(host, static_cast<std::size_t>(workers));
    const Memory memory = memory_of(host.process->pid());
    resident.values.push_back(memory.resident_mib);
    proportional.values.push_back(memory.proportional_mib);
    end_host(host);
  }
  return {.name = "resident memory, " + count + " workers",
          .unit = "MiB",
          .measured = resident,
          .reference = {},
          .goal = {},
          .information = {proportional}};
}

}  // namespace pons::bench
