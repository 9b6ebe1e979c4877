#include "protocol/utf8.h"

#include "protocol/text_scan.h"

namespace pons {

std::string repaired_utf8(std::string_view text) {
  std::string out;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const char* const wrong = detail::first_invalid_utf8(at, end);
    out.append(at, wrong);
    at = wrong;
    if (at == end) break;
    out += "\xef\xbf\xbd";
    ++at;
  }
  return out;
}

}  // namespace pons
