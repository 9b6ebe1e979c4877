#include "pool/process.h"

#include <elf.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <deque>

#include "tests/pool/process_fixture.h"

namespace pons {
namespace {

using ProcessStart = ProcessTest;
using ProcessFailure = ProcessTest;
using ProcessEnd = ProcessTest;

using Lines = std::vector<std::string>;

// ---- What a worker is given

TEST_F(ProcessStart, ItsArguments) {
  EXPECT_EQ(output_of(probe({"arguments", "one", "", "three words here"})), "one\n\nthree words here\n");
}

TEST_F(ProcessStart, ItsEnvironmentAndNothingElse) {
  auto spec = probe({"environment"});
  EXPECT_EQ(output_of(spec), "PONS_FD=3\nPONS_DUMP_FD=4\n");
  spec.env = {{"B", "2"}, {"A", "x=y"}, {"EMPTY", ""}};
  EXPECT_EQ(output_of(spec), "B=2\nA=x=y\nEMPTY=\nPONS_FD=3\nPONS_DUMP_FD=4\n");
}

TEST_F(ProcessStart, APonsFdOfTheUserDoesNotHideTheRealOne) {
  auto spec = probe({"environment"});
  spec.env = {{"PONS_FD", "17"}, {"PONS_DUMP_FD", "18"}};
  EXPECT_EQ(output_of(spec), "PONS_FD=3\nPONS_DUMP_FD=4\n");
  spec.channel = ChannelKind::stdio;
  auto& process = spawn(spec);
  EXPECT_EQ(read_all(process.channel_in.get()), "") << "there is neither";
}

TEST_F(ProcessStart, NoDescriptorOfOursButItsOwn) {
  const UniqueFd careless(::open("/dev/null", O_RDONLY));  // not closed on exec
  const UniqueFd high(::fcntl(careless.get(), F_DUPFD, 200));
  ASSERT_TRUE(careless && high);
  EXPECT_EQ(output_of(probe({"descriptors"})), "0\n1\n2\n3\n4\n");
}

TEST_F(ProcessStart, NoDescriptorOfOursOnStdioEither) {
  const UniqueFd careless(::open("/dev/null", O_RDONLY));
  auto spec = probe({"descriptors"});
  spec.channel = ChannelKind::stdio;
  auto& process = spawn(spec);
  EXPECT_EQ(read_all(process.channel_in.get()), "0\n1\n2\n");
}

TEST_F(ProcessStart, LowDescriptorsOfOursMayBeClosed) {
  const UniqueFd saved(::fcntl(0, F_DUPFD_CLOEXEC, 100));
  ::close(0);  // now a pipe of the next worker gets that number
  auto& process = spawn(probe({"channel"}));
  ASSERT_EQ(::write(process.channel_in.get(), "ping", 4), 4);
  ::shutdown(process.channel_in.get(), SHUT_WR);
  EXPECT_EQ(read_all(process.channel_in.get()), "ping");
  EXPECT_EQ(read_all(process.out.get()), "on stdout\n");
  finish(process);
  if (saved) ::dup2(saved.get(), 0);
}

TEST_F(ProcessStart, SignalsAsTheyAreByDefault) {
  const auto handler = [](int) {};
  const auto pipe_action = ::signal(SIGPIPE, SIG_IGN);
  const auto user_action = ::signal(SIGUSR2, handler);
  sigset_t blocked;
  sigset_t before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR1);
  ::sigaddset(&blocked, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &blocked, &before);
  EXPECT_EQ(output_of(probe({"signals"})), "");
  sigset_t after;
  ::sigprocmask(SIG_SETMASK, &before, &after);
  EXPECT_EQ(::sigismember(&after, SIGUSR1), 1) << "and ours stay as they were";
  EXPECT_EQ(::sigismember(&after, SIGINT), 0);
  ::signal(SIGPIPE, pipe_action);
  ::signal(SIGUSR2, user_action);
}

int handled_pipe[2] = {-1, -1};
bool signal_forked_child = false;

TEST_F(ProcessStart, ASignalBetweenForkAndExecNeverRunsAHandlerOfOurs) {
  // The handler of an event loop writes into a pipe that parent and child share: the host would take it for a signal of its own.
  ASSERT_EQ(::pipe2(handled_pipe, O_NONBLOCK | O_CLOEXEC), 0);
  const auto before = ::signal(SIGTERM, [](int) { [[maybe_unused]] const auto n = ::write(handled_pipe[1], "x", 1); });
  ASSERT_EQ(::pthread_atfork(nullptr, nullptr, [] { signal_forked_child&& ::raise(SIGTERM); }), 0);
  signal_forked_child = true;
  auto& process = spawn(probe({"wait"}));
  signal_forked_child = false;
  const auto status = finish(process);
  char byte = 0;
  EXPECT_EQ(::read(handled_pipe[0], &byte, 1), -1) << "our handler ran in the child";
  EXPECT_EQ(status.signal, SIGTERM) << "the signal was meant for the worker, and ended it";
  ::signal(SIGTERM, before);
  ::close(handled_pipe[0]);
  ::close(handled_pipe[1]);
}

TEST_F(ProcessStart, ItsWorkingDirectory) {
  auto spec = probe({"directory"});
  spec.working_dir = directory;
  EXPECT_EQ(output_of(spec), std::filesystem::canonical(directory).string() + "\n");
}

TEST_F(ProcessStart, LeaderOfItsOwnGroup) {
  auto& process = spawn(probe({"group"}));
  const auto pid = std::to_string(process.pid);
  EXPECT_EQ(read_all(process.out.get()), pid + " " + pid + "\n");
  EXPECT_NE(process.pid, ::getpgrp());
}

TEST_F(ProcessStart, DiesWithTheThreadThatStartedIt) { EXPECT_EQ(output_of(probe({"death_signal"})), std::to_string(SIGKILL) + "\n"); }

TEST_F(ProcessStart, ChannelOnADescriptor) {
  auto& process = spawn(probe({"channel"}));
  EXPECT_FALSE(process.channel_out) << "the socket serves both directions";
  ASSERT_EQ(::write(process.channel_in.get(), "ping", 4), 4);
  ::shutdown(process.channel_in.get(), SHUT_WR);
  EXPECT_EQ(read_all(process.channel_in.get()), "ping");
  EXPECT_EQ(read_all(process.out.get()), "on stdout\n");
  EXPECT_EQ(read_all(process.err.get()), "on stderr\n");
  EXPECT_EQ(finish(process).status, 0);
}

TEST_F(ProcessStart, ChannelOnStdio) {
  auto spec = probe({"channel"});
  spec.channel = ChannelKind::stdio;
  auto& process = spawn(spec);
  EXPECT_FALSE(process.out);
  ASSERT_EQ(::write(process.channel_out.get(), "ping", 4), 4);
  process.channel_out.reset();
  EXPECT_EQ(read_all(process.channel_in.get()), "ping");
  EXPECT_EQ(read_all(process.err.get()), "on stderr\n");
  EXPECT_EQ(finish(process).status, 0);
}

TEST_F(ProcessStart, APipeForHangReports) {
  auto& process = spawn(probe({"dump", "#0 main"}));
  EXPECT_EQ(finish(process).status, 0);
  EXPECT_EQ(read_all(process.dump.get()), "#0 main");
  auto& waiting = spawn(probe({"wait"}));
  char byte = 0;
  EXPECT_EQ(::read(waiting.dump.get(), &byte, 1), -1);
  EXPECT_EQ(errno, EAGAIN) << "it never makes the host wait";
  auto spec = probe({"exit", "0"});
  spec.channel = ChannelKind::stdio;
  EXPECT_FALSE(spawn(spec).dump);
}

TEST_F(ProcessStart, StdinIsEmpty) {
  SpawnSpec spec;
  spec.command = {"/bin/cat"};
  EXPECT_EQ(output_of(spec), "");
}

TEST_F(ProcessStart, OurOwnDescriptorsAreClosedOnExec) {
  const auto& process = spawn(probe({"wait"}));
  for (const int fd : {process.pidfd.get(), process.exec_status.get(), process.channel_in.get(), process.out.get(), process.err.get(),
                       process.dump.get()}) {
    EXPECT_EQ(::fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  }
}

TEST_F(ProcessStart, NothingIsLeftOpenHere) {
  const auto count = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); };
  const auto before = count();
  for (int i = 0; i < 20; ++i) {
    output_of(probe({"exit", "0"}));
    processes.clear();
    SpawnSpec missing;
    missing.command = {"no-such-program"};
    EXPECT_FALSE(PosixLauncher().spawn(missing));
  }
  EXPECT_EQ(count(), before);
}

TEST_F(ProcessStart, OutOfDescriptorsIsAnErrorThatSaysSo) {
  ASSERT_TRUE(PosixLauncher().spawn(probe({"exit", "0"})));  // UBSan opens a pipe when it first meets a type: while there are descriptors
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  std::vector<UniqueFd> used;
  do used.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  while (used.back().get() < 40);
  for (rlim_t extra = 0; extra < 6; ++extra) {
    const rlimit few{41 + extra, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    const auto spawned = PosixLauncher().spawn(probe({"exit", "0"}));
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_FALSE(spawned) << "with " << extra;
    EXPECT_EQ(spawned.error().code, ErrorCode::worker_start_failed);
    EXPECT_NE(spawned.error().message.find("Too many open files"), std::string::npos) << spawned.error().message;
  }
}

// ---- What cannot be started

TEST_F(ProcessFailure, NoneWhenExecSucceeds) { EXPECT_EQ(exec_failure(probe({"exit", "0"})), std::nullopt); }

TEST_F(ProcessFailure, ProgramsAreLookedUpOnTheWorkersOwnPath) {
  write_file("tool", "#!/bin/sh\necho found\n", 0755);
  write_file("plain", "#!/bin/sh\n", 0644);
  std::filesystem::create_directory(directory + "/folder");
  SpawnSpec spec;
  spec.command = {"tool"};
  EXPECT_FALSE(PosixLauncher().spawn(spec));
  spec.env = {{"PATH", "/nowhere:" + directory + ":/bin"}};
  EXPECT_EQ(output_of(spec), "found\n");
  for (const char* program : {"plain", "folder", "absent"}) {
    spec.command = {program};
    const auto spawned = PosixLauncher().spawn(spec);
    ASSERT_FALSE(spawned) << program;
    EXPECT_EQ(spawned.error().code, ErrorCode::worker_start_failed);
    EXPECT_NE(spawned.error().message.find(directory), std::string::npos) << "it names the PATH: " << spawned.error().message;
  }
}

TEST_F(ProcessFailure, EmptyCommand) {
  EXPECT_FALSE(PosixLauncher().spawn(SpawnSpec{}));
  SpawnSpec spec;
  spec.command = {""};
  EXPECT_FALSE(PosixLauncher().spawn(spec));
}

TEST_F(ProcessFailure, SaysWhatIsWrongWithTheFile) {
  Elf64_Ehdr foreign{};
  std::memcpy(foreign.e_ident, ELFMAG, SELFMAG);
  foreign.e_ident[EI_CLASS] = ELFCLASS64;
  foreign.e_ident[EI_DATA] = ELFDATA2LSB;
  foreign.e_ident[EI_VERSION] = EV_CURRENT;
  foreign.e_type = ET_EXEC;
#ifdef __x86_64__
  foreign.e_machine = EM_AARCH64;
#else
  foreign.e_machine = EM_X86_64;
#endif
  foreign.e_version = EV_CURRENT;
  foreign.e_ehsize = sizeof foreign;
  const std::string elf(reinterpret_cast<const char*>(&foreign), sizeof foreign);
  const auto interpreter = write_file("interpreter", "#!/bin/sh\n", 0644);
  std::filesystem::create_directory(directory + "/folder");

  const std::vector<std::pair<std::string, std::string>> cases{
      {directory + "/missing", "No such file"},
      {directory + "/missing/deeper", "No such file"},
      {directory + "/folder", "is a directory"},
      {write_file("plain", "#!/bin/sh\n", 0644), "not executable"},
      {write_file("orphan", "#!/no/such/interpreter -x\n", 0755), "its interpreter /no/such/interpreter does not exist"},
      {write_file("dos", "#!/bin/sh\r\n", 0755), "carriage return"},
      {write_file("locked", "#!" + interpreter + "\n", 0755), "its interpreter " + interpreter + " is not executable"},
      {write_file("text", "echo hello\n", 0755), "is no program"},
      {write_file("empty", "", 0755), "is no program"},
      {write_file("foreign", elf, 0755), "another architecture"},
  };
  for (const auto& [file, words] : cases) {
    SpawnSpec spec;
    spec.command = {file};
    const auto why = exec_failure(spec);
    ASSERT_TRUE(why) << file << " was started";
    EXPECT_NE(why->find(words), std::string::npos) << *why;
    EXPECT_NE(why->find(file), std::string::npos) << *why;
  }
}

TEST_F(ProcessFailure, AWorkingDirectoryThatIsNotThere) {
  auto spec = probe({"exit", "0"});
  spec.working_dir = directory + "/missing";
  EXPECT_EQ(exec_failure(spec), "working_dir " + directory + "/missing: No such file or directory");
  spec.working_dir = write_file("file", "", 0644);
  EXPECT_EQ(exec_failure(spec), "working_dir " + directory + "/file: Not a directory");
}

// ---- How it ends

TEST_F(ProcessEnd, ExitStatus) {
  auto& process = spawn(probe({"exit", "3"}));
  const auto status = finish(process);
  EXPECT_EQ(status.status, 3);
  EXPECT_EQ(status.signal, 0);
  EXPECT_EQ(status.words(), "exited with status 3");
}

TEST_F(ProcessEnd, BySignal) {
  const std::vector<std::pair<int, std::string>> cases{
      {SIGKILL, "was killed by SIGKILL (by somebody else, or killed by the kernel, perhaps out of memory)"},
      {SIGTERM, "was killed by SIGTERM"},
      {SIGSEGV, "was killed by SIGSEGV"},
      {SIGRTMIN + 2, "was killed by signal " + std::to_string(SIGRTMIN + 2)},
  };
  for (const auto& [signal, words] : cases) {
    auto& process = spawn(probe({"signal", std::to_string(signal)}));
    const auto status = finish(process);
    EXPECT_EQ(status.signal, signal);
    EXPECT_EQ(status.status, -1);
    EXPECT_EQ(status.words(), words);
  }
}

TEST_F(ProcessEnd, WordsForWhatTheHostDidItself) {
  EXPECT_EQ((ExitStatus{.signal = SIGKILL, .ours = true}).words(), "was killed by SIGKILL by the host");
  EXPECT_EQ((ExitStatus{.signal = SIGABRT, .core = true}).words(), "was killed by SIGABRT (core dumped)");
  EXPECT_EQ((ExitStatus{.signal = SIGKILL, .over_memory = true}).words(),
            "was killed by SIGKILL (killed by the kernel, out of memory: limits.memory)");
}

TEST_F(ProcessEnd, IsSeenWithoutReaping) {
  auto& process = spawn(probe({"wait"}));
  EXPECT_FALSE(has_ended(process.pidfd.get()));
  send_signal(process.pidfd.get(), SIGTERM);
  ASSERT_TRUE(wait_for(process.pidfd.get()));
  EXPECT_TRUE(has_ended(process.pidfd.get()));
  EXPECT_TRUE(has_ended(process.pidfd.get()));
  EXPECT_EQ(reap(process.pidfd.get()).signal, SIGTERM);
  EXPECT_TRUE(has_ended(process.pidfd.get()));
}

TEST_F(ProcessEnd, SignalsToTheReapedGoNowhere) {
  auto& process = spawn(probe({"wait_with_child"}));
  const auto child = static_cast<pid_t>(std::stol(read_line(process.out.get())));
  const auto child_fd = pidfd_of(child);
  send_signal(process.pidfd.get(), SIGKILL);
  ASSERT_TRUE(wait_for(process.pidfd.get()));
  reap(process.pidfd.get());
  signal_group(process.pidfd.get(), process.pid, SIGKILL);
  send_signal(process.pidfd.get(), SIGKILL);
  EXPECT_FALSE(ended(child_fd.get())) << "the group's number was not safe to use any more";
  ::syscall(SYS_pidfd_send_signal, child_fd.get(), SIGKILL, nullptr, 0);
  EXPECT_TRUE(wait_for(child_fd.get()));
}

TEST_F(ProcessEnd, TheGroupTakesWhatItStarted) {
  auto& process = spawn(probe({"wait_with_child"}));
  const auto child_fd = pidfd_of(static_cast<pid_t>(std::stol(read_line(process.out.get()))));
  ASSERT_TRUE(child_fd);
  signal_group(process.pidfd.get(), process.pid, SIGKILL);
  EXPECT_TRUE(wait_for(child_fd.get()));
  EXPECT_EQ(finish(process).signal, SIGKILL);
}

TEST_F(ProcessEnd, ALeaderThatHasLeftItsGroupIsReachedToo) {
  for (const int signal : {SIGTERM, SIGKILL}) {
    auto& process = spawn(probe({"wait_in_group_of_parent"}));
    EXPECT_EQ(read_line(process.out.get()), std::to_string(process.pid));
    EXPECT_NE(::getpgid(process.pid), process.pid);
    signal_group(process.pidfd.get(), process.pid, signal);
    EXPECT_EQ(finish(process).signal, signal);
  }
}

TEST_F(ProcessEnd, TheGroupIsStillThereWhenItsLeaderHasEndedButIsNotReaped) {
  auto& process = spawn(probe({"wait_with_child"}));
  const auto child_fd = pidfd_of(static_cast<pid_t>(std::stol(read_line(process.out.get()))));
  send_signal(process.pidfd.get(), SIGTERM);
  ASSERT_TRUE(wait_for(process.pidfd.get()));
  EXPECT_FALSE(ended(child_fd.get()));
  signal_group(process.pidfd.get(), process.pid, SIGKILL);
  EXPECT_TRUE(wait_for(child_fd.get()));
  EXPECT_EQ(finish(process).signal, SIGTERM);
}

TEST_F(ProcessEnd, OrphansGivenToUsAreReapedAndOursAreNot) {
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  auto& process = spawn(probe({"wait_with_child"}));
  const auto orphan = static_cast<pid_t>(std::stol(read_line(process.out.get())));
  const auto orphan_fd = pidfd_of(orphan);
  signal_group(process.pidfd.get(), process.pid, SIGKILL);
  ASSERT_TRUE(wait_for(process.pidfd.get()) && wait_for(orphan_fd.get()));
  const auto worker = process.pid;
  tend_orphans([worker](pid_t pid) { return pid == worker; }, [](std::string_view) { return false; });
  EXPECT_EQ(::waitpid(orphan, nullptr, WNOHANG), -1) << "it was still there";
  EXPECT_EQ(finish(process).signal, SIGKILL) << "our own is left to its pool";
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST_F(ProcessEnd, OfTheHostTakesTheWorkerWithIt) {
  int pipe_fds[2];
  ASSERT_EQ(::pipe2(pipe_fds, O_CLOEXEC), 0);
  UniqueFd pids(pipe_fds[0]);
  const pid_t host = ::fork();
  if (host == 0) {
    const auto spawned = PosixLauncher().spawn(probe({"wait"}));
    const pid_t worker = spawned ? spawned->pid : 0;
    if (worker != 0) read_line(spawned->out.get());  // it runs
    [[maybe_unused]] const auto n = ::write(pipe_fds[1], &worker, sizeof worker);
    for (;;) ::pause();
  }
  ::close(pipe_fds[1]);
  pid_t worker = 0;
  ASSERT_TRUE(wait_for(pids.get()));
  ASSERT_EQ(::read(pids.get(), &worker, sizeof worker), static_cast<ssize_t>(sizeof worker));
  ASSERT_GT(worker, 0);
  const auto worker_fd = pidfd_of(worker);
  EXPECT_FALSE(ended(worker_fd.get()));
  ::kill(host, SIGKILL);
  ASSERT_EQ(::waitpid(host, nullptr, 0), host);
  EXPECT_TRUE(wait_for(worker_fd.get()));
}

}  // namespace
}  // namespace pons
