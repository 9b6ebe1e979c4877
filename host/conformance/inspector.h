// The hands of the check: keeps a worker that is well, asks it, and writes down what became of each rule.
//
// A test of a rule is a function that returns a Finding. What it cannot go on from, a reply that does not come or a frame that breaks
// another rule, ends it by an exception of this folder's own (NoReply), which rule() turns into its finding. After a rule whose worker
// is not well any more the next one gets a new worker: so one fault does not make other rules fail.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "host/conformance/reply_ledger.h"
#include "host/conformance/report.h"
#include "host/conformance/worker_probe.h"
#include "pool/options.h"
#include "pool/process.h"
#include "protocol/codec.h"

namespace pons::conformance {

/// Why a test cannot go on.
struct NoReply {
  Finding finding;
};

/// A request in the way it is to be written.
struct Ask {
  std::string command;
  nlohmann::json args = nlohmann::json::object();  ///< null: none
  Codec codec = Codec::json;
  bool stream = false;
  nlohmann::json extra = nlohmann::json::object();  ///< more keys of the envelope
  nlohmann::json id = nullptr;                      ///< null: the next number
};

class Inspector {
 public:
  /// `instance` marks the environment of all processes that it starts. `patience` is for each reply.
  Inspector(const PoolOptions& options, std::string instance, ProcessLauncher& launcher, Millis patience);
  ~Inspector();
  Inspector(const Inspector&) = delete;
  Inspector& operator=(const Inspector&) = delete;

  using Test = std::function<Finding()>;
  /// Runs `test` with a worker that is ready; afterwards the worker has to answer ping.
  void rule(std::string_view id, const Test& test);
  /// The same for a test after which the worker is gone, or not fit for another: nothing is asked afterwards.
  void last_rule(std::string_view id, const Test& test);
  /// Starts a worker without any request. Throws NoReply if that fails.
  void start();

  /// The terminal reply, whole. Throws NoReply.
  nlohmann::json ask(const Ask& asked);
  /// Its result; a refusal throws NoReply (a failure of the rule).
  nlohmann::json ask_result(const Ask& request);
  /// Writes a body whose request is entered as `request`; its reply is to be had by reply_to.
  void send(ReplyLedger::Request request, std::string_view body);
  /// Writes bytes that are frames of requests that were entered by expect().
  void send_bytes(std::string_view bytes);
  void expect(ReplyLedger::Request request) { ledger_.sent(std::move(request)); }
  nlohmann::json reply_to(const nlohmann::json& id, std::string_view command);
  /// The body of a request; its id is set if it was null.
  std::string body_of(Ask& request);

  [[nodiscard]] WorkerProbe& worker() { return *worker_; }
  [[nodiscard]] const PoolOptions& options() const { return options_; }
  [[nodiscard]] TimePoint deadline() const { return Clock::now() + patience_; }
  [[nodiscard]] TimePoint stop_deadline() const { return Clock::now() + options_.timeouts.stop; }
  [[nodiscard]] const std::string& instance() const { return instance_; }

  /// What the handshake said, of the last worker that was ready.
  [[nodiscard]] const nlohmann::json& ping() const { return ping_; }
  [[nodiscard]] const nlohmann::json& info() const { return info_; }
  [[nodiscard]] int level() const { return level_; }
  /// ping, then get_info, each within the rest of timeouts.startup; what they say is kept. `after_ping` may look in between.
  void shake_hands(const std::function<void()>& after_ping = {});

  [[nodiscard]] Report& report() { return report_; }
  /// The rules about every frame: broken, or kept all the time.
  void conclude();

 private:
  void ready();
  void drop_worker();
  nlohmann::json receive_until(const nlohmann::json& id, std::string_view command, TimePoint deadline);
  [[noreturn]] void broken(const ReplyLedger::Fault& fault);
  [[noreturn]] void unanswered(const std::string& what);
  void refuse_reverse(const nlohmann::json& request);
  [[nodiscard]] std::string with_circumstances(std::string text);
  Finding settle(Finding finding);

  const PoolOptions& options_;
  std::string instance_;
  ProcessLauncher& launcher_;
  Millis patience_;
  Report report_;
  std::unique_ptr<WorkerProbe> worker_;
  ReplyLedger ledger_;
  bool well_ = false;
  bool shaking_hands_ = false;
  std::uint32_t incarnation_ = 0;
  std::uint64_t last_id_ = 0;
  std::vector<nlohmann::json> early_;  ///< replies that came while another was waited for
  std::size_t frames_ = 0;
  std::size_t partials_ = 0;
  std::size_t reverse_requests_ = 0;
  TimePoint startup_deadline_{};
  nlohmann::json ping_;
  nlohmann::json info_;
  int level_ = 0;
};

/// `{...}` to a JSON pointer-free sentence: "succeeded", or the error.
std::string outcome_of(const nlohmann::json& reply);

}  // namespace pons::conformance
