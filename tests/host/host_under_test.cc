#include "tests/host/host_under_test.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>

#include "protocol/document.h"
#include "protocol/transport/unix_listener.h"
#include "tests/host/processes.h"

namespace pons::test {

namespace {

using Time = std::chrono::steady_clock;

int left(Time::time_point end) {
  return static_cast<int>(std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(end - Time::now()).count()));
}

bool ready(int fd, short events, Time::time_point end) {
  pollfd poll_fd{fd, events, 0};
  return ::poll(&poll_fd, 1, left(end)) > 0;
}

}  // namespace

TempDir::TempDir() {
  std::string pattern = "/tmp/pons-test.XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

// ---- RawClient ---------------------------------------------------------------------------------------------------------------------

void RawClient::send_bytes(std::string_view bytes) {
  const int fd = out_ ? out_.get() : in_.get();
  const auto end = Time::now() + kLimit;
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EAGAIN && ready(fd, POLLOUT, end)) continue;
    if (n <= 0) throw std::runtime_error("cannot write to the host: " + std::string(std::strerror(errno)));
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void RawClient::send_frame(std::string_view body) {
  const auto header = frame_header(static_cast<std::uint32_t>(body.size()));
  send_bytes(std::string(header.bytes, sizeof header.bytes).append(body));
}

void RawClient::send(const json& request, Codec codec) { send_frame(encode_or_throw(codec, request)); }

std::optional<std::string> RawClient::receive_frame() {
  const auto end = Time::now() + kLimit;
  for (;;) {
    auto event = decoder_.next();
    if (event.kind == FrameDecoder::Kind::frame) return std::string(event.frame.body);
    if (event.kind != FrameDecoder::Kind::need_more) throw std::runtime_error("the host sent what is no frame");
    if (!ready(in_.get(), POLLIN, end)) throw std::runtime_error("nothing came from the host in time");
    const auto space = decoder_.prepare();
    const auto n = ::read(in_.get(), space.data(), space.size());
    if (n == 0 || (n < 0 && errno == ECONNRESET)) return std::nullopt;
    if (n < 0 && errno == EAGAIN) continue;
    if (n < 0) throw std::runtime_error("cannot read from the host");
    decoder_.commit(static_cast<std::size_t>(n));
  }
}

json RawClient::receive() {
  if (!kept_.empty()) {
    auto first = std::move(kept_.front());
    kept_.erase(kept_.begin());
    return first;
  }
  const auto body = receive_frame();
  if (!body) throw std::runtime_error("the host closed the connection");
  return decode(body->front() == '{' ? Codec::json : Codec::msgpack, *body).value();
}

json RawClient::await_if(const std::function<bool(const json&)>& wanted) {
  std::vector<json> others;
  for (;;) {
    auto frame = receive();
    if (wanted(frame)) {
      kept_.insert(kept_.begin(), others.begin(), others.end());
      return frame;
    }
    others.push_back(std::move(frame));
  }
}

json RawClient::await(const json& id) {
  return await_if(
      [&](const json& frame) { return frame.contains("success") && frame.value("id", json()) == id && !frame.contains("partial"); });
}

json RawClient::await_event(const std::string& name) {
  return await_if([&](const json& frame) { return frame.value("event", "") == name; });
}

json RawClient::call(const std::string& command, json args, json extra, Codec codec) {
  const int id = ++last_id_;
  json request{{"id", id}, {"command", command}, {"args", std::move(args)}};
  request.update(extra);
  send(request, codec);
  return await(id);
}

void RawClient::half_close() {
  if (out_) {
    out_.reset();
  } else {
    ::shutdown(in_.get(), SHUT_WR);
  }
}

void RawClient::close() {
  in_.reset();
  out_.reset();
}

// ---- HostUnderTest -----------------------------------------------------------------------------------------------------------------

HostUnderTest::HostUnderTest(const std::string& config, const Options& options) {
  ::signal(SIGPIPE, SIG_IGN);  // what is sent to a host that is gone is an error
  std::ofstream(dir_ / "pons.yaml") << config;
  start(options);
}

void HostUnderTest::start(const Options& options) {
  std::vector<std::string> arguments{PONS_PROGRAM, "serve", "-c", dir_ / "pons.yaml"};
  if (options.stdio) {
    arguments.emplace_back("--stdio");
  } else {
    arguments.insert(arguments.end(), {"--socket", socket()});
  }
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const std::string log_path = dir_ / "log";
  const UniqueFd log(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  std::array<int, 2> to{-1, -1};
  std::array<int, 2> from{-1, -1};
  if (options.stdio && (::pipe2(to.data(), O_CLOEXEC) != 0 || ::pipe2(from.data(), O_CLOEXEC) != 0)) throw std::runtime_error("pipe2");
  std::array<int, 2> ready_pipe{};  // end of file: exec has happened
  if (::pipe2(ready_pipe.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  pid_ = ::fork();
  if (pid_ == 0) {
    ::signal(SIGPIPE, SIG_DFL);
    if (options.dies_with_test) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::setenv("XDG_STATE_HOME", options.state_home.empty() ? dir_.path().c_str() : options.state_home.c_str(), 1);
    ::dup2(log.get(), 2);
    if (options.stdio) {
      ::dup2(to[0], 0);
      ::dup2(from[1], 1);
    }
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(ready_pipe[1]);
  const UniqueFd exec_done(ready_pipe[0]);
  ready(exec_done.get(), POLLIN, Time::now() + kLimit);
  pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (options.stdio) {
    ::close(to[0]);
    ::close(from[1]);
    stdio_.emplace(UniqueFd(from[0]), UniqueFd(to[1]));
  }
}

HostUnderTest::~HostUnderTest() {
  const auto workers = status_ ? std::vector<pid_t>() : instance_processes();
  if (!status_) {
    signal(SIGKILL);
    wait();
  }
  EXPECT_TRUE(await_gone(workers)) << "workers outlived their host";
  if (testing::Test::HasFailure()) std::fprintf(stderr, "--- log of the host\n%s---\n", log().c_str());
}

RawClient HostUnderTest::connect() {
  const auto end = Time::now() + kLimit;
  for (;;) {
    if (auto fd = connect_unix(socket())) return RawClient(std::move(*fd));
    // Until it listens; it may also have ended.
    if (ready(pidfd_.get(), POLLIN, std::min(end, Time::now() + 5ms)) || Time::now() >= end) {
      throw std::runtime_error("the host does not listen: " + log());
    }
  }
}

void HostUnderTest::signal(int number) const { ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0); }

int HostUnderTest::wait() {
  if (status_) return *status_;
  if (!ready(pidfd_.get(), POLLIN, Time::now() + kLimit)) throw std::runtime_error("the host does not end");
  int status = 0;
  ::waitpid(pid_, &status, 0);
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return *status_;
}

std::string HostUnderTest::log() const {
  std::ifstream file(dir_ / "log");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string HostUnderTest::instance() const {
  for (const auto child : children_of(pid_)) {
    if (auto token = environment_value(child, "PONS_INSTANCE"); !token.empty()) return token;
  }
  return {};
}

std::vector<pid_t> HostUnderTest::instance_processes() const {
  const auto token = instance();
  return token.empty() ? std::vector<pid_t>() : processes_with("PONS_INSTANCE", token);
}

bool HostUnderTest::await_gone(const std::vector<pid_t>& pids) {
  const auto end = Time::now() + kLimit;
  return std::all_of(pids.begin(), pids.end(),
                     [&](pid_t pid) { return ProcessHandle(pid).await_end(std::chrono::milliseconds(left(end))); });
}

// ---- Configurations ----------------------------------------------------------------------------------------------------------------

std::string echo_config(const std::string& entry) {
  return "adapters:\n  echo:\n    adapter: " PONS_ECHO_FOLDER "\n" + (entry.empty() ? "" : "    " + entry + "\n");
}

std::string bad_config(const std::string& mode, const std::string& entry) {
  return "adapters:\n  bad:\n    command: [" PONS_BAD_WORKER ", " + mode + "]\n" + (entry.empty() ? "" : "    " + entry + "\n");
}

json await_stats(RawClient& client, const std::function<bool(const json& stats)>& wanted) {
  for (const auto end = Time::now() + kLimit;;) {
    auto stats = result_of(client.call("host:get_stats"));
    if (wanted(stats)) return stats;
    if (Time::now() >= end) throw std::runtime_error("the statistics do not get there: " + stats.dump());
  }
}

json result_of(const json& reply) {
  EXPECT_TRUE(reply.value("success", false)) << reply.dump();
  return reply.value("result", json());
}

std::string code_of(const json& reply) { return reply.value("code", reply.value("success", false) ? "success" : "none"); }

}  // namespace pons::test
