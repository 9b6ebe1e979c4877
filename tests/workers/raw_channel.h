// The channel of a worker that uses nothing of Pons: blocking reads and writes of bytes. It owns no descriptors.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace bad {

struct RawChannel {
  int in;
  int out;

  /// PONS_FD, else stdin and stdout.
  static RawChannel claim();

  /// The next frame's body as a document; nothing at end of file.
  [[nodiscard]] std::optional<nlohmann::json> read_request() const;
  /// All of the bytes, or the end of this process (nobody is there to read them).
  void write_bytes(std::string_view bytes) const;
  void write_header(std::uint32_t length) const;
  void write_body(std::string_view body) const;
  void write_document(const nlohmann::json& body) const { write_body(body.dump()); }
};

/// `{id, success: true, result}`.
nlohmann::json reply_to(const nlohmann::json& request, nlohmann::json result);
/// `{id, success: false, error, code}`.
nlohmann::json error_to(const nlohmann::json& request, std::string_view error, std::string_view code);

}  // namespace bad
