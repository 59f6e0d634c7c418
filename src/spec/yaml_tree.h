// Hostile text into a small tree of YAML values that know their place. Only plain data is let
// through: maps with scalar keys, lists and scalars; no tags, anchors, aliases or directives.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/value_tree.h"

namespace lockstep::spec {

using YamlKind = model::ValueKind;
using YamlEntry = model::ValueEntry;
using YamlValue = model::Value;
using YamlTree = model::ValueTree;  // its text is without a byte order mark

/// Errors, all with `where`: out_of_range for a file over limits::job_file_bytes_max; bad_yaml for
/// invalid UTF-8, control characters, tabs, directives, tags, anchors, aliases, a second document,
/// keys that are no scalars, more than 16 levels or 1,024 values, and what is no YAML at all.
[[nodiscard]] Result<YamlTree> parse_yaml(std::string_view text, std::string_view path);

/// "path:line:column", both counted from one, columns in characters.
[[nodiscard]] std::string place(const YamlTree& tree, size_t offset);

/// Text from outside made fit for a message: quoted, cut after 64 bytes, control characters as '?'.
[[nodiscard]] std::string quote(std::string_view text);

}  // namespace lockstep::spec
