#include "pool/snapshot_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "pool/snapshot_index.h"
#include "tests/snapshots/store_fixture.h"

namespace pons {
namespace {

using SnapshotStoreTest = StoreTest;

TEST_F(SnapshotStoreTest, GivesBackWhatWasSaved) {
  open();
  ASSERT_TRUE(save("s", 3, std::string("a\0b", 3)));
  const auto loaded = load("s");
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(*loaded, (Snapshot{"echo/1", std::string("a\0b", 3), 3}));
  EXPECT_EQ(load("t").error().code, ErrorCode::resource_not_found);
}

TEST_F(SnapshotStoreTest, IsThereInTheNextRun) {
  open();
  store->note_answered("s", 5);
  store->note_answered("without", 2);
  ASSERT_TRUE(save("s", 4));
  ASSERT_TRUE(save("s", 5, "newer"));
  close();
  open();
  auto known = store->known();
  ASSERT_EQ(known.size(), 2u);
  const auto found = store->find("s");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->answered, 5u);
  EXPECT_EQ(found->covers, 5u);
  EXPECT_TRUE(found->certain && found->has_snapshot);
  EXPECT_GT(found->bytes, 5u);
  EXPECT_LE(found->saved_at, std::chrono::system_clock::now());
  EXPECT_GE(found->saved_at, std::chrono::system_clock::now() - std::chrono::minutes(10));
  EXPECT_EQ(store->find("without")->answered, 2u);
  EXPECT_FALSE(store->find("without")->has_snapshot);
  EXPECT_FALSE(store->find("unknown"));
  EXPECT_EQ(load("s")->state, "newer");
  settle();
  EXPECT_TRUE(warnings.empty()) << warnings[0];
}

TEST_F(SnapshotStoreTest, SaysHowManyAnswersTheSnapshotDoesNotCover) {
  open();
  ASSERT_TRUE(save("s", 4));
  for (std::uint64_t n = 5; n <= 9; ++n) store->note_answered("s", n);
  store.reset();  // as when the host is killed
  open();
  EXPECT_EQ(store->find("s")->covers, 4u);
  EXPECT_EQ(store->find("s")->answered, 9u);
  EXPECT_TRUE(store->find("s")->certain);
}

TEST_F(SnapshotStoreTest, OnlyTheUserMayReadIt) {
  ::mkdir(files_folder().c_str(), 0777);
  ::chmod(files_folder().c_str(), 0777);
  open();
  ASSERT_TRUE(save("s", 1));
  struct stat info {};
  ASSERT_EQ(::stat(files_folder().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  ASSERT_EQ(files().size(), 1u);
  ASSERT_EQ(::stat(files()[0].c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat((files_folder() + "/answered").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(SnapshotStoreTest, InMemoryWithoutAFolder) {
  options.max_total = 1000;
  options.max_bytes = 500;
  ASSERT_TRUE(try_open(""));
  ASSERT_TRUE(save("a", 1, std::string(300, 'a')));
  ASSERT_TRUE(save("b", 2, std::string(300, 'b')));
  store->note_answered("a", 7);
  EXPECT_EQ(load("b")->state, std::string(300, 'b'));
  EXPECT_EQ(store->find("a")->answered, 7u);
  EXPECT_EQ(store->find("a")->covers, 1u);
  ASSERT_TRUE(save("c", 3, std::string(400, 'c')));
  settle();
  EXPECT_EQ(given_up, std::vector<std::string>{"a"});
  EXPECT_FALSE(load("a"));
  store->forget("b");
  EXPECT_FALSE(load("b"));
  EXPECT_FALSE(save("d", 1, std::string(501, 'd')));
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  close();
}

TEST_F(SnapshotStoreTest, AnEndedSessionLeavesNothing) {
  open();
  ASSERT_TRUE(save("s", 1));
  store->forget("s");
  EXPECT_FALSE(store->find("s"));
  settle();
  EXPECT_TRUE(files().empty());
  close();
  open();
  EXPECT_TRUE(store->known().empty());
}

TEST_F(SnapshotStoreTest, TheLongestUnusedGiveWayAndAreNamed) {
  options.max_total = 1130;  // of files, which have a head beside the state
  open();
  for (const char* const session : {"a", "b", "c"}) ASSERT_TRUE(save(session, 1, std::string(200, 'x')));
  store->note_answered("a", 2);  // it is used
  ASSERT_TRUE(save("d", 1, std::string(500, 'x')));
  settle();
  EXPECT_EQ(given_up, std::vector<std::string>{"b"});
  EXPECT_EQ(files().size(), 3u);
  EXPECT_FALSE(store->find("b")->has_snapshot);
  EXPECT_EQ(store->find("b")->answered, 1u) << "it is still known";
  options.max_total = 600;
  open();
  settle();
  EXPECT_EQ(given_up, (std::vector<std::string>{"b", "a", "c"})) << "the oldest first";
}

TEST_F(SnapshotStoreTest, MergesSavesThatComeFasterThanTheDisk) {
  open();
  std::size_t told = 0;
  constexpr std::size_t kSaves = 2'000;
  for (std::uint64_t n = 1; n <= kSaves; ++n) {
    store->save("s", {"echo/1", std::string(1000, 'x') + std::to_string(n), n}, [&](const Result<void>& saved) {
      EXPECT_TRUE(saved);
      ++told;
    });
  }
  EXPECT_EQ(store->find("s")->covers, kSaves);
  EXPECT_TRUE(until([&] { return told == kSaves; })) << told;
  store.reset();
  open();
  EXPECT_EQ(load("s")->covers, kSaves);
  EXPECT_EQ(files().size(), 1u);
}

TEST_F(SnapshotStoreTest, ManySessionsEachHaveTheirOwn) {
  open();
  std::size_t told = 0;
  constexpr std::size_t kSessions = 3'000;  // more than one segment of counts
  const auto id = [](std::size_t i) { return "session/" + std::to_string(i) + std::string(i % 200, '.'); };
  for (std::size_t i = 0; i < kSessions; ++i) {
    store->save(id(i), {"echo/1", std::to_string(i), i}, [&](const Result<void>& saved) { told += saved ? 1u : 0u; });
    store->note_answered(id(i), i + 1);
  }
  EXPECT_TRUE(until([&] { return told == kSessions; })) << told;
  close();
  open();
  EXPECT_EQ(store->known().size(), kSessions);
  for (std::size_t i = 0; i < kSessions; i += 97) {
    EXPECT_EQ(store->find(id(i))->answered, i + 1);
    EXPECT_TRUE(store->find(id(i))->certain);
    EXPECT_EQ(load(id(i))->state, std::to_string(i));
  }
}

TEST_F(SnapshotStoreTest, WhatIsNoneIsSkippedWithAWarning) {
  open();
  for (const char* const session : {"good", "cut", "torn", "gone"}) ASSERT_TRUE(save(session, 1, std::string(100, 'x')));
  close();
  const auto file = [this](const std::string& session) { return files_folder() + "/" + snapshot_file_name(session, 0); };
  std::filesystem::resize_file(file("cut"), 80);
  {
    std::fstream torn(file("torn"), std::ios::binary | std::ios::in | std::ios::out);
    torn.seekp(-5, std::ios::end);
    torn << "zzzzz";
  }
  std::ofstream(files_folder() + "/foreign.snapshot") << "hello";
  std::ofstream(files_folder() + "/notes.txt") << "hello";
  std::ofstream(files_folder() + "/0123.snapshot.new") << "left by a write that was cut off";
  std::filesystem::create_directory(files_folder() + "/folder.snapshot");
  std::filesystem::copy_file(file("good"), files_folder() + "/copy.snapshot");
  std::filesystem::create_directory(folder + "/other");
  std::filesystem::copy_file(file("gone"), folder + "/other/" + snapshot_file_name("gone", 0));
  std::filesystem::remove(file("gone"));
  open();
  settle();
  EXPECT_EQ(warnings.size(), 3u);
  for (const char* const part : {"/foreign.snapshot: no snapshot: the file is too short", "/folder.snapshot: is no file",
                                 ": no snapshot: it is not as long as it says"}) {
    EXPECT_TRUE(std::any_of(warnings.begin(), warnings.end(), [&](const auto& text) { return text.find(part) != std::string::npos; }))
        << part;
  }
  EXPECT_TRUE(std::filesystem::exists(files_folder() + "/notes.txt"));
  EXPECT_FALSE(std::filesystem::exists(files_folder() + "/0123.snapshot.new"));
  EXPECT_TRUE(store->find("good")->has_snapshot);
  EXPECT_EQ(load("good")->covers, 1u);
  EXPECT_FALSE(store->find("cut")->has_snapshot) << "but it is known that there were answers:";
  EXPECT_EQ(store->find("cut")->answered, 1u);
  EXPECT_FALSE(store->find("gone")->has_snapshot);
  EXPECT_EQ(load("torn").error().message, "no snapshot: its state is damaged");
  settle();
  EXPECT_EQ(given_up, std::vector<std::string>{"torn"});
  EXPECT_FALSE(store->find("torn")->has_snapshot);
  EXPECT_FALSE(std::filesystem::exists(file("torn")));
}

TEST_F(SnapshotStoreTest, OfAnotherAdapterIsNotTaken) {
  open();
  ASSERT_TRUE(save("s", 1));
  close();
  std::filesystem::rename(files_folder(), folder + "/saved");
  auto other = SnapshotStore::open(io.get_executor(), folder, "saved", options, {});
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_FALSE((*other)->find("s")->has_snapshot);
}

TEST_F(SnapshotStoreTest, ASnapshotWithoutACountIsUncertain) {
  open();
  ASSERT_TRUE(save("s", 4));
  close();
  std::filesystem::remove(files_folder() + "/answered");
  open();
  EXPECT_EQ(store->find("s")->answered, 4u);
  EXPECT_FALSE(store->find("s")->certain) << "there may have been more";
  store->note_answered("s", 5);
  EXPECT_TRUE(store->find("s")->certain);
}

TEST_F(SnapshotStoreTest, IdsThatWouldShareAFileDoNot) {
  open();
  ASSERT_TRUE(save("b", 1, "of b"));
  close();
  // As if "b" had the name that "a" would get.
  std::filesystem::rename(files()[0], files_folder() + "/" + snapshot_file_name("a", 0));
  open();
  ASSERT_TRUE(save("a", 2, "of a"));
  EXPECT_EQ(load("b")->state, "of b");
  close();
  open();
  EXPECT_EQ(load("a")->state, "of a");
  EXPECT_EQ(load("b")->state, "of b");
  EXPECT_EQ(files().size(), 2u);
}

TEST_F(SnapshotStoreTest, ATextThatDoesNotFitIsRefused) {
  open();
  std::optional<Error> why;
  store->save("s", {std::string(3'000, 'f'), "state", 1}, [&](const Result<void>& saved) { why = saved.error(); });
  EXPECT_TRUE(until([&] { return why.has_value(); }));
  EXPECT_EQ(why->code, ErrorCode::bad_request);
  EXPECT_TRUE(save(std::string(256, 's'), 1));
}

TEST_F(SnapshotStoreTest, NothingIsCalledAfterItsEnd) {
  open();
  int called = 0;
  for (int i = 0; i < 100; ++i) {
    store->save(std::to_string(i), {"f", "state", 1}, [&](const Result<void>&) { ++called; });
    store->load(std::to_string(i), [&](const auto&) { ++called; });
  }
  store.reset();
  settle();
  EXPECT_EQ(called, 0);
}

TEST_F(SnapshotStoreTest, MayBeDestroyedInItsOwnCallback) {
  open();
  bool called = false;
  store->save("s", {"f", "state", 1}, [&](const Result<void>&) {
    store.reset();
    called = true;
  });
  EXPECT_TRUE(until([&] { return called; }));
}

TEST_F(SnapshotStoreTest, TheLoopHasWorkUntilAllIsDone) {
  open();
  bool saved = false;
  store->save("s", {"f", std::string(5u << 20, 'x'), 1}, [&](const Result<void>& outcome) { saved = outcome.has_value(); });
  io.restart();
  io.run_for(kDeadline);
  EXPECT_TRUE(saved);
}

}  // namespace
}  // namespace pons
