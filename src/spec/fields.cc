// Numbers are read with std::from_chars only: exact, and the same in every locale.
#include "spec/fields.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "spec/suggest.h"

namespace lockstep::spec {
namespace {

constexpr size_t string_bytes_max = 4096;  // longer than any path a system opens

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

size_t skip_digits(std::string_view text, size_t at) {
  while (at < text.size() && is_digit(text[at])) {
    ++at;
  }
  return at;
}

// Digits without a leading zero, which some readers take for octal.
bool is_integer(std::string_view text) {
  return !text.empty() && skip_digits(text, 0) == text.size() &&
         (text.size() == 1 || text.front() != '0');
}

// -12.5e-3: the part of YAML's numbers that every reader agrees on.
bool is_number(std::string_view text) {
  text.remove_prefix(text.starts_with('-') ? 1 : 0);
  const size_t whole = skip_digits(text, 0);
  if (!is_integer(text.substr(0, whole))) {
    return false;
  }
  size_t at = whole;
  if (at < text.size() && text[at] == '.') {
    at = skip_digits(text, whole + 1);
    if (at == whole + 1) {
      return false;
    }
  }
  if (at == text.size()) {
    return true;
  }
  if (text[at] != 'e' && text[at] != 'E') {
    return false;
  }
  ++at;
  at += at < text.size() && (text[at] == '-' || text[at] == '+') ? 1 : 0;
  return at < text.size() && skip_digits(text, at) == text.size();
}

bool is_boolean(std::string_view text) {
  static constexpr std::string_view words[] = {"true", "True", "TRUE", "false", "False", "FALSE"};
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}

std::string describe(const YamlValue& value) {
  switch (value.kind) {
    case YamlKind::null:
      return "nothing";
    case YamlKind::list:
      return "a list";
    case YamlKind::map:
      return "a map";
    case YamlKind::quoted:
      return "the text " + quote(value.text);
    case YamlKind::plain:
      return is_number(value.text)    ? "the number " + quote(value.text)
             : is_boolean(value.text) ? "the truth value " + quote(value.text)
                                      : "the text " + quote(value.text);
  }
  return {};
}

bool is_text(const YamlValue& value) {
  return value.kind == YamlKind::quoted ||
         (value.kind == YamlKind::plain && !is_number(value.text) && !is_boolean(value.text));
}

std::string range_text(Range range) {
  return "write a whole number from " + std::to_string(range.low) + " to " +
         std::to_string(range.high);
}

// The nearest f32. What an error says goes behind the name of what was read.
Result<float> read_number(const YamlValue& written) {
  if (written.kind != YamlKind::plain || !is_number(written.text)) {
    return refuse(Code::wrong_type,
                  "must be a number, not " + describe(written),
                  "write a decimal number like 0.05");
  }
  float number = 0;
  const char* last = written.text.data() + written.text.size();
  const auto [end, error] = std::from_chars(written.text.data(), last, number);
  if (error != std::errc() || end != last) {
    return refuse(Code::out_of_range,
                  "does not fit a 32-bit float: " + quote(written.text),
                  "write a number nearer to 1");
  }
  return number;
}

}  // namespace

Result<Fields> Fields::open(const YamlTree& tree,
                            size_t value,
                            std::string_view name,
                            std::span<const std::string_view> known) {
  const YamlValue& map = tree.values[value];
  if (map.kind != YamlKind::map) {
    return refuse(Code::wrong_type,
                  std::string(name) + " must be a map, not " + describe(map),
                  "write keys and values",
                  place(tree, map.offset));
  }
  for (auto entry = map.entries.begin(); entry != map.entries.end(); ++entry) {
    const auto first = std::find_if(map.entries.begin(), entry, [&](const YamlEntry& other) {
      return other.key == entry->key;
    });
    const std::string where = place(tree, entry->key_offset);
    if (first != entry) {
      return refuse(Code::duplicate_key,
                    quote(entry->key) + " is written twice",
                    "it stands at " + place(tree, first->key_offset) + " already; keep one",
                    where);
    }
    if (std::find(known.begin(), known.end(), entry->key) == known.end()) {
      return refuse(Code::unknown_key,
                    std::string(name) + " has no key " + quote(entry->key),
                    advice(entry->key, known),
                    where);
    }
  }
  Fields fields(tree);
  fields.map_ = &map;
  fields.name_ = name;
  return fields;
}

Fields Fields::of_file(const YamlTree& tree) {
  Fields fields(tree);
  if (!tree.values.empty() && tree.values.front().kind == YamlKind::map) {
    fields.map_ = &tree.values.front();
  }
  fields.name_ = "the job file";
  return fields;
}

Result<Fields> Fields::child(std::string_view key, std::span<const std::string_view> known) const {
  const YamlEntry* entry = find(key);
  if (entry == nullptr) {
    return Fields(*tree_);
  }
  if (value(*entry).kind != YamlKind::map) {
    return bad(Code::wrong_type,
               key,
               "must be a map, not " + describe(value(*entry)),
               "write keys and values");
  }
  return open(*tree_, entry->value, quote(key), known);
}

const YamlEntry* Fields::find(std::string_view key) const {
  if (map_ == nullptr) {
    return nullptr;
  }
  const auto found = std::find_if(map_->entries.begin(),
                                  map_->entries.end(),
                                  [&](const YamlEntry& entry) { return entry.key == key; });
  return found == map_->entries.end() ? nullptr : &*found;
}

YamlKind Fields::kind(std::string_view key) const {
  const YamlEntry* entry = find(key);
  return entry == nullptr ? YamlKind::null : value(*entry).kind;
}

std::string_view Fields::text(std::string_view key) const {
  const YamlEntry* entry = find(key);
  return entry == nullptr ? std::string_view() : std::string_view(value(*entry).text);
}

Error Fields::bad(Code code, std::string_view key, std::string what, std::string next) const {
  const YamlEntry* entry = find(key);
  size_t offset = map_ == nullptr ? 0 : map_->offset;
  if (entry != nullptr) {
    // An empty value has no place of its own: yaml-cpp marks whatever follows it.
    offset = value(*entry).kind == YamlKind::null ? entry->key_offset : value(*entry).offset;
  }
  return refuse(code, quote(key) + " " + std::move(what), std::move(next), place(*tree_, offset));
}

Error Fields::bad_item(
    Code code, std::string_view key, size_t item, std::string what, std::string next) const {
  const YamlEntry* entry = find(key);
  const bool there = entry != nullptr && item < value(*entry).items.size();
  if (!there) {
    return bad(code, key, std::move(what), std::move(next));
  }
  return refuse(code,
                "entry " + std::to_string(item + 1) + " of " + quote(key) + " " + std::move(what),
                std::move(next),
                place(*tree_, tree_->values[value(*entry).items[item]].offset));
}

Result<void> Fields::require(std::string_view key, std::string_view example) const {
  if (has(key)) {
    return {};
  }
  return refuse(Code::missing_key,
                name_ + " needs the key " + quote(key),
                "write `" + std::string(example) + "`",
                place(*tree_, map_ == nullptr ? 0 : map_->offset));
}

Result<void> Fields::integer(std::string_view key, Range range, uint64_t& out) const {
  const YamlEntry* entry = find(key);
  if (entry == nullptr) {
    return {};
  }
  const YamlValue& written = value(*entry);
  std::string_view digits = written.text;
  const bool minus = digits.starts_with('-');
  digits.remove_prefix(minus ? 1 : 0);
  if (written.kind != YamlKind::plain || !is_integer(digits)) {
    return bad(Code::wrong_type,
               key,
               "must be a whole number, not " + describe(written),
               range_text(range));
  }
  uint64_t parsed = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), parsed);
  if (error != std::errc() || minus || parsed < range.low || parsed > range.high) {
    return bad(
        Code::out_of_range, key, "is out of range: " + quote(written.text), range_text(range));
  }
  out = parsed;
  return {};
}

Result<void> Fields::integer(std::string_view key, Range range, uint32_t& out) const {
  uint64_t wide = out;
  range.high = std::min<uint64_t>(range.high, UINT32_MAX);
  TRY(integer(key, range, wide));
  out = static_cast<uint32_t>(wide);
  return {};
}

Result<void> Fields::number(std::string_view key, float& out) const {
  const YamlEntry* entry = find(key);
  if (entry == nullptr) {
    return {};
  }
  const Result<float> read = read_number(value(*entry));
  if (!read.ok()) {
    return bad(read.error().code, key, read.error().what, read.error().next);
  }
  out = *read;
  return {};
}

Result<void> Fields::numbers(std::string_view key,
                             size_t most,
                             std::vector<WrittenNumber>& out) const {
  const YamlEntry* entry = find(key);
  if (entry == nullptr) {
    return {};
  }
  const YamlValue& list = value(*entry);
  const std::string next = "write at most " + std::to_string(most) + " numbers: [0.01, 0.1]";
  if (list.kind != YamlKind::list) {
    return bad(Code::wrong_type, key, "must be a list of numbers, not " + describe(list), next);
  }
  if (list.items.empty() || list.items.size() > most) {
    return bad(
        Code::out_of_range, key, "has " + std::to_string(list.items.size()) + " entries", next);
  }
  std::vector<WrittenNumber> all;
  all.reserve(list.items.size());
  for (size_t item = 0; item < list.items.size(); ++item) {
    const YamlValue& written = tree_->values[list.items[item]];
    const Result<float> read = read_number(written);
    if (!read.ok()) {
      return bad_item(read.error().code, key, item, read.error().what, read.error().next);
    }
    all.push_back(WrittenNumber{written.text, *read});
  }
  out = std::move(all);
  return {};
}

Result<void> Fields::string(std::string_view key, std::string& out) const {
  const YamlEntry* entry = find(key);
  if (entry == nullptr) {
    return {};
  }
  const YamlValue& written = value(*entry);
  if (!is_text(written)) {
    return bad(Code::wrong_type,
               key,
               "must be text, not " + describe(written),
               "put it in quotes if it is meant as text");
  }
  const bool control = std::any_of(written.text.begin(), written.text.end(), [](char c) {
    return static_cast<uint8_t>(c) < 0x20 || c == 0x7F;
  });
  if (written.text.empty() || written.text.size() > string_bytes_max || control) {
    return bad(Code::out_of_range,
               key,
               control ? "holds a control character" : "is empty or longer than 4096 bytes",
               "write one line of text");
  }
  out = written.text;
  return {};
}

Result<void> Fields::path(std::string_view key, std::string_view suffix, std::string& out) const {
  std::string text = out;
  TRY(string(key, text));
  if (has(key) && (!text.ends_with(suffix) || text.size() == suffix.size())) {
    return bad(Code::out_of_range,
               key,
               "must name a " + std::string(suffix) + " file, not " + quote(text),
               "write its path");
  }
  out = std::move(text);
  return {};
}

Result<void> Fields::choice(std::string_view key,
                            std::span<const std::string_view> words,
                            size_t& out) const {
  if (!has(key)) {
    return {};
  }
  std::string word;
  TRY(string(key, word));
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) {
    return bad(Code::out_of_range, key, "cannot be " + quote(word), advice(word, words));
  }
  out = static_cast<size_t>(found - words.begin());
  return {};
}

}  // namespace lockstep::spec
