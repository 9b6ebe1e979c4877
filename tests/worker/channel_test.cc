// How a worker finds its channel, and how it ends.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <system_error>

#include "tests/worker/test_host.h"
#include "worker/worker.h"

namespace pons::test {
namespace {

json spin_on(const json& /*args*/, Context& context) {
  context.send_partial("running");
  while (!context.cancelled()) {
  }
  return "stopped";
}

int serve_on(ChannelFds fds) {
  Worker worker("plain", "1", fds);
  worker.command("spin", spin_on);
  worker.command("print", [](const json& args) {
    std::cout << "from a stream\n" << std::flush;
    std::printf("from stdio\n");
    std::fflush(stdout);
    if (write(STDOUT_FILENO, "raw\n", 4) != 4) return json("write failed");
    if (std::system("echo from a program; cat") != 0) return json("system failed");  // cat reads /dev/null and ends
    return args;
  });
  worker.command("die_if", [](const json& args) {
    if (args.at("die")) std::abort();
    return args;
  });
  return worker.run();
}

int serve(int fd) { return serve_on({fd, fd}); }

struct Pipe {
  Pipe() {
    if (pipe2(fds.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  }
  std::array<int, 2> fds{};
};

std::string read_all(int fd) {
  std::string text;
  char bytes[4096];
  for (ssize_t count = 0; (count = read(fd, bytes, sizeof bytes)) > 0;) text.append(bytes, static_cast<std::size_t>(count));
  return text;
}

void start_spin(TestHost& host, int id) {
  host.send({{"id", id}, {"command", "spin"}, {"stream", true}});
  EXPECT_EQ(host.receive()["result"], "running");
}

TEST(Ending, EndOfFileEndsAnIdleWorkerWithZero) {
  Served served(serve);
  served.host.result("ping");
  served.host.close();
  EXPECT_EQ(served.child.exit_status(), 0);
}

TEST(Ending, SigtermEndsAnIdleWorkerWithZero) {
  Served served(serve);
  served.host.result("ping");
  served.child.signal(SIGTERM);
  served.host.expect_end();
  EXPECT_EQ(served.child.exit_status(), 0);
}

TEST(Ending, SigtermLetsTheRunningRequestFinishAndTakesNoOther) {
  Served served(serve);
  start_spin(served.host, 1);
  served.host.send({{"id", 2}, {"command", "ping"}});
  served.child.signal(SIGTERM);
  served.host.send({{"id", 3}, {"command", "common:cancel"}, {"args", {{"id", 1}}}});
  EXPECT_EQ(served.host.receive()["id"], 3);
  EXPECT_EQ(served.host.receive()["result"], "stopped");
  served.host.expect_end();
  EXPECT_EQ(served.child.exit_status(), 0);
}

TEST(Ending, WhatWasRunIsAnsweredBeforeAnythingThatMustNotRunTwiceBegins) {
  Served served(serve);
  const auto request = [](int id, bool die) {
    return TestHost::framed(TestHost::encoded({{"id", id}, {"command", "die_if"}, {"args", {{"die", die}}}}, Codec::json));
  };
  for (int i = 0; i < 10; ++i) served.host.result("die_if", {{"die", false}});  // known to be quick: its answers could wait for company
  served.host.send_bytes(request(1, false) + request(2, false) + request(3, true) + request(4, false));
  EXPECT_EQ(served.host.receive()["id"], 1);
  EXPECT_EQ(served.host.receive()["id"], 2);
  served.host.expect_end();
}

TEST(Ending, SigintIsIgnored) {
  Served served(serve);
  served.host.result("ping");
  served.child.signal(SIGINT);
  EXPECT_EQ(served.host.result("ping")["status"], "ok");
}

TEST(Ending, AHostThatIsGoneWhileItIsAnsweredEndsTheWorkerQuietly) {
  Served served(serve);
  start_spin(served.host, 1);
  served.host.close();  // the answer meets a closed socket
  EXPECT_EQ(served.child.exit_status(), 0);
}

TEST(Ending, WhatIsReceivedWithTheEndOfFileIsStillAnswered) {
  Served served(serve);
  served.host.send({{"id", 1}, {"command", "ping"}});
  served.host.send({{"id", 2}, {"command", "ping"}});
  ASSERT_EQ(shutdown(served.fds.first, SHUT_WR), 0);
  EXPECT_EQ(served.host.receive()["id"], 1);
  EXPECT_EQ(served.host.receive()["id"], 2);
  served.host.expect_end();
  EXPECT_EQ(served.child.exit_status(), 0);
}

TEST(Channel, PonsFdNamesIt) {
  Served served([](int fd) {
    fcntl(fd, F_SETFD, 0);
    setenv("PONS_FD", std::to_string(fd).c_str(), 1);
    const ChannelFds claimed = claim_channel();
    const bool hidden = getenv("PONS_FD") == nullptr && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
    return claimed.in == fd && claimed.out == fd && hidden ? serve_on(claimed) : 99;
  });
  EXPECT_EQ(served.host.result("ping")["status"], "ok");
  served.host.close();
  EXPECT_EQ(served.child.exit_status(), 0);
}

TEST(Channel, APonsFdThatIsNoneIsAnError) {
  for (const char* value : {"", "x", "-1", "3x", "987"}) {
    setenv("PONS_FD", value, 1);
    EXPECT_THROW(claim_channel(), std::system_error) << value;
  }
  unsetenv("PONS_FD");
}

/// The channel is stdin and stdout; whatever prints in the worker ends on its stderr.
TEST(Channel, OnStdioPrintsCannotHarmTheProtocol) {
  const Pipe in;
  const Pipe out;
  const Pipe err;
  Child child = Child::fork([&] {
    ::close(in.fds[1]);
    dup2(in.fds[0], STDIN_FILENO);
    dup2(out.fds[1], STDOUT_FILENO);
    dup2(err.fds[1], STDERR_FILENO);
    unsetenv("PONS_FD");
    return serve_on(claim_channel());
  });
  ::close(in.fds[0]);
  ::close(out.fds[1]);
  ::close(err.fds[1]);
  TestHost host(out.fds[0], in.fds[1]);
  EXPECT_EQ(host.result("print", {{"x", 1}}), (json{{"x", 1}}));
  EXPECT_EQ(host.result("ping")["status"], "ok");
  host.close();
  EXPECT_EQ(child.exit_status(), 0);
  EXPECT_EQ(read_all(err.fds[0]), "from a stream\nfrom stdio\nraw\nfrom a program\n");
  ::close(err.fds[0]);
}

TEST(Channel, WithoutAHostItExplainsItself) {
  const Pipe err;
  Child child = Child::fork([&] {
    dup2(err.fds[1], STDERR_FILENO);
    return serve_on(ChannelFds{});
  });
  ::close(err.fds[1]);
  EXPECT_EQ(child.exit_status(), 2);
  EXPECT_NE(read_all(err.fds[0]).find("a host starts it"), std::string::npos);
  ::close(err.fds[0]);
}

}  // namespace
}  // namespace pons::test
