// Looks before a worker starts whether what it needs is there, beside the loop: the disk may be slow, and an interpreter has to be asked.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "host/config/config.h"
#include "host/environment/interpreter.h"
#include "pool/pool.h"
#include "protocol/error.h"
#include "protocol/transport/unique_fd.h"

namespace pons {

/// Object lifetimes: callbacks come in turns of the loop, none after the end of this. Thread safety: the loop's thread.
class Preflighter {
 public:
  explicit Preflighter(boost::asio::io_context& io);
  /// Does not wait for an interpreter that is being asked.
  ~Preflighter();

  /// How its workers are started now; or worker_start_failed with everything that is missing in details.missing. Empty if it needs
  /// nothing that would have to be looked for.
  Pool::Prepare preparation(const AdapterConfig& adapter);
  /// The same for whoever adds or changes an adapter: invalid_configuration.
  void check(std::shared_ptr<const AdapterConfig> adapter, Pool::Done done);

 private:
  using Done = std::function<void(Result<LaunchOptions>)>;
  void look(std::shared_ptr<const AdapterConfig> adapter, Done done);

  boost::asio::io_context& io_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  UniqueFd stop_;
  Interpreters interpreters_;
  std::optional<boost::asio::thread_pool> thread_;  ///< once there is something to look at
};

}  // namespace pons
