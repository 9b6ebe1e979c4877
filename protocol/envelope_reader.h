// Reads the top level of a body of one codec. Internal to the protocol library.
#pragma once

#include <string_view>

#include "protocol/envelope_fields.h"
#include "protocol/scan_problem.h"

namespace pons::detail {

/// The key of a result that names a new resource.
inline constexpr std::string_view kResourceId = "resource_id";

/// Where and how a body is to be read.
struct ReadOptions {
  Sender sender = Sender::parent;
  bool want_resource = false;  ///< look for `result.resource_id`
};

/// Fills `fields` and the ranges of `envelope`. The problem, if the body is a bad frame: nothing else is then of use.
ScanProblem read_json(std::string_view body, Envelope& envelope, Fields& fields, const ReadOptions& options);
ScanProblem read_msgpack(std::string_view body, Envelope& envelope, Fields& fields, const ReadOptions& options);

/// Every byte of one value, with everything around it being the envelope. The problem, if there is one.
ScanProblem check_json_value(std::string_view value);
ScanProblem check_msgpack_value(std::string_view value);

}  // namespace pons::detail
