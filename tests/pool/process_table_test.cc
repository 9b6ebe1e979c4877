#include "pool/process_table.h"

#include <random>

#include "tests/pool/process_fixture.h"

namespace pons {
namespace {

constexpr std::string_view kRest =
    " 1 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 8192 33 18446744073709551615 1 2 3 4 5 0 0 0 17 1 0 0 0 0 0 1 2 3 4 5 6 7 0\n";

std::string line(std::string_view name, char state = 'S') { return "42 (" + std::string(name) + ") " + state + std::string(kRest); }

TEST(ProcessStatTest, ReadsALine) {
  const auto stat = ProcessStat::parse(line("cat"));
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->pid, 42);
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->parent, 1);
  EXPECT_EQ(stat->group, 42);
  EXPECT_EQ(stat->started, 987654u);
  EXPECT_EQ(stat->resident_pages, 33u);
}

TEST(ProcessStatTest, TheNameMayHoldAnything) {
  for (const std::string_view name : {"", " ", "a b", "(", ")", ") R 1 (", "((x)) S 7 8", "x) T 5 5 5 5", "new\nline", "1 (2"}) {
    const auto stat = ProcessStat::parse(line(name));
    ASSERT_TRUE(stat) << name;
    EXPECT_EQ(stat->state, 'S') << name;
    EXPECT_EQ(stat->group, 42) << name;
  }
}

TEST(ProcessStatTest, WhatIsNoLineIsNone) {
  for (const std::string_view text :
       {"", "42", "42 (cat", "42 (cat)", "42 (cat) ", "42 (cat) S", "42 (cat) S 1 42", "x (cat) S 1 42", "(cat) S 1"}) {
    EXPECT_FALSE(ProcessStat::parse(text)) << text;
  }
  auto bad_group = line("cat");
  bad_group.replace(bad_group.find(" 42 42"), 6, " -- 42");
  EXPECT_FALSE(ProcessStat::parse(bad_group));
}

TEST(ProcessStatTest, NegativeMemoryCountsAsNone) {
  auto text = line("cat");
  text.replace(text.find(" 33 "), 4, " -3 ");
  EXPECT_EQ(ProcessStat::parse(text)->resident_pages, 0u);
}

TEST(ProcessStatTest, DamagedLinesNeverHarm) {
  const char* const given = std::getenv("PONS_TEST_SEED");
  const auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("PONS_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 5'000; ++i) {
    auto text = line("a (b) c", "RSDTtZX"[random() % 7]);
    for (auto n = random() % 5; n-- > 0;) text[random() % text.size()] = static_cast<char>(random());
    text.resize(random() % 3 == 0 ? random() % text.size() : text.size());
    ProcessStat::parse(text);
  }
}

TEST(ProcessTableTest, SumsByGroupAndLeavesTheDeadOut) {
  ProcessTable table;
  const auto add = [&](pid_t pid, pid_t group, char state, std::size_t pages) {
    ProcessStat stat;
    stat.pid = pid;
    stat.group = group;
    stat.state = state;
    stat.resident_pages = pages;
    table.add(stat);
  };
  add(5, 5, 'S', 10);
  add(6, 5, 'T', 20);
  add(7, 5, 'Z', 40);
  add(8, 8, 'R', 1);
  EXPECT_EQ(table.resident_bytes(5), 30u * 4096);
  EXPECT_EQ(table.processes(5), 2u);
  EXPECT_EQ(table.processes(8), 1u);
  EXPECT_EQ(table.processes(9), 0u);
  EXPECT_EQ(table.resident_bytes(9), 0u);
}

using ProcessTableOfThisMachine = ProcessTest;

TEST_F(ProcessTableOfThisMachine, HasTheMemoryOfAGroup) {
  auto& large = spawn(probe({"memory", "64"}));
  auto& family = spawn(probe({"wait_with_child"}));
  read_line(large.out.get());
  const auto child = static_cast<pid_t>(std::stol(read_line(family.out.get())));
  const auto table = ProcessTable::read();
  EXPECT_GE(table.resident_bytes(large.pid), 64u << 20);
  EXPECT_LT(table.resident_bytes(large.pid), 80u << 20);
  EXPECT_EQ(table.processes(large.pid), 1u);
  EXPECT_EQ(table.processes(family.pid), 2u);
  EXPECT_GT(table.resident_bytes(family.pid), 0u);
  EXPECT_EQ(ProcessStat::of(child)->group, family.pid);
  EXPECT_EQ(ProcessStat::of(child)->parent, family.pid);
}

TEST_F(ProcessTableOfThisMachine, TheDeadAreNotCounted) {
  auto& process = spawn(probe({"exit", "0"}));
  ASSERT_TRUE(wait_for(process.pidfd.get()));
  EXPECT_EQ(ProcessTable::read().processes(process.pid), 0u) << "it is not reaped yet";
  EXPECT_EQ(ProcessStat::of(process.pid)->state, 'Z');
  EXPECT_FALSE(is_stopped(process.pid));
  finish(process);
  EXPECT_FALSE(ProcessStat::of(process.pid));
}

TEST_F(ProcessTableOfThisMachine, KnowsWhoIsStopped) {
  auto& process = spawn(probe({"wait"}));
  read_line(process.out.get());
  EXPECT_FALSE(is_stopped(process.pid));
  send_signal(process.pidfd.get(), SIGSTOP);
  siginfo_t info{};
  ASSERT_EQ(::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(process.pidfd.get()), &info, WSTOPPED), 0);
  EXPECT_TRUE(is_stopped(process.pid));
  send_signal(process.pidfd.get(), SIGCONT);
  ASSERT_EQ(::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(process.pidfd.get()), &info, WCONTINUED), 0);
  EXPECT_FALSE(is_stopped(process.pid));
  EXPECT_FALSE(is_stopped(0)) << "there is no such process";
}

}  // namespace
}  // namespace pons
