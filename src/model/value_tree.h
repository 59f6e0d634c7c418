// A file of settings as the plain values that stand in it, before anybody knows what they mean. A
// job keeps its kind's own section in this form: whoever plans that kind reads it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep::model {

enum class ValueKind : uint8_t { null, plain, quoted, list, map };
constexpr ValueKind last_of(ValueKind) {
  return ValueKind::map;
}

struct ValueEntry {
  std::string key;
  uint64_t key_offset = 0;
  uint64_t value = 0;  // index into ValueTree::values
  bool operator==(const ValueEntry&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.key, self.key_offset, self.value);
  }
};

struct Value {
  ValueKind kind = ValueKind::null;
  std::string text;                 // plain and quoted scalars
  uint64_t offset = 0;              // byte offset of its first character
  std::vector<ValueEntry> entries;  // maps, in file order, duplicates kept
  std::vector<uint64_t> items;      // lists: indices like those of maps
  bool operator==(const Value&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.kind, self.text, self.offset, self.entries, self.items);
  }
};

struct ValueTree {
  std::string text;           // the file, for the lines and columns of messages
  std::string path;           // what messages call it
  std::vector<Value> values;  // the first is the root; none for an empty file
  bool operator==(const ValueTree&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.text, self.path, self.values);
  }
};

/// Whether every index names a value that stands behind the one that names it: no reader can leave
/// the tree or go round in it.
[[nodiscard]] inline bool is_whole(const ValueTree& tree) {
  for (size_t i = 0; i < tree.values.size(); ++i) {
    for (const ValueEntry& entry : tree.values[i].entries) {
      if (entry.value <= i || entry.value >= tree.values.size()) {
        return false;
      }
    }
    for (const uint64_t item : tree.values[i].items) {
      if (item <= i || item >= tree.values.size()) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace lockstep::model
