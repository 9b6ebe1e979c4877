// What a Request is made of: the exchange, and all that it needs to live.
#pragma once

#include <memory>
#include <utility>

#include "worker/exchange.h"
#include "worker/request.h"

namespace pons {

class Request::Held {
 public:
  Held(std::shared_ptr<Worker::State> state, std::shared_ptr<HostLink> link, IncomingPtr request)
      : state_(std::move(state)), link_(std::move(link)), request_(std::move(request)), exchange_(*state_, *link_, *request_) {}

  [[nodiscard]] Exchange& exchange() { return exchange_; }

 private:
  std::shared_ptr<Worker::State> state_;
  std::shared_ptr<HostLink> link_;
  IncomingPtr request_;
  Exchange exchange_;
};

}  // namespace pons
