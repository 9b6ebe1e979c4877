// A store on a loop of its own, with a folder that goes with the test.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "pool/snapshot_store.h"

namespace pons {

class StoreTest : public testing::Test {
 protected:
  static constexpr auto kDeadline = std::chrono::seconds(10);

  void SetUp() override {
    std::string pattern = testing::TempDir() + "pons-snapshots-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
  }
  void TearDown() override {
    store.reset();
    std::filesystem::remove_all(folder);
  }

  Result<void> try_open(const std::string& where) {
    store.reset();
    SnapshotStore::Callbacks callbacks;
    callbacks.on_warning = [this](const std::string& text) { warnings.push_back(text); };
    callbacks.on_given_up = [this](const std::string& session) { given_up.push_back(session); };
    auto opened = SnapshotStore::open(io.get_executor(), where, "echo", options, std::move(callbacks));
    if (!opened) return opened.error();
    store = std::move(*opened);
    return {};
  }
  void open() {
    const auto opened = try_open(folder);
    ASSERT_TRUE(opened) << opened.error().message;
  }

  /// Runs the loop until it is so.
  template <class Condition>
  bool until(Condition condition) {
    const auto deadline = Clock::now() + kDeadline;
    io.restart();
    while (!condition() && Clock::now() < deadline) {
      if (io.run_one_until(deadline) == 0) break;
    }
    return condition();
  }
  /// Runs the loop until nothing is left to do.
  void settle() {
    io.restart();
    io.run_for(kDeadline);
  }

  Result<void> save(const std::string& session, std::uint64_t covers, const std::string& state = "state") {
    std::optional<Result<void>> outcome;
    store->save(session, {"echo/1", state, covers}, [&](const Result<void>& saved) { outcome = saved; });
    if (!until([&] { return outcome.has_value(); })) return Error{ErrorCode::internal, "no answer in time"};
    return *outcome;
  }
  Result<Snapshot> load(const std::string& session) {
    std::optional<Result<Snapshot>> outcome;
    store->load(session, [&](const Result<std::shared_ptr<const Snapshot>>& loaded) {
      outcome = loaded ? Result<Snapshot>(**loaded) : Result<Snapshot>(loaded.error());
    });
    if (!until([&] { return outcome.has_value(); })) return Error{ErrorCode::internal, "no answer in time"};
    return *outcome;
  }
  void close() {
    bool closed = false;
    store->close([&] { closed = true; });
    EXPECT_TRUE(until([&] { return closed; }));
    store.reset();
  }

  [[nodiscard]] std::string files_folder() const { return folder + "/echo"; }
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(files_folder())) {
      if (entry.path().filename() != "answered") names.push_back(entry.path().string());
    }
    return names;
  }

  std::string folder;
  SnapshotOptions options;
  asio::io_context io{1};
  std::vector<std::string> warnings;
  std::vector<std::string> given_up;
  std::unique_ptr<SnapshotStore> store;
};

}  // namespace pons
