// The rules that a worker program has to follow, and what became of each in one run. Entirely passive.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pons::conformance {

/// A rule of docs/protocol.md as it concerns workers. The id is stable: scripts may rely on it.
struct Rule {
  std::string_view id;
  int section;
  std::string_view sentence;
};

/// All of them, in the order in which they are reported.
std::span<const Rule> all_rules();

enum class Outcome : std::uint8_t { pass, fail, not_tested };
std::string_view to_string(Outcome outcome);

/// What became of one rule, and what was seen, in one sentence; of `not_tested` the reason.
struct Finding {
  Outcome outcome = Outcome::not_tested;
  std::string seen;
};

inline Finding passed(std::string seen) { return {Outcome::pass, std::move(seen)}; }
inline Finding failed(std::string seen) { return {Outcome::fail, std::move(seen)}; }
inline Finding not_tested(std::string why) { return {Outcome::not_tested, std::move(why)}; }

class Report {
 public:
  struct Line {
    const Rule* rule;
    Finding finding;
  };

  /// Of one rule the worst counts, and of two as bad the first. Throws std::out_of_range for an id that is no rule's.
  void record(std::string_view id, Finding finding);
  [[nodiscard]] bool failed(std::string_view id) const;
  /// One for each rule; one of which nothing was recorded is not tested, because of `why_not`.
  [[nodiscard]] std::vector<Line> lines(std::string_view why_not) const;
  [[nodiscard]] bool any_failed() const;

 private:
  std::map<std::string_view, Finding> findings_;
};

}  // namespace pons::conformance
