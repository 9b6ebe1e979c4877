// The checker itself: it finds nothing in a history as it should be, and every single thing that should not be.
#include "tests/chaos/history.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/chaos/random.h"

namespace pons::chaos {
namespace {

constexpr int kSequences = 2'000;

/// Clients' logs and a journal that keep every promise, made at random.
class Story {
 public:
  explicit Story(Random& random) : random_(random) {
    const int clients = random_.between(1, 4);
    for (int client = 0; client < clients; ++client) clients_.push_back(tell(std::to_string(client)));
  }

  /// A request that was sent: where, and what the journal calls it.
  struct Request {
    std::size_t client;
    ClientLog::Id id;
    std::string execution;
    bool once;
    std::string code;
  };
  std::vector<ClientLog> clients_;
  std::vector<Run> journal_;
  std::vector<Request> requests_;

  /// One that is so, if there is one.
  const Request* find(const std::function<bool(const Request&)>& wanted) {
    std::vector<const Request*> fitting;
    for (const auto& request : requests_) {
      if (wanted(request)) fitting.push_back(&request);
    }
    return fitting.empty() ? nullptr : random_.one_of(fitting);
  }
  [[nodiscard]] std::vector<std::string> faults() const { return History(clients_, journal_).faults(); }

 private:
  ClientLog tell(const std::string& name) {
    ClientLog log(name);
    const int requests = random_.between(1, 20);
    for (int id = 1; id <= requests; ++id) send(log, name, id);
    if (random_.chance(30)) {
      log.sent(1'000, {name + ".last", 1});
      log.disconnected();
      if (random_.chance(50)) journal_.push_back({name + ".last", "w"});
    }
    return log;
  }

  void send(ClientLog& log, const std::string& name, ClientLog::Id id) {
    if (random_.chance(10)) {
      log.sent(id, {});
      return log.replied(id, {"success", {}});
    }
    const auto execution = name + "." + std::to_string(id);
    const bool once = random_.chance(50);
    log.sent(id, {execution, once ? 1 : 2});
    const auto code = random_.one_of<std::string>({"success", "success", "worker_crashed", "deadline_exceeded", "overloaded"});
    const int least = code == "success" ? 1 : 0;
    const int most = code == "overloaded" ? 0 : once ? 1 : 2;
    for (int runs = random_.between(std::min(least, most), most); runs > 0; --runs) journal_.push_back({execution, "w"});
    if (code != "overloaded") {
      const int partials = random_.between(0, 3);
      for (int seq = 0; seq < partials; ++seq) log.partial(id, seq);
    }
    log.replied(id, {code, code == "success" ? execution : ""});
    requests_.push_back({clients_.size(), id, execution, once, code});
  }

  Random& random_;
};

TEST(HistoryChecker, FindsNothingInAHistoryAsItShouldBe) {
  Random random(test_seed());
  for (int i = 0; i < kSequences; ++i) {
    const Story story(random);
    ASSERT_EQ(story.faults(), std::vector<std::string>()) << "story " << i;
  }
}

/// Breaks a story, and says of which execution the checker must then speak; nothing if this story cannot be broken so.
using Break = std::function<std::optional<std::string>(Story& story)>;

std::optional<std::string> name_of(const Story::Request* request) {
  return request != nullptr ? std::optional(request->execution) : std::nullopt;
}

const std::vector<std::pair<std::string, Break>>& breaks() {
  const auto any = [](const Story::Request&) { return true; };
  const auto succeeded = [](const Story::Request& request) { return request.code == "success"; };
  static const std::vector<std::pair<std::string, Break>> all{
      {"has no reply",
       [](Story& story) -> std::optional<std::string> {
         story.clients_.front().sent(5'000, {"forgotten", 1});
         return "forgotten";
       }},
      {"has 2 replies",
       [=](Story& story) {
         const auto* request = story.find(any);
         if (request != nullptr) story.clients_[request->client].replied(request->id, {"worker_crashed", {}});
         return name_of(request);
       }},
      {"was answered with the result of",
       [=](Story& story) -> std::optional<std::string> {
         story.clients_.front().sent(5'000, {"mine", 1});
         story.journal_.push_back({"mine", "w"});
         story.clients_.front().replied(5'000, {"success", "another's"});
         return "mine";
       }},
      {"which it never used",
       [](Story& story) -> std::optional<std::string> {
         story.clients_.front().replied(5'000, {"success", "x"});
         return "5000";
       }},
      {"was run 2 times",
       [](Story& story) {
         const auto* request = story.find([](const auto& one) { return one.once && one.code == "success"; });
         if (request != nullptr) story.journal_.push_back({request->execution, "w"});
         return name_of(request);
       }},
      {"was answered, and never run",
       [=](Story& story) {
         const auto* request = story.find(succeeded);
         if (request != nullptr) std::erase_if(story.journal_, [&](const Run& run) { return run.execution == request->execution; });
         return name_of(request);
       }},
      {"was run, and answered overloaded",
       [](Story& story) {
         const auto* request = story.find([](const auto& one) { return one.once && one.code == "overloaded"; });
         if (request != nullptr) story.journal_.push_back({request->execution, "w"});
         return name_of(request);
       }},
      {"was run, and never sent",
       [](Story& story) -> std::optional<std::string> {
         story.journal_.push_back({"nobody's", "w"});
         return "nobody's";
       }},
      {"partial reply 0 in place of 1",
       [](Story& story) -> std::optional<std::string> {
         auto& client = story.clients_.front();
         client.sent(5'000, {"streamed", 1});
         client.partial(5'000, 0);
         client.partial(5'000, 0);
         return "streamed";
       }},
      {"which is not open",
       [=](Story& story) -> std::optional<std::string> {
         const auto* request = story.find(any);
         if (request == nullptr) return std::nullopt;
         story.clients_[request->client].partial(request->id, 7);
         return std::to_string(request->id);
       }},
  };
  return all;
}

TEST(HistoryChecker, FindsEveryBrokenPromise) {
  Random random(test_seed());
  std::map<std::string, int> found;
  for (int i = 0; i < kSequences; ++i) {
    Story story(random);
    const auto& [what, spoil] = random.one_of(breaks());
    const auto about = spoil(story);
    if (!about) continue;
    const auto faults = story.faults();
    const bool told = std::any_of(faults.begin(), faults.end(), [&, &what = what](const auto& fault) {
      return fault.find(what) != std::string::npos && fault.find(*about) != std::string::npos;
    });
    ASSERT_TRUE(told) << "story " << i << ": " << what << " of " << *about << " was not found";
    ++found[what];
  }
  EXPECT_EQ(found.size(), breaks().size());
}

TEST(HistoryChecker, LetsWhatAClientLeftBehindBeWithoutReply) {
  ClientLog log("a");
  log.sent(1, {"a.1", 1});
  log.disconnected();
  EXPECT_EQ(History({log}, {{"a.1", "w"}}).faults(), std::vector<std::string>());
  EXPECT_EQ(History({log}, {{"a.1", "w"}, {"a.1", "w"}}).faults().size(), 1u) << "but not be run twice";
}

}  // namespace
}  // namespace pons::chaos
