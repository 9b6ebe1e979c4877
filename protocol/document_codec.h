// Documents from bytes and to JSON: long strings and binaries are copied in one piece, which nlohmann's own readers and writer do byte
// by byte. Internal to the protocol library.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "protocol/scan_problem.h"

namespace pons::detail {

/// One JSON value and white space. What is read is checked on the way; the problem, if there is one.
ScanProblem read_json_document(std::string_view text, nlohmann::json& out);
/// One MessagePack value, checked whole before anything is built.
ScanProblem read_msgpack_document(std::string_view bytes, nlohmann::json& out);

/// Appends a value for which find_unencodable() found nothing.
void write_json_document(const nlohmann::json& value, std::string& out);

}  // namespace pons::detail
