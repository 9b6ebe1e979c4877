#include "host/doctor/diagnosis.h"

#include <algorithm>
#include <limits>

namespace pons::doctor {

namespace {

constexpr auto kUnlimited = std::numeric_limits<std::uint64_t>::max();
constexpr const char* kDelegate = "systemd-run --user --scope -p Delegate=yes pons serve";

std::string bytes(std::uint64_t count) {
  constexpr std::uint64_t kMiB = 1u << 20;
  if (count >= 10 * 1024 * kMiB) return std::to_string(count / 1024 / kMiB) + " GiB";
  return std::to_string(count / kMiB) + " MiB";
}

std::string limit(std::uint64_t count) { return count == kUnlimited ? "no limit" : std::to_string(count); }

class Findings {
 public:
  void add(Severity severity, const char* area, std::string what, std::string remedy = {}) {
    all_.push_back({severity, area, std::move(what), std::move(remedy)});
  }
  std::vector<Diagnosis> take() { return std::move(all_); }

 private:
  std::vector<Diagnosis> all_;
};

void diagnose_resources(const MachineFacts& machine, Findings& findings) {
  findings.add(Severity::ok, "machine", "kernel " + machine.kernel + ", " + std::to_string(machine.cores) + " cores");
  const bool little = machine.memory_total > 0 && machine.memory_available < kLittleMemory;
  findings.add(little ? Severity::warning : Severity::ok, "machine",
               "memory: " + bytes(machine.memory_available) + " available of " + bytes(machine.memory_total),
               little ? "end other programs, or configure fewer workers (pool.size)" : "");
  const bool few_files = machine.open_files < kFewOpenFiles;
  findings.add(few_files ? Severity::warning : Severity::ok, "machine", "open files: " + limit(machine.open_files),
               few_files ? "ulimit -Hn 65536 as root before starting, or LimitNOFILE=65536 in the service" : "");
  const bool few_processes = machine.processes < kFewProcesses;
  findings.add(few_processes ? Severity::warning : Severity::ok, "machine", "processes and threads: " + limit(machine.processes),
               few_processes ? "ulimit -u 8192, or LimitNPROC=8192 in the service" : "");
}

void diagnose_kernel(const MachineFacts& machine, Findings& findings) {
  std::string usable;
  for (const auto& feature : machine.features) {
    if (feature.error.empty()) {
      usable += (usable.empty() ? "" : ", ") + feature.name;
      continue;
    }
    findings.add(Severity::problem, "machine", feature.name + " cannot be used: " + feature.error,
                 "a kernel of " + feature.since + " or later, and a sandbox that allows it");
  }
  if (!usable.empty()) findings.add(Severity::ok, "machine", "of the kernel: " + usable);
}

void diagnose_limits(const Facts& facts, Findings& findings) {
  const auto& limits = facts.machine.limits;
  if (limits.cgroup.enforced) {
    findings.add(Severity::ok, "machine", "workers get cgroups of their own");
  } else {
    findings.add(Severity::note, "machine", "workers get no cgroups: " + limits.cgroup.reason, kDelegate);
  }
  for (const auto& adapter : facts.adapters) {
    const auto missing = [&](bool wanted, const LimitState& state, const char* key) {
      if (!wanted || state.enforced) return;
      findings.add(Severity::warning, "adapter", adapter.name + ": " + key + " is configured and cannot be enforced: " + state.reason,
                   kDelegate);
    };
    missing(adapter.wants_cpu_limit, limits.cpu, "limits.cpu");
    missing(adapter.wants_process_limit, limits.processes, "limits.processes");
  }
}

void diagnose_tools(const MachineFacts& machine, Findings& findings) {
  if (machine.python) {
    findings.add(Severity::ok, "machine", "python3: " + *machine.python);
  } else {
    findings.add(Severity::warning, "machine", "python3 is not on PATH: adapters in Python do not start", "apt install python3");
  }
  if (machine.uv) {
    findings.add(Severity::ok, "machine", "uv: " + *machine.uv);
  } else {
    findings.add(Severity::note, "machine", "uv is not on PATH: environments of adapters are made with venv and pip, which takes longer");
  }
}

void diagnose_config(const ConfigFacts& config, Findings& findings) {
  const auto name = config.file.empty() ? std::string("built-in configuration") : config.file;
  for (const auto& fault : config.faults) {
    findings.add(Severity::problem, "config", fault.to_string(), config.file.empty() ? "" : "mend it, then: pons check " + config.file);
  }
  if (!config.faults.empty()) return;
  const auto count = std::to_string(config.adapters) + (config.adapters == 1 ? " adapter" : " adapters");
  if (config.adapters > 0) return findings.add(Severity::ok, "config", name + ": " + count);
  findings.add(Severity::warning, "config", name + ": no adapter can be served",
               "name one under `adapters`, or put its folder on PONS_ADAPTER_PATH");
}

void diagnose_adapter(const AdapterFacts& adapter, Findings& findings) {
  const auto severity = adapter.configured ? Severity::problem : Severity::warning;
  for (const auto& fault : adapter.faults) findings.add(severity, "adapter", adapter.name + ": " + fault.to_string(), "mend the file");
  for (const auto& piece : adapter.missing) findings.add(severity, "adapter", adapter.name + ": " + piece.what, piece.remedy);
  if (!adapter.faults.empty() || !adapter.missing.empty()) return;
  findings.add(Severity::ok, "adapter", adapter.name + (adapter.folder.empty() ? "" : ": " + adapter.folder));
}

void diagnose_sockets(const std::vector<SocketFacts>& sockets, Findings& findings) {
  for (const auto& socket : sockets) {
    switch (socket.state) {
      case SocketFacts::State::alive:
        findings.add(Severity::ok, "socket", socket.path + ": a host runs there");
        break;
      case SocketFacts::State::dead:
        findings.add(Severity::warning, "socket", socket.path + " was left behind by a host that is dead",
                     "rm -f " + socket.path + " " + socket.path + ".lock");
        break;
      case SocketFacts::State::unreachable:
        findings.add(Severity::warning, "socket", socket.path + ": " + socket.reason, "look who made it: ls -l " + socket.path);
        break;
    }
  }
}

void diagnose_state(const StateDirFacts& state, Findings& findings) {
  if (state.path.empty()) return;
  if (!state.unusable.empty()) {
    return findings.add(Severity::problem, "state", state.path + ": " + state.unusable, "mend that, or choose another with host.state_dir");
  }
  const auto held = state.holder > 0 ? "used by the host with pid " + std::to_string(state.holder) : std::string("no host uses it");
  findings.add(Severity::ok, "state", state.path + ": " + held);
  if (state.free < kLittleSpace) {
    const bool none = state.free < kNoSpace;
    findings.add(none ? Severity::problem : Severity::warning, "state", state.path + ": " + bytes(state.free) + " are free",
                 "make room on that disk, or choose another with host.state_dir");
  }
  if (state.sessions > 0) {
    const auto kept = std::to_string(state.sessions) + (state.sessions == 1 ? " snapshot" : " snapshots") + ", " + bytes(state.bytes);
    findings.add(Severity::note, "state", state.path + ": " + kept);
  }
}

}  // namespace

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::ok:
      return "ok";
    case Severity::note:
      return "note";
    case Severity::warning:
      return "warning";
    case Severity::problem:
      return "problem";
  }
  return {};
}

std::vector<Diagnosis> diagnose(const Facts& facts) {
  Findings findings;
  diagnose_resources(facts.machine, findings);
  diagnose_kernel(facts.machine, findings);
  diagnose_limits(facts, findings);
  diagnose_tools(facts.machine, findings);
  diagnose_config(facts.config, findings);
  for (const auto& adapter : facts.adapters) diagnose_adapter(adapter, findings);
  diagnose_sockets(facts.sockets, findings);
  diagnose_state(facts.state, findings);
  return findings.take();
}

bool has_problem(const std::vector<Diagnosis>& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const Diagnosis& finding) { return finding.severity == Severity::problem; });
}

nlohmann::json to_json(const std::vector<Diagnosis>& findings) {
  auto list = nlohmann::json::array();
  for (const auto& finding : findings) {
    list.push_back({{"severity", to_string(finding.severity)}, {"area", finding.area}, {"what", finding.what}});
    if (!finding.remedy.empty()) list.back()["remedy"] = finding.remedy;
  }
  return list;
}

}  // namespace pons::doctor
