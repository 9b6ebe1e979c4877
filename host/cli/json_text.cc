#include "host/cli/json_text.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "host/utf8.h"
#include "protocol/base64.h"

namespace pons::cli {

using nlohmann::json;

namespace {

constexpr std::size_t kLineWidth = 100;  // columns that a container on one line may take

bool is_plain(const json& value) {
  switch (value.type()) {
    case json::value_t::binary:
      return false;
    case json::value_t::number_float:
      return std::isfinite(value.get<double>());
    case json::value_t::array:
    case json::value_t::object:
      for (const auto& member : value) {
        if (!is_plain(member)) return false;
      }
      return true;
    case json::value_t::null:
    case json::value_t::string:
    case json::value_t::boolean:
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
    case json::value_t::discarded:
      return true;
  }
  return true;
}

/// What JSON cannot say in a form that it can (see the header). Depth is bounded: documents come from decode().
json printable(const json& value) {
  if (is_plain(value)) return value;
  if (value.is_binary()) {
    const auto& binary = value.get_binary();
    json out{{"$bin", base64_encode(binary)}};
    if (binary.has_subtype()) out["$ext"] = binary.subtype();
    return out;
  }
  if (value.is_number_float()) {
    const auto number = value.get<double>();
    return {{"$float", std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf"}};
  }
  json out = value;
  for (auto& member : out) member = printable(member);
  return out;
}

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

class Printer {
 public:
  explicit Printer(bool colour) : colour_(colour) {}

  void print(const json& value, std::size_t indent) {
    if (!value.is_structured()) return scalar(value);
    if (value.empty()) return text(value.is_object() ? "{}" : "[]");
    std::size_t room = kLineWidth > indent ? kLineWidth - indent : 0;
    const bool short_enough = fits(value, room);
    text(value.is_object() ? "{" : "[");
    bool first = true;
    for (const auto& [key, member] : value.items()) {
      if (!first) text(short_enough ? ", " : ",");
      first = false;
      if (!short_enough) new_line(indent + 2);
      if (value.is_object()) {
        painted("34;1", harmless_json(dump(key)));
        text(": ");
      }
      print(member, indent + 2);
    }
    if (!short_enough) new_line(indent);
    text(value.is_object() ? "}" : "]");
  }

  std::string take() && { return std::move(out_); }

 private:
  /// Whether it takes at most `room` columns on one line; what it takes is subtracted.
  static bool fits(const json& value, std::size_t& room) {
    const auto take = [&](std::size_t n) {
      const bool enough = n <= room;
      room = enough ? room - n : 0;
      return enough;
    };
    if (!value.is_structured())
      return value.is_string() && value.get_ref<const std::string&>().size() > room ? false : take(dump(value).size());
    if (!take(2)) return false;
    for (const auto& [key, member] : value.items()) {
      if (!take(2) || (value.is_object() && !take(key.size() + 4)) || !fits(member, room)) return false;
    }
    return true;
  }

  /// The remaining control characters that JSON may carry raw: DEL and C1.
  static std::string harmless_json(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0u;
      if (byte == 0x7f) {
        out += "\\u007f";
      } else if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\u%04x", next);
        out += escape;
        ++i;
      } else {
        out.push_back(text[i]);
      }
    }
    return out;
  }

  void scalar(const json& value) {
    if (value.is_string()) return painted("32", harmless_json(dump(value)));
    painted(value.is_number() ? "36" : "35", dump(value));
  }
  void painted(const char* colour, const std::string& content) {
    if (colour_) out_.append("\x1b[").append(colour).append("m");
    out_ += content;
    if (colour_) out_ += "\x1b[0m";
  }
  void text(const char* content) { out_ += content; }
  void new_line(std::size_t indent) { out_.append("\n").append(indent, ' '); }

  bool colour_;
  std::string out_;
};

Result<void> restore(json& value) {
  if (!value.is_structured()) return {};
  const auto bin = value.is_object() ? value.find("$bin") : value.end();
  const auto ext = value.is_object() ? value.find("$ext") : value.end();
  const bool has_ext = ext != value.end() && ext->is_number_unsigned() && ext->get<std::uint64_t>() < 256;
  if (bin != value.end() && bin->is_string() && value.size() == (has_ext ? 2u : 1u)) {
    auto bytes = base64_decode(bin->get_ref<const std::string&>());
    if (!bytes) return Error{ErrorCode::invalid_args, "$bin: base64 with padding is expected"};
    auto binary = has_ext ? json::binary(std::move(*bytes), ext->get<std::uint64_t>()) : json::binary(std::move(*bytes));
    value = std::move(binary);
    return {};
  }
  for (auto& member : value) {
    if (auto restored = restore(member); !restored) return restored;
  }
  return {};
}

}  // namespace

std::string one_line(const json& value) { return is_plain(value) ? dump(value) : dump(printable(value)); }

std::string pretty(const json& value, bool colour) {
  Printer printer(colour);
  printer.print(printable(value), 0);
  return std::move(printer).take();
}

Result<json> from_printable(json value) {
  if (auto restored = restore(value); !restored) return restored.error();
  return {boost::system::in_place_value, std::move(value)};
}

std::string harmless(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto length = utf8_length(text, i);
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1 = length == 2 && byte == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    const bool control = length == 1 && ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f);
    if (length == 0 || c1 || control) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(text[i + (c1 ? 1 : 0)])));
      out += escape;
      i += c1 ? 2 : 1;
    } else {
      out.append(text.substr(i, length));
      i += length;
    }
  }
  return out;
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto length = utf8_length(text, i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

std::size_t width_of(std::string_view text) {
  std::size_t width = 0;
  for (const char c : text) width += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  return width;
}

}  // namespace pons::cli
