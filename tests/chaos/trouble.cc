#include "tests/chaos/trouble.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <thread>

namespace pons::chaos {

using test::json;

namespace {

std::string frame_of(const json& request) {
  const auto body = request.dump();
  const auto header = frame_header(static_cast<std::uint32_t>(body.size()));
  return std::string(header.bytes, sizeof header.bytes) + body;
}

}  // namespace

bool kill_workers(Arena& arena, Load& load, Random& random, int count, std::size_t pace) {
  for (int killed = 0; killed < count;) {
    if (!load.await_replies(random.below(pace))) return false;
    const auto victim = arena.random_worker(random);
    if (victim && victim->signal(SIGKILL)) ++killed;
  }
  return true;
}

std::optional<int> stop_workers(Arena& arena, Random& random) {
  std::vector<test::ProcessHandle> stopped;
  for (int left = random.between(1, 3); left > 0; --left) {
    auto victim = arena.random_worker(random);
    if (victim && victim->signal(SIGSTOP)) stopped.push_back(std::move(*victim));
  }
  const auto has_ended = [](const auto& worker) { return worker.await_end(test::kLimit); };
  if (!std::all_of(stopped.begin(), stopped.end(), has_ended)) return std::nullopt;
  return static_cast<int>(stopped.size());
}

HalfFrames::HalfFrames(Arena& arena, Random& random, int count) : name_("half" + std::to_string(random.seed())) {
  const auto pool = arena.load_options().pools.front().name;
  for (int i = 0; i < count; ++i) {
    const auto execution = name_ + "." + std::to_string(i);
    const auto frame = frame_of({{"id", i}, {"command", pool + ":run"}, {"args", {{"execution", execution}}}});
    const auto cut = 1 + random.below(frame.size() - 1);
    auto client = arena.host().connect();
    client.send_bytes(std::string_view(frame).substr(0, cut));
    halves_.push_back({std::move(client), frame.substr(cut)});
  }
}

ClientLog HalfFrames::complete_some(Random& random) {
  ClientLog log(name_);
  for (std::size_t i = 0; i < halves_.size(); ++i) {
    if (random.chance(50)) continue;
    const auto id = static_cast<ClientLog::Id>(i);
    log.sent(id, {name_ + "." + std::to_string(id), 1});
    halves_[i].client.send_bytes(halves_[i].rest);
    const auto reply = halves_[i].client.await(id);
    log.replied(id, {test::code_of(reply), reply.value("result", json::object()).value("execution", "")});
  }
  return log;
}

Flood::Flood(Arena& arena, const std::string& pool, int requests) : client_(arena.host().connect()), requests_(requests) {
  for (int id = 1; id <= requests; ++id) bytes_ += frame_of({{"id", id}, {"command", pool + ":ping"}});
}

bool Flood::send_while(const std::function<bool()>& others) {
  while (sent_ < bytes_.size() && others()) {
    const auto count = ::send(client_.fd(), &bytes_[sent_], bytes_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) sent_ += static_cast<std::size_t>(count);
    if (count < 0 && errno != EAGAIN) throw std::runtime_error("the flood's connection was closed");
    if (count < 0) {
      constexpr int kLookAtOthers = 10;  // ms
      pollfd writable{client_.fd(), POLLOUT, 0};
      ::poll(&writable, 1, kLookAtOthers);
    }
  }
  return sent_ == bytes_.size();
}

std::map<std::string, int> Flood::finish() {
  const std::jthread writer([this] { client_.send_bytes(std::string_view(bytes_).substr(sent_)); });
  std::vector<int> replies(static_cast<std::size_t>(requests_) + 1, 0);
  std::map<std::string, int> codes;
  for (int i = 0; i < requests_; ++i) {
    const auto reply = client_.receive();
    ++replies.at(reply["id"].get<std::size_t>());
    ++codes[test::code_of(reply)];
  }
  if (std::count(replies.begin() + 1, replies.end(), 1) != requests_) throw std::runtime_error("a request has two replies, or none");
  return codes;
}

}  // namespace pons::chaos
