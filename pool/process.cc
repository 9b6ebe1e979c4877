#include "pool/process.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "pool/fork.h"

namespace pons {

namespace {

constexpr int kChannelFd = 3;     // where the child finds its end
constexpr int kDumpFd = 4;        // where it writes a hang report
constexpr int kTableSize = 5;     // descriptors that the child may have
constexpr int kFirstFreeFd = 10;  // our copies lie above all that the child uses

enum Step : int { kStepDirectory = 1, kStepDescriptors, kStepExec, kStepCgroup, kStepLimit };  // kStepLimit + the key of the limit

/// Everything the child needs, as plain pointers into memory that was prepared before fork.
struct ChildPlan {
  const char* program;
  char* const* argv;
  char* const* envp;
  const char* working_dir;  // nullptr: as it is
  int fds[kTableSize];      // what becomes 0, 1, 2, ...; -1: none
  int status_fd;
  int cgroup;  // -1: none
  pid_t parent;
  LimitPlan limits;
};

[[noreturn]] void fail_in_child(const ChildPlan& plan, int step) {
  const SpawnFailure failure{step, errno};
  [[maybe_unused]] const auto n = ::write(plan.status_fd, &failure, sizeof failure);
  ::_exit(127);
}

/// After fork: async-signal-safe calls only.
[[noreturn]] void run_child(const ChildPlan& plan) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) ::_exit(127);  // the host died before the line above
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // Before dup2 may close it.
  if (plan.cgroup >= 0 && ::write(plan.cgroup, "0", 1) != 1) fail_in_child(plan, kStepCgroup);
  for (int i = 0; i < kTableSize; ++i) {
    if (plan.fds[i] >= 0 && ::dup2(plan.fds[i], i) < 0) fail_in_child(plan, kStepDescriptors);
  }
  // Whatever else the host inherited or opened carelessly is not the worker's.
  ::syscall(SYS_close_range, static_cast<unsigned>(plan.fds[kChannelFd] >= 0 ? kTableSize : kChannelFd), ~0u, CLOSE_RANGE_CLOEXEC);
  if (plan.working_dir != nullptr && ::chdir(plan.working_dir) != 0) fail_in_child(plan, kStepDirectory);
  if (const auto key = plan.limits.apply(); key != LimitPlan::Key::none) fail_in_child(plan, kStepLimit + static_cast<int>(key));
  ::execve(plan.program, plan.argv, plan.envp);
  fail_in_child(plan, kStepExec);
}

Error start_failed(const std::string& what) { return Error{ErrorCode::worker_start_failed, what}; }
Error os_failed(const char* call) { return start_failed(std::string("cannot start a process: ") + call + ": " + std::strerror(errno)); }

/// A copy above the numbers that the child uses, closed on exec.
UniqueFd raise(UniqueFd fd) {
  if (!fd || fd.get() >= kFirstFreeFd) return fd;
  return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kFirstFreeFd));
}

struct Ends {
  UniqueFd ours;
  UniqueFd theirs;
};

Result<Ends> make_pipe(bool we_read) {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return os_failed("pipe2");
  UniqueFd read_end = raise(UniqueFd(fds[0]));
  UniqueFd write_end = raise(UniqueFd(fds[1]));
  if (!read_end || !write_end) return os_failed("fcntl");
  return we_read ? Ends{std::move(read_end), std::move(write_end)} : Ends{std::move(write_end), std::move(read_end)};
}

Result<Ends> make_socket_pair() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) return os_failed("socketpair");
  Ends ends{raise(UniqueFd(fds[0])), raise(UniqueFd(fds[1]))};
  if (!ends.ours || !ends.theirs) return os_failed("fcntl");
  return ends;
}

const std::string* find_env(const SpawnSpec& spec, std::string_view name) {
  for (const auto& [key, value] : spec.env) {
    if (key == name) return &value;
  }
  return nullptr;
}

}  // namespace

std::optional<std::string> find_on_path(std::string_view program, std::string_view path) {
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find(':', begin), path.size());
    auto candidate = std::string(path.substr(begin, end - begin)).append("/").append(program);
    struct stat info {};
    if (::stat(candidate.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    begin = end + 1;
  }
  return std::nullopt;
}

namespace {

/// The program's file: as it is if it holds a slash, else looked up on the worker's own PATH.
Result<std::string> resolve_program(const SpawnSpec& spec) {
  if (spec.command.empty() || spec.command[0].empty()) return start_failed("the command is empty");
  const auto& program = spec.command[0];
  if (program.find('/') != std::string::npos) return program;
  const std::string* path = find_env(spec, "PATH");
  const std::string search = path != nullptr ? *path : "/usr/local/bin:/usr/bin:/bin";
  if (auto found = find_on_path(program, search)) return std::move(*found);
  return start_failed(program + ": no such program on the worker's PATH (" + search + ")");
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> list;
  list.reserve(strings.size() + 1);
  for (auto& text : strings) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

std::string first_line_interpreter(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string line;
  std::getline(in, line);
  if (line.rfind("#!", 0) != 0) return {};
  const auto begin = line.find_first_not_of(" \t", 2);
  if (begin == std::string::npos) return {};
  return line.substr(begin, line.find_first_of(" \t", begin) - begin);
}

/// What is wrong with the interpreter in the first line of a script.
std::string explain_interpreter(const std::string& file, const std::string& interpreter) {
  if (interpreter.ends_with('\r')) return file + ": its first line ends with a carriage return, as written on Windows";
  const bool there = ::access(interpreter.c_str(), F_OK) == 0;
  return file + ": its interpreter " + interpreter + (there ? " is not executable" : " does not exist");
}

bool foreign_elf(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::array<char, sizeof(Elf64_Ehdr)> bytes{};
  in.read(bytes.data(), bytes.size());
  return in.gcount() > EI_NIDENT && std::memcmp(bytes.data(), ELFMAG, SELFMAG) == 0;
}

}  // namespace

Result<Spawned> PosixLauncher::spawn(const SpawnSpec& spec) {
  auto program = resolve_program(spec);
  if (!program) return program.error();
  auto limits = LimitPlan::prepare(spec.limits);
  if (!limits) return limits.error();

  Spawned spawned;
  auto status = make_pipe(true);
  auto err = make_pipe(true);
  if (!status) return status.error();
  if (!err) return err.error();
  UniqueFd null = raise(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  if (!null) return os_failed("open /dev/null");

  ChildPlan plan{};
  std::fill(std::begin(plan.fds), std::end(plan.fds), -1);
  std::vector<UniqueFd> theirs;  // the child's ends: closed here when this function ends
  const bool stdio = spec.channel == ChannelKind::stdio;
  if (stdio) {
    auto to = make_pipe(false);
    auto from = make_pipe(true);
    if (!to) return to.error();
    if (!from) return from.error();
    spawned.channel_in = std::move(from->ours);
    spawned.channel_out = std::move(to->ours);
    plan.fds[0] = to->theirs.get();
    plan.fds[1] = from->theirs.get();
    theirs.push_back(std::move(to->theirs));
    theirs.push_back(std::move(from->theirs));
  } else {
    auto pair = make_socket_pair();
    auto out = make_pipe(true);
    auto dump = make_pipe(true);
    if (!pair) return pair.error();
    if (!out) return out.error();
    if (!dump) return dump.error();
    spawned.channel_in = std::move(pair->ours);
    spawned.out = std::move(out->ours);
    spawned.dump = std::move(dump->ours);
    if (::fcntl(spawned.dump.get(), F_SETFL, O_NONBLOCK) != 0) return os_failed("fcntl");
    plan.fds[0] = null.get();
    plan.fds[1] = out->theirs.get();
    plan.fds[kChannelFd] = pair->theirs.get();
    plan.fds[kDumpFd] = dump->theirs.get();
    theirs.push_back(std::move(pair->theirs));
    theirs.push_back(std::move(out->theirs));
    theirs.push_back(std::move(dump->theirs));
  }
  plan.fds[2] = err->theirs.get();

  auto arguments = spec.command;
  std::vector<std::string> environment;
  for (const auto& [name, value] : spec.env) {
    if (name != "PONS_FD" && name != "PONS_DUMP_FD") environment.emplace_back(name).append("=").append(value);  // ours alone
  }
  if (!stdio) {
    environment.push_back("PONS_FD=" + std::to_string(kChannelFd));
    environment.push_back("PONS_DUMP_FD=" + std::to_string(kDumpFd));
  }
  const auto argv = pointers(arguments);
  const auto envp = pointers(environment);
  plan.program = program->c_str();
  plan.argv = argv.data();
  plan.envp = envp.data();
  plan.working_dir = spec.working_dir.empty() ? nullptr : spec.working_dir.c_str();
  plan.status_fd = status->theirs.get();
  plan.parent = ::getpid();
  plan.limits = *limits;
  plan.cgroup = spec.cgroup;

  const pid_t pid = fork_with_signals_blocked();
  if (pid < 0) return os_failed("fork");
  if (pid == 0) run_child(plan);
  if (groups_ != nullptr) spawned.group = groups_->add(pid);
  ::setpgid(pid, pid);  // also here, so that the group exists before anybody signals it
  spawned.pid = pid;
  spawned.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!spawned.pidfd) {
    const auto error = os_failed("pidfd_open");
    ::kill(pid, SIGKILL);  // not yet reaped: it is still ours
    spawned.group.reset();
    ::waitpid(pid, nullptr, 0);
    return error;
  }
  spawned.exec_status = std::move(status->ours);
  spawned.err = std::move(err->ours);
  return spawned;
}

std::string explain_exec_failure(const SpawnSpec& spec, const SpawnFailure& failure) {
  const std::string why = std::strerror(failure.error);
  if (failure.step == kStepDirectory) return "working_dir " + spec.working_dir + ": " + why;
  if (failure.step == kStepDescriptors) return "cannot arrange the descriptors of the worker: " + why;
  if (failure.step == kStepCgroup) return "the worker cannot enter its cgroup: " + why;
  if (failure.step > kStepLimit)
    return explain_limit_failure(spec.limits, static_cast<LimitPlan::Key>(failure.step - kStepLimit), failure.error);
  const auto program = resolve_program(spec);
  if (!program) return program.error().message;
  const auto& file = *program;
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return file + ": " + std::strerror(errno);
  if (S_ISDIR(info.st_mode)) return file + " is a directory";
  const auto interpreter = first_line_interpreter(file);
  const bool executable = ::access(file.c_str(), X_OK) == 0;
  if (!interpreter.empty() && executable && (failure.error == ENOENT || failure.error == EACCES)) {
    return explain_interpreter(file, interpreter);
  }
  if (failure.error == EACCES) return file + " is not executable (chmod +x, or name its interpreter in `command`)";
  if (failure.error == ENOENT && foreign_elf(file)) return file + ": its dynamic loader does not exist on this machine";
  if (failure.error == ENOEXEC) {
    return foreign_elf(file) ? file + " was built for another architecture"
                             : file + " is no program (a script needs a first line like #!/bin/sh)";
  }
  return file + ": " + why;
}

std::string ExitStatus::words() const {
  if (signal == 0) return "exited with status " + std::to_string(status);
  const char* name = ::sigabbrev_np(signal);
  std::string text = "was killed by ";
  text += name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
  if (ours) text += " by the host";
  if (signal == SIGKILL && !ours) {
    text += over_memory ? " (killed by the kernel, out of memory: limits.memory)"
                        : " (by somebody else, or killed by the kernel, perhaps out of memory)";
  }
  if (core) text += " (core dumped)";
  return text;
}

void send_signal(int pidfd, int signal) { ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0); }

void signal_group(int pidfd, pid_t group, int signal) {
  siginfo_t info{};
  // Not reaped yet (WNOWAIT finds it, or it runs): the number of the group is still its own.
  if (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG | WNOWAIT) != 0) return;
  ::kill(-group, signal);
  // The leader may have left for another group. Only what cannot be handled may reach one twice that leaves just now.
  if (signal == SIGKILL || ::getpgid(group) != group) send_signal(pidfd, signal);
}

bool has_ended(int pidfd) {
  pollfd ended{pidfd, POLLIN, 0};
  return ::poll(&ended, 1, 0) > 0;
}

void tend_orphans(const std::function<bool(pid_t)>& ours, const std::function<bool(std::string_view environment)>& lost) {
  std::error_code ec;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", ec)) {
    std::ifstream children(thread.path() / "children");
    for (pid_t pid = 0; children >> pid;) {
      if (ours(pid) || ::waitpid(pid, nullptr, WNOHANG) != 0) continue;
      std::ifstream file("/proc/" + std::to_string(pid) + "/environ");
      const std::string environment{std::istreambuf_iterator<char>(file), {}};
      if (lost(environment)) ::kill(pid, SIGKILL);
    }
  }
}

ExitStatus reap(int pidfd) {
  siginfo_t info{};
  ExitStatus exit;
  if (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) return exit;
  if (info.si_code == CLD_EXITED) {
    exit.status = info.si_status;
  } else {
    exit.signal = info.si_status;
    exit.core = info.si_code == CLD_DUMPED;
  }
  return exit;
}

}  // namespace pons
