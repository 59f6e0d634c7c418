// Pieces of the page: text that is safe inside HTML, tables, drawings.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/amount.h"

namespace lockstep::apps {

/// Text for HTML and SVG, inside elements and quoted attributes alike: markup becomes entities;
/// control characters and what is not UTF-8 become U+FFFD.
[[nodiscard]] std::string escape(std::string_view text);

/// "85.2 s", "12 min 5 s".
[[nodiscard]] std::string text_of_time(uint64_t ms);
/// "229 bytes", "1.5 kB".
[[nodiscard]] std::string text_of_size(uint64_t bytes);
/// "1,234".
[[nodiscard]] std::string grouped(uint64_t number);
/// At most `decimals`, no zeros at the end; "n/a" for what is no number.
[[nodiscard]] std::string text_of_number(double number, int decimals);
/// "1 task", "2 tasks".
[[nodiscard]] std::string plural(uint64_t count, const std::string& noun);
/// Cut to `most` characters, with an ellipsis; never inside a UTF-8 sequence.
[[nodiscard]] std::string shortened(const std::string& text, size_t most);

/// A table; the first cell of a row is its head. Cells and heads are escaped here. On narrow
/// screens each row of one with more than three columns becomes a list of "head: cell".
class Table {
 public:
  Table(const std::string& caption, std::vector<std::string> heads);
  /// Heads whose columns hold numbers.
  Table& numbers(std::vector<size_t> columns);
  void row(const std::vector<std::string>& cells, const std::string& classes = {});
  [[nodiscard]] std::string html() const;
  [[nodiscard]] size_t rows() const { return count_; }

 private:
  [[nodiscard]] bool is_long() const { return heads_.size() > 3; }

  std::vector<std::string> heads_;
  std::vector<size_t> numbers_;
  std::string caption_, body_;
  size_t count_ = 0;
};

struct Box {
  double x = 0, y = 0, width = 0, height = 0;
};

/// One drawing. Coordinates are pixels of a view box; it is scaled to the page's width, never up.
class Drawing {
 public:
  /// The names under which a reader hears it; `id` is unique in the page.
  Drawing(const std::string& id, const std::string& title, const std::string& description);
  /// With a tip where `tip` is not empty.
  void rect(const Box& box, const std::string& classes, const std::string& tip = {});
  void line(double x1, double y1, double x2, double y2, const std::string& classes);
  void circle(double x, double y, double radius, const std::string& classes);
  /// `data` is written by the program alone.
  void path(const std::string& data, const std::string& classes, const std::string& tip = {});
  /// classes: "end" and "mid" set the anchor.
  void text(double x, double y, const std::string& text, const std::string& classes);
  [[nodiscard]] std::string svg(double width, double height) const;

 private:
  std::string id_, head_, body_;
};

/// One decimal, none where it is zero: "12.5", "3".
[[nodiscard]] std::string pixels(double value);

/// A fold-out with a table or a list behind a chart.
[[nodiscard]] std::string details(const std::string& summary, const std::string& html);

}  // namespace lockstep::apps
