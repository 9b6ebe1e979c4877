// Started by the tests of processes: shows what a worker is given, or ends as it is told.
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

namespace {

void print_descriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir("/proc/self/fd"), ::closedir);
  while (const auto* entry = ::readdir(dir.get())) {
    if (entry->d_name[0] == '.' || std::atoi(entry->d_name) == ::dirfd(dir.get())) continue;
    std::printf("%s\n", entry->d_name);
  }
}

void print_signals() {
  sigset_t blocked;
  ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
  for (int signal = 1; signal < NSIG; ++signal) {
    if (::sigismember(&blocked, signal) == 1) std::printf("blocked %d\n", signal);
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_DFL) std::printf("not default %d\n", signal);
  }
}

void print_limit(const char* name, rlimit limit) {
  const auto text = [](rlim_t value) { return value == RLIM_INFINITY ? std::string("unlimited") : std::to_string(value); };
  std::printf("%s %s %s\n", name, text(limit.rlim_cur).c_str(), text(limit.rlim_max).c_str());
}

void print_limits() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  print_limit("files", limit);
  ::getrlimit(RLIMIT_CORE, &limit);
  print_limit("core", limit);
  std::printf("nice %d\ncpus", ::getpriority(PRIO_PROCESS, 0));
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  ::sched_getaffinity(0, sizeof cpus, &cpus);
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &cpus)) std::printf(" %zu", cpu);
  }
  std::printf("\n");
}

/// Shows that it runs, and waits to be killed.
void wait_here() {
  std::printf("%d\n", ::getpid());
  std::fflush(stdout);
  ::pause();
}

/// A child that nothing tells whose it is.
void wait_with_nameless_child(const char* program, const std::string& session) {
  if (::fork() == 0) {
    if (session == "session") ::setsid();
    const char* const arguments[] = {program, "wait", nullptr};
    char* const environment[] = {nullptr};
    ::execve("/proc/self/exe", const_cast<char* const*>(arguments), environment);
    std::abort();
  }
  ::pause();
}

/// Writes lines as fast as they are taken: so many MiB, or for ever.
void flood(long mebibytes, char end_of_line) {
  std::string block;
  while (block.size() < (1u << 16))
    block += "a line of sixty-four bytes, as they come from a busy program...." + std::string(1, end_of_line);
  block.resize(1u << 16);
  block.back() = end_of_line;
  for (long i = 0; mebibytes == 0 || i < mebibytes * 16; ++i) {
    if (::write(1, block.data(), block.size()) != static_cast<ssize_t>(block.size())) std::abort();
  }
}

void copy(int from, int to) {
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(from, buffer, sizeof buffer)) > 0;) {
    if (::write(to, buffer, static_cast<std::size_t>(n)) != n) std::abort();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const std::string argument = argc > 2 ? argv[2] : "";
  if (what == "exit") return std::atoi(argument.c_str());
  if (what == "signal") {
    ::prctl(PR_SET_DUMPABLE, 0);  // no core file of a death on purpose
    return ::raise(std::atoi(argument.c_str()));
  }
  if (what == "descriptors") print_descriptors();
  if (what == "signals") print_signals();
  if (what == "arguments") {
    for (int i = 2; i < argc; ++i) std::printf("%s\n", argv[i]);
  }
  if (what == "environment") {
    for (char** entry = environ; *entry != nullptr; ++entry) std::printf("%s\n", *entry);
  }
  if (what == "directory") {
    const std::unique_ptr<char, void (*)(void*)> path(::getcwd(nullptr, 0), std::free);
    std::printf("%s\n", path.get());
  }
  if (what == "group") std::printf("%d %d\n", ::getpid(), ::getpgrp());
  if (what == "death_signal") {
    int signal = 0;
    ::prctl(PR_GET_PDEATHSIG, &signal);
    std::printf("%d\n", signal);
  }
  if (what == "channel") {  // echoes the channel; one line each on stdout and stderr
    const char* const fd = std::getenv("PONS_FD");
    if (fd != nullptr) std::printf("on stdout\n");
    std::fflush(stdout);
    std::fprintf(stderr, "on stderr\n");
    fd != nullptr ? copy(std::atoi(fd), std::atoi(fd)) : copy(0, 1);
  }
  if (what == "limits") print_limits();
  if (what == "dump") {
    const int fd = std::atoi(std::getenv("PONS_DUMP_FD"));
    if (::write(fd, argument.data(), argument.size()) != static_cast<ssize_t>(argument.size())) return 1;
  }
  if (what == "memory") {  // so many MiB of its own
    const auto size = static_cast<std::size_t>(std::atoi(argument.c_str())) << 20;
    const std::unique_ptr<volatile char[]> memory(new char[size]);
    for (std::size_t i = 0; i < size; i += 1024) memory[i] = 'x';
    wait_here();
  }
  if (what == "flood") flood(std::atol(argument.c_str()), '\n');
  if (what == "flood_one_line") flood(std::atol(argument.c_str()), 'x');
  if (what == "wait") wait_here();
  if (what == "wait_in_group_of_parent") {
    if (::setpgid(0, ::getpgid(::getppid())) != 0) return 1;
    wait_here();
  }
  if (what == "wait_with_nameless_child") wait_with_nameless_child(argv[0], argument);
  if (what == "wait_with_child") {  // "session": the child leaves group and session
    const auto child = ::fork();
    if (child == 0 && argument == "session") ::setsid();
    if (child == 0) std::printf("%d\n", ::getpid());  // after that
    std::fflush(stdout);
    ::pause();
  }
  return 0;
}
