// One request from its beginning to its terminal reply: the Context that handlers see, and the reply.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "worker/host_link.h"
#include "worker/worker_state.h"

namespace pons {

class Exchange final : public Context {
 public:
  /// All three outlive it.
  Exchange(Worker::State& state, HostLink& link, Incoming& request) : state_(state), link_(link), request_(request) {}

  [[nodiscard]] const RequestId& id() const override { return envelope().id; }
  [[nodiscard]] std::string_view command() const override { return envelope().command; }
  [[nodiscard]] Codec codec() const override { return envelope().codec; }
  [[nodiscard]] const std::optional<std::string>& session_id() const override { return envelope().session_id; }
  [[nodiscard]] nlohmann::json meta() const override;
  [[nodiscard]] bool stream() const override { return envelope().stream; }
  [[nodiscard]] const WorkerIdentity& worker() const override { return state_.identity; }
  [[nodiscard]] Duration remaining() const override;
  [[nodiscard]] Cancellation cancellation() const override;
  bool sleep(Duration duration) override;
  void send_partial(const nlohmann::json& chunk) override;
  void progress(double done, double total, std::string_view message) override;
  using Context::call;
  nlohmann::json call(std::string_view command, const nlohmann::json& args, const CallOptions& options) override;

  /// The arguments as a document, `resource_id` of the envelope included. They were checked when they came.
  [[nodiscard]] nlohmann::json args() const;
  [[nodiscard]] RawArgs raw_args() const;

  /// Whether it may run twice: what the request says, else its command.
  void set_idempotent(bool idempotent) { is_idempotent_ = idempotent; }
  /// The terminal reply; exactly one of these is called, once. reply() throws Exception, and has sent nothing, if the result cannot be
  /// said in the request's codec or is too large for a frame.
  void reply(const nlohmann::json& result);
  void reply(const RawResult& result);
  void fail(const Error& error);

 private:
  [[nodiscard]] const Envelope& envelope() const { return request_.envelope; }
  void send_result(std::string_view result);
  void finish(bool success);
  [[nodiscard]] std::string call_body(std::uint64_t call, std::string_view command, const nlohmann::json& args,
                                      const CallOptions& options) const;

  Worker::State& state_;
  HostLink& link_;
  Incoming& request_;
  bool is_idempotent_ = false;
  std::uint64_t next_seq_ = 0;
  SteadyTime next_progress_{};  // the epoch: the first one is sent
};

}  // namespace pons
