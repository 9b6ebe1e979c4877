#include "worker/request.h"

#include <stdexcept>
#include <utility>

#include "worker/held_request.h"
#include "worker/reply.h"

namespace pons {

Request::Request(std::unique_ptr<Held> held) : held_(std::move(held)) {}

Request::Request(Request&&) noexcept = default;

Request& Request::operator=(Request&& other) noexcept {
  Request replaced(std::move(other));  // what this one held until now is dropped at the end
  held_.swap(replaced.held_);
  return *this;
}

Request::~Request() {
  if (held_ == nullptr) return;
  fail(Error{ErrorCode::worker_error, "The worker dropped the request without an answer", {{"reason", "dropped"}}});
}

Request::Held& Request::held() const {
  if (held_ == nullptr) throw std::logic_error("This request has its reply already");
  return *held_;
}

Context& Request::context() const { return held().exchange(); }

nlohmann::json Request::args() const { return held().exchange().args(); }

RawArgs Request::raw_args() const { return held().exchange().raw_args(); }

void Request::reply(const nlohmann::json& result) { reply_with(result); }

void Request::reply_raw(const RawResult& result) { reply_with(result); }

template <class Result>
void Request::reply_with(const Result& result) {
  Exchange& exchange = held().exchange();
  try {
    exchange.reply(result);
  } catch (...) {
    exchange.fail(error_of_current_exception());
  }
  held_.reset();
}

void Request::fail(const Error& error) {
  held().exchange().fail(error);
  held_.reset();
}

void Request::fail_cancelled() { fail(error_of(context().cancellation())); }

void Request::fail(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (...) {
    fail(error_of_current_exception());
  }
}

}  // namespace pons
