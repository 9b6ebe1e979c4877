#include "host/environment/pep440.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace pons {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
bool is_separator(char c) { return c == '.' || c == '-' || c == '_'; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::string_view stripped(std::string_view text) {
  constexpr std::string_view kBlank = " \t\n\r\f\v";
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// Takes what is there off the front of a lower-case text.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  void restore(std::string_view rest) { rest_ = rest; }

  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take_separator() { return !rest_.empty() && is_separator(rest_.front()) && take(rest_.front()); }
  bool take_word(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  std::optional<std::uint64_t> take_number() {
    constexpr std::size_t kMostDigits = 18;
    std::size_t digits = 0;
    while (digits < rest_.size() && is_digit(rest_[digits])) ++digits;
    if (digits == 0 || digits > kMostDigits) return std::nullopt;
    std::uint64_t number = 0;
    std::from_chars(rest_.data(), rest_.data() + digits, number);
    rest_.remove_prefix(digits);
    return number;
  }
  std::string take_alphanumeric() {
    std::size_t n = 0;
    while (n < rest_.size() && (is_digit(rest_[n]) || is_letter(rest_[n]))) ++n;
    std::string out(rest_.substr(0, n));
    rest_.remove_prefix(n);
    return out;
  }
  /// The number behind a word like `rc`; a separator may stand before it, also where there is none: then it is 0.
  std::uint64_t take_suffix_number() {
    take_separator();
    return take_number().value_or(0);
  }

 private:
  std::string_view rest_;
};

std::optional<std::pair<char, std::uint64_t>> take_pre(Reader& in) {
  constexpr std::array<std::pair<std::string_view, char>, 8> kWords{
      {{"alpha", 'a'}, {"beta", 'b'}, {"preview", 'r'}, {"pre", 'r'}, {"rc", 'r'}, {"a", 'a'}, {"b", 'b'}, {"c", 'r'}}};
  const auto before = in.rest();
  in.take_separator();
  for (const auto& [word, kind] : kWords) {
    if (in.take_word(word)) return std::pair(kind, in.take_suffix_number());
  }
  in.restore(before);
  return std::nullopt;
}

std::optional<std::uint64_t> take_post(Reader& in) {
  const auto before = in.rest();
  if (in.take('-')) {
    if (const auto number = in.take_number()) return number;
    in.restore(before);
  }
  in.take_separator();
  for (const std::string_view word : {"post", "rev", "r"}) {
    if (in.take_word(word)) return in.take_suffix_number();
  }
  in.restore(before);
  return std::nullopt;
}

std::optional<std::uint64_t> take_dev(Reader& in) {
  const auto before = in.rest();
  in.take_separator();
  if (in.take_word("dev")) return in.take_suffix_number();
  in.restore(before);
  return std::nullopt;
}

}  // namespace

std::optional<PythonVersion> PythonVersion::parse(std::string_view text) {
  const std::string normal = lower(stripped(text));
  Reader in(normal);
  PythonVersion version;
  in.take('v');
  auto number = in.take_number();
  if (!number) return std::nullopt;
  if (in.take('!')) {
    version.epoch_ = *number;
    if (!(number = in.take_number())) return std::nullopt;
  }
  version.release_.push_back(*number);
  for (auto before = in.rest(); in.take('.'); before = in.rest()) {
    if (!(number = in.take_number())) {
      in.restore(before);
      break;
    }
    version.release_.push_back(*number);
  }
  version.pre_ = take_pre(in);
  version.post_ = take_post(in);
  version.dev_ = take_dev(in);
  if (in.take('+')) {
    do {
      const std::string part = in.take_alphanumeric();
      if (part.empty()) return std::nullopt;
      if (std::all_of(part.begin(), part.end(), is_digit)) {
        number = Reader(part).take_number();
        if (!number) return std::nullopt;
        version.local_.emplace_back(*number);
      } else {
        version.local_.emplace_back(part);
      }
    } while (in.take_separator());
  }
  return in.done() ? std::optional(version) : std::nullopt;
}

std::string PythonVersion::to_string() const {
  std::string out = epoch_ == 0 ? "" : std::to_string(epoch_) + "!";
  for (std::size_t i = 0; i < release_.size(); ++i) out += (i == 0 ? "" : ".") + std::to_string(release_[i]);
  if (pre_) out += (pre_->first == 'r' ? "rc" : std::string(1, pre_->first)) + std::to_string(pre_->second);
  if (post_) out += ".post" + std::to_string(*post_);
  if (dev_) out += ".dev" + std::to_string(*dev_);
  for (std::size_t i = 0; i < local_.size(); ++i) {
    const auto* const word = std::get_if<std::string>(&local_[i]);
    out += (i == 0 ? "+" : ".") + (word != nullptr ? *word : std::to_string(std::get<Number>(local_[i])));
  }
  return out;
}

PythonVersion PythonVersion::without_local() const {
  PythonVersion out = *this;
  out.local_.clear();
  return out;
}

PythonVersion PythonVersion::base() const {
  PythonVersion out;
  out.epoch_ = epoch_;
  out.release_ = release_;
  return out;
}

std::strong_ordering PythonVersion::operator<=>(const PythonVersion& other) const {
  if (const auto order = epoch_ <=> other.epoch_; order != 0) return order;
  for (std::size_t i = 0; i < std::max(release_.size(), other.release_.size()); ++i) {
    if (const auto order = release(i) <=> other.release(i); order != 0) return order;
  }
  // 1.0.dev1 < 1.0a1 < 1.0b1 < 1.0rc1 < 1.0 < 1.0.post1; a development release comes before what it leads to.
  const auto stage = [](const PythonVersion& v) -> std::pair<int, Number> {
    if (v.pre_) return {v.pre_->first, v.pre_->second};
    return v.dev_ && !v.post_ ? std::pair<int, Number>(0, 0) : std::pair<int, Number>('z', 0);
  };
  if (const auto order = stage(*this) <=> stage(other); order != 0) return order;
  if (const auto order = post_ <=> other.post_; order != 0) return order;
  if (dev_.has_value() != other.dev_.has_value()) return dev_ ? std::strong_ordering::less : std::strong_ordering::greater;
  if (const auto order = dev_ <=> other.dev_; order != 0) return order;
  return local_ <=> other.local_;
}

std::optional<VersionCondition> VersionCondition::parse(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, Operator>, 8> kOperators{{{"===", Operator::identical},
                                                                             {"~=", Operator::compatible},
                                                                             {"==", Operator::equal},
                                                                             {"!=", Operator::not_equal},
                                                                             {"<=", Operator::at_most},
                                                                             {">=", Operator::at_least},
                                                                             {"<", Operator::less},
                                                                             {">", Operator::greater}}};
  text = stripped(text);
  const auto found = std::find_if(kOperators.begin(), kOperators.end(), [&](const auto& each) { return text.starts_with(each.first); });
  if (found == kOperators.end()) return std::nullopt;
  VersionCondition condition;
  condition.operator_ = found->second;
  std::string_view version = stripped(text.substr(found->first.size()));
  if (condition.operator_ == Operator::identical) {
    if (version.empty() || version.find_first_of(" \t;)") != std::string_view::npos) return std::nullopt;
    condition.identical_ = lower(version);
    return condition;
  }
  const bool exact = condition.operator_ == Operator::equal || condition.operator_ == Operator::not_equal;
  if (version.ends_with(".*")) {
    condition.prefix_ = true;
    version.remove_suffix(2);
  }
  const auto parsed = PythonVersion::parse(version);
  if (!parsed || (condition.prefix_ && (!exact || *parsed != parsed->base()))) return std::nullopt;
  if (!exact && !parsed->local_.empty()) return std::nullopt;
  if (condition.operator_ == Operator::compatible && parsed->release_.size() < 2) return std::nullopt;
  condition.version_ = *parsed;
  return condition;
}

bool VersionCondition::begins(const PythonVersion& version, std::size_t parts) const {
  if (version.epoch_ != version_.epoch_) return false;
  for (std::size_t i = 0; i < parts; ++i) {
    if (version.release(i) != version_.release(i)) return false;
  }
  return true;
}

bool VersionCondition::equals(const PythonVersion& version) const {
  if (prefix_) return begins(version, version_.release_.size());
  return (version_.local_.empty() ? version.without_local() : version) == version_;
}

bool VersionCondition::allows(const PythonVersion& version) const {
  switch (operator_) {
    case Operator::identical:
      return version.to_string() == identical_;
    case Operator::equal:
      return equals(version);
    case Operator::not_equal:
      return !equals(version);
    case Operator::at_most:
      return version.without_local() <= version_;
    case Operator::at_least:
      return version.without_local() >= version_;
    case Operator::compatible:
      return version.without_local() >= version_ && begins(version, version_.release_.size() - 1);
    case Operator::less: {
      const bool leads_to_it = version.is_prerelease() && !version_.is_prerelease() && version.base() == version_.base();
      return version < version_ && !leads_to_it;
    }
    case Operator::greater: {
      const bool follows_it = (version.post_ && !version_.post_) || !version.local_.empty();
      return version > version_ && !(follows_it && version.base() == version_.base());
    }
  }
  return false;
}

std::string normal_package_name(std::string_view name) {
  std::string out;
  for (const char c : lower(name)) {
    if (!is_separator(c)) {
      out += c;
    } else if (out.empty() || out.back() != '-') {
      out += '-';
    }
  }
  return out;
}

std::optional<PackageRequirement> PackageRequirement::parse(std::string_view text) {
  text = stripped(text);
  PackageRequirement out;
  out.text = std::string(text);
  const std::string normal = lower(text);
  const auto is_name = [](char c) { return is_digit(c) || is_letter(c) || is_separator(c); };
  const auto end = static_cast<std::size_t>(std::find_if_not(normal.begin(), normal.end(), is_name) - normal.begin());
  if (end == 0 || is_separator(normal.front()) || is_separator(normal[end - 1])) return std::nullopt;
  out.name = normal_package_name(std::string_view(normal).substr(0, end));
  std::string_view rest = stripped(text.substr(end));
  if (rest.starts_with('[')) {  // extras: whether they are installed is not written down anywhere
    const auto close = rest.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    rest = stripped(rest.substr(close + 1));
  }
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    const auto condition = VersionCondition::parse(rest.substr(0, comma));
    if (!condition) return std::nullopt;
    out.conditions.push_back(*condition);
    if (comma == rest.size()) break;
    rest = stripped(rest.substr(comma + 1));
    if (rest.empty()) return std::nullopt;
  }
  return out;
}

bool PackageRequirement::allows(std::string_view version) const {
  if (conditions.empty()) return true;
  const auto parsed = PythonVersion::parse(version);
  return parsed && std::all_of(conditions.begin(), conditions.end(), [&](const auto& each) { return each.allows(*parsed); });
}

}  // namespace pons
