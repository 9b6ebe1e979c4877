#include "adapters/xgboost/arguments.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "protocol/error.h"

namespace pons::xgb {

namespace {

using nlohmann::json;

std::string escape_pointer(std::string_view key) {
  std::string text;
  for (const char c : key) {
    if (c == '~') {
      text += "~0";
    } else if (c == '/') {
      text += "~1";
    } else {
      text += c;
    }
  }
  return text;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replace = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, replace});
    }
  }
  return row.back();
}

}  // namespace

void Complaints::add(std::string path, std::string message, json expected) {
  if (full()) return;
  json entry{{"path", std::move(path)}, {"message", std::move(message)}};
  if (!expected.is_null()) entry["expected"] = std::move(expected);
  errors_.push_back(std::move(entry));
}

void Complaints::throw_if_any() const {
  if (errors_.empty()) return;
  throw Exception(Error{ErrorCode::invalid_args, errors_.front()["message"].get<std::string>(), json{{"errors", errors_}}});
}

void throw_invalid_args(std::string path, std::string message, json expected) {
  json entry{{"path", std::move(path)}, {"message", message}};
  if (!expected.is_null()) entry["expected"] = std::move(expected);
  throw Exception(Error{ErrorCode::invalid_args, std::move(message), json{{"errors", json::array({std::move(entry)})}}});
}

Arguments::Arguments(const json& object, std::string path) : object_(object), path_(std::move(path)) {
  if (!object_.is_object()) {
    throw_invalid_args(path_, (path_.empty() ? "args" : path_.substr(1)) + " must be an object, not " + shown(object_), "object");
  }
}

void Arguments::allow_only(const std::vector<std::string_view>& keys) const {
  Complaints complaints;
  for (const auto& item : object_.items()) {
    if (std::find(keys.begin(), keys.end(), item.key()) != keys.end()) continue;
    const std::vector<std::string> known(keys.begin(), keys.end());
    complaints.add(path(item.key()), "Unknown argument \"" + item.key() + "\"" + did_you_mean(nearest(item.key(), known)), known);
  }
  complaints.throw_if_any();
}

std::string Arguments::path(std::string_view key) const { return path_ + "/" + escape_pointer(key); }

const json* Arguments::find(std::string_view key) const {
  const auto at = object_.find(key);
  return at == object_.end() || at->is_null() ? nullptr : &*at;
}

const json& Arguments::required(std::string_view key, std::string_view what) const {
  const json* value = find(key);
  if (value == nullptr) throw_invalid_args(path(key), "\"" + std::string(key) + "\" is missing: give " + std::string(what), what);
  return *value;
}

std::optional<std::string> Arguments::text(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) throw_invalid_args(path(key), "\"" + std::string(key) + "\" must be a string, not " + shown(*value), "string");
  return value->get<std::string>();
}

std::string Arguments::required_text(std::string_view key, std::string_view what) const {
  static_cast<void>(required(key, what));
  return *text(key);
}

std::optional<bool> Arguments::boolean(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) {
    throw_invalid_args(path(key), "\"" + std::string(key) + "\" must be true or false, not " + shown(*value), "boolean");
  }
  return value->get<bool>();
}

std::int64_t Arguments::integer(std::string_view key, std::int64_t fallback, std::int64_t least, std::int64_t most) const {
  const json* value = find(key);
  if (value == nullptr) return fallback;
  const std::string range = "an integer from " + std::to_string(least) + " to " + std::to_string(most);
  const bool fits =
      value->is_number_unsigned() ? value->get<std::uint64_t>() <= static_cast<std::uint64_t>(most) : value->is_number_integer();
  if (!fits || value->get<std::int64_t>() < least || value->get<std::int64_t>() > most) {
    throw_invalid_args(path(key), "\"" + std::string(key) + "\" must be " + range + ", not " + shown(*value), range);
  }
  return value->get<std::int64_t>();
}

double Arguments::fraction(std::string_view key, double fallback, double least, double below) const {
  const json* value = find(key);
  if (value == nullptr) return fallback;
  const std::string range = "a number from " + json(least).dump() + " to below " + json(below).dump();
  if (!value->is_number() || !(value->get<double>() >= least && value->get<double>() < below)) {
    throw_invalid_args(path(key), "\"" + std::string(key) + "\" must be " + range + ", not " + shown(*value), range);
  }
  return value->get<double>();
}

std::vector<std::string> nearest(std::string_view name, const std::vector<std::string>& known) {
  constexpr std::size_t kAtMost = 3;
  std::vector<std::pair<std::size_t, std::string>> found;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance <= std::max<std::size_t>(1, std::min(name.size(), candidate.size()) / 3)) found.emplace_back(distance, candidate);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> names;
  for (auto& [distance, candidate] : found) {
    if (names.size() < kAtMost) names.push_back(std::move(candidate));
  }
  return names;
}

std::string did_you_mean(const std::vector<std::string>& names) {
  if (names.empty()) return {};
  std::string text = "; did you mean ";
  for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "\"" : " or \"") + names[i] + "\"";
  return text + "?";
}

std::string shown(const json& value) {
  constexpr std::size_t kLongest = 40;
  if (value.is_null()) return "null";
  if (value.is_array()) return "an array of " + std::to_string(value.size());
  if (value.is_object()) return "an object";
  if (value.is_binary()) return "binary data";
  std::string text = value.is_number_float() && !std::isfinite(value.get<double>())
                         ? std::to_string(value.get<double>())
                         : value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > kLongest)
    text = value.is_string()
               ? json(value.get<std::string>().substr(0, kLongest)).dump(-1, ' ', false, json::error_handler_t::replace) + "..."
               : text.substr(0, kLongest) + "...";
  return (value.is_string() ? "the string " : "") + text;
}

}  // namespace pons::xgb
