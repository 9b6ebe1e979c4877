// The echo adapter's program, as a host starts it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "tests/worker/test_host.h"

namespace pons::test {
namespace {

int run_echo(int fd) {
  fcntl(fd, F_SETFD, 0);
  const int null = open("/dev/null", O_RDWR);
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  dup2(null, STDERR_FILENO);
  setenv("PONS_FD", std::to_string(fd).c_str(), 1);
  execl(PONS_ECHO_WORKER, PONS_ECHO_WORKER, nullptr);
  return 127;
}

class EchoTest : public testing::Test {
 protected:
  Served served_{run_echo};
  TestHost& host_ = served_.host;
};

TEST_F(EchoTest, Echoes) {
  const json args{{"text", "hi"}, {"n", 1}};
  EXPECT_EQ(host_.result("echo", args), args);
  EXPECT_EQ(host_.result("echo:echo", args, Codec::msgpack), args);
}

TEST_F(EchoTest, FailsAsAsked) {
  const json reply = host_.call("fail", {{"message", "busy"}, {"code", "rate_limited"}, {"details", {{"retry_after_ms", 5}}}});
  EXPECT_EQ(reply["error"], "busy");
  EXPECT_EQ(reply["code"], "rate_limited");
  EXPECT_EQ(reply["details"]["retry_after_ms"], 5);
  EXPECT_EQ(host_.call("fail")["details"]["type"], "std::runtime_error");
  EXPECT_EQ(host_.call("fail", {{"code", "nonsense"}})["code"], "invalid_args");
}

TEST_F(EchoTest, CrashesBySignal) {
  host_.send({{"id", 1}, {"command", "crash"}, {"args", {{"signal", SIGKILL}}}});
  host_.expect_end();
  const int status = served_.child.wait();
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST_F(EchoTest, CrashesByExit) {
  host_.send({{"id", 1}, {"command", "crash"}, {"args", {{"exit", 3}}}});
  EXPECT_EQ(served_.child.exit_status(), 3);
}

TEST_F(EchoTest, SpamsWithoutHarm) { EXPECT_EQ(host_.result("spam", {{"bytes", 1u << 20}})["bytes"], 1u << 20); }

TEST_F(EchoTest, GrowsUntilCleanup) {
  const auto before = host_.result("get_stats")["memory_rss_bytes"].get<std::int64_t>();
  EXPECT_EQ(host_.result("grow", {{"bytes", 32 << 20}})["total"], 32 << 20);
  EXPECT_GT(host_.result("get_stats")["memory_rss_bytes"].get<std::int64_t>(), before + (24 << 20));
  EXPECT_EQ(host_.result("grow", {{"bytes", 1}})["total"], (32 << 20) + 1);
  host_.result("cleanup");
  EXPECT_EQ(host_.result("grow", {{"bytes", 1}})["total"], 1);
}

TEST_F(EchoTest, Streams) {
  EXPECT_EQ(host_.call("stream", {{"n", 4}}, Codec::json, {{"stream", true}})["result"]["n"], 4);
  int chunks = 0;
  for (const auto& partial : host_.partials()) chunks += partial.contains("seq") ? 1 : 0;
  EXPECT_EQ(chunks, 4);
}

TEST_F(EchoTest, SleepIsCancelledAndTimesOut) {
  host_.send({{"id", 1}, {"command", "sleep"}, {"args", {{"ms", 60'000}}}});
  host_.send({{"id", 2}, {"command", "common:cancel"}, {"args", {{"id", 1}}}});
  EXPECT_EQ(host_.receive()["id"], 2);
  EXPECT_EQ(host_.receive()["code"], "cancelled");
  EXPECT_EQ(host_.call("sleep", {{"ms", 60'000}}, Codec::json, {{"timeout_ms", 20}})["code"], "deadline_exceeded");
  EXPECT_EQ(host_.result("sleep", {{"ms", 1}})["slept_ms"], 1);
}

TEST_F(EchoTest, WaitsWithoutKeepingOthersWaiting) {
  host_.call("ping", {{"initialization", true}, {"options", {{"concurrency", 3}}}});
  EXPECT_EQ(host_.result("get_info")["concurrency"], 3);
  host_.send({{"id", 1}, {"command", "wait"}, {"args", {{"ms", 3'600'000}}}});
  host_.send({{"id", 2}, {"command", "wait"}, {"args", {{"ms", 30}}}});
  EXPECT_EQ(host_.result("echo", {{"n", 1}})["n"], 1);
  const json second = host_.receive();
  EXPECT_EQ(second["id"], 2);
  EXPECT_EQ(second["result"]["waited_ms"], 30);
  host_.send({{"id", 3}, {"command", "common:cancel"}, {"args", {{"id", 1}}}});
  EXPECT_EQ(host_.receive()["id"], 3);
  EXPECT_EQ(host_.receive()["code"], "cancelled");
  EXPECT_EQ(host_.call("wait", {{"ms", "long"}})["code"], "invalid_args");
}

TEST_F(EchoTest, RefusesAWrongConcurrency) {
  const json reply = host_.call("ping", {{"initialization", true}, {"options", {{"concurrency", 0}}}});
  EXPECT_EQ(reply["code"], "invalid_configuration");
  EXPECT_EQ(reply["error"], "options.concurrency is 0, and not a number from 1 to 1024");
  EXPECT_EQ(served_.child.exit_status(), 78);
}

TEST_F(EchoTest, Counts) {
  const std::string id = host_.result("create_counter", {{"start", 5}})["resource_id"];
  EXPECT_EQ(host_.result("execute_resource", {{"resource_id", id}, {"inputs", {{"add", 3}}}})["value"], 8);
  EXPECT_EQ(host_.result("execute_resource", {{"resource_id", id}})["value"], 9);
  EXPECT_EQ(host_.result("list_counters")["counters"][0]["value"], 9);
  host_.result("delete_resource", {{"resource_id", id}});
  EXPECT_EQ(host_.call("execute_resource", {{"resource_id", id}})["code"], "resource_not_found");
}

TEST_F(EchoTest, CountsPerSession) {
  const auto count = [&](const std::string& session) {
    return host_.call("count", json::object(), Codec::json, {{"session_id", session}})["result"]["count"];
  };
  EXPECT_EQ(count("a"), 1);
  EXPECT_EQ(count("a"), 2);
  EXPECT_EQ(count("b"), 1);
  host_.result("common:end_session", {{"session_id", "a"}});
  EXPECT_EQ(host_.result("get_stats")["session_counts"], 1);
  EXPECT_EQ(count("a"), 1);
  EXPECT_EQ(host_.call("count")["code"], "invalid_args");
}

TEST_F(EchoTest, CountsOnInAnotherWorker) {
  const json in_session{{"session_id", "a"}};
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(host_.call("count", json::object(), Codec::json, in_session)["result"]["count"], i);
  json snapshot = host_.result("common:export_session", {{"session_id", "a"}});
  EXPECT_EQ(snapshot["format"], "echo-count/1");
  EXPECT_EQ(snapshot["covers"], 3);
  snapshot["session_id"] = "a";
  Served other(run_echo);
  other.host.result("common:import_session", snapshot);
  EXPECT_EQ(other.host.call("count", json::object(), Codec::json, in_session)["result"]["count"], 4);
}

TEST_F(EchoTest, SaysWhoItIs) {
  const json me = host_.result("whoami", {{"env", {"PATH", "NO_SUCH_VARIABLE"}}});
  EXPECT_EQ(me["pid"], served_.child.pid());
  EXPECT_EQ(me["parent_pid"], getpid());
  EXPECT_EQ(me["values"]["NO_SUCH_VARIABLE"], nullptr);
  EXPECT_EQ(me["values"]["PATH"], std::getenv("PATH"));
  EXPECT_EQ(me["request"]["command"], "whoami");
}

TEST(EchoProgram, TellsHelpAndVersion) {
  for (const auto& [option, word] : {std::pair{"--help", "whoami"}, std::pair{"--version", "echo 0.1.0"}}) {
    std::array<int, 2> out{};
    ASSERT_EQ(pipe2(out.data(), O_CLOEXEC), 0);
    Child child = Child::fork([&, option = option] {
      dup2(out[1], STDOUT_FILENO);
      execl(PONS_ECHO_WORKER, PONS_ECHO_WORKER, option, nullptr);
      return 127;
    });
    ::close(out[1]);
    EXPECT_EQ(child.exit_status(), 0);
    char text[4096];
    const ssize_t count = read(out[0], text, sizeof text);
    ::close(out[0]);
    ASSERT_GT(count, 0);
    EXPECT_NE(std::string(text, static_cast<std::size_t>(count)).find(word), std::string::npos) << option;
  }
}

}  // namespace
}  // namespace pons::test
