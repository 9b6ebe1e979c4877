#include "host/config/json_reader.h"

#include <algorithm>
#include <string>
#include <utility>

namespace pons {
namespace {

using nlohmann::json;

Position advance(Position at, std::string_view over) {
  for (const char c : over) {
    if (c == '\n') {
      ++at.line;
      at.column = 1;
    } else {
      ++at.column;
    }
  }
  return at;
}

// Events do not say where they happened; but they come in the order of the tokens, so a cursor that steps from token to token does.
class Handler : public nlohmann::json_sax<json> {
 public:
  Handler(std::string_view text, DocumentBuilder& builder) : text_(text), builder_(builder) {}

  bool null() override { return scalar(nullptr); }
  bool boolean(bool value) override { return scalar(value); }
  bool number_integer(number_integer_t value) override { return scalar(value); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(value); }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return scalar(value); }
  bool string(string_t& value) override { return scalar(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }  // never comes from JSON
  bool start_object(std::size_t /*size*/) override {
    builder_.begin_map(next_token());
    return true;
  }
  bool key(string_t& name) override {
    builder_.key(name, next_token());
    return true;
  }
  bool end_object() override { return end(); }
  bool start_array(std::size_t /*size*/) override {
    builder_.begin_list(next_token());
    return true;
  }
  bool end_array() override { return end(); }
  bool parse_error(std::size_t byte, const std::string& /*token*/, const json::exception& e) override {
    const std::string what = e.what();
    const std::size_t text = what.find(": ");  // behind "[json.exception.parse_error.101] parse error at line 1, column 2"
    builder_.fail(advance({1, 1}, text_.substr(0, byte == 0 ? 0 : byte - 1)),
                  "not valid JSON: " + (text == std::string::npos ? what : what.substr(text + 2)));
  }

 private:
  bool scalar(json value) {
    const Position at = next_token();
    builder_.scalar(std::move(value), at);
    return true;
  }

  bool end() {
    next_token();
    builder_.end();
    return true;
  }

  void step(std::size_t bytes) {
    at_ = advance(at_, text_.substr(offset_, bytes));
    offset_ += bytes;
  }

  // Where the next token begins; the cursor goes behind it.
  Position next_token() {
    step(std::min(text_.find_first_not_of(" \t\r\n,:", offset_), text_.size()) - offset_);
    const Position begin = at_;
    std::size_t end = offset_ + 1;
    const char first = offset_ < text_.size() ? text_[offset_] : '}';
    if (first == '"') {
      while (end < text_.size() && text_[end] != '"') end += text_[end] == '\\' ? 2u : 1u;
      ++end;
    } else if (std::string_view("{}[]").find(first) == std::string_view::npos) {
      end = text_.find_first_of(" \t\r\n,:{}[]", offset_);
    }
    step(std::min(end, text_.size()) - offset_);
    return begin;
  }

  std::string_view text_;
  DocumentBuilder& builder_;
  std::size_t offset_ = 0;
  Position at_{1, 1};
};

}  // namespace

void read_json(std::string_view text, DocumentBuilder& builder) {
  Handler handler(text, builder);
  json::sax_parse(text.begin(), text.end(), &handler);
}

}  // namespace pons
