// pons-bench: measures the host through the real program, in turns with a bare relay in C, or with itself (docs/benchmarks.md).
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/figures.h"
#include "tests/bench/pool_scenarios.h"
#include "tests/bench/scenarios.h"

namespace {

using namespace pons::bench;  // NOLINT(google-build-using-namespace): this program is nothing but that namespace
namespace fs = std::filesystem;

/// A folder for the run, removed with the object.
class RunFolder {
 public:
  RunFolder() : path_((fs::temp_directory_path() / "pons-bench-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) throw std::system_error(errno, std::generic_category(), path_);
  }
  ~RunFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  RunFolder(RunFolder&&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// What makes figures of this run worth little, said on stderr.
void warn_about_surroundings() {
#ifndef NDEBUG
  std::cerr << "pons-bench: this is a debug build; its figures say nothing\n";
#endif
  double load = 0;
  if (getloadavg(&load, 1) == 1 && load > 0.5) {
    std::fprintf(stderr, "pons-bench: the machine is busy (load average %.2f); figures will be off\n", load);
  }
}

Effort quick_effort() {
  return {.rounds = 5, .round_trips = 100, .pipelined = 2'000, .large = 3, .starts = 3, .memory_rounds = 1, .sessions = 500};
}

using Measurement = std::pair<std::string, std::function<std::vector<Figure>()>>;

std::vector<Measurement> measurements(const Paths& paths, const Effort& effort) {
  const auto one = [](Figure figure) { return std::vector<Figure>{std::move(figure)}; };
  return {{"small",
           [=] {
             return std::vector<Figure>{small_round_trip(paths, effort, true), small_round_trip(paths, effort, false)};
           }},
          {"python",
           [=] {
             return std::vector<Figure>{python_round_trip(paths, effort, true), python_round_trip(paths, effort, false)};
           }},
          {"pipelined", [=] { return one(pipelined_throughput(paths, effort)); }},
          {"large", [=] { return one(large_round_trip(paths, effort)); }},
          {"start", [=] { return start_to_first_reply(paths, effort); }},
          {"memory",
           [=] {
             return std::vector<Figure>{host_memory(paths, effort, 2), host_memory(paths, effort, 50)};
           }},
          {"hung", [=] { return one(beside_a_hung_pool(paths, effort)); }},
          {"sessions", [=] { return many_sessions(paths, effort); }},
          {"workers", [=] { return many_workers(paths, effort, 100); }}};
}

void show_errors_of_programs(const std::string& folder) {
  const std::ifstream file(folder + "/stderr.log");
  if (file) std::cerr << "--- what the programs said:\n" << file.rdbuf();
}

int run(const Paths& paths, const Effort& effort, const std::string& only, bool json) {
  warn_about_surroundings();
  std::vector<Figure> figures;
  try {
    for (const auto& [name, measure] : measurements(paths, effort)) {
      if (!only.empty() && only != name) continue;
      std::cerr << "measuring: " << name << "\n";
      for (Figure& figure : measure()) figures.push_back(std::move(figure));
    }
  } catch (const std::exception& e) {
    std::cerr << "pons-bench: " << e.what() << "\n";
    show_errors_of_programs(paths.folder);
    return 1;
  }
  std::cout << (json ? as_json(figures) + "\n" : as_text(figures));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
  Paths paths{.pons = here / "../bin/pons",
              .relay = here / "bare-relay",
              .echo_worker = here / "../adapters/echo/pons-worker-echo",
              .sources = PONS_BENCH_SOURCES,
              .folder = {}};
  std::string only;
  bool quick = false;
  bool json = false;
  CLI::App app("Measures the host in turns with a bare relay in C, or with itself under less load.");
  app.add_option("--pons", paths.pons, "the program to measure")->check(CLI::ExistingFile);
  app.add_option("--relay", paths.relay, "bare-relay")->check(CLI::ExistingFile);
  app.add_option("--echo-worker", paths.echo_worker, "the echo adapter's worker")->check(CLI::ExistingFile);
  app.add_option("--only", only, "one measurement")
      ->check(CLI::IsMember({"small", "python", "pipelined", "large", "start", "memory", "hung", "sessions", "workers"}));
  app.add_flag("--quick", quick, "a few rounds: shows that everything runs, not how fast");
  app.add_flag("--json", json, "one line of JSON");
  CLI11_PARSE(app, argc, argv);
  const RunFolder folder;
  paths.folder = folder.path();
  return run(paths, quick ? quick_effort() : Effort{}, only, json);
}
