// Requests of workers, and namespaces that parents provide: what makes the host a place where everybody can ask everybody.
#include "host/command_args.h"
#include "host/host_impl.h"

namespace pons {

namespace {

constexpr std::size_t kMostCalls = 1'024;       // of one worker at a time
constexpr std::size_t kMostUnread = 64u << 20;  // bytes that it has not taken yet
constexpr std::size_t kDeepest = 8;             // of a chain of reverse requests
constexpr std::size_t kMostNamespaces = 64;     // of one parent

}  // namespace

// ---- Workers that ask --------------------------------------------------------------------------------------------------------------

void Host::Impl::serve_worker(Pool& pool, WorkerProcess& worker, Message&& request, const ReverseOrigin& origin) {
  note_frames(1, 0);
  auto& caller = worker_callers_[{&pool, worker.key()}];
  if (!caller) {
    caller = std::make_shared<WorkerCaller>(worker.shared_from_this(), config_.host.stream_limit, static_cast<Caller::Books&>(*this));
  }
  const auto& envelope = request.envelope;
  auto refused = too_much(request.frame.body.size());
  if (!refused && caller->outstanding() >= kMostCalls) {
    refused = overloaded("This worker waits for " + std::to_string(kMostCalls) + " answers already");
  }
  if (!refused && caller->unsent() > kMostUnread) refused = overloaded("This worker has not read what it was sent before");
  if (refused) return worker.refuse(envelope.codec, envelope.id, *refused);
  const auto now = Clock::now();
  const auto self = caller;  // a reply may end its worker
  const auto serial = self->begin(request, now, origin.lineage->key);
  if (serial == 0) return;
  if (envelope.name_space() == kOwnNamespace) return serve_own(*self, nullptr, serial, request);
  if (origin.lineage->depth >= kDeepest) {
    const Error error{ErrorCode::call_cycle, "The chain of reverse requests is deeper than " + std::to_string(kDeepest)};
    return self->reply_error(serial, error);
  }
  route(*self, serial, std::move(request), now, origin);
}

void Host::Impl::end_calls(const Pool& pool, WorkerKey worker, RequestKey parent, CancelBy by) {
  const auto found = worker_callers_.find({&pool, worker});
  if (found == worker_callers_.end()) return;
  const auto caller = found->second;
  caller->end_calls_of(parent, by);
}

void Host::Impl::worker_gone(const Pool& pool, WorkerKey worker) {
  if (const auto node = worker_callers_.extract({&pool, worker})) node.mapped()->leave();
}

void Host::Impl::worker_written(const Pool& pool, WorkerKey worker, std::size_t unsent) {
  if (const auto found = worker_callers_.find({&pool, worker}); found != worker_callers_.end()) found->second->note_written(unsent);
}

// ---- Parents that answer -----------------------------------------------------------------------------------------------------------

nlohmann::json Host::Impl::provide(const OwnCall& call) {
  const auto name = text_arg(call.args, "namespace");
  if (!valid_namespace(name) || name == kOwnNamespace || name == "common") {
    throw Exception(invalid_arg("/namespace", "args.namespace cannot be the name of a namespace",
                                "letters, digits, _ and -, 64 at most, not host or common"));
  }
  const bool in_use = pool_named(name) != nullptr || leaving_.contains(name) || provider_of(name) != nullptr;
  if (in_use) throw Exception(ErrorCode::bad_request, "The namespace " + name + " is in use");
  if (call.connection->read_all())
    throw Exception(ErrorCode::bad_request, "This connection can answer nothing any more: it was half closed");
  auto& provider = providers_[call.connection];
  if (provider && provider->namespaces.size() >= kMostNamespaces) {
    throw Exception(ErrorCode::bad_request, "A connection provides at most " + std::to_string(kMostNamespaces) + " namespaces");
  }
  if (!provider) provider = std::make_unique<Provider>(io_.get_executor(), *call.connection, call.request.codec);
  provider->namespaces.insert(name);
  log_.info("namespace provided", {{"namespace", name}});
  return {{"namespace", name}};
}

Provider* Host::Impl::provider_of(std::string_view name) {
  for (const auto& [connection, provider] : providers_) {
    if (provider->namespaces.contains(name)) return provider.get();
  }
  return nullptr;
}

bool Host::Impl::take_reply(Connection& connection, Message&& reply) {
  const auto found = providers_.find(&connection);
  if (found == providers_.end()) return false;
  if (!found->second->take_reply(std::move(reply))) ++late_replies_;
  return true;
}

/// Its namespaces are unknown from now on.
void Host::Impl::end_provider(const Connection& connection, const Error& error) {
  const auto node = providers_.extract(&connection);
  if (!node) return;
  for (const auto& name : node.mapped()->namespaces) log_.info("namespace no longer provided", {{"namespace", name}});
  node.mapped()->end(error);
}

}  // namespace pons
