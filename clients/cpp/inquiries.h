// What a client is asked for the namespaces that it provides. Internal to the client library.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "clients/cpp/client.h"
#include "protocol/transport/channel.h"

namespace pons {

class Inquiry::Impl {
 public:
  /// Shared with the connection, which may end before.
  struct State {
    Channel* channel = nullptr;  ///< null: nobody is there to answer
    RequestId id;
    Codec codec = Codec::json;
    bool stream = false;
    bool idempotent = false;
    bool cancelled = false;
    bool answered = false;
    std::uint64_t seq = 0;
  };

  Impl(std::shared_ptr<State> shared, const Message& request);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void send_partial(const nlohmann::json& chunk);
  void reply(const nlohmann::json& result);
  void fail(const Error& error);

  std::shared_ptr<State> state;
  std::string command;
  nlohmann::json args = nlohmann::json::object();
  nlohmann::json meta = nlohmann::json::object();
  std::optional<std::string> session_id;
  std::optional<std::chrono::milliseconds> timeout;

 private:
  void send(std::string body) const;
  void finish(std::string body);
};

namespace detail {

class Inquiries {
 public:
  using Serve = std::function<void(Inquiry)>;

  /// False: that one is served already.
  bool serve(const std::string& name, Serve serve) { return serve_.emplace(name, std::move(serve)).second; }
  void forget(const std::string& name) { serve_.erase(name); }
  /// A request of the host's.
  void take(Channel& channel, const Message& request);
  /// The connection has ended: nobody waits any more.
  void end();

 private:
  using State = Inquiry::Impl::State;
  void cancel(Channel& channel, const Message& request);

  std::map<std::string, Serve, std::less<>> serve_;
  std::map<RequestId, std::weak_ptr<State>> open_;
};

}  // namespace detail
}  // namespace pons
