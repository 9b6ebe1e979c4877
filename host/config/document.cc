#include "host/config/document.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "host/config/json_reader.h"
#include "host/config/yaml_reader.h"
#include "host/units.h"
#include "host/utf8.h"

namespace pons {
namespace {

bool is_plain_word(const std::string& key) {
  if (key.empty()) return false;
  for (const char c : key) {
    const bool good = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '-';
    if (!good) return false;
  }
  return true;
}

bool is_index(const std::string& key) { return !key.empty() && key.find_first_not_of("0123456789") == std::string::npos; }

std::string to_pointer(const ConfigPath& path) {
  nlohmann::json::json_pointer pointer;
  for (const std::string& key : path) pointer.push_back(key);
  return pointer.to_string();
}

[[noreturn]] void fail(const std::string& file, std::string message) {
  throw ConfigError({ConfigIssue{file, 0, 0, {}, std::move(message)}});
}

// Positions are worth nothing in text that an editor cannot show; and JSON could not hold it.
void require_text(std::string_view text, const std::string& file) {
  Position at{1, 1};
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text, i);
    const unsigned char c = static_cast<unsigned char>(text[i]);
    const bool control = (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
    if (length == 0 || control) {
      const char* const what = length == 0 ? "expected text in UTF-8" : "expected text, found a control character";
      throw ConfigError({ConfigIssue{file, at.line, at.column, {}, what}});
    }
    at = c == '\n' ? Position{at.line + 1, 1} : Position{at.line, at.column + 1};
    i += length;
  }
}

struct Closer {
  int fd;
  ~Closer() { ::close(fd); }
};

std::string read_file(const std::filesystem::path& path, const std::string& name) {
  // Without O_NONBLOCK a named pipe would wait for its writer.
  const Closer file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) fail(name, errno == ENOENT ? "no such file; expected a configuration" : std::strerror(errno));
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) fail(name, std::strerror(errno));
  if (S_ISDIR(info.st_mode)) fail(name, "is a folder; expected a file");
  if (!S_ISREG(info.st_mode)) fail(name, "is not a regular file");
  std::string text;
  char buffer[16384];
  while (true) {
    const ssize_t n = ::read(file.fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(name, std::strerror(errno));
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > kMaxDocumentBytes) fail(name, "is larger than " + format_size(kMaxDocumentBytes));
  }
}

}  // namespace

std::string to_string(const ConfigPath& path) {
  std::string out;
  for (const std::string& key : path) {
    if (is_index(key) && !out.empty()) {
      out += "[" + key + "]";
      continue;
    }
    if (!out.empty()) out += '.';
    out += is_plain_word(key) ? key : nlohmann::json(key).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  return out;
}

Position Document::value_at(ConfigPath path) const {
  const auto exact = marks.find(path);
  if (exact != marks.end()) return exact->second.value;
  return key_at(std::move(path));
}

Position Document::key_at(ConfigPath path) const {
  while (true) {
    const auto found = marks.find(path);
    if (found != marks.end()) return found->second.key;
    if (path.empty()) return {};
    path.pop_back();
  }
}

ConfigIssue Document::value_issue(const ConfigPath& path, std::string message) const {
  const Position at = value_at(path);
  return {file, at.line, at.column, to_string(path), std::move(message), to_pointer(path)};
}

ConfigIssue Document::key_issue(const ConfigPath& path, std::string message) const {
  const Position at = key_at(path);
  return {file, at.line, at.column, to_string(path), std::move(message), to_pointer(path)};
}

Document parse_document(std::string_view text, const std::string& file) {
  if (text.size() > kMaxDocumentBytes) fail(file, "is larger than " + format_size(kMaxDocumentBytes));
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  require_text(text, file);
  DocumentBuilder builder(file);
  const bool empty = text.find_first_not_of(" \t\r\n") == std::string_view::npos;
  if (file.ends_with(".json") && !empty) {
    read_json(text, builder);
  } else {
    read_yaml(text, builder);
  }
  return builder.finish();
}

Document read_document(const std::filesystem::path& path, const std::string& name) { return parse_document(read_file(path, name), name); }
Document read_document(const std::filesystem::path& path) { return read_document(path, path.string()); }

}  // namespace pons
