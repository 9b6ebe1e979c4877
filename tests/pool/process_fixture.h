// Real processes for tests: every wait has a deadline, and what a test leaves behind is killed.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "pool/process.h"

namespace pons {

class ProcessTest : public testing::Test {
 protected:
  static constexpr int kDeadline = 10'000;  // ms

  void SetUp() override {
    std::string pattern = testing::TempDir() + "pons-process-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory = pattern;
  }
  void TearDown() override {
    for (auto& process : processes) {
      if (!process.pidfd) continue;
      signal_group(process.pidfd.get(), process.pid, SIGKILL);
      if (wait_for(process.pidfd.get())) reap(process.pidfd.get());
    }
    std::filesystem::remove_all(directory);
  }

  static bool wait_for(int fd, int timeout = kDeadline) {
    pollfd poll_fd{fd, POLLIN, 0};
    return ::poll(&poll_fd, 1, timeout) == 1;
  }
  static bool ended(int pidfd) { return wait_for(pidfd, 0); }
  static UniqueFd pidfd_of(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

  /// Up to its end of file.
  static std::string read_all(int fd) {
    std::string text;
    char buffer[4096];
    while (wait_for(fd)) {
      const auto n = ::read(fd, buffer, sizeof buffer);
      if (n <= 0) return text;
      text.append(buffer, static_cast<std::size_t>(n));
    }
    ADD_FAILURE() << "no end of file in time";
    return text;
  }
  static std::string read_line(int fd) {
    std::string text;
    for (char c = 0; wait_for(fd) && ::read(fd, &c, 1) == 1 && c != '\n';) text += c;
    return text;
  }
  static std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t begin = 0; begin < text.size();) {
      const auto end = std::min(text.find('\n', begin), text.size());
      lines.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
    return lines;
  }

  static SpawnSpec probe(std::vector<std::string> arguments) {
    SpawnSpec spec;
    spec.command = {PONS_POOL_PROBE};
    spec.command.insert(spec.command.end(), arguments.begin(), arguments.end());
    return spec;
  }
  Spawned& spawn(const SpawnSpec& spec) {
    auto spawned = PosixLauncher().spawn(spec);
    if (!spawned) {
      ADD_FAILURE() << spawned.error().message;
      return processes.emplace_back();
    }
    return processes.emplace_back(std::move(*spawned));
  }
  ExitStatus finish(Spawned& process) {
    EXPECT_TRUE(wait_for(process.pidfd.get())) << "it does not end";
    const auto status = reap(process.pidfd.get());
    process.pidfd.reset();
    return status;
  }
  /// What it printed on stdout.
  std::string output_of(const SpawnSpec& spec) {
    auto& process = spawn(spec);
    const auto text = read_all(process.out.get());
    EXPECT_EQ(finish(process).status, 0);
    return text;
  }
  /// Why exec failed; nothing if it did not.
  std::optional<std::string> exec_failure(const SpawnSpec& spec) {
    auto& process = spawn(spec);
    const auto bytes = read_all(process.exec_status.get());
    finish(process);
    SpawnFailure failure;
    if (bytes.size() != sizeof failure) return std::nullopt;
    std::memcpy(&failure, bytes.data(), sizeof failure);
    return explain_exec_failure(spec, failure);
  }
  std::string write_file(const std::string& name, const std::string& text, mode_t mode) {
    const auto path = directory + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }

  std::string directory;
  std::deque<Spawned> processes;
};

}  // namespace pons
