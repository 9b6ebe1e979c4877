// Commands that change what is served: register_bridge, start_bridge, stop_bridge, restart, drain, scale, update_config, reload. They are
// answered when the thing is done, or with the reason why it was not.
#include <fnmatch.h>

#include <boost/asio/post.hpp>
#include <filesystem>
#include <set>

#include "host/command_args.h"
#include "host/config/changes.h"
#include "host/host_impl.h"

namespace pons {

namespace {

using nlohmann::json;

Pool::Translate translation(std::vector<ErrorRule> rules) {
  return [rules = std::move(rules)](std::string_view type) -> std::optional<std::pair<std::string, std::optional<bool>>> {
    const std::string name(type);
    for (const auto& rule : rules) {
      if (::fnmatch(rule.pattern.c_str(), name.c_str(), 0) == 0) return std::pair(rule.code, rule.retryable);
    }
    return std::nullopt;
  };
}

Error busy(const std::string& what) {
  Error error{ErrorCode::bad_request, what};
  error.details = {{"reason", "busy"}};
  return error;
}

/// The nearest place around `pointer` that there is in `value`.
std::string nearest_place(std::string pointer, const json& value) {
  while (!pointer.empty() && !value.contains(json::json_pointer(pointer))) pointer.resize(pointer.rfind('/'));
  return pointer;
}

/// What is wrong with the argument `name`, an entry of a configuration or a part of one.
Error refused(const ConfigError& error, const std::string& name, const json& value) {
  Error refusal{ErrorCode::invalid_args, "args." + name + ": " + error.issues().front().to_string()};
  if (const auto more = error.issues().size() - 1; more > 0) refusal.message += " (and " + std::to_string(more) + " more)";
  auto errors = json::array();
  for (const auto& issue : error.issues()) {
    const bool elsewhere = !issue.file.empty();  // in an adapter.yaml
    const auto place = "/" + name + (elsewhere ? "" : nearest_place(issue.pointer, value));
    errors.push_back({{"path", place}, {"message", elsewhere ? issue.to_string() : issue.message}});
  }
  refusal.details = {{"errors", std::move(errors)}};
  return refusal;
}

/// What is wrong with the configuration's file.
Error unusable(const ConfigError& error) {
  Error refusal{ErrorCode::invalid_configuration, error.issues().front().to_string()};
  if (const auto more = error.issues().size() - 1; more > 0) refusal.message += " (and " + std::to_string(more) + " more)";
  refusal.details = {{"issues", to_json(error.issues())}};
  return refusal;
}

}  // namespace

// ---- Adapters come and go ----------------------------------------------------------------------------------------------------------

Pool& Host::Impl::add_pool(const AdapterConfig& adapter) {
  auto pool =
      std::make_unique<Pool>(io_.get_executor(), adapter.pool, instance_, launcher_, sampler_, reporter_, translation(adapter.errors));
  pool->keep_snapshots(state_ != nullptr ? state_->snapshots() : std::string());
  pool->use_cgroups(cgroups_);
  pool->serve_workers_by(*this);
  pool->prepare_by(preflighter_.preparation(adapter));
  return *(pools_[adapter.pool.adapter] = std::move(pool));
}

/// Whoever adds or changes an adapter hears at once what it lacks.
void Host::Impl::if_nothing_is_missing(std::shared_ptr<const AdapterConfig> adapter, Pool::Done done) {
  preflighter_.check(std::move(adapter), [this, done = std::move(done)](Result<void> fit) {
    if (fit && phase_ != Phase::serving) fit = Error{ErrorCode::shutting_down, "The host is shutting down"};
    done(std::move(fit));
  });
}

AdapterConfig& Host::Impl::config_of(const std::string& name) {
  const auto found =
      std::find_if(config_.adapters.begin(), config_.adapters.end(), [&](const auto& each) { return each.pool.adapter == name; });
  return *found;
}

void Host::Impl::keep_config(AdapterConfig adapter) {
  std::erase_if(config_.adapters, [&](const auto& each) { return each.pool.adapter == adapter.pool.adapter; });
  const auto behind = std::find_if(config_.adapters.begin(), config_.adapters.end(),
                                   [&](const auto& each) { return each.pool.adapter > adapter.pool.adapter; });
  config_.adapters.insert(behind, std::move(adapter));
}

/// Unknown from now on; what it runs may finish within `timeout`. Then `gone`, and its name is free.
void Host::Impl::retire(const std::string& name, Millis timeout, std::function<void()> gone) {
  std::erase_if(config_.adapters, [&](const auto& each) { return each.pool.adapter == name; });
  if (config_.default_adapter == name) config_.default_adapter.reset();
  auto& leaving = leaving_.emplace(name, Leaving{std::move(pools_.extract(name).mapped()), Timer(io_.get_executor())}).first->second;
  leaving.limit.expires_after(timeout);
  leaving.limit.async_wait([this, name](error_code ec) {
    const auto late = leaving_.find(name);  // its end may have come in this same turn
    if (!ec && late != leaving_.end()) late->second.pool->abort(Error{ErrorCode::shutting_down, name + " was removed"});
  });
  leaving.pool->stop([this, name, gone = std::move(gone)] {
    asio::post(io_, [this, name, gone] {  // not destroyed while it is calling
      late_replies_ += leaving_.at(name).pool->stats().late_replies;
      leaving_.erase(name);
      gone();
      if (phase_ != Phase::serving) pool_stopped();
    });
  });
}

// ---- Answers that take a while -----------------------------------------------------------------------------------------------------

/// Replies with `result` once it is done, or with what went wrong; with deadline_exceeded if the caller's timeout_ms is over before.
Pool::Done Host::Impl::answer_when_done(const OwnCall& call, std::function<json()> result) {
  const auto weak = call.caller.weak_from_this();
  const auto serial = call.serial;
  call.caller.working_on(serial);
  std::shared_ptr<Timer> limit;
  if (call.request.timeout_ms) {
    limit = std::make_shared<Timer>(io_.get_executor());
    limit->expires_after(std::chrono::microseconds(static_cast<std::int64_t>(*call.request.timeout_ms * 1000)));
    limit->async_wait([weak, serial](error_code ec) {
      const auto caller = weak.lock();
      if (!ec && caller) caller->reply_error(serial, Error{ErrorCode::deadline_exceeded, "Not done in time; the host goes on with it"});
    });
  }
  return [weak, serial, limit, result = std::move(result)](const Result<void>& done) {
    if (limit) limit->cancel();
    const auto caller = weak.lock();
    if (!caller) return;
    if (done) {
      caller->reply_result(serial, result());
    } else {
      caller->reply_error(serial, done.error());
    }
  };
}

/// The result of what was done to one adapter.
Pool::Done Host::Impl::answer_with_state(const OwnCall& call, const std::string& name) {
  return answer_when_done(call, [this, name] {
    const Pool* pool = pool_named(name);
    return json{{"name", name}, {"state", to_string(pool != nullptr ? pool->state() : PoolState::stopped)}};
  });
}

Pool& Host::Impl::pool_arg(const json& args) {
  const auto name = text_arg(args, "name");
  if (Pool* pool = pool_named(name)) return *pool;
  throw Exception(unknown_namespace(name));
}

// ---- Of one adapter ----------------------------------------------------------------------------------------------------------------

void Host::Impl::start_bridge(const OwnCall& call) {
  Pool& pool = pool_arg(call.args);
  pool.open(answer_with_state(call, pool.options().adapter));
}

void Host::Impl::stop_bridge(const OwnCall& call) {
  Pool& pool = pool_arg(call.args);
  const auto timeout = drain_time(timeout_arg(call.args));
  pool.close(timeout, answer_with_state(call, pool.options().adapter));
}

void Host::Impl::restart(const OwnCall& call) {
  Pool& pool = pool_arg(call.args);
  pool.restart(answer_with_state(call, pool.options().adapter));
}

void Host::Impl::drain(const OwnCall& call) {
  Pool& pool = pool_arg(call.args);
  const auto timeout = timeout_arg(call.args);
  pool.drain(timeout, answer_with_state(call, pool.options().adapter));
}

void Host::Impl::scale(const OwnCall& call) {
  Pool& pool = pool_arg(call.args);
  const auto& size = value_arg(call.args, "size", "a number of workers");
  if (!size.is_number_integer()) throw Exception(invalid_arg("/size", "args.size must be a number of workers", "an integer >= 1"));
  const auto& current = config_of(pool.options().adapter);
  json patch{{"pool", {{"size", size}}}};
  if (size < json(current.pool.min_ready)) patch["pool"]["min_ready"] = size;
  try {
    auto scaled = std::make_shared<AdapterConfig>(patched_adapter(config_, current, patch, ConfigContext::of_process()));
    const auto name = scaled->pool.adapter;
    pool.scale(scaled->pool.size, [this, scaled, answer = answer_with_state(call, name)](const Result<void>& done) {
      if (done && pool_named(scaled->pool.adapter) != nullptr) keep_config(*scaled);
      answer(done);
    });
  } catch (const ConfigError& error) {
    throw Exception(refused(error, "size", size));
  }
}

void Host::Impl::update_config(const OwnCall& call) {
  Pool& pool = pool_arg(call.args);
  const auto name = pool.options().adapter;
  const auto& patch = value_arg(call.args, "patch", "a map of the keys that change");
  try {
    const auto current = std::make_shared<const AdapterConfig>(config_of(name));
    const auto updated = std::make_shared<const AdapterConfig>(patched_adapter(config_, *current, patch, ConfigContext::of_process()));
    if_nothing_is_missing(updated, [this, name, current, updated, answer = answer_with_state(call, name)](const Result<void>& fit) {
      if (!fit) return answer(fit.error());
      Pool* const found = pool_named(name);
      if (found == nullptr) return answer(unknown_namespace(name));
      if (!same_settings(config_of(name), *current)) return answer(busy(name + " was changed meanwhile"));
      reconfigure(*found, updated, answer);
    });
  } catch (const ConfigError& error) {
    throw Exception(refused(error, "patch", patch));
  }
}

void Host::Impl::reconfigure(Pool& pool, std::shared_ptr<const AdapterConfig> adapter, Pool::Done done) {
  const auto& wanted = *adapter;
  pool.reconfigure(wanted.pool, translation(wanted.errors), preflighter_.preparation(wanted),
                   [this, adapter = std::move(adapter), done = std::move(done)](Result<void> changed) {
                     if (changed && pool_named(adapter->pool.adapter) != nullptr) keep_config(*adapter);
                     done(std::move(changed));
                   });
}

void Host::Impl::register_bridge(const OwnCall& call) {
  const auto name = text_arg(call.args, "name");
  const auto& entry = value_arg(call.args, "config", "an entry of a configuration");
  const auto folder = optional_text_arg(call.args, "folder");
  if (!valid_namespace(name) || name == "host" || name == "common") {
    throw Exception(
        invalid_arg("/name", "args.name cannot be the name of an adapter", "letters, digits, _ and -, 64 at most, not host or common"));
  }
  if (folder && !folder->starts_with('/')) throw Exception(invalid_arg("/folder", "args.folder must be absolute", "an absolute path"));
  if (pool_named(name) != nullptr)
    throw Exception(invalid_arg("/name", "There is an adapter of the name " + name + " already", "a new name"));
  if (provider_of(name) != nullptr) throw Exception(invalid_arg("/name", "A parent provides the namespace " + name, "a new name"));
  if (leaving_.contains(name)) throw Exception(busy(name + " is still being removed"));
  const auto context = ConfigContext::of_process();
  const auto own_folder = config_.file.empty() ? context.current_dir : std::filesystem::path(config_.file).parent_path();
  try {
    auto adapter = std::make_shared<const AdapterConfig>(
        added_adapter(config_, name, entry, folder ? std::filesystem::path(*folder) : own_folder, context));
    if_nothing_is_missing(adapter, [this, name, adapter, answer = answer_with_state(call, name)](const Result<void>& fit) {
      if (!fit) return answer(fit.error());
      const bool taken = pool_named(name) != nullptr || leaving_.contains(name) || provider_of(name) != nullptr;
      if (taken) return answer(busy(name + " was registered meanwhile"));
      enroll(*adapter, answer);
    });
  } catch (const ConfigError& error) {
    throw Exception(refused(error, "config", entry));
  }
}

void Host::Impl::enroll(AdapterConfig adapter, const Pool::Done& answer) {
  const auto name = adapter.pool.adapter;
  keep_config(std::move(adapter));
  Pool& pool = add_pool(config_of(name));
  log_.info("adapter registered", {{"adapter", name}});
  if (pool.options().lazy) return answer({});
  pool.open([this, name, answer](const Result<void>& done) {
    answer(done);
    const bool there = phase_ == Phase::serving && pool_named(name) != nullptr;
    if (!done && there) retire(name, Millis(0), [] {});  // as if it had not been asked for
  });
}

// ---- Reload ------------------------------------------------------------------------------------------------------------------------

/// One reload: what is under way, and what came of it.
struct Host::Impl::Reload {
  std::size_t open = 1;           ///< the last to end tells the outcome; one is the reload's own, until all has been begun
  std::set<std::string> changed;  ///< those that were added and removed too
  std::set<std::string> added;
  std::set<std::string> removed;
  std::map<std::string, Error> failed;
  std::vector<std::string> restart_needed;
  Pool::Done answer;
};

void Host::Impl::reload(const OwnCall& call) {
  if (!reread_) throw Exception(ErrorCode::bad_request, "This host was started without a configuration that it could read again");
  if (reload_) throw Exception(busy("The host is reloading already"));
  if (!leaving_.empty()) throw Exception(busy(leaving_.begin()->first + " is still being removed"));
  Config next;
  try {
    next = reread_();
  } catch (const ConfigError& error) {
    throw Exception(unusable(error));
  }
  for (const auto& adapter : next.adapters) {
    if (provider_of(adapter.pool.adapter) == nullptr) continue;
    throw Exception(ErrorCode::bad_request,
                    "A parent provides the namespace " + adapter.pool.adapter + ": it cannot be an adapter's name now");
  }
  for (const auto& warning : next.warnings) log_.warn(warning.to_string());
  reload_ = std::make_shared<Reload>();
  reload_->answer = answer_when_done(call, [weak = std::weak_ptr(reload_)] {
    const auto reload = weak.lock();  // it is the caller
    json result{{"changed", reload->changed}};
    for (const auto& [key, names] : {std::pair("added", &reload->added), std::pair("removed", &reload->removed)}) {
      for (const auto& name : *names) {
        if (reload->changed.contains(name)) result[key].push_back(name);
      }
    }
    if (!reload->restart_needed.empty()) result["restart_needed"] = reload->restart_needed;
    return result;
  });
  reload_->restart_needed = take_host_settings(next);
  take_adapters(next);
  config_.default_adapter = next.default_adapter;
  end_reload_step();
}

/// Those that a running host can take; the others are named.
std::vector<std::string> Host::Impl::take_host_settings(const Config& next) {
  auto fixed = fixed_host_keys_changed(config_.host, next.host);
  HostConfig host = next.host;
  host.name = config_.host.name;
  host.socket = config_.host.socket;
  host.state_dir = config_.host.state_dir;
  host.log_level = config_.host.log_level;
  host.log_format = config_.host.log_format;
  host.max_frame = config_.host.max_frame;
  config_.host = std::move(host);
  config_.file = next.file;
  config_.defaults = next.defaults;
  for (auto& key : fixed) key.insert(0, "host.");
  return fixed;
}

void Host::Impl::take_adapters(const Config& next) {
  std::vector<std::string> removed;
  for (const auto& adapter : config_.adapters) {
    if (next.find(adapter.pool.adapter) == nullptr) removed.push_back(adapter.pool.adapter);
  }
  for (const auto& name : removed) {
    reload_->removed.insert(name);
    retire(name, drain_time(std::nullopt), [step = reload_step(name)] { step({}); });
  }
  for (auto adapter : next.adapters) {
    adapter.pool.max_frame = config_.host.max_frame;
    const auto& name = adapter.pool.adapter;
    if (Pool* pool = pool_named(name)) {
      if (same_settings(config_of(name), adapter)) continue;
      auto step = reload_step(name);
      reconfigure(*pool, std::make_shared<AdapterConfig>(std::move(adapter)), std::move(step));
      continue;
    }
    Pool& pool = add_pool(adapter);
    reload_->added.insert(name);
    auto step = reload_step(name);
    keep_config(std::move(adapter));
    if (pool.options().lazy) {
      step({});
    } else {
      pool.open(std::move(step));
    }
  }
}

Pool::Done Host::Impl::reload_step(const std::string& name) {
  ++reload_->open;
  return [this, name](const Result<void>& done) {
    if (done) {
      reload_->changed.insert(name);
    } else {
      reload_->failed.emplace(name, done.error());
    }
    end_reload_step();
  };
}

void Host::Impl::end_reload_step() {
  if (--reload_->open > 0) return;
  const auto reload = std::exchange(reload_, nullptr);
  log_.info("configuration reloaded", {{"changed", json(reload->changed)}, {"failed", reload->failed.size()}});
  if (reload->failed.empty()) return reload->answer({});
  const auto& [name, first] = *reload->failed.begin();
  Error error = first;
  error.message = name + ": " + first.message;
  if (const auto more = reload->failed.size() - 1; more > 0) error.message += " (and " + std::to_string(more) + " more failed)";
  error.details["changed"] = reload->changed;
  for (const auto& [each, why] : reload->failed) error.details["failed"][each] = why.message;
  reload->answer(std::move(error));
}

}  // namespace pons
