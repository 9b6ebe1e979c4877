// The requests that a client has under way on one connection: their callbacks and their deadlines. Internal to the client library.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "clients/cpp/client.h"
#include "clients/cpp/inquiries.h"
#include "protocol/transport/channel.h"

namespace pons::detail {

/// Held by shared_ptr, because handlers of the loop may outlive the client.
class Calls : public std::enable_shared_from_this<Calls> {
 public:
  Calls(Executor executor, const Client::Options& options);

  void open(UniqueFd socket);
  /// Drops what is outstanding without a call.
  void close();

  Client::CallId next_id() { return channel_->next_id(); }
  /// `done` is called once, from the loop, unless close() comes first.
  void send(Client::CallId id, std::string_view command, nlohmann::json args, CallOptions options, Client::OnDone done);
  void cancel(Client::CallId id);
  void on_event(std::function<void(Event)> callback) { on_event_ = std::move(callback); }
  Inquiries& inquiries() { return inquiries_; }

  /// Whether `done` of that call is still to come.
  [[nodiscard]] bool knows(Client::CallId id) const { return pending_.contains(id); }
  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] std::size_t outstanding() const { return pending_.size(); }

 private:
  struct Pending {
    std::string command;
    CallOptions options;
    Client::OnDone done;
    TimePoint deadline;
    std::size_t body_size = 0;
  };

  Result<std::string> body_of(Client::CallId id, std::string_view command, nlohmann::json args, const CallOptions& options) const;
  void take(Client::CallId id, Result<Message> reply);
  void take_partial(const Pending& call, const Message& message);
  void take_event(const Message& message);
  void take_complaint(const Message& message);
  void finish(Client::CallId id, Result<nlohmann::json> result);
  void fail_later(Client::CallId id, Error error);
  void lose(const std::string& reason);
  Error lost_error(const Pending& call) const;
  void arm(TimePoint deadline);
  void expire();

  Executor executor_;
  Client::Options options_;
  Timer deadline_;
  TimePoint armed_ = TimePoint::max();
  std::unique_ptr<Channel> channel_;
  std::unordered_map<Client::CallId, Pending> pending_;
  std::function<void(Event)> on_event_;
  Inquiries inquiries_;
  std::string lost_reason_;
  bool connected_ = false;
};

}  // namespace pons::detail
