#include "pool/cpu_set.h"

#include <gtest/gtest.h>

namespace pons {
namespace {

std::string again(std::string_view text) {
  const auto set = CpuSet::parse(text);
  return set ? set->to_string() : "error: " + set.error().message;
}

TEST(CpuSetTest, SetsAndTheirText) {
  EXPECT_EQ(again("0"), "0");
  EXPECT_EQ(again("0-3,5"), "0-3,5");
  EXPECT_EQ(again("5,3,4,4,0"), "0,3-5");
  EXPECT_EQ(again("7-7"), "7");
  EXPECT_EQ(again("1023"), "1023");
  EXPECT_EQ(again("0-1023"), "0-1023");
  EXPECT_EQ(CpuSet::parse("0-3,5")->count(), 5);
}

TEST(CpuSetTest, WhatIsNoneIsNamedWithItsKey) {
  for (const char* const text :
       {"", ",", "0,", ",0", "-", "0-", "-1", "3-2", "a", "0x1", "1 ", " 1", "0--1", "99999999999", "1-2-3", "+1"}) {
    const auto set = CpuSet::parse(text);
    ASSERT_FALSE(set) << text;
    EXPECT_EQ(set.error().code, ErrorCode::invalid_configuration);
    EXPECT_EQ(set.error().message, "limits.cpu_affinity: \"" + std::string(text) + "\" is no set of CPUs, like 0-3,5");
  }
  EXPECT_NE(again("1024").find("names CPU 1024"), std::string::npos);
}

TEST(CpuSetTest, OnlyCpusOfThisMachineAreAvailable) {
  const auto online = CpuSet::online();
  ASSERT_TRUE(online);
  EXPECT_GE(online->count(), 1);
  EXPECT_TRUE(available_cpus(online->to_string()).value() == *online);
  int absent = 0;
  while (online->contains(absent)) ++absent;
  const auto none = available_cpus(std::to_string(absent));
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("names CPU " + std::to_string(absent) + ", which this machine does not have"), std::string::npos)
      << none.error().message;
}

}  // namespace
}  // namespace pons
