// YAML, by yaml-cpp's events, into a DocumentBuilder.
#pragma once

#include <string>
#include <string_view>

#include "host/config/document_builder.h"

namespace pons {

/// The one document of `text`, which is UTF-8; nothing at all gives null. Throws ConfigError.
void read_yaml(std::string_view text, DocumentBuilder& builder);

/// A plain scalar as the core schema of YAML 1.2 reads it.
nlohmann::json yaml_core_scalar(const std::string& text);

}  // namespace pons
