#include "host/log_format.h"

#include "host/utf8.h"

namespace pons {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

void append_escaped(std::string& out, unsigned code) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += "\\x";
  out += kHex[code >> 4 & 0xf];
  out += kHex[code & 0xf];
}

// C0, DEL and C1 (which in UTF-8 is 0xc2 and 0x80 to 0x9f) are what terminals obey.
void append_visible(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text, i);
    const auto first = static_cast<unsigned char>(text[i]);
    if (length == 0) {
      out += "\xef\xbf\xbd";
    } else if (first < 0x20 || first == 0x7f) {
      append_escaped(out, first);
    } else if (length == 2 && first == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0) {
      append_escaped(out, static_cast<unsigned char>(text[i + 1]));
    } else {
      out += text.substr(i, length);
    }
    i += length == 0 ? 1 : length;
  }
}

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

// Bare where nobody can mistake its end.
bool is_bare(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '=' || c == 0x7f) return false;
  }
  return true;
}

}  // namespace

std::string text_payload(std::string_view message, LogFieldView fields) {
  std::string out;
  append_visible(out, message);
  for (const LogField& field : fields) {
    out += ' ';
    append_visible(out, field.name);
    out += '=';
    const bool bare = field.value.is_string() && is_bare(field.value.get_ref<const std::string&>());
    append_visible(out, bare ? field.value.get_ref<const std::string&>() : dump(field.value));
  }
  return out;
}

std::string json_payload(LogLevel level, std::string_view message, LogFieldView fields) {
  ordered_json line = {{"level", to_string(level)}, {"message", message}};
  for (const LogField& field : fields) {
    std::string name(field.name);
    while (name == "time" || line.contains(name)) name += '_';
    line[name] = ordered_json(field.value);
  }
  return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace).substr(1);
}

}  // namespace pons
