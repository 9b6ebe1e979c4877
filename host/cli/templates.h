// What `pons adapter new` writes.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pons::cli {

/// What there is around it, as paths; empty: there is none.
struct Surrounding {
  std::string schema;  ///< of an adapter.yaml, for editors
  std::string sdk;     ///< the folder with the Python package
};

/// File names and their texts, of an adapter of that name (a namespace) in `python` or `cpp`.
std::vector<std::pair<std::string, std::string>> adapter_files(std::string_view language, const std::string& name,
                                                               const Surrounding& around);

}  // namespace pons::cli
