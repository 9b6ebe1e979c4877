#include "host/cli/embedded_host.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "host/cli/fault.h"

namespace pons::cli {

namespace {

Watcher start_watcher(const std::string& token, const CgroupTree& cgroups) {
  auto watcher = Watcher::start(token, cgroups.for_watcher());
  if (!watcher) throw Fault(ExitStatus::failed, watcher.error().message);
  return std::move(*watcher);
}

LogOptions log_to(int fd, LogLevel level) {
  LogOptions options;
  options.level = level;
  options.fd = fd;
  return options;
}

}  // namespace

EmbeddedHost::EmbeddedHost(boost::asio::io_context& io, Config config, int log_fd, LogLevel log_level)
    : io_(io),
      token_(random_token()),
      cgroups_(CgroupTree::prepare(token_, cgroup_files_)),
      watcher_(start_watcher(token_, *cgroups_)),
      warnings_(config.warnings) {
  log_.emplace(log_to(log_fd, log_level));
  for (auto& adapter : config.adapters) adapter.pool.lazy = true;
  host_.emplace(io_, std::move(config), *log_, token_, *watcher_, *cgroups_);
  host_->start();
}

EmbeddedHost::~EmbeddedHost() {
  host_.reset();
  log_.reset();
  watcher_->finish();
}

UniqueFd EmbeddedHost::connect() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    throw Fault(ExitStatus::failed, std::string("socketpair: ") + std::strerror(errno));
  }
  host_->attach(UniqueFd(fds[0]));
  return UniqueFd(fds[1]);
}

void EmbeddedHost::stop(bool at_once, Interrupts& interrupts) {
  bool stopped = false;
  host_->on_stopped([&stopped] { stopped = true; });
  interrupts.on_signal([this](int) { host_->shutdown(); });
  host_->shutdown();
  if (at_once && !stopped) host_->shutdown();
  while (!stopped) {
    if (io_.stopped()) io_.restart();
    io_.run_one();
  }
  interrupts.on_signal({});
}

}  // namespace pons::cli
