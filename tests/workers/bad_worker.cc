// A worker that breaks the rules in the way that its first argument names: `bad-worker MODE [ARGUMENT...]`. Most modes shake hands and
// answer the four common commands as they should, and misbehave on any other request; those that misbehave sooner say so in the table.
// It speaks raw bytes. None lives longer than kLastResort, whatever it ignores.
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/workers/manners.h"
#include "tests/workers/raw_channel.h"

namespace bad {
namespace {

using nlohmann::json;

constexpr unsigned kLastResort = 180;  // seconds
constexpr std::uint32_t kMaxFrame = 64u << 20;

using Arguments = std::span<const std::string>;

std::string text_at(Arguments arguments, std::size_t at, const std::string& otherwise) {
  return at < arguments.size() ? arguments[at] : otherwise;
}

int number_at(Arguments arguments, std::size_t at, int otherwise) { return at < arguments.size() ? std::stoi(arguments[at]) : otherwise; }

[[noreturn]] void sleep_for_ever() {
  for (;;) pause();
}

[[noreturn]] void die() {
  raise(SIGKILL);
  sleep_for_ever();
}

void wait_for_file(const std::string& path) {
  while (!std::filesystem::exists(path)) std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

void serve_well(const RawChannel& channel) {
  serve(channel, [&](const json& request) { channel.write_document(reply_to(request, {{"pid", getpid()}})); });
}

// Before the handshake

void silent(const RawChannel& channel, Arguments /*arguments*/) {
  while (channel.read_request()) {
  }
}

void exit_at_once(const RawChannel& /*channel*/, Arguments arguments) { std::exit(number_at(arguments, 0, 1)); }

void print_lines(const RawChannel& /*channel*/, Arguments arguments) {
  for (int line = 1; line <= number_at(arguments, 0, 10); ++line) std::cerr << "line " << line << "\n";
  std::cerr.flush();
  std::exit(number_at(arguments, 1, 1));
}

void print_on_channel(const RawChannel& channel, Arguments /*arguments*/) {
  channel.write_bytes("Hello, I am loading the model...\n");
  serve_well(channel);
}

void slow_start(const RawChannel& channel, Arguments arguments) {
  wait_for_file(text_at(arguments, 0, "go"));
  serve_well(channel);
}

void refuse_ping(const RawChannel& channel, Arguments /*arguments*/) {
  while (const auto request = channel.read_request()) channel.write_document(error_to(*request, "No licence", "invalid_configuration"));
}

void refuse_info(const RawChannel& channel, Arguments /*arguments*/) {
  while (const auto request = channel.read_request()) {
    const bool ping = request->value("command", "") == "ping";
    channel.write_document(ping ? reply_to(*request, common_result(request->value("command", ""), 1))
                                : error_to(*request, "No info", "worker_error"));
  }
}

/// Both halves of the handshake, and then the end.
void end_when_ready(const RawChannel& channel, Arguments arguments) {
  for (int asked = 0; asked < 2; ++asked) {
    const auto request = channel.read_request();
    if (request) channel.write_document(reply_to(*request, common_result(request->value("command", ""), 1)));
  }
  std::exit(number_at(arguments, 0, 1));
}

void ignore_the_end(const RawChannel& channel, Arguments /*arguments*/) {
  signal(SIGTERM, SIG_IGN);
  serve_well(channel);
  sleep_for_ever();
}

void leave_group(const RawChannel& channel, Arguments arguments) {
  if (setpgid(0, getpgid(getppid())) != 0) std::exit(1);
  ignore_the_end(channel, arguments);
}

/// `grandchild own-session` leaves the process group, too. Any request is answered with its pid.
void grandchild(const RawChannel& channel, Arguments arguments) {
  const bool own_session = text_at(arguments, 0, "") == "own-session";
  int settled[2];
  if (pipe(settled) != 0) std::exit(1);
  const pid_t child = fork();
  if (child == 0) {
    alarm(kLastResort);
    if (own_session) setsid();
    close(settled[0]);
    close(settled[1]);
    sleep_for_ever();
  }
  close(settled[1]);
  char nothing = 0;
  while (read(settled[0], &nothing, 1) < 0 && errno == EINTR) {
  }
  close(settled[0]);
  serve(channel, [&](const json& request) { channel.write_document(reply_to(request, {{"pid", getpid()}, {"grandchild", child}})); });
}

void level_zero(const RawChannel& channel, Arguments /*arguments*/) {
  const auto answer = [&](const json& request) {
    const auto command = request.value("command", "");
    if (command != "fail") return channel.write_document(reply_to(request, request.value("args", json::object())));
    channel.write_document({{"id", request["id"]}, {"success", false}, {"error", "ValueError: it is too small"}});
  };
  serve(channel, answer, 0);
}

// On a request

void hang(const RawChannel& channel, Arguments /*arguments*/) {
  serve(channel, [](const json& /*request*/) { sleep_for_ever(); });
}

void stop_itself(const RawChannel& channel, Arguments /*arguments*/) {
  serve(channel, [](const json& /*request*/) { raise(SIGSTOP); });
}

/// Answers only when the file is there: by then nobody waits any more. `common:cancel` is read after that.
void late(const RawChannel& channel, Arguments arguments) {
  serve(channel, [&](const json& request) {
    wait_for_file(text_at(arguments, 0, "go"));
    channel.write_document(reply_to(request, "late"));
  });
}

/// Notes each request before it runs, and goes on to the next one whatever happens meanwhile: also if nobody takes its answer.
void stubborn(const RawChannel& channel, Arguments arguments) {
  signal(SIGTERM, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  serve(channel, [&](const json& request) {
    const auto args = request.value("args", json::object());
    std::ofstream(text_at(arguments, 0, "runs"), std::ios::app) << args.value("execution", "") << " stubborn" << std::endl;
    std::this_thread::sleep_for(std::chrono::milliseconds(args.value("ms", 0)));
    const auto body = reply_to(request, "done").dump();
    const auto size = static_cast<std::uint32_t>(body.size());
    const std::string frame = std::string(3, '\0') + static_cast<char>(size) + body;  // less than 256 bytes
    if (write(channel.out, frame.data(), frame.size()) < 0) std::cerr << "nobody takes the answer\n";
  });
}

void reply_garbage(const RawChannel& channel, Arguments /*arguments*/) {
  serve(channel, [&](const json& /*request*/) { channel.write_body("\xc1 this is no envelope"); });
}

void reply_empty(const RawChannel& channel, Arguments /*arguments*/) {
  serve(channel, [&](const json& /*request*/) { channel.write_header(0); });
}

void reply_without_success(const RawChannel& channel, Arguments /*arguments*/) {
  serve(channel, [&](const json& request) { channel.write_document({{"id", request["id"]}, {"result", 1}}); });
}

void print_on_request(const RawChannel& channel, Arguments /*arguments*/) {
  serve(channel, [&](const json& request) {
    channel.write_bytes("step 1 of 10\n");
    channel.write_document(reply_to(request, 1));
  });
}

void unknown_id(const RawChannel& channel, Arguments /*arguments*/) {
  serve(channel, [&](const json& request) {
    channel.write_document(reply_to({{"id", 987654321}}, "nobody asked"));
    channel.write_document(reply_to(request, "asked"));
  });
}

void no_id(const RawChannel& channel, Arguments /*arguments*/) {
  serve(channel, [&](const json& /*request*/) { channel.write_document({{"success", true}, {"result", "no id"}}); });
}

void reply_twice(const RawChannel& channel, Arguments /*arguments*/) {
  serve(channel, [&](const json& request) {
    channel.write_document(reply_to(request, 1));
    channel.write_document(reply_to(request, 2));
  });
}

/// `hold N`: answers when N requests have come, the last one first.
void hold(const RawChannel& channel, Arguments arguments) {
  std::vector<json> held;
  serve(channel, [&](const json& request) {
    held.push_back(request);
    if (held.size() < static_cast<std::size_t>(number_at(arguments, 0, 2))) return;
    for (; !held.empty(); held.pop_back()) channel.write_document(reply_to(held.back(), "held"));
  });
}

void byte_by_byte(const RawChannel& channel, Arguments /*arguments*/) {
  serve(channel, [&](const json& request) {
    const std::string body = reply_to(request, "slowly").dump();
    channel.write_header(static_cast<std::uint32_t>(body.size()));
    for (const char byte : body) channel.write_bytes({&byte, 1});
  });
}

void huge_header(const RawChannel& channel, Arguments /*arguments*/) {
  serve(channel, [&](const json& /*request*/) { channel.write_header(0xfffffff0u); });
}

/// One byte above max_frame, and really that many; then it goes on as if nothing was.
void oversized(const RawChannel& channel, Arguments /*arguments*/) {
  serve(channel, [&](const json& request) {
    if (const auto command = request.value("command", ""); command != "big" && command != "probe")
      return channel.write_document(reply_to(request, "small"));
    channel.write_header(kMaxFrame + 1);
    channel.write_bytes(std::string(kMaxFrame + 1, ' '));
  });
}

void half_frame(const RawChannel& channel, Arguments /*arguments*/) {
  serve(channel, [&](const json& request) {
    const std::string body = reply_to(request, "half").dump();
    channel.write_header(static_cast<std::uint32_t>(body.size()));
    channel.write_bytes(std::string_view(body).substr(0, body.size() / 2));
    die();
  });
}

void reply_and_die(const RawChannel& channel, Arguments arguments) {
  const std::string words = arguments.empty() ? "the last words" : std::string(static_cast<std::size_t>(number_at(arguments, 0, 0)), 'x');
  serve(channel, [&](const json& request) {
    channel.write_document(reply_to(request, words));
    die();
  });
}

void nag(const RawChannel& channel, Arguments /*arguments*/) {
  serve(channel, [&](const json& /*request*/) {
    for (int id = 1;; ++id) channel.write_document({{"id", id}, {"command", "other:work"}});
  });
}

void die_on_request(const RawChannel& channel, Arguments /*arguments*/) {
  serve(channel, [](const json& /*request*/) { die(); });
}

void exit_on_request(const RawChannel& channel, Arguments arguments) {
  serve(channel, [&](const json& /*request*/) { std::_Exit(number_at(arguments, 0, 0)); });
}

void close_channel(const RawChannel& channel, Arguments /*arguments*/) {
  serve(channel, [&](const json& /*request*/) {
    close(channel.in);
    close(channel.out);
    sleep_for_ever();
  });
}

void flood(const RawChannel& channel, Arguments /*arguments*/) {
  const std::string chunk(64u << 10, 'x');
  serve(channel, [&](const json& request) {
    for (std::uint64_t seq = 0;; ++seq) {
      channel.write_document({{"id", request["id"]}, {"success", true}, {"partial", true}, {"seq", seq}, {"result", chunk}});
    }
  });
}

/// `chunks [N]`: so many partial replies of 64 KiB to `stream`, and then it is done.
void chunks(const RawChannel& channel, Arguments arguments) {
  const std::string chunk(64u << 10, 'x');
  serve(channel, [&](const json& request) {
    for (int seq = 0; request.value("command", "") == "stream" && seq < number_at(arguments, 0, 100); ++seq) {
      channel.write_document({{"id", request["id"]}, {"success", true}, {"partial", true}, {"seq", seq}, {"result", chunk}});
    }
    channel.write_document(reply_to(request, "done"));
  });
}

/// Ready like any other; from then on `get_info` is answered with a list, and with an error after that.
void odd_info(const RawChannel& channel, Arguments /*arguments*/) {
  for (int asked = 0; const auto request = channel.read_request();) {
    const bool info = request->value("command", "") == "get_info";
    if (info && ++asked > 2) {
      channel.write_document(error_to(*request, "No info today", "model_error"));
    } else {
      channel.write_document(
          reply_to(*request, info && asked == 2 ? json::array({1, 2}) : common_result(request->value("command", ""), 1)));
    }
  }
}

struct Mode {
  std::string_view name;
  void (*run)(const RawChannel& channel, Arguments arguments);
  std::string_view does;
};

constexpr Mode kModes[] = {
    {"silent", silent, "reads all requests and never answers, not even ping"},
    {"exit", exit_at_once, "[STATUS] ends before the handshake"},
    {"print-lines", print_lines, "[LINES [STATUS]] prints to stderr and ends before the handshake"},
    {"print-on-channel", print_on_channel, "prints text on the channel before the handshake"},
    {"slow-start", slow_start, "FILE: shakes hands when the file is there"},
    {"refuse-ping", refuse_ping, "answers everything with an error"},
    {"refuse-info", refuse_info, "answers everything but ping with an error"},
    {"end-when-ready", end_when_ready, "[STATUS] shakes hands and ends"},
    {"ignore-the-end", ignore_the_end, "ignores SIGTERM and end of file"},
    {"leave-group", leave_group, "joins the process group of the host, and ignores SIGTERM and end of file"},
    {"grandchild", grandchild, "[own-session] starts a process that sleeps; replies say its pid"},
    {"level-0", level_zero, "knows no protocol version; `fail` is answered with an error without code"},
    {"hang", hang, "sleeps for ever, reads nothing any more"},
    {"stop", stop_itself, "stops itself (SIGSTOP)"},
    {"late", late, "FILE: answers when the file is there"},
    {"stubborn", stubborn, "FILE: notes each `execution` there, sleeps `ms`, answers; ignores SIGTERM and a broken pipe"},
    {"garbage", reply_garbage, "answers with a frame that is no envelope"},
    {"empty", reply_empty, "answers with a frame of length 0"},
    {"no-success", reply_without_success, "answers with an envelope that is none"},
    {"print", print_on_request, "prints text on the channel, then answers"},
    {"unknown-id", unknown_id, "answers with an id that nobody uses, then properly"},
    {"no-id", no_id, "answers without an id"},
    {"twice", reply_twice, "answers twice"},
    {"hold", hold, "[N] answers when N requests have come, the last one first"},
    {"byte-by-byte", byte_by_byte, "answers in writes of one byte"},
    {"huge-header", huge_header, "declares a frame of 4 GiB"},
    {"oversized", oversized, "answers `big` and `probe` with a frame one byte too large, others properly"},
    {"half-frame", half_frame, "writes half of its answer, then kills itself"},
    {"reply-and-die", reply_and_die, "[BYTES] answers, and kills itself at once"},
    {"nag", nag, "sends requests without end, and reads no answers"},
    {"die", die_on_request, "kills itself (SIGKILL)"},
    {"exit-on-request", exit_on_request, "[STATUS] ends"},
    {"close-channel", close_channel, "closes its channel and stays alive"},
    {"flood", flood, "sends partial replies without end"},
    {"chunks", chunks, "[N] answers `stream` with so many partial replies of 64 KiB, then properly"},
    {"odd-info", odd_info, "answers get_info with a list, then with an error, once it is ready"},
};

int usage() {
  std::cerr << "bad-worker MODE [ARGUMENT...]\n";
  for (const auto& mode : kModes) std::cerr << "  " << mode.name << ": " << mode.does << "\n";
  return 2;
}

}  // namespace
}  // namespace bad

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv, argv + argc);
  if (words.size() < 2) return bad::usage();
  alarm(bad::kLastResort);
  for (const auto& mode : bad::kModes) {
    if (mode.name != words[1]) continue;
    mode.run(bad::RawChannel::claim(), std::span(words).subspan(2));
    return 0;
  }
  return bad::usage();
}
