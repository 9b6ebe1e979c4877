#include "host/serve.h"

#include <malloc.h>
#include <signal.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <filesystem>
#include <iostream>

#include "host/host.h"
#include "host/log.h"
#include "host/state_dir.h"
#include "pool/cgroup.h"
#include "pool/process_limits.h"
#include "pool/watcher.h"

namespace pons {

namespace {

constexpr int kKeptFree = 64 << 20;  // bytes of freed memory kept for the next large frame, instead of faulting its pages in again
constexpr int kMapFrom = 32 << 20;   // bytes: blocks this large are mapped, and given back at once

}  // namespace

int serve(ServeOptions options) {
  raise_own_open_files();
  ::mallopt(M_TRIM_THRESHOLD, kKeptFree);
  ::mallopt(M_MMAP_THRESHOLD, kMapFrom);
  std::optional<StateDir> state;  // until the last process of ours is gone
  if (options.state_dir) {
    auto opened = StateDir::open(*options.state_dir);
    if (!opened) {
      std::cerr << "error: " << opened.error().message;
      if (!options.socket_origin.empty() && options.socket) std::cerr << "; the socket is " << *options.socket << options.socket_origin;
      std::cerr << '\n';
      return 2;
    }
    state.emplace(std::move(*opened));
  }
  const auto instance = random_token();
  SystemCgroupFiles cgroup_files;
  const auto cgroups = CgroupTree::prepare(instance, cgroup_files);
  std::vector<Leftover> leftovers;  // should this process be killed
  if (options.socket) {
    const auto socket = std::filesystem::absolute(*options.socket).string();
    leftovers.push_back({.lock = socket + ".lock", .socket = socket, .folder = {}});
  }
  if (state) leftovers.push_back({.lock = state->path() + "/lock", .socket = {}, .folder = state->path()});
  auto watcher = Watcher::start(instance, cgroups->for_watcher(), std::move(leftovers));  // while the process is still small
  if (!watcher) {
    std::cerr << "error: " << watcher.error().message << '\n';
    return 1;
  }
  ::signal(SIGPIPE, SIG_IGN);

  int status = 0;
  {
    LogOptions log_options;
    log_options.level = options.config.host.log_level;
    log_options.format = options.config.host.log_format;
    Log log(log_options);
    boost::asio::io_context io(1);
    for (const auto& warning : options.config.warnings) log.warn(warning.to_string());
    const bool has_default = options.config.default_adapter.has_value();
    log.info("starting", {{"adapters", options.config.adapters.size()}, {"default", has_default ? *options.config.default_adapter : ""}});
    Host host(io, std::move(options.config), log, instance, *watcher, *cgroups, state ? &*state : nullptr);
    boost::asio::signal_set signals(io, SIGTERM, SIGINT);
    struct sigaction hangup {};
    ::sigaction(SIGHUP, nullptr, &hangup);
    if (hangup.sa_handler != SIG_IGN) signals.add(SIGHUP);  // the terminal is gone; `nohup` lets us live on
    std::function<void()> await_signal = [&] {
      signals.async_wait([&](boost::system::error_code ec, int signal) {
        if (ec) return;
        log.info("signal", {{"signal", signal}});
        host.shutdown();
        await_signal();
      });
    };
    await_signal();
    host.on_stopped([&] { io.stop(); });
    host.reload_with(options.reread);
    if (options.socket) {
      if (auto listening = host.listen(*options.socket); !listening) {
        log.error(listening.error().message);
        std::cerr << "error: " << listening.error().message << options.socket_origin << '\n';
        status = 2;
      }
    }
    if (status == 0) {
      if (options.stdio) host.serve_stdio();
      host.start();
      io.run();
    }
  }
  watcher->finish();
  return status;
}

}  // namespace pons
