// JSON bodies: the view and nlohmann's parser agree, field by field; what is spliced reads as expected.
#include <cstddef>
#include <cstdint>

#include "protocol/document.h"
#include "protocol/limits.h"
#include "tests/fuzz/reference.h"

namespace pons::fuzz {
namespace {

using nlohmann::json;

// Builds the members of the outermost object, keeping repeated keys, which a json object would not.
class TopLevel : public json::json_sax_t {
 public:
  Members members;
  bool is_object = false;
  bool too_deep = false;
  bool too_large_a_number = false;

  bool null() override { return scalar(nullptr, false); }
  bool boolean(bool value) override { return scalar(value, false); }
  // A number with a minus sign, even -0, is told to this function; so only the next one gives an id.
  bool number_integer(number_integer_t value) override { return scalar(value, false); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(value, true); }
  bool number_float(number_float_t value, const string_t&) override { return scalar(value, false); }
  bool string(string_t& value) override { return scalar(value, false); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (is_object && path_.size() == 1) {
      members.push_back({name, nullptr});
    } else {
      keys_.back() = name;
      if (is_object && path_.size() == 2 && members.back().key == "args" && name == "resource_id") ++members.back().args_resources;
    }
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception& error) override {
    too_large_a_number = error.id == 406;
    return false;
  }

 private:
  bool scalar(const json& value, bool whole) {
    if (path_.empty()) return true;
    if (path_.size() == 1 && is_object) {
      members.back().value = value;
      members.back().whole = whole;
      return true;
    }
    put(value);
    return true;
  }
  bool open(json container) {
    if (path_.empty()) is_object = container.is_object();
    if (path_.size() >= kMaxDepth) too_deep = true;
    path_.push_back(std::move(container));
    keys_.emplace_back();
    return !too_deep;
  }
  bool close() {
    const json done = std::move(path_.back());
    path_.pop_back();
    keys_.pop_back();
    return scalar(done, false);
  }
  void put(const json& value) {
    if (path_.back().is_object()) {
      path_.back()[keys_.back()] = value;
    } else {
      path_.back().push_back(value);
    }
  }

  std::vector<json> path_;         // the containers that are open
  std::vector<std::string> keys_;  // and the key in each for which a value is awaited
};

struct Reading {
  std::optional<Members> members;
  bool undecided = false;  // by design the two may differ
};

bool long_run_of_digits(std::string_view body) {
  std::size_t run = 0;
  for (const char c : body) {
    run = c >= '0' && c <= '9' ? run + 1 : 0;
    if (run > 308) return true;
  }
  return false;
}

Reading read(std::string_view body) {
  // Where the two differ by design. nlohmann takes a byte order mark, and a NUL for the end of the text; the protocol allows neither.
  if (body.starts_with("\xef\xbb\xbf") || body.find('\0') != std::string_view::npos) return {};
  TopLevel top;
  const bool good = json::sax_parse(body.begin(), body.end(), &top);
  // An integer may have any length; nlohmann refuses one that no double holds, and then we know nothing of what follows.
  if (!good && top.too_large_a_number && long_run_of_digits(body)) return {std::nullopt, true};
  // The protocol's depth limit; and a body is an object.
  if (!good || top.too_deep || !top.is_object) return {};
  return {std::move(top.members), false};
}

std::optional<Members> members_of(std::string_view body) { return read(body).members; }

void check(std::string_view body) {
  // The first byte chooses the codec: the other one has a fuzzer of its own.
  const bool text = !body.empty() && std::string_view("{ \t\r\n").find(body.front()) != std::string_view::npos;
  if (!text) return;
  const Reading reading = read(body);
  if (reading.undecided) {
    (void)Envelope::parse_request(body);
    (void)Envelope::parse_reply(body, true);
    return;
  }
  compare(body, reading.members);
  if (reading.members) {
    const auto document = decode(Codec::json, body);
    require(document.has_value() && *document == json::parse(body), "an envelope is a document, and the same one");
  }
  check_splices(body, members_of);
  (void)Envelope::parse_reply(body, true);
}

}  // namespace
}  // namespace pons::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pons::fuzz::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
