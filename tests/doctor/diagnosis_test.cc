#include "host/doctor/diagnosis.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>

namespace pons::doctor {
namespace {

constexpr auto kUnlimited = std::numeric_limits<std::uint64_t>::max();

Facts healthy() {
  Facts facts;
  facts.machine.kernel = "6.1.0";
  facts.machine.cores = 4;
  facts.machine.memory_total = 8ull << 30;
  facts.machine.memory_available = 6ull << 30;
  facts.machine.open_files = 1'048'576;
  facts.machine.processes = kUnlimited;
  facts.machine.features = {{"pidfd", "5.4", ""}, {"eventfd", "2.6.27", ""}};
  facts.machine.limits.cgroup = {true, "cgroup", ""};
  facts.machine.limits.cpu = {true, "cgroup", ""};
  facts.machine.limits.processes = {true, "cgroup", ""};
  facts.machine.python = "/usr/bin/python3";
  facts.machine.uv = "/usr/bin/uv";
  facts.config = {"pons.yaml", {}, 1};
  AdapterFacts adapter;
  adapter.name = "echo";
  adapter.configured = true;
  facts.adapters = {adapter};
  facts.sockets = {{"/run/pons/lab.sock", SocketFacts::State::alive, {}}};
  facts.state = {"/state/lab", {}, 100ull << 30, 42, 0, 0};
  return facts;
}

/// The findings that are worse than ok after a change to what is healthy.
std::vector<Diagnosis> after(const std::function<void(Facts&)>& change) {
  auto facts = healthy();
  change(facts);
  auto findings = diagnose(facts);
  std::erase_if(findings, [](const Diagnosis& finding) { return finding.severity == Severity::ok; });
  return findings;
}

/// Exactly one, of that severity and area, whose sentence holds `part`.
void expect_one(const std::vector<Diagnosis>& findings, Severity severity, const std::string& area, const std::string& part) {
  ASSERT_EQ(findings.size(), 1u) << part;
  EXPECT_EQ(findings[0].severity, severity) << findings[0].what;
  EXPECT_EQ(findings[0].area, area) << findings[0].what;
  EXPECT_NE(findings[0].what.find(part), std::string::npos) << findings[0].what;
  if (severity >= Severity::warning) {
    EXPECT_FALSE(findings[0].remedy.empty()) << findings[0].what;
  }
}

TEST(Diagnosis, WhatIsWellIsSaidToBeWell) {
  const auto findings = diagnose(healthy());
  EXPECT_GE(findings.size(), 8u);
  EXPECT_FALSE(has_problem(findings));
  for (const auto& finding : findings) EXPECT_EQ(finding.severity, Severity::ok) << finding.what;
}

TEST(Diagnosis, ScarceResources) {
  expect_one(after([](Facts& f) { f.machine.memory_available = 100u << 20; }), Severity::warning, "machine",
             "100 MiB available of 8192 MiB");
  expect_one(after([](Facts& f) { f.machine.open_files = 1024; }), Severity::warning, "machine", "open files: 1024");
  expect_one(after([](Facts& f) { f.machine.processes = 100; }), Severity::warning, "machine", "processes and threads: 100");
  EXPECT_TRUE(after([](Facts& f) { f.machine.memory_total = f.machine.memory_available = 0; }).empty());  // unknown
}

TEST(Diagnosis, AKernelThatLacksSomething) {
  const auto findings = after([](Facts& f) { f.machine.features[0].error = "Function not implemented"; });
  expect_one(findings, Severity::problem, "machine", "pidfd cannot be used: Function not implemented");
  EXPECT_NE(findings[0].remedy.find("5.4"), std::string::npos);
  EXPECT_TRUE(has_problem(findings));
}

TEST(Diagnosis, WithoutCgroupsOnlyWhatIsConfiguredIsMissed) {
  const auto without = [](Facts& f) {
    f.machine.limits.cgroup = {false, "", "P is not delegated"};
    f.machine.limits.cpu = f.machine.limits.processes = {false, "", "there are no cgroups"};
  };
  expect_one(after(without), Severity::note, "machine", "P is not delegated");
  const auto wanted = after([&](Facts& f) {
    without(f);
    f.adapters[0].wants_cpu_limit = true;
    f.adapters[0].wants_process_limit = true;
  });
  ASSERT_EQ(wanted.size(), 3u);
  EXPECT_EQ(wanted[1].severity, Severity::warning);
  EXPECT_NE(wanted[1].what.find("echo: limits.cpu"), std::string::npos) << wanted[1].what;
  EXPECT_NE(wanted[2].what.find("echo: limits.processes"), std::string::npos) << wanted[2].what;
}

TEST(Diagnosis, Tools) {
  expect_one(after([](Facts& f) { f.machine.python.reset(); }), Severity::warning, "machine", "python3 is not on PATH");
  expect_one(after([](Facts& f) { f.machine.uv.reset(); }), Severity::note, "machine", "uv is not on PATH");
}

TEST(Diagnosis, EveryFaultOfTheConfigurationIsAProblem) {
  const auto findings = after([](Facts& f) {
    f.config.faults = {{"pons.yaml", 3, 1, "host.nam", "unknown key"}, {"pons.yaml", 4, 1, "adapters", "expected a map"}};
  });
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].severity, Severity::problem);
  EXPECT_NE(findings[0].what.find("pons.yaml:3:1"), std::string::npos) << findings[0].what;
  EXPECT_NE(findings[0].remedy.find("pons check pons.yaml"), std::string::npos);
  expect_one(after([](Facts& f) { f.config.adapters = 0; }), Severity::warning, "config", "no adapter can be served");
}

TEST(Diagnosis, AnAdapterThatIsAskedForIsAProblemAndOneThatOnlyLiesThereAWarning) {
  const auto broken = [](bool configured) {
    return after([&](Facts& f) {
      f.adapters[0].configured = configured;
      f.adapters[0].faults = {{"adapter.yaml", 1, 1, "command", "there is no such program"}};
    });
  };
  expect_one(broken(true), Severity::problem, "adapter", "echo: adapter.yaml:1:1");
  expect_one(broken(false), Severity::warning, "adapter", "no such program");
  const auto missing = after([](Facts& f) { f.adapters[0].missing = {{"the environment was not made yet", "pons adapter install echo"}}; });
  expect_one(missing, Severity::problem, "adapter", "not made yet");
  EXPECT_EQ(missing[0].remedy, "pons adapter install echo");
}

TEST(Diagnosis, SocketsOfDeadHosts) {
  const auto findings = after([](Facts& f) { f.sockets.push_back({"/run/pons/old.sock", SocketFacts::State::dead, {}}); });
  expect_one(findings, Severity::warning, "socket", "/run/pons/old.sock");
  EXPECT_EQ(findings[0].remedy, "rm -f /run/pons/old.sock /run/pons/old.sock.lock");
  expect_one(after([](Facts& f) {
               f.sockets[0] = {"/run/pons/x.sock", SocketFacts::State::unreachable, "Permission denied"};
             }),
             Severity::warning, "socket", "Permission denied");
}

TEST(Diagnosis, TheStateDirectory) {
  expect_one(after([](Facts& f) { f.state.unusable = "others can write to it"; }), Severity::problem, "state", "others can write to it");
  expect_one(after([](Facts& f) { f.state.free = 500u << 20; }), Severity::warning, "state", "500 MiB are free");
  expect_one(after([](Facts& f) { f.state.free = 5u << 20; }), Severity::problem, "state", "5 MiB are free");
  expect_one(after([](Facts& f) {
               f.state.sessions = 3;
               f.state.bytes = 20u << 20;
             }),
             Severity::note, "state", "3 snapshots, 20 MiB");
  EXPECT_TRUE(after([](Facts& f) { f.state = {}; }).empty());
}

TEST(Diagnosis, AsJson) {
  const auto json = to_json({{Severity::warning, "socket", "left behind", "rm x"}, {Severity::ok, "machine", "well", ""}});
  EXPECT_EQ(json[0], nlohmann::json({{"severity", "warning"}, {"area", "socket"}, {"what", "left behind"}, {"remedy", "rm x"}}));
  EXPECT_FALSE(json[1].contains("remedy"));
}

}  // namespace
}  // namespace pons::doctor
