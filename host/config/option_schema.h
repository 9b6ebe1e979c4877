// The schema that an adapter.yaml gives for the options of its adapter. Its keywords are those of adapter.schema.json, which has been
// checked before anything here is called.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "host/config/document.h"
#include "host/config/explanation.h"
#include "host/config/layers.h"

namespace pons {

/// What is wrong with the schema under `options` of an adapter.yaml that the schema of schemas cannot say: a pattern that is no regular
/// expression, a default that the schema itself refuses.
std::vector<ConfigIssue> check_option_schema(const Document& adapter_file);

/// `options` with the defaults of those that are not given, also inside maps that are given. `schema` may be null: nothing is added.
nlohmann::json with_option_defaults(const nlohmann::json& schema, nlohmann::json options);

/// Appends an issue for each way in which `options`, of the layers' entry, differ from the schema; at the place that said it.
void check_options(const nlohmann::json& schema, const nlohmann::json& options, const Layers& layers, std::vector<ConfigIssue>& issues);

}  // namespace pons
