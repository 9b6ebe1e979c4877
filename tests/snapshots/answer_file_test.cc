#include "pool/answer_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "pool/answer_counts.h"

namespace pons {
namespace {

class AnswerFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "pons-answers-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    path = folder / "answered";
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  struct Found {
    std::uint64_t answered;
    bool certain;
    bool operator==(const Found&) const = default;
  };
  using AllFound = std::map<std::string, Found>;
  /// What a host of that run of the machine finds.
  AllFound found(const std::string& boot_id) const {
    const auto opened = AnswerFile::open(path, boot_id);
    AllFound all;
    EXPECT_TRUE(opened) << opened.error().message;
    if (opened) {
      for (const auto& one : opened->found) all[one.session] = {one.answered, one.certain};
    }
    return all;
  }

  std::filesystem::path folder;
  std::string path;
};

TEST_F(AnswerFileTest, IsThereAfterAKill) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto opened = AnswerFile::open(path, "run 1");
    if (!opened) ::_exit(1);
    AnswerFile::set(opened->file.add("a"), 7);
    const auto slot = opened->file.add(std::string("\0\xff/", 3));
    for (std::uint64_t n = 1; n <= 1000; ++n) AnswerFile::set(slot, n);
    opened->file.remove(opened->file.add("ended"));
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(found("run 1"), (AllFound{{"a", {7, true}}, {std::string("\0\xff/", 3), {1000, true}}}));
}

TEST_F(AnswerFileTest, IsUncertainWhenTheMachineWentDown) {
  {
    auto opened = AnswerFile::open(path, "run 1");
    ASSERT_TRUE(opened);
    AnswerFile::set(opened->file.add("a"), 7);
    AnswerFile::set(opened->file.add("b"), 8);
  }
  EXPECT_EQ(found("run 2"), (AllFound{{"a", {7, false}}, {"b", {8, false}}}));
  EXPECT_EQ(found("run 2"), (AllFound{{"a", {7, false}}, {"b", {8, false}}})) << "and stays so";
  {
    auto opened = AnswerFile::open(path, "run 2");
    ASSERT_TRUE(opened);
    for (const auto& one : opened->found) {
      if (one.session == "a") AnswerFile::set(one.slot, 9);
    }
  }
  EXPECT_EQ(found("run 2"), (AllFound{{"a", {9, true}}, {"b", {8, false}}})) << "until it is set again";
}

TEST_F(AnswerFileTest, IsCertainWhenItWasClosedBefore) {
  {
    auto opened = AnswerFile::open(path, "run 1");
    ASSERT_TRUE(opened);
    AnswerFile::set(opened->file.add("a"), 7);
    opened->file.close();
  }
  EXPECT_EQ(found("run 2"), (AllFound{{"a", {7, true}}}));
  EXPECT_EQ(found("run 3"), (AllFound{{"a", {7, false}}})) << "which holds for that one time";
}

TEST_F(AnswerFileTest, Grows) {
  {
    auto opened = AnswerFile::open(path, "run 1");
    ASSERT_TRUE(opened);
    auto& file = opened->file;
    EXPECT_FALSE(file.wants_segment());
    for (std::size_t i = 0; i < AnswerFile::kSegmentRecords; ++i) AnswerFile::set(file.add(std::to_string(i)), i);
    EXPECT_TRUE(file.wants_segment());
    EXPECT_EQ(file.add("one more"), nullptr);
    const auto segment = file.make_segment();
    ASSERT_TRUE(segment) << segment.error().message;
    file.adopt(*segment);
    AnswerFile::set(file.add("one more"), 5);
  }
  const auto all = found("run 1");
  EXPECT_EQ(all.size(), AnswerFile::kSegmentRecords + 1);
  EXPECT_EQ(all.at("one more").answered, 5u);
  EXPECT_EQ(all.at("77").answered, 77u);
}

TEST_F(AnswerFileTest, ALongNameHasNoRecord) {
  auto opened = AnswerFile::open(path, "run 1");
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->file.add(std::string(257, 'x')), nullptr);
  EXPECT_NE(opened->file.add(std::string(256, 'x')), nullptr);
  EXPECT_NE(opened->file.add(""), nullptr);
}

TEST_F(AnswerFileTest, WhatIsNoneBeginsAnew) {
  for (const std::string& text : {std::string("foreign"), std::string(100'000, 'x')}) {
    std::ofstream(path, std::ios::binary) << text;
    const auto opened = AnswerFile::open(path, "run 1");
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_TRUE(opened->found.empty());
    ASSERT_EQ(opened->warnings.size(), 1u);
    EXPECT_EQ(opened->warnings[0], path + ": holds no counts of answers; they begin anew");
  }
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  EXPECT_FALSE(AnswerFile::open(path, "run 1"));
  std::filesystem::remove(path);
  EXPECT_FALSE(AnswerFile::open(path + "/deeper", "run 1"));
}

TEST_F(AnswerFileTest, DamageIsLeftOut) {
  const char* const given = std::getenv("PONS_TEST_SEED");
  const auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("PONS_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  {
    auto opened = AnswerFile::open(path, "run 1");
    ASSERT_TRUE(opened);
    for (int i = 0; i < 500; ++i) AnswerFile::set(opened->file.add("session " + std::to_string(i)), 1);
  }
  std::ifstream in(path, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  for (int round = 0; round < 100; ++round) {
    auto bad = good;
    for (int i = 0; i < 300; ++i) bad[65'536 + random() % (bad.size() - 65'536)] = static_cast<char>(random());
    if (random() % 4 == 0) bad.resize(random() % bad.size());
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bad;
    auto opened = AnswerFile::open(path, "run 1");
    ASSERT_TRUE(opened) << opened.error().message;
    for (const auto& one : opened->found) EXPECT_TRUE(one.session.starts_with("session ")) << one.session;
    EXPECT_NE(opened->file.add("new"), nullptr) << "and the file is of use";
  }
}

TEST_F(AnswerFileTest, CountsAreKeptInMemoryUntilThereIsRoom) {
  AnswerCounts counts;
  ASSERT_TRUE(counts.open(path, "run 1"));
  const auto many = AnswerFile::kSegmentRecords + 10;
  for (std::size_t i = 0; i < many; ++i) counts.set(std::to_string(i), i + 1);
  EXPECT_TRUE(counts.wants_segment());
  EXPECT_EQ(counts.find("1030")->slot, nullptr);
  EXPECT_EQ(counts.find("1030")->answered, 1031u);
  counts.set("1030", 2000);
  counts.forget("1031");
  counts.adopt(*counts.file()->make_segment());
  EXPECT_FALSE(counts.wants_segment());
  EXPECT_EQ(found("run 1").at("1030").answered, 2000u);
  EXPECT_FALSE(found("run 1").contains("1031"));
  EXPECT_EQ(found("run 1").size(), many - 1);
}

TEST_F(AnswerFileTest, WhatIsOnlySupposedIsUncertain) {
  AnswerCounts counts;
  ASSERT_TRUE(counts.open(path, "run 1"));
  counts.set("a", 5);
  counts.suppose("a", 3, 1);
  counts.suppose("b", 3, 1);
  EXPECT_EQ(counts.find("a")->answered, 5u);
  EXPECT_TRUE(counts.find("a")->certain);
  EXPECT_EQ(counts.find("b")->answered, 3u);
  EXPECT_FALSE(counts.find("b")->certain);
  EXPECT_FALSE(found("run 1").contains("b")) << "so it is as uncertain after the next start";
  counts.set("b", 4);
  EXPECT_TRUE(counts.find("b")->certain);
  EXPECT_EQ(counts.find("c"), nullptr);
}

}  // namespace
}  // namespace pons
