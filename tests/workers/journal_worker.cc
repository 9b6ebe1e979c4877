// A worker that keeps a journal of what it ran: before anything else, each run of `run` and `run_again` appends its `execution`, a blank
// and the worker's id as a line to the file `options.journal`, in one write. So the journal of all workers of a test is whole, whatever is
// killed when.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <string>

#include "worker/worker.h"

namespace {

using nlohmann::json;

class Journal {
 public:
  void open(const std::string& path) {
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd_ < 0) throw pons::Exception(pons::ErrorCode::invalid_configuration, path + ": " + std::strerror(errno));
  }
  void note(const std::string& line) const {
    const auto text = line + "\n";
    if (::write(fd_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      throw pons::Exception(pons::ErrorCode::internal, std::string("The journal cannot be written: ") + std::strerror(errno));
    }
  }

 private:
  int fd_ = -1;
};

/// `{execution, ms?, partials?, die?}` -> `{execution}`.
json run(const Journal& journal, const json& args, pons::Context& context) {
  const auto execution = args.at("execution").get<std::string>();
  journal.note(execution + " " + context.worker().worker_id);
  for (int i = 0; i < args.value("partials", 0); ++i) context.send_partial(i);
  const std::chrono::milliseconds wanted(args.value("ms", 0));
  if (wanted.count() > 0 && context.sleep(wanted)) context.throw_if_cancelled();
  if (args.value("die", false)) std::raise(SIGKILL);
  return {{"execution", execution}};
}

}  // namespace

int main(int argc, char** argv) {
  pons::Worker worker("journal", "1");
  Journal journal;
  worker.on_configure([&](const json& options) { journal.open(options.at("journal").get<std::string>()); });
  const auto handler = [&](const json& args, pons::Context& context) { return run(journal, args, context); };
  worker.command("run", {.description = "Notes `execution`, works for `ms`."}, handler);
  worker.command("run_again", {.description = "The same, and may be run again.", .idempotent = true}, handler);
  return worker.run(argc, argv);
}
