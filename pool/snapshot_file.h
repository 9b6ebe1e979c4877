// The file of a session's snapshot: a head that says whose it is and what it covers, then the adapter's state as it came. Pure.
//
// Little-endian: "PONSSNAP", version (4 bytes), CRC-32 of the rest of the head (4), covers (8), life (8), saved at (8, microseconds since
// 1970), length of the state (8), its CRC-32 (4), lengths of adapter, session and format (2 each), 2 bytes of zero, adapter, session,
// format; then the state, up to the end of the file. So a file that was torn, cut or changed is known as such.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/error.h"

namespace pons {

/// What a worker has exported of a session.
struct Snapshot {
  std::string format;        ///< the adapter's own name and version of it
  std::string state;         ///< any bytes
  std::uint64_t covers = 0;  ///< answered requests of the session that it knows of
  std::uint64_t life = 0;    ///< whose: of the sessions of that name, which end and begin anew
  /// `life` is the store's own business.
  friend bool operator==(const Snapshot& a, const Snapshot& b) {
    return a.format == b.format && a.state == b.state && a.covers == b.covers;
  }
};

/// A snapshot's file but for the state.
struct SnapshotHead {
  std::string adapter;
  std::string session;
  std::string format;
  std::uint64_t covers = 0;
  std::uint64_t life = 0;
  std::chrono::system_clock::time_point saved_at{};  ///< to the microsecond
  std::uint64_t state_size = 0;
  std::uint32_t state_crc = 0;

  static constexpr std::size_t kFixed = 60;      ///< bytes before the texts
  static constexpr std::size_t kLongest = 2048;  ///< bytes of any head that can be read
  [[nodiscard]] std::size_t size() const { return kFixed + adapter.size() + session.size() + format.size(); }
  [[nodiscard]] std::string encode() const;
  /// `bytes` is at least the first kLongest of the file, or all of it; `file_size` is that of the whole.
  static Result<SnapshotHead> parse(std::string_view bytes, std::uint64_t file_size);
  /// The head of a file for that snapshot, but for the sum over its state.
  static SnapshotHead of(std::string adapter, std::string session, const Snapshot& snapshot);
};

/// Checks the state, too. `session`: whose it must be.
Result<Snapshot> parse_snapshot(std::string_view file, std::string_view adapter, std::string_view session);

/// CRC-32 as zlib has it.
std::uint32_t crc32_of(std::string_view bytes);

}  // namespace pons
