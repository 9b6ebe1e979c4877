#include "host/config/yaml_reader.h"

#include <cmath>
#include <cstdlib>
#include <map>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace pons {
namespace {

using nlohmann::json;

Position position(const YAML::Mark& mark) { return mark.is_null() ? Position{1, 1} : Position{mark.line + 1, mark.column + 1}; }

bool all_of(std::string_view text, std::string_view set) { return !text.empty() && text.find_first_not_of(set) == std::string_view::npos; }

std::optional<json> integer(std::string_view text, std::string_view digits, int base) {
  if (!all_of(text, digits)) return std::nullopt;
  errno = 0;
  const std::string copy(text);
  const unsigned long long value = std::strtoull(copy.c_str(), nullptr, base);
  if (errno != 0) return json(std::strtod(copy.c_str(), nullptr));  // beyond 64 bits, as in JSON
  return json(value);
}

// A number of YAML without its sign: digits, 0o17, 0x1f, or a float.
std::optional<json> number(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789";
  if (auto value = integer(text, kDigits, 10)) return value;
  const std::size_t e = text.find_first_of("eE");
  std::string_view mantissa = text.substr(0, e);
  if (e != std::string_view::npos) {
    std::string_view exponent = text.substr(e + 1);
    if (!exponent.empty() && (exponent.front() == '+' || exponent.front() == '-')) exponent.remove_prefix(1);
    if (!all_of(exponent, kDigits)) return std::nullopt;
  }
  const std::size_t point = mantissa.find('.');
  const std::string_view whole = mantissa.substr(0, point);
  const std::string_view fraction = point == std::string_view::npos ? std::string_view{} : mantissa.substr(point + 1);
  if (whole.empty() && fraction.empty()) return std::nullopt;
  if (!(whole.empty() || all_of(whole, kDigits)) || !(fraction.empty() || all_of(fraction, kDigits))) return std::nullopt;
  return json(std::strtod(std::string(text).c_str(), nullptr));
}

json negated(const json& value) {
  if (value.is_number_float()) return -value.get<double>();
  const auto magnitude = value.get<std::uint64_t>();
  if (magnitude > (1ULL << 63)) return -static_cast<double>(magnitude);
  return static_cast<std::int64_t>(0 - magnitude);
}

class Handler : public YAML::EventHandler {
 public:
  explicit Handler(DocumentBuilder& builder) : builder_(builder) {}

  [[nodiscard]] bool saw_document() const { return saw_document_; }
  /// Of the last event that had a place.
  [[nodiscard]] Position last() const { return last_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (saw_document_) builder_.fail(position(mark), "expected one document, found a second");
    saw_document_ = true;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (builder_.expects_key()) builder_.fail(position(mark), "a key is missing");
    scalar(nullptr, position(mark), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const Position at = position(mark);
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end()) builder_.fail(at, "an alias inside of what it stands for");
    if (!builder_.expects_key()) return builder_.copy(known->second, at);
    if (!known->second.is_string()) builder_.fail(at, "expected a text as key");
    key(known->second.get<std::string>(), at);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& text) override {
    const Position at = last_ = position(mark);
    if (!builder_.expects_key()) return scalar(value_of(tag, text, at), at, anchor);
    if (anchor != 0) anchors_[anchor] = text;
    if (text == "<<" && tag != "!") builder_.fail(at, "merge keys (<<) are not part of YAML 1.2; write the keys out");
    key(text, at);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    begin(mark, tag, anchor, "tag:yaml.org,2002:seq");
    builder_.begin_list(position(mark));
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    begin(mark, tag, anchor, "tag:yaml.org,2002:map");
    builder_.begin_map(position(mark));
  }
  void OnMapEnd() override { end(); }

 private:
  void key(const std::string& name, Position at) {
    key_at_ = at;
    builder_.key(name, at);
  }

  void scalar(json value, Position at, YAML::anchor_t anchor) {
    if (value.is_null() && key_at_.line != 0) at = key_at_;  // yaml-cpp puts what is not there at the next token
    if (anchor != 0) anchors_[anchor] = value;
    builder_.scalar(std::move(value), at);
  }

  void begin(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, std::string_view own_tag) {
    last_ = position(mark);
    if (builder_.expects_key()) builder_.fail(last_, "expected a text as key");
    if (!(tag.empty() || tag == "?" || tag == "!" || tag == own_tag)) unknown_tag(tag, position(mark));
    open_anchors_.push_back(anchor);
  }

  void end() {
    const json& value = builder_.end();
    if (open_anchors_.back() != 0) anchors_[open_anchors_.back()] = value;
    open_anchors_.pop_back();
  }

  json value_of(const std::string& tag, const std::string& text, Position at) const {
    constexpr std::string_view kCore = "tag:yaml.org,2002:";
    if (tag == "!" || tag == std::string(kCore) + "str") return text;
    if (tag.empty() || tag == "?") return plain(text, at);
    if (!tag.starts_with(kCore)) unknown_tag(tag, at);
    const std::string_view wanted = std::string_view(tag).substr(kCore.size());
    json value = plain(text, at);
    const bool fits = (wanted == "int" && value.is_number_integer()) || (wanted == "float" && value.is_number()) ||
                      (wanted == "bool" && value.is_boolean()) || (wanted == "null" && value.is_null());
    if (!fits) unknown_tag(tag, at);
    return value;
  }

  json plain(const std::string& text, Position at) const {
    json value = yaml_core_scalar(text);
    if (value.is_number_float() && !std::isfinite(value.get<double>())) builder_.fail(at, "expected a finite number, got " + text);
    return value;
  }

  [[noreturn]] void unknown_tag(const std::string& tag, Position at) const { builder_.fail(at, "the tag " + tag + " does not fit here"); }

  DocumentBuilder& builder_;
  std::map<YAML::anchor_t, json> anchors_;  // only what is complete
  std::vector<YAML::anchor_t> open_anchors_;
  Position key_at_;
  Position last_{1, 1};
  bool saw_document_ = false;
};

/// A tab at the beginning of one of the lines `from` to `to`, counted from 1.
std::optional<Position> tab_in_indentation(std::string_view text, int from, int to) {
  std::size_t begin = 0;
  for (int line = 1; line <= to; ++line) {
    const std::size_t end = text.find('\n', begin);
    const std::size_t content = text.find_first_not_of(' ', begin);
    if (line >= from && content < end && content < text.size() && text[content] == '\t')
      return Position{line, static_cast<int>(content - begin) + 1};
    if (end == std::string_view::npos) break;
    begin = end + 1;
  }
  return std::nullopt;
}

}  // namespace

json yaml_core_scalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (text == ".nan" || text == ".NaN" || text == ".NAN") return std::nan("");
  if (text.starts_with("0o")) return integer(text.substr(2), "01234567", 8).value_or(text);
  if (text.starts_with("0x")) return integer(text.substr(2), "0123456789abcdefABCDEF", 16).value_or(text);
  const bool sign = text.front() == '-' || text.front() == '+';
  const std::string_view rest = std::string_view(text).substr(sign ? 1 : 0);
  if (rest == ".inf" || rest == ".Inf" || rest == ".INF") return text.front() == '-' ? -HUGE_VAL : HUGE_VAL;
  const std::optional<json> value = number(rest);
  if (!value) return text;
  return text.front() == '-' ? negated(*value) : *value;
}

void read_yaml(std::string_view text, DocumentBuilder& builder) {
  std::istringstream stream{std::string(text)};
  Handler handler(builder);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(handler)) {
    }
  } catch (const YAML::Exception& e) {
    // Where the text ends too soon, yaml-cpp names its beginning.
    const Position at = position(e.mark);
    const Position last = handler.last();
    const bool earlier = std::pair(at.line, at.column) < std::pair(last.line, last.column);
    const Position place = earlier ? last : at;
    // yaml-cpp takes a tab for the beginning of a text, and stumbles over what follows.
    if (const auto tab = tab_in_indentation(text, place.line - 1, place.line + 1)) {
      builder.fail(*tab, "not valid YAML: a tab; lines are indented with spaces alone");
    }
    builder.fail(place, "not valid YAML: " + e.msg);
  }
  if (!handler.saw_document()) builder.scalar(nullptr, {1, 1});
}

}  // namespace pons
