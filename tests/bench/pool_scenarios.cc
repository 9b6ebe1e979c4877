#include "tests/bench/pool_scenarios.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "tests/bench/batches.h"

namespace pons::bench {
namespace {

constexpr const char* kWorkingPool = "  echo: {adapter: echo, pool: {size: 2, in_flight: 64, lazy: false, min_ready: 2}}\n";
constexpr std::size_t kWorking = 2;
constexpr std::size_t kAsleep = 4;    // workers of the hung pool
constexpr std::size_t kWaiting = 64;  // its queue
constexpr int kFewSessions = 10;

Figure plain(const std::string& name, const std::string& unit, Series measured) {
  return {.name = name, .unit = unit, .measured = std::move(measured), .reference = {}, .goal = {}, .information = {}};
}

/// A connection whose requests keep every worker of the pool `hung` asleep and its queue full, for as long as it is there.
Connection hang(Target& host) {
  wait_for_workers(host, kAsleep + kWorking);
  Connection connection = Connection::to(host.socket, *host.process);
  Request sleep = Request::json_args("hung:sleep", R"({"ms":600000})");
  for (std::uint32_t number = 1; number <= kAsleep + kWaiting; ++number) connection.send(sleep.frame_with(number));
  const Request question = Request::json_args("host:get_stats", "{}");
  for (;;) {
    const auto reply = nlohmann::json::parse(connection.exchange_ok(question.frame()));
    const auto& hung = reply.at("result").at("adapters").at("hung");
    if (hung.at("busy") == kAsleep && hung.at("queued") == kWaiting) return connection;
  }
}

/// A host with so many sessions over eight workers.
struct SessionHost {
  Target host;
  std::uint32_t sessions;
  Request request = Request::in_session("echo:count");
  std::uint32_t next = 0;

  SessionHost(const Paths& paths, int count, int core)
      : host(start_host(paths, "  echo: {adapter: echo, pool: {size: 8, lazy: false, min_ready: 8}}\n", core)),
        sessions(static_cast<std::uint32_t>(count)) {
    wait_for_workers(host, 8);
  }
  /// Every session once: they are bound from then on.
  void touch_all() {
    for (std::uint32_t session = 0; session < sessions; ++session) host.connection.exchange_ok(request.frame_with(session));
  }
  /// The next sessions in an order that jumps about among all of them; returns the median round trip in microseconds.
  double round_trips(int count) {
    constexpr std::uint32_t kStride = 7'919;  // prime, and so without common divisor with the number of sessions
    std::vector<double> times;
    for (int i = 0; i < count; ++i) {
      next = (next + kStride) % sessions;
      const auto frame = request.frame_with(next);
      const auto begin = Clock::now();
      host.connection.exchange_ok(frame);
      times.push_back(microseconds(Clock::now() - begin));
    }
    return quantile(std::move(times), 0.5);
  }
  /// The same; returns the processor time of the host for each in microseconds.
  double processor_time(int count) {
    const double before = processor_ms_of(host.process->pid());
    round_trips(count);
    return (processor_ms_of(host.process->pid()) - before) * 1000 / count;
  }
};

/// Starts the pool by its first request; returns the most that were starting at the same time until all were ready.
int start_all(Target& host, int workers) {
  host.connection.exchange_ok(Request::json_args("host:subscribe", R"({"events":["worker.started","worker.ready"]})").frame());
  host.connection.send(Request::json_args("echo:ping", "{}").frame());
  int starting = 0;
  int most = 0;
  for (int ready = 0; ready < workers;) {
    const auto message = nlohmann::json::parse(host.connection.receive());
    const auto event = message.value("event", "");
    if (event == "worker.started") most = std::max(most, ++starting);
    if (event != "worker.ready") continue;
    --starting;
    ++ready;
  }
  return most;
}

std::vector<pid_t> worker_pids(Target& host) {
  Connection connection = Connection::to(host.socket, *host.process);
  const auto reply = nlohmann::json::parse(connection.exchange_ok(Request::json_args("host:workers", "{}").frame()));
  std::vector<pid_t> pids;
  for (const auto& worker : reply.at("result").at("workers")) pids.push_back(worker.at("pid").get<pid_t>());
  return pids;
}

}  // namespace

Figure beside_a_hung_pool(const Paths& paths, const Effort& effort) {
  Target alone = start_host(paths, kWorkingPool, std::nullopt);
  const auto hung_pool = "  hung: {adapter: echo, pool: {size: " + std::to_string(kAsleep) + ", queue: " + std::to_string(kWaiting) +
                         ", lazy: false}, timeouts: {request: 10m, queue: 10m}}\n";
  Target beside = start_host(paths, kWorkingPool + hung_pool, std::nullopt);
  std::optional<Connection> sleepers(hang(beside));
  Request request = Request::json("echo:echo", kSmallBody);
  const auto contestant = [&](const std::string& name, Target& target) {
    target.connection.exchange_ok(request.frame());
    return warmed_up(name, [&] { return batch_of_pipelined(target.connection, request, effort.pipelined); });
  };
  auto series = in_turns(effort.rounds, {contestant("beside the hung pool", beside), contestant("alone", alone)});
  sleepers.reset();  // what its workers do is cancelled: the host can end
  end_host(beside);
  end_host(alone);
  return figure_of("throughput beside a hung pool, depth 64", "replies/ms", std::move(series), {Goal::at_least, 0.8});
}

std::vector<Figure> many_sessions(const Paths& paths, const Effort& effort) {
  const PinnedTo pin(last_core());
  SessionHost many(paths, effort.sessions, last_core());
  SessionHost few(paths, kFewSessions, last_core());
  const double before = memory_of(many.host.process->pid()).resident_mib;
  many.touch_all();
  const double taken = memory_of(many.host.process->pid()).resident_mib - before;
  few.touch_all();
  const auto count = std::to_string(effort.sessions);
  const auto compare = [&](auto batch) {
    return in_turns(effort.rounds, {warmed_up(count + " sessions", [&, batch] { return batch(many); }),
                                    warmed_up("ten sessions", [&, batch] { return batch(few); })});
  };
  auto times = compare([&](SessionHost& host) { return host.round_trips(effort.round_trips); });
  auto costs = compare([&](SessionHost& host) { return host.processor_time(effort.round_trips); });
  end_host(many.host);
  end_host(few.host);
  return {figure_of("round trip, " + count + " sessions, one core", "us", std::move(times), {Goal::at_most, 1.1}),
          figure_of("  processor time of the host for it", "us", std::move(costs), {Goal::at_most, 1.1}),
          plain("  memory of the host for a session", "bytes", {"pons", {taken * 1024 * 1024 / effort.sessions}})};
}

std::vector<Figure> many_workers(const Paths& paths, const Effort& effort, int workers) {
  const auto count = std::to_string(workers);
  Series times{"pons", {}};
  Series most{"pons", {}};
  Series host_memory{"pons", {}};
  Series worker_memory{"pons", {}};
  for (int round = 0; round < effort.memory_rounds; ++round) {
    Target host = start_host(paths, "  echo: {adapter: echo, pool: {size: " + count + ", min_ready: " + count + "}}\n", std::nullopt);
    const auto begin = Clock::now();
    most.values.push_back(start_all(host, workers));
    times.values.push_back(microseconds(Clock::now() - begin) / 1000);
    host_memory.values.push_back(memory_of(host.process->pid()).resident_mib);
    double all = 0;
    for (const auto pid : worker_pids(host)) all += memory_of(pid).proportional_mib;
    worker_memory.values.push_back(all);
    Connection last = Connection::to(host.socket, *host.process);
    last.exchange_ok(Request::json_args("host:shutdown", "{}").frame());
    if (host.process->wait(std::chrono::seconds(30)) != 0) throw std::runtime_error("the host did not end well");
  }
  return {plain("start of " + count + " workers", "ms", times), plain("  most starting at once, of 2 allowed", "workers", most),
          plain("  resident memory of the host", "MiB", host_memory), plain("  PSS of all workers together", "MiB", worker_memory)};
}

}  // namespace pons::bench
