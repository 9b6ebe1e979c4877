// Versions of Python packages and conditions on them, as PEP 440 says. Pure.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace pons {

/// A version: epoch, release, pre-, post- and development release, local label.
class PythonVersion {
 public:
  /// As people write them ("v1.0-RC1", "1.0.post"); nothing if it is none. Numbers above 18 digits are none.
  static std::optional<PythonVersion> parse(std::string_view text);

  /// In its normal form: "1.0rc1".
  [[nodiscard]] std::string to_string() const;
  std::strong_ordering operator<=>(const PythonVersion& other) const;
  bool operator==(const PythonVersion& other) const { return (*this <=> other) == 0; }

 private:
  friend class VersionCondition;
  using Number = std::uint64_t;
  using LocalPart = std::variant<std::string, Number>;  ///< texts come before numbers

  [[nodiscard]] bool is_prerelease() const { return pre_.has_value() || dev_.has_value(); }
  [[nodiscard]] PythonVersion without_local() const;
  [[nodiscard]] PythonVersion base() const;
  [[nodiscard]] Number release(std::size_t i) const { return i < release_.size() ? release_[i] : 0; }

  Number epoch_ = 0;
  std::vector<Number> release_;
  std::optional<std::pair<char, Number>> pre_;  ///< a, b or r
  std::optional<Number> post_;
  std::optional<Number> dev_;
  std::vector<LocalPart> local_;
};

/// ">=3.0": one condition.
class VersionCondition {
 public:
  static std::optional<VersionCondition> parse(std::string_view text);
  /// Of a version that is installed: a pre-release too may be one that is allowed.
  [[nodiscard]] bool allows(const PythonVersion& version) const;

 private:
  enum class Operator : std::uint8_t { compatible, equal, not_equal, at_most, at_least, less, greater, identical };
  [[nodiscard]] bool equals(const PythonVersion& version) const;
  [[nodiscard]] bool begins(const PythonVersion& version, std::size_t parts) const;

  Operator operator_ = Operator::equal;
  PythonVersion version_;
  bool prefix_ = false;    ///< ==1.2.*
  std::string identical_;  ///< of ===
};

/// A package that is needed: "dspy[all]>=3.0,<4".
struct PackageRequirement {
  std::string text;  ///< as written
  std::string name;  ///< in its normal form
  std::vector<VersionCondition> conditions;

  /// Nothing if it is none; one with a URL or a marker (`;`) is none.
  static std::optional<PackageRequirement> parse(std::string_view text);
  /// Whether that version will do; one that is no version (PEP 440) only if there are no conditions.
  [[nodiscard]] bool allows(std::string_view version) const;
};

/// The normal form of a package's name: lower case, runs of `-`, `_` and `.` as one `-`.
std::string normal_package_name(std::string_view name);

}  // namespace pons
