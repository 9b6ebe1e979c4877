// Sessions as the host sees them: their end, and their way from one worker to another.
#include <utility>

#include "protocol/base64.h"
#include "worker/worker_state.h"

namespace pons {
namespace {

using nlohmann::json;

/// `bin` over MessagePack, base64 over JSON.
json state_document(Codec codec, Worker::Bytes state) {
  if (codec == Codec::json) return base64_encode(state);
  return json::binary(std::move(state));
}

Worker::Bytes state_from(Codec codec, const json& document) {
  if (codec == Codec::msgpack && document.is_binary()) return document.get_binary();
  if (codec == Codec::json && document.is_string()) {
    if (auto bytes = base64_decode(document.get_ref<const std::string&>())) return std::move(*bytes);
  }
  throw Exception(ErrorCode::invalid_args, codec == Codec::json ? "state must be base64 with padding" : "state must be bin");
}

std::uint64_t covers_from(const json& args) {
  const auto at = args.find("covers");
  if (at == args.end()) return 0;
  if (!at->is_number_unsigned()) throw Exception(ErrorCode::invalid_args, "covers must be a number of requests");
  return at->get<std::uint64_t>();
}

}  // namespace

void Worker::State::add_session_commands() {
  add_common("common:end_session", [this](const json& args) { return answer_end_session(args); });
}

void Worker::State::add_snapshot_commands() {
  add_common("common:export_session", [this](const json& args, Context& context) { return answer_export(args, context); });
  add_common("common:import_session", [this](const json& args, Context& context) { return answer_import(args, context); });
}

json Worker::State::answer_end_session(const json& args) {
  const auto& session = args.at("session_id").get_ref<const std::string&>();
  const bool known = ledger.end(session);
  if (known && end_session) end_session(session);
  return {{"session_id", session}, {"found", known}};
}

json Worker::State::answer_export(const json& args, const Context& context) const {
  const auto& session = args.at("session_id").get_ref<const std::string&>();
  const auto covers = ledger.covers(session);
  if (!covers) throw Exception(ErrorCode::invalid_args, "Unknown session: " + session);
  return {{"format", snapshot->format}, {"state", state_document(context.codec(), snapshot->save(session))}, {"covers", *covers}};
}

json Worker::State::answer_import(const json& args, const Context& context) {
  const auto& session = args.at("session_id").get_ref<const std::string&>();
  const auto& format = args.at("format").get_ref<const std::string&>();
  if (format != snapshot->format) {
    throw Exception(Error{ErrorCode::invalid_args,
                          "Unknown snapshot format \"" + format + "\": this worker reads \"" + snapshot->format + "\"",
                          {{"format", format}, {"expected", snapshot->format}}});
  }
  const auto covers = covers_from(args);
  snapshot->restore(session, state_from(context.codec(), args.at("state")));
  ledger.restore(session, covers);
  return {{"imported", true}};
}

}  // namespace pons
