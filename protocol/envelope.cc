#include "protocol/envelope.h"

#include <string>
#include <utility>

#include "protocol/envelope_reader.h"

namespace pons {
namespace {

using Parsed = boost::system::result<Envelope, Envelope::Failure>;

std::optional<Codec> codec_of(std::string_view body) {
  if (body.empty()) return std::nullopt;
  const auto first = static_cast<unsigned char>(body.front());
  if (first == '{' || first == ' ' || first == '\t' || first == '\n' || first == '\r') return Codec::json;
  if ((first >= 0x80 && first <= 0x8f) || first == 0xde || first == 0xdf) return Codec::msgpack;
  return std::nullopt;
}

Envelope::Failure bad_frame(Codec codec, std::string message) { return {Error{ErrorCode::bad_frame, std::move(message)}, codec}; }

Envelope::Failure no_codec(std::string_view body) {
  if (body.empty()) return bad_frame(Codec::json, "The frame is empty.");
  if (body.starts_with("\xef\xbb\xbf"))
    return bad_frame(Codec::json, "The body begins with a byte order mark; JSON must begin with \"{\".");
  static constexpr char kHex[] = "0123456789abcdef";
  const auto first = static_cast<unsigned char>(body.front());
  const std::string byte = {'0', 'x', kHex[first >> 4], kHex[first & 15]};
  return bad_frame(Codec::json, "The body begins with the byte " + byte + ", neither a JSON object nor a MessagePack map.");
}

Envelope::Failure malformed(Codec codec, std::string_view body, const detail::ScanProblem& problem) {
  const std::string where = std::to_string(problem.where - body.data());
  const char* const name = codec == Codec::json ? "JSON" : "MessagePack";
  return bad_frame(codec, std::string("Bad ") + name + " at byte " + where + ": " + problem.what + ".");
}

detail::ScanProblem read(std::string_view body, Envelope& envelope, detail::Fields& fields, const detail::ReadOptions& options) {
  return envelope.codec == Codec::json ? detail::read_json(body, envelope, fields, options)
                                       : detail::read_msgpack(body, envelope, fields, options);
}

// Of a worker's frame only the extent of `result` was found; in a request it is a key like any other.
detail::ScanProblem check_skipped(std::string_view body, const Envelope& envelope) {
  const std::string_view result = envelope.result_range.in(body);
  return envelope.codec == Codec::json ? detail::check_json_value(result) : detail::check_msgpack_value(result);
}

std::optional<Envelope::Failure> parse_into(Envelope& envelope, std::string_view body, const detail::ReadOptions& options) {
  const auto codec = codec_of(body);
  if (!codec) return no_codec(body);
  if (body.size() > UINT32_MAX) return bad_frame(*codec, "The body is longer than a frame can be.");
  envelope.codec = *codec;
  envelope.body_size = static_cast<std::uint32_t>(body.size());
  detail::Fields fields(envelope, options.sender);
  if (const auto problem = read(body, envelope, fields, options); problem.what != nullptr) return malformed(*codec, body, problem);
  auto failure = fields.finish();
  if (options.sender == detail::Sender::worker && envelope.kind == Envelope::Kind::request && !envelope.result_range.empty()) {
    if (const auto problem = check_skipped(body, envelope); problem.what != nullptr) return malformed(*codec, body, problem);
  }
  return failure;
}

Parsed parse(std::string_view body, const detail::ReadOptions& options) {
  Parsed parsed(boost::system::in_place_value);
  if (auto failure = parse_into(*parsed, body, options)) parsed = *std::move(failure);
  return parsed;
}

}  // namespace

std::optional<std::string_view> Envelope::name_space() const {
  if (!colon) return std::nullopt;
  return std::string_view(command).substr(0, *colon);
}

std::string_view Envelope::name() const {
  const std::string_view whole = command;
  return colon ? whole.substr(*colon + 1) : whole;
}

Parsed Envelope::parse_request(std::string_view body) { return parse(body, {}); }

Parsed Envelope::parse_reply(std::string_view body, bool want_resource) { return parse(body, {detail::Sender::worker, want_resource}); }

}  // namespace pons
