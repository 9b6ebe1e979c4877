#include "host/cli/host_link.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "host/cli/fault.h"
#include "host/cli/target.h"
#include "protocol/transport/task.h"
#include "protocol/transport/unix_listener.h"

namespace pons::cli {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kTick{20};  // between two attempts to reach a host that is starting, or to see that one has gone

/// A pidfd of the process at the other end; none where it is of another pid namespace.
UniqueFd process_of(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0) return {};
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, peer.pid, 0)));
}

/// Nobody listens there, which an embedded host can make good; other errors it cannot.
bool nobody_there(const Error& error) {
  const auto number = error.details.is_object() ? error.details.value("errno", 0) : 0;
  return number == ENOENT || number == ECONNREFUSED;
}

/// Where the chosen file says that its host is, whatever else is wrong with it.
std::optional<HostConfig> address_in_file(const HostChoice& choice, const Surroundings& surroundings) {
  const auto file = chosen_config_file(choice, surroundings.env);
  if (!file) return std::nullopt;
  try {
    return load_host_address(*file, context_of(surroundings));
  } catch (const ConfigError& error) {
    auto issues = error.issues();
    issues.back().message += " (--socket PATH or --name NAME reach a running host, whatever its file says)";
    throw ConfigError(std::move(issues));
  }
}

}  // namespace

ConfigContext context_of(const Surroundings& surroundings) {
  auto context = ConfigContext::of_process();
  context.env = surroundings.env;
  return context;
}

Config load_chosen(const HostChoice& choice, const Surroundings& surroundings) {
  const auto context = context_of(surroundings);
  if (choice.adapter_path) return config_of({adapter_from_path(*choice.adapter_path, context)});
  if (const auto file = chosen_config_file(choice, surroundings.env)) return load_config(*file, context);
  return default_config(context);
}

HostLink::HostLink(const HostChoice& choice, const Surroundings& surroundings, Embedding embedding, LogLevel log_level) {
  const auto target = choose_target(choice, surroundings.env, [&] { return address_in_file(choice, surroundings); });
  socket_ = target.socket;
  from_variable_ = target.from_variable;
  if (embedding == Embedding::no_connect) return;
  if (!socket_.empty() && try_connect()) return;
  const bool embed = embedding == Embedding::allowed && target.may_embed;
  if (!socket_.empty() && (!embed || !nobody_there(why_not_))) {
    throw Fault(ExitStatus::no_host, nobody_answers() + (embed ? "" : "\nStart one with: pons serve"));
  }
  embedded_.emplace(io_, load_chosen(choice, surroundings), surroundings.err, log_level);
  client_.emplace(io_, embedded_->connect());
}

HostLink::~HostLink() { close(true); }

bool HostLink::try_connect() {
  auto socket = connect_unix(socket_);
  if (!socket) {
    why_not_ = socket.error();
    if (!why_not_.details.is_object()) throw Fault(ExitStatus::usage, why_not_.message + std::string(origin()));  // no such path can be
    return false;
  }
  process_ = process_of(socket->get());
  client_.emplace(io_, std::move(*socket));
  return true;
}

Result<json> HostLink::call(std::string_view command, json args, CallOptions options) {
  std::optional<Result<json>> answer;
  bool given_up = false;
  running_ =
      client_->call_async(command, std::move(args), std::move(options), [&](Result<json> result) { answer.emplace(std::move(result)); });
  interrupts_.on_signal([&](int count) {
    cancel();
    given_up = count > 1;
  });
  while (!answer && !given_up) {
    if (io_.stopped()) io_.restart();
    io_.run_one();
  }
  interrupts_.on_signal({});
  running_.reset();
  if (!answer) {
    client_.reset();  // its callbacks refer to this call
    return Error{ErrorCode::cancelled, "Given up."};
  }
  return std::move(*answer);
}

void HostLink::watch(std::vector<std::string> patterns, std::function<void(const Event&)> on_event) {
  client_->on_event([take = std::move(on_event)](const Event& event) { take(event); });
  client_->call_async("host:subscribe", json{{"events", std::move(patterns)}}, {}, [](const Result<json>&) {});  // does not wait
}

void HostLink::cancel() {
  if (running_) client_->cancel(*running_);
}

void HostLink::pause_for(milliseconds time) {
  Timer timer(io_.get_executor());
  timer.expires_after(time);
  bool over = false;
  timer.async_wait([&over](error_code) { over = true; });
  interrupts_.on_signal([&timer](int) { timer.cancel(); });
  while (!over) {
    if (io_.stopped()) io_.restart();
    io_.run_one();
  }
  interrupts_.on_signal({});
}

Result<json> HostLink::ping_until_answered(const std::string& command, milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  for (;;) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    if ((client_ && client_->connected()) || try_connect()) {
      CallOptions options;
      options.timeout = std::max(left, milliseconds(1));
      options.idempotent = true;
      auto answer = call(command, nullptr, options);
      if (answer || interrupts_.count() > 0) return answer;
      const bool lost = !client_->connected();
      if (lost) why_not_ = answer.error();
      if ((!lost && !answer.error().may_retry(true)) || Clock::now() >= deadline) return answer;
    }
    if (interrupts_.count() > 0) return Error{ErrorCode::cancelled, "Interrupted."};
    if (Clock::now() >= deadline) throw Fault(ExitStatus::no_host, nobody_answers());
    pause_for(std::clamp(left, milliseconds(1), kTick));
  }
}

std::string_view HostLink::origin() const { return from_variable_ ? kFromVariable : std::string_view(); }
std::string HostLink::nobody_answers() const { return "no host answers: " + why_not_.message + std::string(origin()); }

bool HostLink::gone() const {
  if (!process_) return !client_->connected() && !connect_unix(socket_);
  pollfd ended{process_.get(), POLLIN, 0};
  return ::poll(&ended, 1, 0) > 0;
}

bool HostLink::wait_until_gone(milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  while (!gone()) {
    if (Clock::now() >= deadline || interrupts_.count() > 0) return false;
    pause_for(kTick);
  }
  return true;
}

const std::vector<ConfigIssue>& HostLink::warnings() const {
  static const std::vector<ConfigIssue> none;
  return embedded_ ? embedded_->warnings() : none;
}

void HostLink::close(bool at_once) {
  client_.reset();
  if (!embedded_) return;
  embedded_->stop(at_once, interrupts_);
  embedded_.reset();
}

}  // namespace pons::cli
