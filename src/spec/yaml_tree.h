// Hostile text into a small tree of YAML values that know their place. Only plain data is let
// through: maps with scalar keys, lists and scalars; no tags, anchors, aliases or directives.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lockstep::spec {

enum class YamlKind : uint8_t { null, plain, quoted, list, map };

struct YamlEntry {
  std::string key;
  size_t key_offset = 0;
  size_t value = 0;  // index into YamlTree::values
};

struct YamlValue {
  YamlKind kind = YamlKind::null;
  std::string text;                // plain and quoted scalars
  size_t offset = 0;               // byte offset of its first character
  std::vector<YamlEntry> entries;  // maps, in file order, duplicates kept
  std::vector<size_t> items;       // lists
};

/// Holds views of the text and the path it was read from; both must outlive it.
struct YamlTree {
  std::string_view text;  // without a byte order mark
  std::string_view path;
  std::vector<YamlValue> values;  // the first is the root; none for an empty document
};

/// Errors, all with `where`: out_of_range for a file over limits::job_file_bytes_max; bad_yaml for
/// invalid UTF-8, control characters, tabs, directives, tags, anchors, aliases, a second document,
/// keys that are no scalars, more than 16 levels or 1,024 values, and what is no YAML at all.
[[nodiscard]] Result<YamlTree> parse_yaml(std::string_view text, std::string_view path);

/// "path:line:column", both counted from one, columns in characters.
[[nodiscard]] std::string place(const YamlTree& tree, size_t offset);

/// Text from outside made fit for a message: quoted, cut after 64 bytes, control characters as '?'.
[[nodiscard]] std::string quote(std::string_view text);

}  // namespace lockstep::spec
