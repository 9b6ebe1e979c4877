#include "tests/bench/batches.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace pons::bench {
namespace {

std::size_t ready_workers(const nlohmann::json& reply) {
  std::size_t ready = 0;
  for (const auto& worker : reply.at("result").at("workers")) {
    if (worker.at("state") == "idle" || worker.at("state") == "busy") ++ready;
  }
  return ready;
}

}  // namespace

double microseconds(Clock::duration time) { return std::chrono::duration<double, std::micro>(time).count(); }

double batch_of_round_trips(Connection& connection, Request& request, int count) {
  std::vector<double> times;
  times.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const std::string_view frame = request.frame_with(static_cast<std::uint32_t>(i));
    const auto begin = Clock::now();
    connection.send(frame);
    if (connection.receive_small() != 1) throw std::runtime_error("more than one reply to a request");
    times.push_back(microseconds(Clock::now() - begin));
  }
  return quantile(std::move(times), 0.5);
}

double batch_of_pipelined(Connection& connection, Request& request, int count) {
  std::string frames;
  int sent = 0;
  const auto send = [&](int wanted) {
    frames.clear();
    const int end = std::min(sent + wanted, count);
    for (; sent < end; ++sent) frames += request.frame_with(static_cast<std::uint32_t>(sent));
    connection.send(frames);
  };
  const auto begin = Clock::now();
  send(kDepth);
  for (int received = 0; received < count;) {
    const auto replies = static_cast<int>(connection.receive_small());
    received += replies;
    send(replies);
  }
  return count / std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

Figure figure_of(const std::string& name, const std::string& unit, std::vector<Series> series, std::pair<Goal, double> goal) {
  Figure figure{.name = name, .unit = unit, .measured = series.at(0), .reference = series.at(1), .goal = goal, .information = {}};
  figure.information.assign(series.begin() + 2, series.end());
  return figure;
}

/// It asks again after every worker that gets ready.
void wait_for_workers(Target& host, std::size_t wanted) {
  Connection connection = Connection::to(host.socket, *host.process);
  connection.exchange_ok(Request::json_args("host:subscribe", R"({"events":["worker.*"]})").frame());
  const Request question = Request::json_args("host:workers", "{}");
  connection.send(question.frame());
  for (;;) {
    const auto message = nlohmann::json::parse(connection.receive());
    if (message.contains("event")) {
      if (message.at("event") == "worker.ready") connection.send(question.frame());
    } else if (ready_workers(message) >= wanted) {
      return;
    }
  }
}

}  // namespace pons::bench
