// A parent that serves namespaces of its own (host:provide): requests go to it like to a worker, and its replies come back. It has no
// pool: nothing is started, kept or retried here, and it says itself what it does at a time.
//
// Object lifetimes: owned by the host, no longer than its connection lives; end() answers all that is left. Thread safety: none; the
// loop's thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "host/connection.h"
#include "pool/messages.h"
#include "pool/options.h"

namespace pons {

class Provider final : public Callee {
 public:
  using Reply = std::function<void(Result<Message>&&)>;

  /// `codec`: what it is asked in; others are translated.
  Provider(Executor executor, Connection& connection, Codec codec) : connection_(connection), codec_(codec), timer_(executor) {}

  /// One request; it is answered by `reply` as by a pool's. `deadline`: of whom it waits for.
  RequestKey submit(Message&& request, Reply reply, TimePoint now, TimePoint deadline);
  /// A reply of the parent's. False: to nothing that it was asked.
  bool take_reply(Message&& reply);
  /// It serves no more: all that is left is answered with `error`.
  void end(const Error& error);

  [[nodiscard]] bool is_running(RequestKey key) const override { return pending_.contains(key); }
  bool cancel(RequestKey key, CancelBy by) override;
  bool pause_stream(RequestKey, bool) override { return false; }  // its connection carries other things too

  std::set<std::string, std::less<>> namespaces;

 private:
  struct Pending {
    Envelope request;
    Reply reply;
    TimePoint deadline;
  };
  void finish(std::map<RequestKey, Pending>::iterator pending, Result<Message>&& reply);
  void interrupt(RequestKey key);
  void arm_timer();
  void on_timer();

  Connection& connection_;
  Codec codec_;
  std::map<RequestKey, Pending> pending_;  ///< by the id that it was asked under
  std::set<std::pair<TimePoint, RequestKey>> deadlines_;
  RequestKey last_key_ = 0;
  Timer timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace pons
