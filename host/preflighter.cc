#include "host/preflighter.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <utility>

#include "host/config/preflight.h"

namespace pons {

namespace asio = boost::asio;

Preflighter::Preflighter(asio::io_context& io) : io_(io), stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), interpreters_(stop_.get()) {}

Preflighter::~Preflighter() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(stop_.get(), &one, sizeof one);
  if (thread_) thread_->join();
}

Pool::Prepare Preflighter::preparation(const AdapterConfig& adapter) {
  if (!needs_preflight(adapter)) return {};
  return [this, adapter = std::make_shared<const AdapterConfig>(adapter)](Done done) { look(adapter, std::move(done)); };
}

void Preflighter::check(std::shared_ptr<const AdapterConfig> adapter, Pool::Done done) {
  if (!needs_preflight(*adapter)) return done({});
  look(std::move(adapter), [done = std::move(done)](const Result<LaunchOptions>& launch) {
    if (launch) return done({});
    Error refusal = launch.error();
    refusal.code = ErrorCode::invalid_configuration;
    done(std::move(refusal));
  });
}

void Preflighter::look(std::shared_ptr<const AdapterConfig> adapter, Done done) {
  if (!thread_) thread_.emplace(1);
  asio::post(*thread_, [this, alive = std::weak_ptr(alive_), adapter = std::move(adapter), done = std::move(done)]() mutable {
    const auto missing = preflight(*adapter, interpreters_);
    Result<LaunchOptions> result = missing.empty() ? Result<LaunchOptions>(resolved_launch(*adapter))
                                                   : missing_error(ErrorCode::worker_start_failed, adapter->pool.adapter, missing);
    asio::post(io_, [alive = std::move(alive), result = std::move(result), done = std::move(done)]() mutable {
      if (!alive.expired()) done(std::move(result));
    });
  });
}

}  // namespace pons
