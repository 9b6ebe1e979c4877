#include "tests/cli/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <fstream>

namespace pons::test {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{60};

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

UniqueFd file_with(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (auto& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

/// False at end of file.
bool read_some(int fd, std::string& into) {
  std::array<char, 65536> buffer{};
  const ssize_t n = ::read(fd, buffer.data(), buffer.size());
  if (n > 0) into.append(buffer.data(), static_cast<std::size_t>(n));
  return n > 0 || (n < 0 && errno == EINTR);
}

}  // namespace

Sandbox::Sandbox() {
  std::string name = (std::filesystem::temp_directory_path() / "pons-cli-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  folder_ = name;
  std::filesystem::create_directory(folder_ / "run");
}

Sandbox::~Sandbox() {
  for (auto& [pid, child] : children_) {
    ::syscall(SYS_pidfd_send_signal, child.pidfd.get(), SIGTERM, nullptr, 0);
    pump(child, nullptr);
    if (::waitpid(pid, nullptr, WNOHANG) == 0) {
      ADD_FAILURE() << "process " << pid << " does not end on SIGTERM";
      ::syscall(SYS_pidfd_send_signal, child.pidfd.get(), SIGKILL, nullptr, 0);
      ::waitpid(pid, nullptr, 0);
    }
  }
  std::filesystem::remove_all(folder_);
}

pid_t Sandbox::begin(const Start& start) {
  std::vector<std::string> words{PONS_PROGRAM};
  words.insert(words.end(), start.arguments.begin(), start.arguments.end());
  auto env = start.env;  // what is there already is not replaced
  env.insert({{"XDG_RUNTIME_DIR", (folder_ / "run").string()},
              {"XDG_STATE_HOME", (folder_ / "state").string()},
              {"TMPDIR", folder_.string()},
              {"PATH", std::getenv("PATH")}});
  std::vector<std::string> variables;
  for (const auto& [name, value] : env) variables.push_back(name + "=" + value);
  auto argv = pointers(words);
  auto envp = pointers(variables);

  Child child;
  auto in = file_with(folder_ / "stdin", start.in);
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  if (start.terminal) {
    int leader = -1;
    int follower = -1;
    if (::openpty(&leader, &follower, nullptr, nullptr, nullptr) != 0) throw std::runtime_error("openpty");
    out = {UniqueFd(leader), UniqueFd(follower)};
    ::fcntl(leader, F_SETFD, FD_CLOEXEC);
    err.write.reset(::dup(follower));
  } else if (!start.out_path.empty()) {
    out.write.reset(::open(start.out_path.c_str(), O_WRONLY | O_CLOEXEC));
  }
  const auto folder = folder_.string();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(in.get(), 0);
    ::dup2(out.write.get(), 1);
    ::dup2(err.write.get(), 2);
    if (start.close_out) ::close(1);
    if (::chdir(folder.c_str()) == 0) ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  child.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  child.out = std::move(out.read);
  child.err = std::move(err.read);
  children_.emplace(pid, std::move(child));
  return pid;
}

// Reads what the child writes until `until` is in its stdout, or it has ended.
void Sandbox::pump(Child& child, const std::string* until) {
  const auto deadline = Clock::now() + kPatience;
  std::array<pollfd, 3> fds{{{child.out.get(), POLLIN, 0}, {child.err.get(), POLLIN, 0}, {child.pidfd.get(), POLLIN, 0}}};
  while (until == nullptr || child.ended.out.find(*until) == std::string::npos) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0 || ::poll(fds.data(), fds.size(), static_cast<int>(left.count())) == 0) {
      ADD_FAILURE() << "it takes too long; stdout: " << child.ended.out << " stderr: " << child.ended.err;
      ::syscall(SYS_pidfd_send_signal, child.pidfd.get(), SIGKILL, nullptr, 0);
      return;
    }
    if ((fds[0].revents & ~POLLNVAL) != 0 && !read_some(child.out.get(), child.ended.out)) fds[0].fd = -1;
    if ((fds[1].revents & ~POLLNVAL) != 0 && !read_some(child.err.get(), child.ended.err)) fds[1].fd = -1;
    const bool read_all = (fds[0].revents | fds[1].revents) == 0;
    if (fds[2].revents != 0 && read_all) return;
  }
}

void Sandbox::wait_for_output(pid_t pid, const std::string& text) { pump(children_.at(pid), &text); }
void Sandbox::close_output(pid_t pid) { children_.at(pid).out.reset(); }

Ended Sandbox::end(pid_t pid) {
  auto& child = children_.at(pid);
  pump(child, nullptr);
  int status = 0;
  ::waitpid(pid, &status, 0);
  auto ended = std::move(child.ended);
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  children_.erase(pid);
  return ended;
}

Ended Sandbox::run(const Start& start) { return end(begin(start)); }

pid_t Sandbox::serve(std::vector<std::string> arguments, const std::map<std::string, std::string>& env) {
  arguments.insert(arguments.begin(), "serve");
  const pid_t pid = begin({.arguments = arguments, .env = env});
  std::vector<std::string> ping{"ping", "--wait", "30s"};
  for (std::size_t i = 1; i + 1 < arguments.size(); ++i) {
    if (arguments[i] == "--socket" || arguments[i] == "--name" || arguments[i] == "-c")
      ping.insert(ping.end(), {arguments[i], arguments[i + 1]});
  }
  const auto answer = run({.arguments = ping, .env = env});
  EXPECT_EQ(answer.status, 0) << answer.err;
  return pid;
}

std::string Sandbox::write_file(const std::string& name, const std::string& text) const {
  std::ofstream(folder_ / name, std::ios::binary) << text;
  return (folder_ / name).string();
}

std::vector<pid_t> Sandbox::left_behind() const {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto pid = static_cast<pid_t>(std::strtol(entry.path().filename().c_str(), nullptr, 10));
    if (pid <= 0) continue;
    std::ifstream file(entry.path() / "environ", std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    if (text.find(folder_.string()) != std::string::npos) found.push_back(pid);
  }
  return found;
}

}  // namespace pons::test
