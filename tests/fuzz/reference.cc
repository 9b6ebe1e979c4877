#include "tests/fuzz/reference.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "protocol/document.h"
#include "protocol/splice.h"

namespace pons::fuzz {
namespace {

using nlohmann::json;

const Member* find(const Members& members, std::string_view key) {
  const auto found =
      std::find_if(members.begin(), members.end(), [key](const Member& member) { return !member.odd_key && member.key == key; });
  return found == members.end() ? nullptr : &*found;
}

std::size_t count(const Members& members, std::string_view key) {
  return static_cast<std::size_t>(
      std::count_if(members.begin(), members.end(), [key](const Member& member) { return !member.odd_key && member.key == key; }));
}

bool good_id(const Member& id) {
  if (id.value.is_string()) return id.value.get<std::string>().size() <= kMaxIdBytes;
  return id.whole && id.value.is_number_integer() && id.value.get<std::uint64_t>() <= INT64_MAX;
}

bool repeats_or_odd(const Members& members) {
  std::set<std::string> seen;
  return std::any_of(members.begin(), members.end(),
                     [&](const Member& member) { return member.odd_key || !seen.insert(member.key).second; });
}

bool only(std::string_view text, std::string_view more, std::size_t longest) {
  const auto allowed = [more](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || more.find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= longest && std::all_of(text.begin(), text.end(), allowed);
}

bool good_command(const std::string& command) {
  const std::size_t colon = command.find(':');
  if (colon == std::string::npos) return only(command, "_.-", kMaxNameBytes);
  return only(command.substr(0, colon), "_-", kMaxNamespaceBytes) && only(command.substr(colon + 1), "_.:-", kMaxNameBytes);
}

bool short_text(const json& value) { return value.is_string() && value.get<std::string>().size() <= kMaxAffinityBytes; }
bool good_timeout(const json& value) { return value.is_number() && std::isfinite(value.get<double>()) && value.get<double>() > 0; }

bool good_request(const Members& members) {
  for (const Member& member : members) {
    const json& value = member.value;
    const bool good = member.key == "command"       ? value.is_string() && good_command(value.get<std::string>())
                      : member.key == "args"        ? value.is_object() && member.args_resources < 2
                      : member.key == "meta"        ? value.is_object()
                      : member.key == "session_id"  ? short_text(value)
                      : member.key == "resource_id" ? short_text(value)
                      : member.key == "timeout_ms"  ? good_timeout(value)
                      : member.key == "stream"      ? value.is_boolean()
                      : member.key == "idempotent"  ? value.is_boolean()
                                                    : true;
    if (!good) return false;
  }
  return true;
}

bool good_reply(const Members& members) {
  for (const Member& member : members) {
    const json& value = member.value;
    const bool good = member.key == "success"   ? value.is_boolean()
                      : member.key == "partial" ? value.is_null() || value.is_boolean()
                      : member.key == "seq"     ? value.is_null() || (member.whole && value.get<std::uint64_t>() <= INT64_MAX)
                      : member.key == "error"   ? value.is_null() || value.is_string()
                      : member.key == "code"    ? value.is_null() || value.is_string()
                                                : true;
    if (!good) return false;
  }
  return true;
}

Envelope::Kind kind_of(const Members& members) {
  return find(members, "event") != nullptr     ? Envelope::Kind::event
         : find(members, "command") != nullptr ? Envelope::Kind::request
                                               : Envelope::Kind::reply;
}

template <class Optional>
void same_text(const Optional& field, const json& expected, const char* what) {
  require(field ? expected == json(*field) : expected.is_null(), what);
}

json value_or_null(const Members& members, std::string_view key) {
  const Member* const member = find(members, key);
  return member != nullptr ? member->value : json();
}

void compare_request(const Envelope& e, const Members& members) {
  require(json(e.command) == value_or_null(members, "command"), "command");
  require(e.command == (e.colon ? std::string(*e.name_space()) + ":" : std::string()) + std::string(e.name()), "namespace and name");
  same_text(e.session_id, value_or_null(members, "session_id"), "session_id");
  json resource = value_or_null(members, "resource_id");
  const json args = value_or_null(members, "args");
  if (resource.is_null() && args.contains("resource_id") && args["resource_id"].is_string()) resource = args["resource_id"];
  same_text(e.resource_id, resource, "resource_id");
  const json timeout = value_or_null(members, "timeout_ms");
  require(e.timeout_ms ? *e.timeout_ms == std::min(timeout.get<double>(), kMaxTimeoutMs) : timeout.is_null(), "timeout_ms");
  same_text(e.idempotent, value_or_null(members, "idempotent"), "idempotent");
  require(e.stream == (value_or_null(members, "stream") == json(true)), "stream");
}

void compare_reply(const Envelope& e, const Members& members) {
  require(json(e.success) == value_or_null(members, "success"), "success");
  require(e.partial == (value_or_null(members, "partial") == json(true)), "partial");
  same_text(e.seq, value_or_null(members, "seq"), "seq");
  const json code = value_or_null(members, "code"), error = value_or_null(members, "error");
  require(json(e.code) == (code.is_null() ? json("") : code), "code");
  require(json(e.error) == (error.is_null() ? json("") : error), "error");
}

// The ranges hold the values: read alone, they give what the reference read. Maps with keys that are no strings decode() refuses.
void compare_range(const Envelope& e, std::string_view body, ByteRange range, const json& expected) {
  if (range.empty()) return require(expected.is_null(), "a range that is missing");
  const auto value = decode(e.codec, range.in(body));
  if (value)
    require(value->dump(-1, ' ', false, json::error_handler_t::replace) == expected.dump(-1, ' ', false, json::error_handler_t::replace),
            "a range");
}

// A frame that passes whole passes as a worker's, too, where less is looked at.
void compare_leniently(const Envelope& strict, std::string_view body) {
  const auto lenient = Envelope::parse_reply(body, true);
  if (!lenient) return require(strict.kind == Envelope::Kind::request && !strict.parent_id_range.empty(), "parse_reply is no stricter");
  require(lenient->kind == strict.kind && lenient->id == strict.id && lenient->members == strict.members, "both parsers agree");
  require(lenient->result_range.offset == strict.result_range.offset && lenient->result_range.size == strict.result_range.size,
          "extent of result");
}

struct Replacement {
  std::string key;
  json value;
};

Members with(Members members, const std::vector<Replacement>& replacements) {
  Members inserted;
  for (const Replacement& replacement : replacements) {
    const auto found =
        std::find_if(members.begin(), members.end(), [&](const Member& m) { return !m.odd_key && m.key == replacement.key; });
    Member fresh{replacement.key, replacement.value};
    fresh.whole = replacement.value.is_number();
    if (found != members.end()) {
      *found = fresh;
    } else {
      inserted.push_back(fresh);
    }
  }
  inserted.insert(inserted.end(), members.begin(), members.end());
  return inserted;
}

}  // namespace

void require(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

Verdict judge(const Members& members) {
  Verdict verdict;
  const Member* const id = find(members, "id");
  const bool id_stands = id != nullptr && count(members, "id") == 1 && good_id(*id);
  if (id_stands) verdict.id = id->value;
  const bool known = find(members, "event") != nullptr || find(members, "command") != nullptr || find(members, "success") != nullptr;
  if (repeats_or_odd(members) || (id != nullptr && !id_stands) || !known) return verdict;
  const Envelope::Kind kind = kind_of(members);
  verdict.accepted = kind == Envelope::Kind::event || (kind == Envelope::Kind::request ? good_request(members) : good_reply(members));
  return verdict;
}

void compare(std::string_view body, const std::optional<Members>& reference) {
  const auto parsed = Envelope::parse_request(body);
  if (!reference) {
    require(!parsed && parsed.error().error.code == ErrorCode::bad_frame, "what no reader accepts is a bad frame");
    require(parsed.error().id == RequestId{std::uint64_t{0}}, "a bad frame is answered with id 0");
    return;
  }
  const Verdict verdict = judge(*reference);
  require(parsed.has_value() == verdict.accepted, "accepted by one alone");
  if (!parsed) {
    require(parsed.error().error.code == ErrorCode::bad_request, "a document is at worst a bad request");
    require(to_json(parsed.error().id) == verdict.id, "the id to answer with");
    return;
  }
  const Envelope& e = *parsed;
  require(e.members == reference->size() && e.kind == kind_of(*reference), "kind and number of members");
  require(to_json(e.id) == verdict.id, "id");
  if (e.kind == Envelope::Kind::request) compare_request(e, *reference);
  if (e.kind == Envelope::Kind::reply) compare_reply(e, *reference);
  compare_range(e, body, e.args_range, value_or_null(*reference, "args"));
  compare_range(e, body, e.meta_range, value_or_null(*reference, "meta"));
  compare_range(e, body, e.result_range, value_or_null(*reference, "result"));
  compare_leniently(e, body);
}

void check_splices(std::string_view body, Reader reader) {
  const auto parsed = Envelope::parse_request(body);
  if (!parsed || parsed->kind == Envelope::Kind::event) return;
  const Members before = reader(body).value();
  const Frame frame = Frame::of(std::string(body));
  const RequestId text_id = std::string("q\"\\\n\0\x7f\xc3\xa4", 8);
  const std::string reply = splice_reply(frame, *parsed, text_id).body();
  require(reader(reply) == with(before, {{"id", std::get<std::string>(text_id)}}), "a spliced reply");
  if (parsed->kind != Envelope::Kind::request) return;
  const std::string request = splice_request(frame, *parsed, {123456789012u, "run", 250.0}).body();
  Members expected = with(before, {{"id", 123456789012u}, {"command", "run"}, {"timeout_ms", 250}});
  std::erase_if(expected, [](const Member& member) { return !member.odd_key && member.key == "parent_id"; });
  require(reader(request) == expected, "a spliced request");
  require(Envelope::parse_request(request).has_value(), "a spliced request is a request");
}

}  // namespace pons::fuzz
