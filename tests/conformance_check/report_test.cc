#include "host/conformance/report.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

namespace pons::conformance {
namespace {

TEST(ConformanceRules, HaveIdsOfTheirOwnASentenceAndASection) {
  std::set<std::string_view> ids;
  for (const Rule& rule : all_rules()) {
    EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
    EXPECT_NE(rule.id.find('.'), std::string_view::npos) << rule.id;
    EXPECT_TRUE(rule.sentence.size() > 10) << rule.id;
    EXPECT_GE(rule.section, 1) << rule.id;
    EXPECT_LE(rule.section, 7) << rule.id;
  }
  EXPECT_GE(ids.size(), 50u);
}

TEST(ConformanceReport, TheWorstThatWasRecordedCounts) {
  Report report;
  report.record("end.eof", not_tested("later"));
  report.record("end.eof", passed("well"));
  report.record("end.eof", failed("first"));
  report.record("end.eof", failed("second"));
  report.record("end.eof", passed("well again"));
  for (const auto& line : report.lines("nobody looked")) {
    if (line.rule->id == "end.eof") {
      EXPECT_EQ(line.finding.outcome, Outcome::fail);
      EXPECT_EQ(line.finding.seen, "first");
    } else {
      EXPECT_EQ(line.finding.outcome, Outcome::not_tested);
      EXPECT_EQ(line.finding.seen, "nobody looked");
    }
  }
  EXPECT_TRUE(report.any_failed());
  EXPECT_TRUE(report.failed("end.eof"));
  EXPECT_FALSE(report.failed("end.sigterm"));
}

TEST(ConformanceReport, WhatWasNotTestedIsNoFailure) {
  Report report;
  EXPECT_FALSE(report.any_failed());
  report.record("end.eof", passed({}));
  report.record("end.sigterm", not_tested("no"));
  EXPECT_FALSE(report.any_failed());
  EXPECT_EQ(report.lines("").size(), all_rules().size());
}

TEST(ConformanceReport, AnIdThatIsNoRulesIsAMistakeOfTheProgram) {
  Report report;
  EXPECT_THROW(report.record("end.of_the_world", passed({})), std::out_of_range);
}

}  // namespace
}  // namespace pons::conformance
