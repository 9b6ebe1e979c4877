// Reading a command's `args`: every complaint is an invalid_args error with `details.errors: [{path, message, expected}]`, whose paths
// are JSON Pointers into args.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pons::xgb {

/// Complaints about arguments, up to kMax of them; the first becomes the error's message.
class Complaints {
 public:
  static constexpr std::size_t kMax = 10;

  void add(std::string path, std::string message, nlohmann::json expected = nullptr);
  /// No more are taken: the reader may stop.
  [[nodiscard]] bool full() const { return errors_.size() >= kMax; }
  /// Throws Exception (invalid_args) if there are any.
  void throw_if_any() const;

 private:
  std::vector<nlohmann::json> errors_;
};

[[noreturn]] void throw_invalid_args(std::string path, std::string message, nlohmann::json expected = nullptr);

/// One object of arguments. Every getter throws invalid_args for a value of another type or out of range. A null counts as missing.
/// The document must outlive it.
class Arguments {
 public:
  /// Throws invalid_args unless `object` is an object. `path` is where it stands in args.
  explicit Arguments(const nlohmann::json& object, std::string path = {});

  /// A key that is not among these is an error that names the nearest.
  void allow_only(const std::vector<std::string_view>& keys) const;

  [[nodiscard]] std::string path(std::string_view key) const;
  [[nodiscard]] const nlohmann::json* find(std::string_view key) const;
  [[nodiscard]] const nlohmann::json& required(std::string_view key, std::string_view what) const;
  [[nodiscard]] std::optional<std::string> text(std::string_view key) const;
  [[nodiscard]] std::string required_text(std::string_view key, std::string_view what) const;
  [[nodiscard]] std::optional<bool> boolean(std::string_view key) const;
  [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t least, std::int64_t most) const;
  /// A number in [least, below).
  [[nodiscard]] double fraction(std::string_view key, double fallback, double least, double below) const;

 private:
  const nlohmann::json& object_;
  std::string path_;
};

/// The names nearest to `name`, best first, at most three, none that is far off.
std::vector<std::string> nearest(std::string_view name, const std::vector<std::string>& known);
/// `; did you mean "a" or "b"?`, or nothing.
std::string did_you_mean(const std::vector<std::string>& names);
/// A value's type and a short rendering, for messages: `the string "abc"`.
std::string shown(const nlohmann::json& value);

}  // namespace pons::xgb
