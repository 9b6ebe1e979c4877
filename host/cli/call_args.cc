#include "host/cli/call_args.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "host/cli/json_text.h"
#include "protocol/document.h"
#include "protocol/transport/unique_fd.h"

namespace pons::cli {

using nlohmann::json;

namespace {

Error wrong(std::string message) { return Error{ErrorCode::invalid_args, std::move(message)}; }

Result<json> parse_json(const std::string& text, const std::string& where) {
  auto value = decode(Codec::json, text);
  if (!value) return wrong(where + ": " + value.error().message);
  return value;
}

class ArgReader {
 public:
  ArgReader(Codec codec, const ArgSources& sources) : codec_(codec), sources_(sources) {}

  Result<void> take(const std::string& argument) {
    if (argument.starts_with("{")) return merge(argument, "ARGS");
    if (argument == "-") {
      const auto text = sources_.read_stdin();
      if (!text) return text.error();
      return merge(*text, "stdin");
    }
    if (argument.starts_with("@")) {
      const auto text = sources_.read_file(argument.substr(1));
      if (!text) return text.error();
      return merge(*text, argument.substr(1));
    }
    const auto equals = argument.find('=');
    if (equals == std::string::npos) {
      return wrong("\"" + argument + "\" is no argument: a JSON object, @FILE, -, key=text or key:=JSON is expected");
    }
    const bool is_json = equals > 0 && argument[equals - 1] == ':';
    const auto key = argument.substr(0, is_json ? equals - 1 : equals);
    if (key.empty()) return wrong("\"" + argument + "\" has no key before the =");
    auto value = is_json ? json_value(key, argument.substr(equals + 1)) : text_value(key, argument.substr(equals + 1));
    if (!value) return value.error();
    args_[key] = std::move(*value);
    return {};
  }

  json finish() && { return std::move(args_); }

 private:
  Result<void> merge(const std::string& text, const std::string& where) {
    auto value = parse_json(text, where);
    if (!value) return value.error();
    if (!value->is_object()) return wrong(where + ": a JSON object is expected, not: " + value->type_name());
    args_.update(*value);
    return {};
  }

  Result<json> json_value(const std::string& key, const std::string& text) const {
    if (!text.starts_with("@")) return parse_json(text, key);
    const auto content = sources_.read_file(text.substr(1));
    if (!content) return content.error();
    return parse_json(*content, text.substr(1));
  }

  Result<json> text_value(const std::string& key, const std::string& text) const {
    if (text.starts_with("@@")) return {boost::system::in_place_value, text.substr(1)};
    if (!text.starts_with("@")) {
      if (!is_utf8(text)) return wrong(key + ": the text is not UTF-8");
      return {boost::system::in_place_value, text};
    }
    auto content = sources_.read_file(text.substr(1));
    if (!content) return content.error();
    if (is_utf8(*content)) return {boost::system::in_place_value, std::move(*content)};
    if (codec_ == Codec::msgpack) return {boost::system::in_place_value, json::binary({content->begin(), content->end()})};
    return wrong(text.substr(1) + " is not UTF-8 text; with --codec msgpack it is sent as bytes");
  }

  Codec codec_;
  const ArgSources& sources_;
  json args_ = json::object();
};

constexpr std::size_t kLongestNoted = 60;  // bytes of an argument that is worth repeating

/// What a text would be as JSON; nothing if it would be no value, or a text.
std::string kind_of(const std::string& text) {
  const auto value = json::parse(text, nullptr, false);
  if (value.is_number()) return "a number";
  if (value.is_boolean() || value.is_null()) return text;
  if (value.is_array()) return "a list";
  return value.is_object() ? "a map" : "";
}

std::string note_on_text(const std::string& key, const std::string& value) {
  const auto kind = kind_of(value);
  if (kind.empty()) return {};
  return "note: " + key + "=" + value + " is a text; " + kind + " is written " + key + ":=" + value + "\n";
}

}  // namespace

Result<json> parse_call_args(const std::vector<std::string>& arguments, Codec codec, const ArgSources& sources) {
  ArgReader reader(codec, sources);
  for (const auto& argument : arguments) {
    if (auto taken = reader.take(argument); !taken) return taken.error();
  }
  auto args = std::move(reader).finish();
  if (codec == Codec::json) return {boost::system::in_place_value, std::move(args)};
  return from_printable(std::move(args));
}

std::string notes_on_texts(const std::vector<std::string>& arguments, ErrorCode code) {
  std::string notes;
  if (code != ErrorCode::invalid_args && code != ErrorCode::bad_request && code != ErrorCode::invalid_configuration) return notes;
  for (const auto& argument : arguments) {
    const auto equals = argument.find('=');
    const bool other_form = argument.starts_with("{") || argument.starts_with("@");
    if (other_form || argument.size() > kLongestNoted || equals == std::string::npos || equals == 0) continue;
    if (argument[equals - 1] != ':') notes += note_on_text(argument.substr(0, equals), argument.substr(equals + 1));
  }
  return notes;
}

Result<json> parse_meta(const std::vector<std::string>& pairs) {
  json meta = nullptr;
  for (const auto& pair : pairs) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0 || !is_utf8(pair)) return wrong("--meta takes KEY=TEXT, not \"" + pair + "\"");
    meta[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return {boost::system::in_place_value, std::move(meta)};
}

Result<std::string> read_all(int fd, const std::string& name) {
  std::string text;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n == 0) return text;
    if (n > 0) {
      text.append(buffer.data(), static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      return wrong("cannot read " + name + ": " + std::strerror(errno));
    }
  }
}

Result<std::string> read_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return wrong("cannot open " + path + ": " + std::strerror(errno));
  return read_all(file.get(), path);
}

}  // namespace pons::cli
