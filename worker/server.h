// The loop of a worker: one request after the other, from the link to its handler and back, or into the hands of the program.
//
// Belongs to the thread that serves.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "worker/exchange.h"
#include "worker/host_link.h"
#include "worker/request.h"
#include "worker/worker_state.h"

namespace pons {

class Server {
 public:
  /// Serves on the state's channel, and is the state's server, as long as it lives.
  Server(std::shared_ptr<Worker::State> state, const StopSignal& stop);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Answers what has a handler, until a request comes that has none: that is returned. Nothing at the deadline, or earlier
  /// (HostLink::next() says when).
  std::optional<Request> poll(SteadyTime deadline);
  [[nodiscard]] bool is_over() const;
  /// Sends what is left to send, and closes. The exit status of Worker::run().
  int finish();

 private:
  [[nodiscard]] bool may_begin(const Incoming& request, std::size_t begun) const;
  std::optional<Request> serve(const IncomingPtr& request);
  std::optional<Request> dispatch(Exchange& exchange, const IncomingPtr& request);

  std::shared_ptr<Worker::State> state_;
  std::shared_ptr<HostLink> link_;  // requests may outlive the server
};

}  // namespace pons
