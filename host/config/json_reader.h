// JSON, by nlohmann's events, into a DocumentBuilder; nlohmann's parser does not recurse, so depth is the builder's affair.
#pragma once

#include <string_view>

#include "host/config/document_builder.h"

namespace pons {

/// The one value of `text`, which is UTF-8. Throws ConfigError.
void read_json(std::string_view text, DocumentBuilder& builder);

}  // namespace pons
