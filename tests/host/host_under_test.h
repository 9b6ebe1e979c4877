// `pons serve` as a child of the test, and a client that speaks raw frames to it. Every wait has a limit of kLimit, far above what is
// expected and below any deadline that a test relies on; what is not there by then fails the test.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/codec.h"
#include "protocol/frame_decoder.h"
#include "protocol/transport/unique_fd.h"

namespace pons::test {

using nlohmann::json;
using namespace std::chrono_literals;

/// For what a test waits for: longer than the host itself lets anybody wait (timeouts.queue, shutdown_timeout) on a machine that is busy.
inline constexpr auto kLimit = std::chrono::seconds(60);

/// A folder of the test's own, gone with it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

constexpr int kForEver = 3'600'000;  ///< milliseconds: longer than any test waits

/// Frames in and out of a descriptor, blocking, with a limit.
class RawClient {
 public:
  explicit RawClient(UniqueFd fd) : RawClient(std::move(fd), UniqueFd()) {}
  RawClient(UniqueFd in, UniqueFd out) : in_(std::move(in)), out_(std::move(out)) {}

  void send_bytes(std::string_view bytes);
  void send_frame(std::string_view body);
  void send(const json& request, Codec codec = Codec::json);
  /// The next frame, nothing at end of file. Throws std::runtime_error after kLimit, or if the bytes are no frames.
  std::optional<std::string> receive_frame();
  /// The next frame as a document; throws at end of file.
  json receive();
  /// Sends a request with an id of its own and returns its terminal reply; frames of others are kept for receive().
  json call(const std::string& command, json args = json::object(), json extra = json::object(), Codec codec = Codec::json);
  /// The reply with that id, others kept.
  json await(const json& id);
  /// The next event of that name, all other frames kept.
  json await_event(const std::string& name);
  /// Sends everything that was written, and says that no more will come.
  void half_close();
  [[nodiscard]] int fd() const { return in_.get(); }
  void close();

 private:
  json await_if(const std::function<bool(const json&)>& wanted);
  UniqueFd in_;
  UniqueFd out_;
  FrameDecoder decoder_{256u << 20};
  std::vector<json> kept_;
  int last_id_ = 1000;
};

/// A host that serves a socket in a folder of its own, with the configuration given as text. Killed, with all its workers, at the end.
class HostUnderTest {
 public:
  struct Options {
    std::vector<std::string> arguments;
    bool stdio;                  ///< stdin and stdout are pipes to the test: stdio()
    bool dies_with_test = true;  ///< killed by the kernel when the process that started it ends
    std::string state_home{};    ///< XDG_STATE_HOME; empty: its own folder, gone with it
  };
  explicit HostUnderTest(const std::string& config) : HostUnderTest(config, Options{{}, false}) {}
  HostUnderTest(const std::string& config, const Options& options);
  ~HostUnderTest();
  HostUnderTest(const HostUnderTest&) = delete;
  HostUnderTest& operator=(const HostUnderTest&) = delete;

  /// A new connection.
  RawClient connect();
  RawClient& stdio() { return *stdio_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string socket() const { return dir_ / "host.sock"; }
  [[nodiscard]] const TempDir& dir() const { return dir_; }
  void signal(int number) const;
  /// Waits until it has ended: its exit status, or minus the signal.
  int wait();
  /// What it has logged so far.
  [[nodiscard]] std::string log() const;
  /// The PONS_INSTANCE that its workers carry; empty while it has none.
  [[nodiscard]] std::string instance() const;
  /// The processes that carry this host's instance token now.
  [[nodiscard]] std::vector<pid_t> instance_processes() const;
  /// Waits until none of `pids` runs any more; false after kLimit.
  static bool await_gone(const std::vector<pid_t>& pids);

 private:
  void start(const Options& options);
  TempDir dir_;
  pid_t pid_ = 0;
  UniqueFd pidfd_;
  std::optional<int> status_;
  std::optional<RawClient> stdio_;
};

/// One echo pool called "echo", with these further lines of its entry, e.g. "pool: {size: 2}".
std::string echo_config(const std::string& entry = {});
/// One pool called "bad" of `bad-worker MODE...`.
std::string bad_config(const std::string& mode, const std::string& entry = {});

/// Asks for host:get_stats until `wanted` is true of it, and returns it; throws after kLimit.
json await_stats(RawClient& client, const std::function<bool(const json& stats)>& wanted);

json result_of(const json& reply);  ///< fails the test if it is an error
std::string code_of(const json& reply);

}  // namespace pons::test
