// Clients that keep pools busy with requests of which everything is noted: each in a thread, with a connection of its own.
//
// The requests go to workers of tests/workers/journal_worker.cc. Their kinds are drawn from a seed: once or idempotent, quick or of a few
// milliseconds, streamed, with a deadline too short, cancelled; now and then a client leaves with requests open and comes back.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/chaos/history.h"
#include "tests/chaos/random.h"
#include "tests/host/host_under_test.h"

namespace pons::chaos {

struct LoadOptions {
  struct Pool {
    std::string name;
    int most_runs;  ///< of an idempotent request
  };
  std::vector<Pool> pools;
  int clients = 8;
  std::size_t depth = 4;  ///< requests that a client has open
  int most_ms = 4;        ///< the longest run
  int deadline_ms = 60'000;
  // Of a hundred requests, how many are ...
  int idempotent = 40;
  int streamed = 10;
  int short_deadline = 4;
  int cancelled = 4;
  int left = 1;  ///< ... the last that their client sends before it leaves
  /// Whether the host may go away under the clients: their open requests are then without a reply, and they end.
  bool host_may_die = false;
};

class Load {
 public:
  using Connect = std::function<test::RawClient()>;

  /// Starts at once. `connect` is called in the clients' threads.
  Load(const Connect& connect, const LoadOptions& options, Random& random);
  /// Ends it without looking at the result, should stop() not have been called.
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  /// Waits until `count` more requests have been answered; false if that takes longer than the limit of an event.
  bool await_replies(std::uint64_t count);
  [[nodiscard]] std::uint64_t replies() const { return replies_; }
  /// No more requests; waits for the replies that are due, and hands out what was noted.
  std::vector<ClientLog> stop();

 private:
  class Client;
  void answered();

  const LoadOptions options_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> replies_ = 0;
  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::jthread> threads_;
};

}  // namespace pons::chaos
