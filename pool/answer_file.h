// A file of records, each of a session and how many of its requests have been answered, mapped into memory: to write a count is one store,
// and it is there after the host was killed at any moment.
//
// When the machine itself goes down, counts that were not yet on the disk are too low afterwards. So the file carries the machine's boot id
// and whether it was closed in order; where neither vouches for a count, it is marked as uncertain until it is set again.
//
// Segments of fixed-size records follow the head. Space is allocated before it is mapped: a full disk is an error of make_segment(), never
// a signal. (Somebody who makes the file shorter while it is in use ends the host by SIGBUS.)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/error.h"
#include "protocol/transport/unique_fd.h"

namespace pons {

/// Thread safety: one thread, but for make_segment() and close(), which may run on another meanwhile.
class AnswerFile {
 public:
  static constexpr std::size_t kLongestSession = 256;
  static constexpr std::size_t kSegmentRecords = 1024;
  struct Record;  // in the file
  using Slot = Record*;

  /// What was found.
  struct Found {
    std::string session;
    std::uint64_t answered = 0;
    std::uint64_t life = 0;
    bool certain = true;  ///< it was not perhaps more
    Slot slot = nullptr;
  };
  struct Opened;
  /// `boot_id` is that of the machine's current run. A file that is none of ours is begun anew, with a warning.
  static Result<Opened> open(const std::string& path, const std::string& boot_id);
  static std::string boot_id();

  AnswerFile(AnswerFile&& other) noexcept;
  AnswerFile& operator=(AnswerFile&& other) noexcept;
  ~AnswerFile();

  /// A record for the session, with a count of 0; null: there is no free one, or the name is too long.
  /// `life` tells sessions of one name apart that come after each other.
  Slot add(const std::string& session, std::uint64_t life = 0);
  /// No system call. It is certain from now on.
  static void set(Slot slot, std::uint64_t answered);
  void remove(Slot slot);

  /// Few records are free: make_segment() is to be called.
  [[nodiscard]] bool wants_segment() const { return free_.size() < kSegmentRecords / 4; }
  struct Segment {
    void* memory = nullptr;
  };
  /// May take as long as the disk does.
  [[nodiscard]] Result<Segment> make_segment() const;
  void adopt(Segment segment);

  /// Writes everything to the disk, and marks the file as closed in order. May take as long as the disk does.
  void close();

 private:
  AnswerFile(UniqueFd file, void* head) : file_(std::move(file)), head_(head) {}
  struct Head;
  void take_records(void* segment, bool certain, Opened& opened);
  UniqueFd file_;
  void* head_ = nullptr;
  std::vector<void*> segments_;
  std::vector<Slot> free_;
};

struct AnswerFile::Opened {
  AnswerFile file;
  std::vector<Found> found;
  std::vector<std::string> warnings;
};

}  // namespace pons
