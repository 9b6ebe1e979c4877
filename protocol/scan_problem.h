// What a scanner found wrong. Internal to the protocol library.
#pragma once

namespace pons::detail {

struct ScanProblem {
  const char* where = nullptr;  ///< in the text that was scanned
  const char* what = nullptr;   ///< half a sentence, "a string is not closed"
};

}  // namespace pons::detail
