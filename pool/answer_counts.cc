#include "pool/answer_counts.h"

#include <algorithm>
#include <random>
#include <utility>

namespace pons {

namespace {

/// Never 0.
std::uint64_t random_life() {
  std::random_device source;
  return (std::uint64_t{source()} << 32 | source()) | 1;
}

}  // namespace

Result<std::vector<std::string>> AnswerCounts::open(const std::string& path, const std::string& boot_id) {
  auto opened = AnswerFile::open(path, boot_id);
  if (!opened) return opened.error();
  file_ = std::move(opened->file);
  for (const auto& found : opened->found) {
    const bool first = counts_.try_emplace(found.session, Count{found.answered, found.life, found.certain, found.slot}).second;
    if (!first) file_->remove(found.slot);
  }
  return std::move(opened->warnings);
}

const AnswerCounts::Count* AnswerCounts::find(const std::string& session) const {
  const auto found = counts_.find(session);
  return found == counts_.end() ? nullptr : &found->second;
}

void AnswerCounts::set(const std::string& session, std::uint64_t answered) {
  const auto [entry, begins] = counts_.try_emplace(session);
  auto& count = entry->second;
  if (begins) count.life = random_life();
  count.answered = answered;
  count.certain = true;
  if (file_ && count.slot == nullptr) place(session, count);
  if (count.slot != nullptr) AnswerFile::set(count.slot, answered);
}

void AnswerCounts::suppose(const std::string& session, std::uint64_t at_least, std::uint64_t life) {
  auto& count = counts_.try_emplace(session, Count{at_least, life, false, nullptr}).first->second;
  count.answered = std::max(count.answered, at_least);
}

void AnswerCounts::forget(const std::string& session) {
  const auto found = counts_.find(session);
  if (found == counts_.end()) return;
  if (found->second.slot != nullptr) file_->remove(found->second.slot);
  unplaced_.erase(session);
  counts_.erase(found);
}

void AnswerCounts::place(const std::string& session, Count& count) {
  count.slot = file_->add(session, count.life);
  if (count.slot == nullptr) unplaced_.insert(session);
}

void AnswerCounts::adopt(AnswerFile::Segment segment) {
  file_->adopt(segment);
  for (const auto& session : std::exchange(unplaced_, {})) {
    auto& count = counts_[session];
    place(session, count);
    if (count.slot != nullptr) AnswerFile::set(count.slot, count.answered);
  }
}

}  // namespace pons
