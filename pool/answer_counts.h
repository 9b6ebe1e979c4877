// How many requests of each session have been answered; kept in a file, if there is one. Passive but for that.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "pool/answer_file.h"
#include "protocol/error.h"

namespace pons {

/// Thread safety: one thread; file() may be used by another meanwhile, as it says.
class AnswerCounts {
 public:
  struct Count {
    std::uint64_t answered = 0;
    std::uint64_t life = 0;           ///< another one each time that a session of this name begins
    bool certain = true;              ///< it was not perhaps more
    AnswerFile::Slot slot = nullptr;  ///< null: it is in no file
  };

  /// From now on counts are kept in that file, which may hold some already. The warnings of AnswerFile::open.
  Result<std::vector<std::string>> open(const std::string& path, const std::string& boot_id);
  /// `answered` counts the session's requests from its beginning.
  void set(const std::string& session, std::uint64_t answered);
  /// There were at least so many: all that is known where there is no record of the session.
  void suppose(const std::string& session, std::uint64_t at_least, std::uint64_t life);
  void forget(const std::string& session);
  [[nodiscard]] const std::unordered_map<std::string, Count>& all() const { return counts_; }
  [[nodiscard]] const Count* find(const std::string& session) const;

  /// The file is about to be full: file()->make_segment(), then adopt(). Counts that found no room in it are in memory alone until then.
  [[nodiscard]] bool wants_segment() const { return file_ && file_->wants_segment(); }
  [[nodiscard]] std::optional<AnswerFile>& file() { return file_; }
  void adopt(AnswerFile::Segment segment);

 private:
  void place(const std::string& session, Count& count);

  std::unordered_map<std::string, Count> counts_;
  std::optional<AnswerFile> file_;
  std::unordered_set<std::string> unplaced_;  // sessions that found no room
};

}  // namespace pons
