#include "clients/cpp/client.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "clients/cpp/client_impl.h"
#include "protocol/transport/unix_listener.h"

namespace pons {

using nlohmann::json;

Result<Client> Client::connect(const std::string& path) { return connect(path, Options{}); }

Result<Client> Client::connect(const std::string& path, const Options& options) {
  auto socket = connect_unix(path);
  if (!socket) return socket.error();
  return Client(std::make_unique<Impl>(std::make_unique<asio::io_context>(1), std::move(*socket), options));
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::Client(asio::io_context& io, UniqueFd socket) : Client(io, std::move(socket), Options{}) {}
Client::Client(asio::io_context& io, UniqueFd socket, const Options& options)
    : impl_(std::make_unique<Impl>(io, std::move(socket), options)) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<json> Client::call(std::string_view command, json args, CallOptions options) {
  return wait(start(command, std::move(args), std::move(options)));
}

Client::CallId Client::start(std::string_view command, json args, CallOptions options) {
  // The reply is kept by id, beside the client, until it is waited for.
  const auto finished = impl_->finished;
  const auto id = impl_->calls->next_id();
  impl_->calls->send(id, command, std::move(args), std::move(options),
                     [finished, id](Result<json> result) { finished->insert_or_assign(id, std::move(result)); });
  return id;
}

Result<json> Client::wait(CallId id) {
  const auto finished = impl_->finished;
  while (!finished->contains(id)) {
    if (!impl_->calls->knows(id)) return Error{ErrorCode::invalid_args, "There is no call " + std::to_string(id) + " to wait for."};
    impl_->run_one();
  }
  return std::move(finished->extract(id).mapped());
}

Client::CallId Client::call_async(std::string_view command, json args, CallOptions options, OnDone done) {
  const auto id = impl_->calls->next_id();
  impl_->calls->send(id, command, std::move(args), std::move(options), std::move(done));
  return id;
}

void Client::cancel(CallId id) { impl_->calls->cancel(id); }

Result<void> Client::subscribe(std::vector<std::string> patterns, std::function<void(Event)> on_event) {
  impl_->calls->on_event(std::move(on_event));
  const auto answer = call("host:subscribe", json{{"events", std::move(patterns)}});
  if (!answer) return answer.error();
  return {};
}

void Client::on_event(std::function<void(Event)> on_event) { impl_->calls->on_event(std::move(on_event)); }

Result<void> Client::provide(const std::string& name, std::function<void(Inquiry)> serve) {
  // Before the answer: the first inquiry may come with it.
  if (!impl_->calls->inquiries().serve(name, std::move(serve))) {
    return Error{ErrorCode::bad_request, "This client provides " + name + " already."};
  }
  const auto answer = call("host:provide", json{{"namespace", name}});
  if (answer) return {};
  impl_->calls->inquiries().forget(name);
  return answer.error();
}

bool Client::run_until(const std::function<bool()>& done, std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  while (!done() && connected() && Clock::now() < deadline) {
    impl_->restart_if_stopped();
    impl_->io.run_one_until(deadline);
  }
  return done();
}

bool Client::connected() const { return impl_->calls->connected(); }
std::size_t Client::outstanding() const { return impl_->calls->outstanding(); }
asio::io_context& Client::io() { return impl_->io; }

}  // namespace pons
