// What a Client owns. Internal to the client library.
#pragma once

#include <signal.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <unordered_map>
#include <utility>

#include "clients/cpp/calls.h"
#include "clients/cpp/client.h"

namespace pons {

class Client::Impl {
 public:
  Impl(std::unique_ptr<asio::io_context> owned, UniqueFd socket, const Options& options)
      : Impl(std::move(owned), nullptr, std::move(socket), options) {}
  Impl(asio::io_context& borrowed, UniqueFd socket, const Options& options) : Impl(nullptr, &borrowed, std::move(socket), options) {}
  ~Impl() { calls->close(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void restart_if_stopped() {
    if (io.stopped()) io.restart();
  }
  /// The deadline of an outstanding call keeps the loop from running dry.
  void run_one() {
    restart_if_stopped();
    io.run_one();
  }

 private:
  std::unique_ptr<asio::io_context> owned_;

 public:
  asio::io_context& io;
  std::shared_ptr<detail::Calls> calls;
  /// Replies of start() that nobody has waited for yet.
  std::shared_ptr<std::unordered_map<CallId, Result<nlohmann::json>>> finished;

 private:
  Impl(std::unique_ptr<asio::io_context> owned, asio::io_context* borrowed, UniqueFd socket, const Options& options)
      : owned_(std::move(owned)),
        io(owned_ ? *owned_ : *borrowed),
        finished(std::make_shared<std::unordered_map<CallId, Result<nlohmann::json>>>()) {
    ignore_broken_pipes();
    calls = std::make_shared<detail::Calls>(io.get_executor(), options);
    calls->open(std::move(socket));
  }

  static void ignore_broken_pipes() {
    struct sigaction action {};
    if (::sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) ::signal(SIGPIPE, SIG_IGN);
  }
};

}  // namespace pons
