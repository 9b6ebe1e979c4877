// Versions and conditions of PEP 440; pep440_against_packaging.py compares many more with another implementation.
#include "host/environment/pep440.h"

#include <gtest/gtest.h>

namespace pons {
namespace {

TEST(Pep440, VersionsHaveANormalForm) {
  const std::vector<std::pair<std::string, std::string>> forms{
      {"1.0", "1.0"},
      {" v1.0 ", "1.0"},
      {"1.0RC1", "1.0rc1"},
      {"1.0-alpha.3", "1.0a3"},
      {"1.0.pre", "1.0rc0"},
      {"1.0c2", "1.0rc2"},
      {"1.0-preview_7", "1.0rc7"},
      {"1.0beta", "1.0b0"},
      {"1.0-1", "1.0.post1"},
      {"1.0.r4", "1.0.post4"},
      {"1.0rev", "1.0.post0"},
      {"1.0_dev3", "1.0.dev3"},
      {"1!2.3", "1!2.3"},
      {"1.0+Ubuntu-1", "1.0+ubuntu.1"},
      {"007.08", "7.8"},
      {"1a1.post2.dev3+x", "1a1.post2.dev3+x"},
  };
  for (const auto& [text, normal] : forms) {
    const auto version = PythonVersion::parse(text);
    ASSERT_TRUE(version) << text;
    EXPECT_EQ(version->to_string(), normal);
  }
}

TEST(Pep440, WhatIsNoVersion) {
  for (const char* text :
       {"", "x", "1.", "1..2", ".1", "1.0+", "1.0+a..b", "1.0 2", "1.0final", "1!", "1.0-", "1.0.*", "9999999999999999999"}) {
    EXPECT_FALSE(PythonVersion::parse(text)) << text;
  }
}

TEST(Pep440, VersionsAreInOrder) {
  const std::vector<std::string> ordered{
      "0.9",     "1.0.dev1", "1.0a1.dev2", "1.0a1",          "1.0a1.post1.dev1", "1.0a1.post1", "1.0b1", "1.0rc1", "1.0", "1.0+a",
      "1.0+a.b", "1.0+1",    "1.0+10",     "1.0.post1.dev1", "1.0.post1",        "1.1.dev1",    "1.1",   "1.10",   "2",   "1!0.1"};
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    for (std::size_t k = 0; k < ordered.size(); ++k) {
      EXPECT_EQ(*PythonVersion::parse(ordered[i]) <=> *PythonVersion::parse(ordered[k]), i <=> k) << ordered[i] << " " << ordered[k];
    }
  }
  EXPECT_EQ(*PythonVersion::parse("1.0.0"), *PythonVersion::parse("1"));
}

TEST(Pep440, ConditionsAllowAndRefuse) {
  struct Case {
    const char* condition;
    std::vector<const char*> allowed;
    std::vector<const char*> refused;
  };
  const Case cases[] = {
      {"==1.1", {"1.1", "1.1.0", "1.1+local"}, {"1.1.post1", "1.1a1", "1.2"}},
      {"==1.1+a", {"1.1+a"}, {"1.1", "1.1+b"}},
      {"==1.1.*", {"1.1", "1.1.9", "1.1a1", "1.1.post1", "1.1+x"}, {"1.10", "1", "1!1.1"}},
      {"==1.0.*", {"1", "1a1"}, {"1.1"}},
      {"!=1.1.*", {"1.2"}, {"1.1.3"}},
      {"!=1.1", {"1.1.1"}, {"1.1", "1.1+a"}},
      {">=3.0", {"3.0", "3.0.post1", "4", "3.0+x"}, {"3.0rc1", "2.9"}},
      {"<=3.0", {"3.0", "3.0+x", "3.0rc1", "2"}, {"3.0.post1", "3.0.1"}},
      {"<3.0", {"2.9", "2.9.post1"}, {"3.0", "3.0a1", "3.0.dev1"}},
      {"<3.0rc1", {"3.0a1", "3.0b1"}, {"3.0rc1", "3.0"}},
      {">1.7", {"1.7.1", "1.8"}, {"1.7", "1.7.0.post1", "1.7+local"}},
      {">1.7.post2", {"1.7.post3", "1.7.1"}, {"1.7.post2", "1.7.0"}},
      {"~=2.2", {"2.2", "2.9", "2.2.post3"}, {"3.0", "2.1", "2.2rc1"}},
      {"~=1.4.5", {"1.4.5", "1.4.9"}, {"1.5.0", "1.4.4"}},
      {"~=2.2.post3", {"2.2.post3", "2.3"}, {"2.2", "3.0"}},
      {"~=1.4.5a4", {"1.4.5a4", "1.4.6"}, {"1.4.5a3", "1.5"}},
      {"===1.0", {"1.0"}, {"1.0.0"}},
  };
  for (const Case& each : cases) {
    const auto condition = VersionCondition::parse(each.condition);
    ASSERT_TRUE(condition) << each.condition;
    for (const char* version : each.allowed)
      EXPECT_TRUE(condition->allows(*PythonVersion::parse(version))) << each.condition << " " << version;
    for (const char* version : each.refused)
      EXPECT_FALSE(condition->allows(*PythonVersion::parse(version))) << each.condition << " " << version;
  }
}

TEST(Pep440, WhatIsNoCondition) {
  for (const char* text : {"", "1.0", "=1.0", "=>1.0", "~=1", ">=1.*", ">=1.0+a", "==1.0a1.*", "==1.0+a.*", "<", "== =1"}) {
    EXPECT_FALSE(VersionCondition::parse(text)) << text;
  }
}

TEST(Pep440, RequirementsNameAPackageAndItsVersions) {
  const auto dspy = PackageRequirement::parse(" Dspy_AI.core[all, x] >= 3.0 , < 4 ");
  ASSERT_TRUE(dspy);
  EXPECT_EQ(dspy->name, "dspy-ai-core");
  EXPECT_EQ(dspy->text, "Dspy_AI.core[all, x] >= 3.0 , < 4");
  EXPECT_TRUE(dspy->allows("3.5"));
  EXPECT_FALSE(dspy->allows("4.0"));
  EXPECT_FALSE(dspy->allows("unknown"));
  EXPECT_TRUE(PackageRequirement::parse("numpy")->allows("unknown"));
  for (const char* text :
       {"", ">=3", "a b", "numpy>=", "numpy>=1,", "numpy,>=1", "-x", "x-", "x @ file:///y", "x; python_version > '3'", "x[a"}) {
    EXPECT_FALSE(PackageRequirement::parse(text)) << text;
  }
  EXPECT_EQ(normal_package_name("A-_.b"), "a-b");
}

}  // namespace
}  // namespace pons
