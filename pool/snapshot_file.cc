#include "pool/snapshot_file.h"

#include <boost/crc.hpp>

namespace pons {

namespace {

constexpr std::string_view kMagic = "PONSSNAP";
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kEndOfTime = std::uint64_t{1} << 53;  // microseconds that a clock of nanoseconds can hold
constexpr std::size_t kAfterCrc = 16;                         // where the bytes begin that the head's own sum covers

using std::chrono::microseconds;
using std::chrono::system_clock;

template <class T>
void put(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

/// `bytes` holds as many.
template <class T>
T take(std::string_view& bytes) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(value | static_cast<T>(static_cast<T>(static_cast<unsigned char>(bytes[i])) << (8 * i)));
  bytes.remove_prefix(sizeof(T));
  return value;
}

std::string take_text(std::string_view& bytes, std::size_t size) {
  std::string text(bytes.substr(0, size));
  bytes.remove_prefix(size);
  return text;
}

Error bad(const char* why) { return Error{ErrorCode::worker_error, std::string("no snapshot: ") + why}; }

}  // namespace

std::uint32_t crc32_of(std::string_view bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

SnapshotHead SnapshotHead::of(std::string adapter, std::string session, const Snapshot& snapshot) {
  return {std::move(adapter), std::move(session), snapshot.format, snapshot.covers, snapshot.life, {}, snapshot.state.size()};
}

std::string SnapshotHead::encode() const {
  std::string covered;
  put(covered, covers);
  put(covered, life);
  put(covered, static_cast<std::uint64_t>(std::chrono::duration_cast<microseconds>(saved_at.time_since_epoch()).count()));
  put(covered, state_size);
  put(covered, state_crc);
  for (const auto* const text : {&adapter, &session, &format}) put(covered, static_cast<std::uint16_t>(text->size()));
  put(covered, std::uint16_t{0});
  covered.append(adapter).append(session).append(format);
  std::string bytes(kMagic);
  put(bytes, kVersion);
  put(bytes, crc32_of(covered));
  return bytes + covered;
}

Result<SnapshotHead> SnapshotHead::parse(std::string_view bytes, std::uint64_t file_size) {
  if (bytes.size() < kFixed) return bad("the file is too short");
  if (!bytes.starts_with(kMagic)) return bad("the file is something else");
  auto rest = bytes.substr(kMagic.size());
  if (const auto version = take<std::uint32_t>(rest); version != kVersion) return bad("the file is of another version");
  const auto crc = take<std::uint32_t>(rest);
  SnapshotHead head;
  head.covers = take<std::uint64_t>(rest);
  head.life = take<std::uint64_t>(rest);
  head.saved_at = system_clock::time_point(microseconds(static_cast<std::int64_t>(take<std::uint64_t>(rest) % kEndOfTime)));
  head.state_size = take<std::uint64_t>(rest);
  head.state_crc = take<std::uint32_t>(rest);
  const std::size_t adapter = take<std::uint16_t>(rest);
  const std::size_t session = take<std::uint16_t>(rest);
  const std::size_t format = take<std::uint16_t>(rest);
  rest.remove_prefix(sizeof(std::uint16_t));
  const auto texts = adapter + session + format;
  if (rest.size() < texts) return bad("its head is not whole");
  if (crc32_of(bytes.substr(kAfterCrc, kFixed - kAfterCrc + texts)) != crc) return bad("its head is damaged");
  head.adapter = take_text(rest, adapter);
  head.session = take_text(rest, session);
  head.format = take_text(rest, format);
  if (file_size - head.size() != head.state_size) return bad("it is not as long as it says");
  return head;
}

Result<Snapshot> parse_snapshot(std::string_view file, std::string_view adapter, std::string_view session) {
  auto head = SnapshotHead::parse(file, file.size());
  if (!head) return head.error();
  if (head->adapter != adapter || head->session != session) return bad("it is another session's");
  const auto state = file.substr(head->size());
  if (crc32_of(state) != head->state_crc) return bad("its state is damaged");
  return Snapshot{std::move(head->format), std::string(state), head->covers, head->life};
}

}  // namespace pons
