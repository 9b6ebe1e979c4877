// A host with four pools of journal workers that restart for ever, and what the tests do to it.
#pragma once

#include <string>
#include <vector>

#include "tests/chaos/history.h"
#include "tests/chaos/load.h"
#include "tests/chaos/random.h"
#include "tests/host/host_under_test.h"
#include "tests/host/processes.h"

namespace pons::chaos {

/// Under the sanitizers, which make everything several times slower, tests go fewer rounds.
#ifdef __SANITIZE_ADDRESS__
inline constexpr int kRoundsShare = 5;
#else
inline constexpr int kRoundsShare = 1;
#endif
constexpr int rounds(int count) { return count / kRoundsShare; }

/// A living worker, of any pool and in any state, that surely belongs to the host with this PONS_INSTANCE, behind this connection;
/// nothing if the one that was drawn is gone.
std::optional<test::ProcessHandle> random_worker(test::RawClient& client, const std::string& instance, Random& random);

class Arena {
 public:
  /// Further YAML. `host`, `defaults` (of all adapters) and `adapters` are lines of those sections, indented as they belong there;
  /// `timeouts` continues the map of the defaults.
  struct Extra {
    std::string host{};
    std::string timeouts{};
    std::string defaults{};
    std::string adapters{};
    std::vector<std::string> calm{};  ///< those of `adapters` that are to be whole and idle for the host to be quiet
  };
  Arena() : Arena(Extra{}) {}
  explicit Arena(const Extra& extra);

  [[nodiscard]] test::HostUnderTest& host() { return host_; }
  /// A connection that is there from the beginning to the end.
  [[nodiscard]] test::RawClient& control() { return control_; }
  [[nodiscard]] Load::Connect connector();
  /// A load on the four pools.
  [[nodiscard]] LoadOptions load_options() const;

  [[nodiscard]] std::optional<test::ProcessHandle> random_worker(Random& random) {
    return chaos::random_worker(control_, instance_, random);
  }
  /// Waits until all workers of the four pools, and of those that are `calm`, are ready and idle and there is no connection but control().
  /// Throws if it does not come to that.
  void await_quiet();
  /// Waits until the quiet host holds as many descriptors, threads and zombies as `before`, and returns what it holds by then.
  test::Holdings await_holdings(const test::Holdings& before);
  [[nodiscard]] test::Holdings holdings() const { return test::holdings_of(host_.pid()); }

  /// What the clients noted beside what the workers did.
  [[nodiscard]] History history(std::vector<ClientLog> clients) const;
  /// Begins a new journal; nothing may be running.
  void clear_journal() const;

 private:
  static std::string config(const std::string& journal, const Extra& extra);
  test::TempDir dir_;
  test::HostUnderTest host_;
  test::RawClient control_;
  std::vector<std::string> calm_;
  std::string instance_;
};

/// Same descriptors, threads and zombies.
bool same_handles(const test::Holdings& a, const test::Holdings& b);
std::string describe(const test::Holdings& holdings);
/// `success: 812, worker_crashed: 3`.
std::string describe(const std::map<std::string, int>& codes);

}  // namespace pons::chaos
