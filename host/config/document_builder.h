// Puts a Document together from the events of a parser, and keeps its bounds. The parsers behind it do nothing else than name events.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/document.h"

namespace pons {

/// Events come in the order of the text: between begin_map and end_map each value has a key before it. Throws ConfigError at a bound;
/// keys that stand twice are collected, so that all of them are reported.
class DocumentBuilder {
 public:
  explicit DocumentBuilder(std::string file);

  void begin_map(Position at) { begin(nlohmann::json::object(), at); }
  void begin_list(Position at) { begin(nlohmann::json::array(), at); }
  /// Of the map or list begun last; the reference holds until the next event.
  const nlohmann::json& end();
  void key(const std::string& name, Position at);
  void scalar(nlohmann::json value, Position at);
  /// A whole value at once, put in a second time by an alias.
  void copy(const nlohmann::json& value, Position at);

  /// Whether the next event must be a key or the end of the map.
  [[nodiscard]] bool expects_key() const { return !open_.empty() && open_.back().is_map && !open_.back().has_key; }
  [[noreturn]] void fail(Position at, std::string message) const;

  /// The document, once every map and list has ended. Throws ConfigError if keys stood twice.
  Document finish();

 private:
  struct Open {
    nlohmann::json* value;  // inside document_; stays in place while it is open, as nothing is added beside it
    bool is_map;
    bool has_key = false;
    std::string key;
    Position key_at;
  };

  void begin(nlohmann::json empty, Position at);
  nlohmann::json& place(nlohmann::json value, Position at);
  void count(std::size_t nodes, std::string_view text, Position at);
  void count_all(const nlohmann::json& value, int depth, Position at);

  Document document_;
  std::vector<Open> open_;
  ConfigPath path_;  // of what is being read
  std::vector<ConfigIssue> issues_;
  std::size_t nodes_ = 0;
  std::size_t text_ = 0;
};

}  // namespace pons
