#include "host/environment/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "pool/process.h"
#include "protocol/transport/unique_fd.h"

namespace pons {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kGrace{5};

Error failed(const std::string& what) { return Error{ErrorCode::worker_start_failed, what}; }

class Actions {
 public:
  Actions() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
  ~Actions() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  posix_spawn_file_actions_t* files() { return &actions_; }
  posix_spawnattr_t* attributes() { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

Result<pid_t> start(const ChildSpec& spec, int output) {
  std::string program = spec.command.front();
  std::vector<std::string> variables;
  std::string path = "/usr/local/bin:/usr/bin:/bin";
  for (const auto& [name, value] : spec.env) {
    variables.emplace_back(name).append("=").append(value);
    if (name == "PATH") path = value;
  }
  if (program.find('/') == std::string::npos) {
    const auto found = find_on_path(program, path);
    if (!found) return failed("there is no " + program + " on PATH (" + path + ")");
    program = *found;
  }
  auto words = spec.command;
  auto argv = pointers(words);
  auto envp = pointers(variables);
  Actions actions;
  posix_spawn_file_actions_addopen(actions.files(), 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(actions.files(), output, 1);
  posix_spawn_file_actions_adddup2(actions.files(), output, 2);
  posix_spawn_file_actions_addchdir_np(actions.files(), spec.folder.c_str());
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, program.c_str(), actions.files(), actions.attributes(), argv.data(), envp.data());
  if (error != 0) return failed(program + ": " + std::strerror(error));
  return pid;
}

int status_of(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Result<ChildEnd> run_child(const ChildSpec& spec, int stop_fd, const std::function<void(std::string_view)>& on_output) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return failed(std::string("pipe: ") + std::strerror(errno));
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  const auto pid = start(spec, out.get());
  if (!pid) return pid.error();
  out.reset();
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));

  ChildEnd end;
  std::optional<Clock::time_point> limit;
  if (spec.limit.count() > 0) limit = Clock::now() + spec.limit;
  std::array<pollfd, 3> fds{{{in.get(), POLLIN, 0}, {process.get(), POLLIN, 0}, {stop_fd, POLLIN, 0}}};
  bool killed = false;
  const auto kill_group = [&](int signal) {
    if (process) signal_group(process.get(), *pid, signal);
  };
  while (true) {
    int wait = -1;
    if (limit)
      wait = static_cast<int>(std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(*limit - Clock::now()).count()));
    if (::poll(fds.data(), fds.size(), wait) < 0) {
      if (errno != EINTR) break;
      continue;
    }
    if (limit && Clock::now() >= *limit && !killed) {
      end.timed_out = !end.interrupted;
      killed = true;
      limit.reset();
      kill_group(SIGKILL);
    }
    if (fds[2].revents != 0 && !end.interrupted) {
      end.interrupted = true;
      fds[2].fd = -1;
      limit = Clock::now() + kGrace;
      kill_group(SIGINT);
    }
    if ((fds[0].revents & (POLLIN | POLLHUP)) != 0) {
      std::array<char, 16384> buffer{};
      const ssize_t n = ::read(in.get(), buffer.data(), buffer.size());
      if (n > 0) on_output({buffer.data(), static_cast<std::size_t>(n)});
      if (n == 0) fds[0].fd = -1;
      if (n == 0 && !process) break;  // it was over, and reaped by a host's loop, before it could be watched
    } else if (fds[1].revents != 0) {
      break;  // it has ended, and what it wrote is read; what it left behind may hold the pipe open
    }
  }
  if (end.interrupted || end.timed_out) kill_group(SIGKILL);
  end.status = status_of(*pid);
  return end;
}

}  // namespace pons
