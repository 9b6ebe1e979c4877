// A listening unix socket that only this user can reach: its directory is 0700, the socket 0600, and a peer of another uid is refused
// (SO_PEERCRED). The socket that a dead host left behind is replaced; one of a living host is an error that names its pid. A lock file
// beside the socket (PATH.lock, held while we live) decides between two starts at the same moment.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "protocol/error.h"
#include "protocol/transport/lock_file.h"
#include "protocol/transport/task.h"
#include "protocol/transport/unique_fd.h"

namespace pons {

class UnixListener {
 public:
  /// Creates the directory if it is not there. invalid_configuration if the path cannot be used, with the reason.
  static Result<std::unique_ptr<UnixListener>> open(Executor executor, std::string path);
  ~UnixListener();  ///< stops listening and removes the socket

  /// Calls `accepted` for every peer of the same user; `refused` says why another one was sent away.
  /// Both may close or destroy this. Neither is called after close().
  void start(std::function<void(UniqueFd)> accepted, std::function<void(std::string)> refused);
  void close();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  UnixListener(Executor executor, std::string path, LockFile lock, UniqueFd socket);
  struct Callbacks {
    std::function<void(UniqueFd)> accepted;
    std::function<void(std::string)> refused;
  };
  void wait();
  void accept_ready();
  void accept_later(int why);
  void hand_out(UniqueFd peer);

  std::string path_;
  LockFile lock_;
  Descriptor socket_;
  Timer retry_;                                 // after the process ran out of descriptors
  std::shared_ptr<const Callbacks> callbacks_;  // while open: it may be closed, and destroyed, in one of them
};

/// A connected socket, or the reason why there is none (errno kept in details.errno: ENOENT and ECONNREFUSED mean that no host runs,
/// EAGAIN that one does not accept). Does not block.
Result<UniqueFd> connect_unix(const std::string& path);

}  // namespace pons
