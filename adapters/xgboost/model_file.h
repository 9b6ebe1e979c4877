// Looks at a model's text before XGBoost does. The library trusts the files that it reads: one that is cut off can make its parser run for
// ever, one whose numbers do not fit each other can crash it.
#pragma once

#include <string>
#include <string_view>

namespace pons::xgb {

/// Throws model_error, naming the file, unless `text` is a complete model in XGBoost's JSON format whose trees hang together: every
/// node is reached once, and tests a feature that there is.
void check_model_text(std::string_view text, const std::string& path);

}  // namespace pons::xgb
