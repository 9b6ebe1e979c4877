#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "adapters/echo/commands.h"

namespace pons::echo {
namespace {

using nlohmann::json;

/// `code` is one of the protocol's; without it the message is thrown as a plain std::runtime_error.
json fail(const json& args) {
  const std::string message = args.value("message", "It failed, as asked");
  if (!args.contains("code")) throw std::runtime_error(message);
  const auto name = args.at("code").get<std::string>();
  const auto code = error_code_from(name);
  if (!code) throw Exception(ErrorCode::invalid_args, "\"" + name + "\" is no error code");
  throw Exception(Error{*code, message, args.value("details", json())});
}

/// Ends this process by a signal, or with a status. There is no reply.
json crash(const json& args) {
  if (args.contains("exit")) std::_Exit(args.at("exit").get<int>());
  const int number = args.value("signal", SIGSEGV);
  std::signal(number, SIG_DFL);
  if (std::raise(number) != 0) throw Exception(ErrorCode::invalid_args, "There is no signal " + std::to_string(number));
  return {{"survived", number}};
}

json hang(const json& args) {
  hang_for_ever(args.value("spin", false));
  return nullptr;
}

void print_noise(std::FILE* stream, std::size_t bytes) {
  const std::string line = "This is noise of the echo adapter, a line as long as lines usually are, and so on.\n";
  for (; bytes > 0; bytes -= std::min(bytes, line.size())) {
    std::fwrite(line.data(), 1, std::min(bytes, line.size()), stream);
  }
  std::fflush(stream);
}

json spam(const json& args) {
  const auto bytes = args.value("bytes", std::size_t{1000});
  print_noise(stdout, bytes);
  print_noise(stderr, bytes);
  return {{"bytes", bytes}};
}

}  // namespace

[[gnu::noinline]] void hang_for_ever(bool spin) {
  volatile bool computing = spin;
  while (computing) {
  }
  for (;;) pause();
}

void add_misbehaviour(Worker& worker) {
  worker.command("fail", {.description = "Fails with `message` and `code` (and `details`).", .idempotent = true}, fail);
  worker.command("crash", {.description = "Dies of `signal`, or ends with status `exit`."}, crash);
  worker.command("hang", {.description = "Never returns, whatever happens: it blocks, or computes if `spin`."}, hang);
  worker.command("spam", {.description = "Prints `bytes` of noise on stdout, and as many on stderr."}, spam);

  auto kept = std::make_shared<std::vector<std::vector<char>>>();
  worker.command("grow", {.description = "Takes `bytes` of memory, and keeps them until cleanup."}, [kept](const json& args) {
    kept->emplace_back(args.at("bytes").get<std::size_t>(), '\1');
    std::size_t total = 0;
    for (const auto& block : *kept) total += block.size();
    return json{{"bytes", kept->back().size()}, {"total", total}};
  });
  worker.on_cleanup([kept] { kept->clear(); });
}

}  // namespace pons::echo
