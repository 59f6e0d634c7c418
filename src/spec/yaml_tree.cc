// Checks the characters, then lets yaml-cpp's event parser fill the tree. The handler refuses by an
// exception of its own before the parser can recurse; every exception stops in parse_yaml.
#include "spec/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <sstream>
#include <utility>

#include "base/limits.h"

namespace lockstep::spec {
namespace {

constexpr size_t depth_max = 16;         // our files need three
constexpr size_t values_max = 1024;      // our files need about forty
constexpr size_t quoted_bytes_max = 64;  // of hostile text in one message
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

bool is_continuation(char c) {
  return (static_cast<uint8_t>(c) & 0xC0) == 0x80;
}

uint8_t byte_at(std::string_view text, size_t at) {
  return at < text.size() ? static_cast<uint8_t>(text[at]) : uint8_t{0};
}

// The length of the well-formed UTF-8 sequence at `at` (Unicode 15, table 3-7), or 0.
size_t sequence_length(std::string_view text, size_t at) {
  const uint8_t lead = byte_at(text, at);
  if (lead < 0x80) {
    return 1;
  }
  if (lead < 0xC2 || lead > 0xF4) {
    return 0;
  }
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  const uint8_t second = byte_at(text, at + 1);
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  bool good = second >= low && second <= high;
  for (size_t i = 2; i < length; ++i) {
    good = good && (byte_at(text, at + i) & 0xC0) == 0x80;
  }
  return good ? length : 0;
}

// Whether the quote that `text` begins with has its counterpart. Inside single quotes '' is a
// quote.
bool is_closed(std::string_view text) {
  const char quote = text.front();
  for (size_t at = 1; at < text.size(); ++at) {
    const bool doubled = quote == '\'' && text[at] == quote && byte_at(text, at + 1) == quote;
    if (doubled || (quote == '"' && text[at] == '\\')) {
      ++at;
    } else if (text[at] == quote) {
      return true;
    }
  }
  return false;
}

Error refuse_at(const YamlTree& tree, size_t offset, std::string what, std::string next) {
  return refuse(Code::bad_yaml, std::move(what), std::move(next), place(tree, offset));
}

Result<void> check_character(const YamlTree& tree, size_t at) {
  const char c = tree.text[at];
  const bool line_end = c == '\n' || (c == '\r' && at + 1 < tree.text.size() &&  //
                                      tree.text[at + 1] == '\n');
  const bool line_start = at == 0 || tree.text[at - 1] == '\n';
  if (c == '\t') {
    return refuse_at(tree, at, "a tab", "indent and separate with spaces");
  }
  if ((static_cast<uint8_t>(c) < 0x20 && !line_end) || c == 0x7F) {
    return refuse_at(tree, at, "a control character", "remove it; job files are plain text");
  }
  if (c == '%' && line_start) {
    return refuse_at(tree, at, "a YAML directive", "remove the line");
  }
  return {};
}

Result<void> check_text(const YamlTree& tree) {
  if (tree.text.size() > limits::job_file_bytes_max) {
    return refuse(
        Code::out_of_range,
        "the file is larger than " + std::to_string(limits::job_file_bytes_max) + " bytes",
        "a job file names its data, it does not hold them",
        place(tree, 0));
  }
  for (size_t at = 0; at < tree.text.size();) {
    const size_t length = sequence_length(tree.text, at);
    if (length == 0) {
      return refuse_at(tree, at, "not valid UTF-8", "save the file as UTF-8");
    }
    TRY(check_character(tree, at));
    at += length;
  }
  return {};
}

size_t offset_of(const YAML::Mark& mark) {
  return mark.pos > 0 ? static_cast<size_t>(mark.pos) : 0;
}

// Thrown through yaml-cpp by our handler, the only way to stop it early.
struct Stop : std::exception {
  explicit Stop(Error why) : error(std::move(why)) {}
  Error error;
};

class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(YamlTree& tree) : tree_(tree) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (std::exchange(started_, true)) {
      stop(mark, "a second document, or text after the end of the first", "write one map of keys");
    }
  }
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    stop(mark, "an anchor", "write the value out where it is needed");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    stop(mark, "an alias", "write the value out where it is needed");
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    if (expects_key()) {
      stop(mark, "a key without a name", "write `name: value`");
    }
    add(YamlKind::null, mark, {});
  }
  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t,
                const std::string& value) override {
    // yaml-cpp marks plain scalars "?" and quoted ones "!"; anything else was written.
    if (tag != "?") {
      check_quoted(mark, tag);
    }
    if (expects_key()) {
      pending_key_ = YamlEntry{value, offset_of(mark), 0};
      open_.back().has_key = true;
      return;
    }
    add(tag == "?" ? YamlKind::plain : YamlKind::quoted, mark, value);
  }
  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string& tag,
                       YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(YamlKind::list, mark, tag);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark,
                  const std::string& tag,
                  YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open(YamlKind::map, mark, tag);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    size_t value = 0;
    bool has_key = false;  // a map that has read a key waits for its value
  };

  [[noreturn]] void stop(const YAML::Mark& mark, std::string what, std::string next) const {
    throw Stop(refuse_at(tree_, offset_of(mark), std::move(what), std::move(next)));
  }
  [[noreturn]] void refuse_tag(const YAML::Mark& mark) const {
    stop(mark, "a YAML tag", "remove the word that begins with '!'");
  }
  // What is not plain must be a quoted scalar that is closed: yaml-cpp takes the end of the file
  // for a closing quote when a line break stands before it.
  void check_quoted(const YAML::Mark& mark, const std::string& tag) const {
    const std::string_view text =
        std::string_view(tree_.text).substr(std::min(offset_of(mark), tree_.text.size()));
    const char first = text.empty() ? '\0' : text.front();
    if (tag != "!" || first == '!') {
      refuse_tag(mark);
    }
    if (first != '"' && first != '\'') {
      stop(mark, "block text", "write the value on one line, in quotes if need be");
    }
    if (!is_closed(text)) {
      stop(mark, "a quote that is never closed", "close it on the same line");
    }
  }
  [[nodiscard]] bool expects_key() const {
    return !open_.empty() && !open_.back().has_key &&
           tree_.values[open_.back().value].kind == YamlKind::map;
  }
  size_t add(YamlKind kind, const YAML::Mark& mark, const std::string& text) {
    const size_t index = tree_.values.size();
    if (index == values_max) {
      stop(mark,
           "more than " + std::to_string(values_max) + " values",
           "a job file needs far fewer");
    }
    tree_.values.push_back(YamlValue{kind, text, offset_of(mark), {}, {}});
    if (open_.empty()) {
      return index;
    }
    YamlValue& parent = tree_.values[open_.back().value];
    if (parent.kind == YamlKind::list) {
      parent.items.push_back(index);
      return index;
    }
    pending_key_.value = index;
    parent.entries.push_back(std::move(pending_key_));
    open_.back().has_key = false;
    return index;
  }
  void open(YamlKind kind, const YAML::Mark& mark, const std::string& tag) {
    if (tag != "?" && !tag.empty()) {
      refuse_tag(mark);
    }
    if (expects_key()) {
      // yaml-cpp also takes the first of brackets that are never closed for such a key.
      stop(mark,
           "a key that is a list or a map, or a bracket that is never closed",
           "write `name: value` and close every bracket");
    }
    if (open_.size() == depth_max) {
      stop(mark,
           "nested deeper than " + std::to_string(depth_max) + " levels",
           "a job file needs three levels");
    }
    open_.push_back(Level{add(kind, mark, {}), false});
  }
  // yaml-cpp balances its events; a surplus end from a fault of its own must not pop nothing.
  void close() {
    if (!open_.empty()) {
      open_.pop_back();
    }
  }

  YamlTree& tree_;
  bool started_ = false;
  YamlEntry pending_key_;
  std::vector<Level> open_;
};

Error translate(const YamlTree& tree, const YAML::Exception& exception) {
  // Without an anchor in the file an alias is an unknown one, and no event comes.
  if (exception.msg.find("anchor is not defined") != std::string::npos) {
    return refuse_at(
        tree, offset_of(exception.mark), "an alias", "write the value out where it is needed");
  }
  return refuse_at(tree,
                   offset_of(exception.mark),
                   "not YAML: " + exception.msg,
                   "check quotes, colons and the indentation");
}

Result<void> fill(YamlTree& tree) {
  try {
    std::istringstream stream{tree.text};
    YAML::Parser parser(stream);
    TreeBuilder builder(tree);
    while (parser.HandleNextDocument(builder)) {
    }
    return {};
  } catch (const Stop& stop) {
    return stop.error;
  } catch (const YAML::Exception& exception) {
    return translate(tree, exception);
  } catch (const std::exception& exception) {
    return refuse(Code::internal, exception.what(), "try again", place(tree, 0));
  }
}

}  // namespace

Result<YamlTree> parse_yaml(std::string_view text, std::string_view path) {
  if (text.starts_with(byte_order_mark)) {
    text.remove_prefix(byte_order_mark.size());
  }
  YamlTree tree{std::string(text), std::string(path), {}};
  TRY(check_text(tree));
  TRY(fill(tree));
  return tree;
}

std::string place(const YamlTree& tree, size_t offset) {
  const std::string_view before = std::string_view(tree.text).substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::string_view start = before.substr(before.rfind('\n') + 1);  // npos + 1 is 0
  const auto column =
      1 + std::count_if(start.begin(), start.end(), [](char c) { return !is_continuation(c); });
  return tree.path + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::string quote(std::string_view text) {
  size_t length = std::min(text.size(), quoted_bytes_max);
  while (length < text.size() && length > 0 && is_continuation(text[length])) {
    --length;  // never cut a character in two
  }
  std::string result = "\"";
  for (const char c : text.substr(0, length)) {
    result += static_cast<uint8_t>(c) < 0x20 || c == 0x7F ? '?' : c;
  }
  return result + (length < text.size() ? "…\"" : "\"");
}

}  // namespace lockstep::spec
