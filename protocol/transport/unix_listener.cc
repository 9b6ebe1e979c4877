#include "protocol/transport/unix_listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "protocol/transport/private_directory.h"

namespace pons {

namespace {

constexpr std::chrono::milliseconds kRetryAfter{100};  // when there were no descriptors left
constexpr int kAcceptsInATurn = 16;                    // so that a flood of connections leaves time for everybody else

Error unusable(const std::string& path, std::string_view why) {
  return Error{ErrorCode::invalid_configuration, "socket " + path + ": " + std::string(why)};
}

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return unusable(path, "the path of a unix socket takes 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

/// Removes what a dead host left. An error if somebody is there.
Result<void> clear_path(const std::string& path) {
  const auto living = connect_unix(path);
  const int why = living ? 0 : living.error().details.at("errno").get<int>();
  if (living || why == EAGAIN || why == EPROTOTYPE) return unusable(path, "another program is listening there");
  if (why != ENOENT && why != ECONNREFUSED) return unusable(path, std::strerror(why));
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && !S_ISSOCK(info.st_mode)) return unusable(path, "there is something that is no socket");
  ::unlink(path.c_str());
  return {};
}

Result<UniqueFd> bind_and_listen(const std::string& path, const sockaddr_un& address) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return unusable(path, std::strerror(errno));
  const mode_t mask = ::umask(0177);
  const int bound = ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int why = errno;
  ::umask(mask);
  if (bound != 0) return unusable(path, std::strerror(why));
  if (::listen(socket.get(), SOMAXCONN) != 0) return unusable(path, std::strerror(errno));
  return socket;
}

}  // namespace

Result<std::unique_ptr<UnixListener>> UnixListener::open(Executor executor, std::string path) {
  const auto address = address_of(path);
  if (!address) return address.error();
  const auto directory = std::filesystem::absolute(path).parent_path();
  if (auto ready = make_private_directory(directory, Sharing::sticky); !ready) return unusable(path, ready.error().message);
  auto lock = LockFile::take(path + ".lock");
  if (!lock) return unusable(path, lock.error().message);
  if (auto cleared = clear_path(path); !cleared) return cleared.error();
  auto socket = bind_and_listen(path, *address);
  if (!socket) return socket.error();
  return std::unique_ptr<UnixListener>(new UnixListener(executor, std::move(path), std::move(*lock), std::move(*socket)));
}

UnixListener::UnixListener(Executor executor, std::string path, LockFile lock, UniqueFd socket)
    : path_(std::move(path)), lock_(std::move(lock)), socket_(executor), retry_(executor) {
  socket_.assign(socket.get());
  (void)socket.release();
}

UnixListener::~UnixListener() { close(); }

void UnixListener::close() {
  if (!socket_.is_open()) return;
  callbacks_.reset();
  error_code ignored;
  socket_.close(ignored);
  retry_.cancel();
  ::unlink(path_.c_str());
  lock_.release();
}

void UnixListener::start(std::function<void(UniqueFd)> accepted, std::function<void(std::string)> refused) {
  callbacks_ = std::make_shared<const Callbacks>(Callbacks{std::move(accepted), std::move(refused)});
  wait();
}

void UnixListener::wait() {
  socket_.async_wait(Descriptor::wait_read, [this, open = std::weak_ptr(callbacks_)](error_code ec) {
    if (!ec && !open.expired()) accept_ready();
  });
}

void UnixListener::accept_ready() {
  const std::weak_ptr open = callbacks_;  // expires with close(), which a callback may call
  for (int i = 0; i < kAcceptsInATurn; ++i) {
    UniqueFd peer(::accept4(socket_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!peer && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (!peer && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) return accept_later(errno);
    if (!peer) break;
    hand_out(std::move(peer));
    if (open.expired()) return;
  }
  wait();
}

void UnixListener::accept_later(int why) {
  retry_.expires_after(kRetryAfter);
  retry_.async_wait([this, open = std::weak_ptr(callbacks_)](error_code ec) {
    if (!ec && !open.expired()) accept_ready();
  });
  const auto callbacks = callbacks_;
  callbacks->refused(std::string("cannot accept a connection: ") + std::strerror(why));
}

void UnixListener::hand_out(UniqueFd peer) {
  const auto callbacks = callbacks_;
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(peer.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 || credentials.uid != ::geteuid()) {
    callbacks->refused("refused a connection of another user (uid " + std::to_string(credentials.uid) + ")");
  } else {
    callbacks->accepted(std::move(peer));
  }
}

Result<UniqueFd> connect_unix(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return address.error();
  // Not blocking: a program that accepts nobody and whose backlog is full (EAGAIN) must not hang us.
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(sockaddr_un)) != 0) {
    const int why = errno;
    auto error = unusable(path, std::strerror(why));
    error.details = {{"errno", why}};
    return error;
  }
  ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) & ~O_NONBLOCK);
  return socket;
}

}  // namespace pons
