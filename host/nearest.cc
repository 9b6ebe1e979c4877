#include "host/nearest.h"

#include <algorithm>
#include <utility>

namespace pons {
namespace {

constexpr std::size_t kLongest = 64;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Optimal string alignment: edits of one letter and swaps of two neighbours.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::vector<std::string> nearest_names(std::string_view word, const std::vector<std::string>& known, std::size_t most) {
  if (word.empty() || word.size() > kLongest) return {};
  const std::string typed = lower(word);
  const std::size_t allowed = std::max<std::size_t>(1, (word.size() + 1) / 3);
  std::vector<std::pair<std::size_t, std::string>> found;
  for (const std::string& name : known) {
    if (name.size() > kLongest) continue;
    const std::string candidate = lower(name);
    const std::size_t away = distance(typed, candidate);
    const bool near = away <= allowed && away < std::max(typed.size(), candidate.size());
    const bool begins = typed.size() >= 3 && candidate.size() >= 3 && (candidate.starts_with(typed) || typed.starts_with(candidate));
    if (near || begins) found.emplace_back(away, name);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> out;
  for (auto& [away, name] : found) {
    if (out.size() == most) break;
    out.push_back(std::move(name));
  }
  return out;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  const std::vector<std::string> names = nearest_names(word, known, 1);
  return names.empty() ? "" : "; did you mean \"" + names.front() + "\"?";
}

}  // namespace pons
