// Hosts with short lives: where they keep their files, who belongs to them, and that nothing of it is left when they are killed.
#pragma once

#include <string>
#include <vector>

#include "tests/chaos/history.h"
#include "tests/chaos/random.h"
#include "tests/host/host_under_test.h"
#include "tests/host/processes.h"

namespace pons::chaos {

/// Folders of the test's own for what a host and its workers need for a time and what they are to remember: TMPDIR, XDG_RUNTIME_DIR and
/// XDG_STATE_HOME while it lives. Its hosts have workers that journal, that leave a grandchild in a session of its own, and that ignore
/// SIGTERM and end of file.
class Home {
 public:
  Home();
  ~Home();
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;

  [[nodiscard]] std::string config() const;
  /// The processes of all hosts' workers, and of what those started, by a variable in their environment.
  [[nodiscard]] std::vector<pid_t> marked_processes() const;
  /// The files and sockets in TMPDIR and XDG_RUNTIME_DIR.
  [[nodiscard]] std::vector<std::string> temporary_files() const;
  [[nodiscard]] History history(std::vector<ClientLog> clients) const;

 private:
  test::TempDir dir_;
};

/// The processes that must not outlive a host: what descends from it, and what carries its PONS_INSTANCE.
std::vector<test::ProcessHandle> family_of(pid_t host);

/// To be called when their host has been killed: fails the test for each process and file that is still there after the limit of an event.
/// Returns how many milliseconds the last process was there.
double expect_nothing_left(const std::vector<test::ProcessHandle>& family, const Home& home);

/// Starts a host, kills it at a random moment while two clients work, and expects that nothing is left and that no promise was broken
/// till then. Returns how many milliseconds the last process was there.
double kill_a_host(Random& random);

}  // namespace pons::chaos
