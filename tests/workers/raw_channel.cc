#include "tests/workers/raw_channel.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace bad {
namespace {

using nlohmann::json;

bool read_exactly(int fd, char* to, std::size_t size) {
  while (size > 0) {
    const ssize_t count = read(fd, to, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    to += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace

RawChannel RawChannel::claim() {
  const char* named = std::getenv("PONS_FD");
  if (named == nullptr) return {STDIN_FILENO, STDOUT_FILENO};
  const int fd = std::atoi(named);
  return {fd, fd};
}

std::optional<json> RawChannel::read_request() const {
  unsigned char header[4];
  if (!read_exactly(in, reinterpret_cast<char*>(header), sizeof header)) return std::nullopt;
  std::size_t size = 0;
  for (const unsigned char byte : header) size = size << 8 | byte;
  std::string body(size, '\0');
  if (!read_exactly(in, body.data(), size)) return std::nullopt;
  return json::parse(body);
}

void RawChannel::write_bytes(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = write(out, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) std::_Exit(1);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void RawChannel::write_header(std::uint32_t length) const {
  const char header[] = {static_cast<char>(length >> 24), static_cast<char>(length >> 16), static_cast<char>(length >> 8),
                         static_cast<char>(length)};
  write_bytes({header, sizeof header});
}

void RawChannel::write_body(std::string_view body) const {
  write_header(static_cast<std::uint32_t>(body.size()));
  write_bytes(body);
}

json reply_to(const json& request, json result) {
  return {{"id", request.value("id", json(0))}, {"success", true}, {"result", std::move(result)}};
}

json error_to(const json& request, std::string_view error, std::string_view code) {
  return {{"id", request.value("id", json(0))}, {"success", false}, {"error", error}, {"code", code}};
}

}  // namespace bad
