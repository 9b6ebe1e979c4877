// The check on real programs: it finds nothing at the good ones, and names the fault of each of the bad ones.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <set>

#include "host/config/config.h"
#include "host/conformance/conformance.h"
#include "pool/watcher.h"

namespace pons::conformance {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Rules = std::set<std::string>;

constexpr Millis kPatience{20'000};   // for those who answer
constexpr Millis kImpatience{5'000};  // for those who never will
constexpr Millis kSoon{500};          // likewise, for their end

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "pons-check-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string at(const std::string& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

/// As an adapter's folder says it.
PoolOptions adapter_of(const json& yaml) {
  const Folder folder;
  std::ofstream(folder.at("adapter.yaml")) << yaml.dump();
  auto pool = adapter_from_path(folder.at("")).pool;
  pool.launch.working_dir.clear();  // the folder, which goes now
  return pool;
}

PoolOptions bad_worker(std::vector<std::string> words) {
  words.insert(words.begin(), PONS_BAD_WORKER);
  return adapter_of({{"name", "misbehaving"}, {"command", words}});
}

std::vector<Report::Line> lines_of(const PoolOptions& pool, const CheckOptions& options = {.patience = kPatience}) {
  ::signal(SIGPIPE, SIG_IGN);
  const auto instance = random_token();
  PosixLauncher launcher;
  const auto result = check_worker(pool, instance, launcher, options);
  EXPECT_TRUE(find_instance(instance).empty());
  return result.report.lines("the worker did not get ready");
}

Rules with_outcome(const std::vector<Report::Line>& lines, Outcome outcome) {
  Rules rules;
  for (const auto& line : lines) {
    if (line.finding.outcome == outcome) rules.emplace(line.rule->id);
  }
  return rules;
}

std::string seen(const std::vector<Report::Line>& lines, std::string_view id) {
  for (const auto& line : lines) {
    if (line.rule->id == id) return line.finding.seen;
  }
  return {};
}

Rules failures(const PoolOptions& pool, const CheckOptions& options = {.patience = kPatience}) {
  return with_outcome(lines_of(pool, options), Outcome::fail);
}

// Those that behave

TEST(CheckWorker, EchoFollowsEveryRule) {
  CheckOptions options{.patience = kPatience};
  options.slow = SlowRequest{"sleep", {{"ms", 600'000}}};
  const auto lines = lines_of(adapter_from_path(fs::path(PONS_ADAPTERS) / "echo").pool, options);
  EXPECT_EQ(with_outcome(lines, Outcome::fail), Rules{});
  EXPECT_EQ(with_outcome(lines, Outcome::not_tested), (Rules{"reverse.parent", "end.descriptor"}));
}

TEST(CheckWorker, WithoutASlowRequestThatIsSaid) {
  const auto lines = lines_of(adapter_from_path(fs::path(PONS_ADAPTERS) / "echo").pool);
  EXPECT_EQ(with_outcome(lines, Outcome::fail), Rules{});
  EXPECT_EQ(with_outcome(lines, Outcome::not_tested),
            (Rules{"reverse.parent", "end.descriptor", "cancel.running", "hang.report_running", "end.eof_running"}));
  EXPECT_NE(seen(lines, "cancel.running").find("--slow"), std::string::npos);
}

#ifdef PONS_WITH_XGBOOST
TEST(CheckWorker, XgboostFollowsEveryRule) { EXPECT_EQ(failures(adapter_from_path(fs::path(PONS_ADAPTERS) / "xgboost").pool), Rules{}); }
#endif

TEST(CheckWorker, AnSdkWorkerWithOptionsFollowsEveryRule) {
  const Folder folder;
  EXPECT_EQ(
      failures(adapter_of(
          {{"name", "journal"}, {"command", {PONS_JOURNAL_WORKER}}, {"defaults", {{"options", {{"journal", folder.at("journal")}}}}}})),
      Rules{});
}

TEST(CheckWorker, AProgramThatKnowsNothingOfPonsFollowsTheRulesOfLevel0) {
  const auto lines =
      lines_of(adapter_of({{"name", "bare"}, {"command", {"python3", PONS_BARE_WORKER}}, {"defaults", {{"channel", "stdio"}}}}));
  EXPECT_EQ(with_outcome(lines, Outcome::fail), Rules{});
  for (const char* rule : {"session.end_unknown", "cancel.unknown", "hang.report"}) {
    EXPECT_EQ(seen(lines, rule), "the worker is level 0") << rule;
  }
  EXPECT_EQ(seen(lines, "codec.msgpack"), "it reads JSON only");
}

TEST(CheckWorker, OddWaysThatAreAllowed) {
  const Folder folder;
  std::ofstream(folder.at("go")).put('\n');
  EXPECT_EQ(failures(bad_worker({"level-0"})), Rules{});
  EXPECT_EQ(failures(bad_worker({"byte-by-byte"})), Rules{});
  EXPECT_EQ(failures(bad_worker({"chunks"})), Rules{});
  EXPECT_EQ(failures(bad_worker({"slow-start", folder.at("go")})), Rules{});
}

// Those that do not

struct Misbehaviour {
  std::vector<std::string> words;
  Rules broken;
};

void PrintTo(const Misbehaviour& misbehaviour, std::ostream* out) {
  for (const auto& word : misbehaviour.words) *out << word << ' ';
}

class CheckBadWorker : public testing::TestWithParam<Misbehaviour> {};

std::string name_of(const testing::TestParamInfo<Misbehaviour>& info) {
  std::string name;
  for (const auto& word : info.param.words) name += word;
  std::erase_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
  return name;
}

TEST_P(CheckBadWorker, NamesItsFaultAndNoOther) {
  const auto lines = lines_of(bad_worker(GetParam().words));
  EXPECT_EQ(with_outcome(lines, Outcome::fail), GetParam().broken);
}

INSTANTIATE_TEST_SUITE_P(Modes, CheckBadWorker,
                         testing::Values(Misbehaviour{{"exit"}, {"handshake.ping"}},                   //
                                         Misbehaviour{{"print-lines", "3", "3"}, {"handshake.ping"}},  //
                                         Misbehaviour{{"refuse-ping"}, {"handshake.ping"}},            //
                                         Misbehaviour{{"refuse-info"}, {"handshake.info"}},            //
                                         Misbehaviour{{"print-on-channel"}, {"frame.stream"}},         //
                                         Misbehaviour{{"garbage"}, {"frame.body"}},                    //
                                         Misbehaviour{{"empty"}, {"frame.stream"}},                    //
                                         Misbehaviour{{"no-success"}, {"reply.envelope"}},             //
                                         Misbehaviour{{"print"}, {"frame.stream"}},                    //
                                         Misbehaviour{{"unknown-id"}, {"reply.id"}},                   //
                                         Misbehaviour{{"no-id"}, {"reply.id"}},                        //
                                         Misbehaviour{{"twice"}, {"reply.one"}},                       //
                                         Misbehaviour{{"huge-header"}, {"frame.stream"}},              //
                                         Misbehaviour{{"oversized"}, {"frame.stream"}},                //
                                         Misbehaviour{{"half-frame"}, {"frame.stream"}},               //
                                         Misbehaviour{{"nag"}, {"reverse.parent"}},                    //
                                         Misbehaviour{{"flood"}, {"reply.partial"}},                   //
                                         Misbehaviour{{"die"}, {"commands.listed", "reply.one"}},      //
                                         Misbehaviour{{"exit-on-request"}, {"commands.listed", "reply.one"}},
                                         Misbehaviour{{"close-channel"}, {"commands.listed", "reply.one"}}),
                         name_of);

TEST(CheckBadWorker, WhatItPrintedLastIsShown) {
  const auto lines = lines_of(bad_worker({"print-lines", "3", "3"}));
  EXPECT_NE(seen(lines, "handshake.ping").find("exited with status 3"), std::string::npos) << seen(lines, "handshake.ping");
  EXPECT_NE(seen(lines, "handshake.ping").find("line 3"), std::string::npos) << seen(lines, "handshake.ping");
  EXPECT_EQ(seen(lines, "end.eof"), "the worker did not get ready");
}

TEST(CheckBadWorker, OneThatAnswersAndDiesIsFoundDead) {
  const auto broken = failures(bad_worker({"reply-and-die"}));
  EXPECT_TRUE(broken.contains("commands.listed"));
  EXPECT_FALSE(broken.contains("request.ids"));
}

TEST(CheckBadWorker, OneThatEndsAfterTheHandshakeFailsWhatComesNext) {
  const auto broken = failures(bad_worker({"end-when-ready"}));
  EXPECT_TRUE(broken.contains("commands.plain"));
  EXPECT_FALSE(broken.contains("handshake.info"));
}

TEST(CheckBadWorker, InfoThatChanges) { EXPECT_TRUE(failures(bad_worker({"odd-info"})).contains("commands.no_args")); }

TEST(CheckBadWorker, OneThatNeverAnswersPingIsNotReadyInTime) {
  auto pool = bad_worker({"silent"});
  pool.timeouts.startup = kSoon;
  EXPECT_EQ(failures(pool), Rules{"handshake.ping"});
}

TEST(CheckBadWorker, OneThatNeverAnswersARequest) {
  for (const char* mode : {"hang", "stop", "hold"}) {
    EXPECT_EQ(failures(bad_worker({mode}), {.patience = kImpatience}), (Rules{"commands.listed", "reply.one"})) << mode;
  }
}

TEST(CheckBadWorker, OneThatIgnoresItsEnd) {
  for (const char* mode : {"ignore-the-end", "leave-group"}) {
    auto pool = bad_worker({mode});
    pool.timeouts.stop = kSoon;
    EXPECT_EQ(failures(pool), (Rules{"end.eof", "end.sigterm"})) << mode;
  }
  const Folder folder;
  auto pool = bad_worker({"stubborn", folder.at("runs")});
  EXPECT_EQ(failures(pool), Rules{"end.sigterm"});
}

TEST(CheckBadWorker, ChildrenThatStayAndHoldTheChannel) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"grandchild"}, {"grandchild", "own-session"}}) {
    EXPECT_EQ(failures(bad_worker(words), {.patience = kImpatience}), (Rules{"end.processes", "end.descriptor"}));
  }
}

TEST(CheckBadWorker, AProgramThatIsNotThere) {
  auto pool = bad_worker({"level-0"});
  pool.launch.command = {"/no/such/program"};
  const auto lines = lines_of(pool);
  EXPECT_EQ(with_outcome(lines, Outcome::fail), Rules{"handshake.start"});
  EXPECT_NE(seen(lines, "handshake.start").find("/no/such/program"), std::string::npos);
}

}  // namespace
}  // namespace pons::conformance
