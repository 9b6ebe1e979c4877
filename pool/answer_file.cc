#include "pool/answer_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "pool/snapshot_file.h"

namespace pons {

struct AnswerFile::Record {
  std::uint64_t answered;
  std::uint64_t life;
  std::uint32_t crc;  // of the name
  std::uint16_t length;
  std::uint16_t use;
  char session[kLongestSession];
  char spare[40];

  static constexpr std::uint16_t kFree = 0;
  static constexpr std::uint16_t kCertain = 1;
  static constexpr std::uint16_t kUncertain = 2;
  /// Never that of a record of zeros.
  static std::uint32_t checksum(std::string_view session) { return ~crc32_of(session); }
  [[nodiscard]] bool valid() const {
    return (use == kCertain || use == kUncertain) && length <= kLongestSession && checksum(name()) == crc;
  }
  [[nodiscard]] std::string_view name() const { return {session, length}; }
};

struct AnswerFile::Head {
  char magic[8];
  std::uint32_t version;
  std::uint32_t record_size;
  char boot_id[48];
  std::uint32_t closed;  // in order, by the host that had it before
};

namespace {

constexpr char kMagic[] = "PONSANSW";
constexpr std::uint32_t kVersion = 1;
// Multiples of every page size that there is.
constexpr std::size_t kHeadBytes = 65'536;
constexpr std::size_t kSegmentBytes = 5 * 65'536;

Error failure(const std::string& what) { return Error{ErrorCode::internal, what + ": " + std::strerror(errno)}; }

void* map(int fd, std::size_t offset, std::size_t size) {
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset));
  return memory == MAP_FAILED ? nullptr : memory;
}

/// Extends the file with space that is really there.
bool allocate(int fd, std::size_t offset, std::size_t size) {
  errno = ::posix_fallocate(fd, static_cast<off_t>(offset), static_cast<off_t>(size));
  if (errno == 0) return true;
  const int why = errno;
  [[maybe_unused]] const int cut = ::ftruncate(fd, static_cast<off_t>(offset));
  errno = why;
  return false;
}

}  // namespace

std::string AnswerFile::boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

Result<AnswerFile::Opened> AnswerFile::open(const std::string& path, const std::string& boot_id) {
  static_assert(sizeof(Record) * kSegmentRecords == kSegmentBytes);
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!file) return failure(path);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return failure(path);
  if (!S_ISREG(info.st_mode)) return Error{ErrorCode::internal, path + ": is no file"};

  Head head{};
  const bool ours = ::pread(file.get(), &head, sizeof head, 0) == static_cast<ssize_t>(sizeof head) &&
                    std::memcmp(head.magic, kMagic, sizeof head.magic) == 0 && head.version == kVersion &&
                    head.record_size == sizeof(Record) && static_cast<std::size_t>(info.st_size) >= kHeadBytes;
  const bool fresh = info.st_size == 0;
  if (!ours && (::ftruncate(file.get(), 0) != 0 || !allocate(file.get(), 0, kHeadBytes))) return failure(path);
  void* const mapped = map(file.get(), 0, kHeadBytes);
  if (mapped == nullptr) return failure(path);
  const auto whole = ours ? (static_cast<std::size_t>(info.st_size) - kHeadBytes) / kSegmentBytes : 0;

  Opened opened{AnswerFile(std::move(file), mapped), {}, {}};
  auto& self = opened.file;
  if (!ours && !fresh) opened.warnings.push_back(path + ": holds no counts of answers; they begin anew");
  const bool same_run = std::string_view(head.boot_id, ::strnlen(head.boot_id, sizeof head.boot_id)) == boot_id;
  for (std::size_t i = 0; i < whole; ++i) {
    void* const segment = map(self.file_.get(), kHeadBytes + i * kSegmentBytes, kSegmentBytes);
    if (segment == nullptr) return failure(path);
    self.take_records(segment, head.closed == 1 || same_run, opened);
  }
  if (whole == 0) {
    const auto segment = self.make_segment();
    if (!segment) return segment.error();
    self.adopt(*segment);
  }

  // From here on the file is not closed. Where the disk says that it is, that must be gone before anything is counted.
  auto& now = *static_cast<Head*>(self.head_);
  now = Head{};
  std::memcpy(now.magic, kMagic, sizeof now.magic);
  now.version = kVersion;
  now.record_size = sizeof(Record);
  boot_id.copy(now.boot_id, sizeof now.boot_id);
  if (head.closed == 1 && ::msync(self.head_, kHeadBytes, MS_SYNC) != 0) return failure(path);
  return opened;
}

void AnswerFile::take_records(void* segment, bool certain, Opened& opened) {
  segments_.push_back(segment);
  auto* const records = static_cast<Record*>(segment);
  for (std::size_t i = 0; i < kSegmentRecords; ++i) {
    auto& record = records[i];
    if (!record.valid()) {
      remove(&record);  // free, or torn when the machine went down
      continue;
    }
    if (!certain) record.use = Record::kUncertain;
    opened.found.push_back({std::string(record.name()), record.answered, record.life, record.use == Record::kCertain, &record});
  }
}

AnswerFile::AnswerFile(AnswerFile&& other) noexcept
    : file_(std::move(other.file_)),
      head_(std::exchange(other.head_, nullptr)),
      segments_(std::exchange(other.segments_, {})),
      free_(std::exchange(other.free_, {})) {}

AnswerFile& AnswerFile::operator=(AnswerFile&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(head_, other.head_);
  std::swap(segments_, other.segments_);
  std::swap(free_, other.free_);
  return *this;
}

AnswerFile::~AnswerFile() {
  for (void* const segment : segments_) ::munmap(segment, kSegmentBytes);
  if (head_ != nullptr) ::munmap(head_, kHeadBytes);
}

AnswerFile::Slot AnswerFile::add(const std::string& session, std::uint64_t life) {
  if (free_.empty() || session.size() > kLongestSession) return nullptr;
  const Slot slot = free_.back();
  free_.pop_back();
  session.copy(slot->session, kLongestSession);
  slot->length = static_cast<std::uint16_t>(session.size());
  slot->crc = Record::checksum(session);
  slot->answered = 0;
  slot->life = life;
  std::atomic_ref(slot->use).store(Record::kCertain, std::memory_order_release);  // last: whoever is killed before it has not begun
  return slot;
}

void AnswerFile::set(Slot slot, std::uint64_t answered) {
  std::atomic_ref(slot->answered).store(answered, std::memory_order_release);
  if (slot->use == Record::kUncertain) std::atomic_ref(slot->use).store(Record::kCertain, std::memory_order_release);
}

void AnswerFile::remove(Slot slot) {
  std::atomic_ref(slot->use).store(Record::kFree, std::memory_order_release);
  free_.push_back(slot);
}

Result<AnswerFile::Segment> AnswerFile::make_segment() const {
  const auto offset = kHeadBytes + segments_.size() * kSegmentBytes;
  if (!allocate(file_.get(), offset, kSegmentBytes)) return failure("the counts of answers cannot grow");
  void* const memory = map(file_.get(), offset, kSegmentBytes);
  if (memory == nullptr) return failure("the counts of answers cannot grow");
  return Segment{memory};
}

void AnswerFile::adopt(Segment segment) {
  segments_.push_back(segment.memory);
  auto* const records = static_cast<Record*>(segment.memory);
  for (std::size_t i = kSegmentRecords; i-- > 0;) free_.push_back(&records[i]);
}

void AnswerFile::close() {
  bool written = true;
  for (void* const segment : segments_) written = ::msync(segment, kSegmentBytes, MS_SYNC) == 0 && written;
  if (!written) return;
  static_cast<Head*>(head_)->closed = 1;
  ::msync(head_, kHeadBytes, MS_SYNC);
}

}  // namespace pons
