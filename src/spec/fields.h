// Typed reading of a YAML map: known keys only, each once, each of its type and in its range. A
// refused value names its line and column.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spec/yaml_tree.h"

namespace lockstep::spec {

struct Range {
  uint64_t low = 0;
  uint64_t high = UINT64_MAX;
};

/// One number out of a list.
struct WrittenNumber {
  std::string text;  // as it is written
  float value = 0;
};

/// A view of one map of a tree that outlives it.
class Fields {
 public:
  /// A map without entries: every field keeps its default.
  explicit Fields(const YamlTree& tree) : tree_(&tree) {}

  /// `name` is what messages call the map. Errors: wrong_type unless it is a map, duplicate_key,
  /// unknown_key (with the nearest of `known`).
  [[nodiscard]] static Result<Fields> open(const YamlTree& tree,
                                           size_t value,
                                           std::string_view name,
                                           std::span<const std::string_view> known);
  /// The whole file, whose keys were checked when it was read; an empty map where it is none. The
  /// tree must be whole (model/value_tree.h).
  [[nodiscard]] static Fields of_file(const YamlTree& tree);
  /// The map at `key`, or an empty one where the key is absent.
  [[nodiscard]] Result<Fields> child(std::string_view key,
                                     std::span<const std::string_view> known) const;

  [[nodiscard]] const YamlEntry* find(std::string_view key) const;
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  /// The kind of the value at `key`; null where the key is absent.
  [[nodiscard]] YamlKind kind(std::string_view key) const;
  /// The scalar at `key` as it is written; empty for anything else.
  [[nodiscard]] std::string_view text(std::string_view key) const;

  /// These keep `out` where the key is absent. Errors: wrong_type, out_of_range.
  [[nodiscard]] Result<void> integer(std::string_view key, Range range, uint64_t& out) const;
  [[nodiscard]] Result<void> integer(std::string_view key, Range range, uint32_t& out) const;
  /// The nearest f32 of a decimal number; the caller checks the range. Too large a number is
  /// out_of_range.
  [[nodiscard]] Result<void> number(std::string_view key, float& out) const;
  /// A list of one to `most` such numbers.
  [[nodiscard]] Result<void> numbers(std::string_view key,
                                     size_t most,
                                     std::vector<WrittenNumber>& out) const;
  /// Text that is not empty and has at most 4,096 bytes without control characters. Unquoted
  /// numbers and booleans are no text.
  [[nodiscard]] Result<void> string(std::string_view key, std::string& out) const;
  /// A string that must end in `suffix`.
  [[nodiscard]] Result<void> path(std::string_view key,
                                  std::string_view suffix,
                                  std::string& out) const;
  /// One word out of a list, `out` its index there. Errors: out_of_range for another word.
  [[nodiscard]] Result<void> choice(std::string_view key,
                                    std::span<const std::string_view> words,
                                    size_t& out) const;

  /// Errors: missing_key, placed where the map begins.
  [[nodiscard]] Result<void> require(std::string_view key, std::string_view example) const;
  /// A refusal of the value at `key`, or of the whole map where the key is absent.
  [[nodiscard]] Error bad(Code code,
                          std::string_view key,
                          std::string what,
                          std::string next = {}) const;
  /// A refusal of one entry of the list at `key`.
  [[nodiscard]] Error bad_item(
      Code code, std::string_view key, size_t item, std::string what, std::string next = {}) const;

 private:
  [[nodiscard]] const YamlValue& value(const YamlEntry& entry) const {
    return tree_->values[entry.value];
  }

  const YamlTree* tree_;
  const YamlValue* map_ = nullptr;
  std::string name_;
};

}  // namespace lockstep::spec
