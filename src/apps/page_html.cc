#include "apps/page_html.h"

#include <algorithm>
#include <cmath>

#include "apps/report.h"

namespace lockstep::apps {
namespace {

constexpr const char* replacement = "\xEF\xBF\xBD";

/// How many bytes the UTF-8 sequence at the start of `text` has; 0 when it is none.
size_t sequence_bytes(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = at(0);
  const size_t bytes = first < 0x80   ? 1
                       : first < 0xC2 ? 0
                       : first < 0xE0 ? 2
                       : first < 0xF0 ? 3
                       : first < 0xF5 ? 4
                                      : 0;
  if (bytes == 0 || bytes > text.size()) {
    return 0;
  }
  for (size_t i = 1; i < bytes; ++i) {
    if ((at(i) & 0xC0) != 0x80) {
      return 0;
    }
  }
  const bool bad = (first == 0xE0 && at(1) < 0xA0) || (first == 0xED && at(1) >= 0xA0) ||
                   (first == 0xF0 && at(1) < 0x90) || (first == 0xF4 && at(1) >= 0x90) ||
                   (first == 0xEF && bytes == 3 && at(1) == 0xBF && at(2) >= 0xBE);
  return bad ? 0 : bytes;
}

void escape_one(char c, std::string& out) {
  switch (c) {
    case '&':
      out += "&amp;";
      return;
    case '<':
      out += "&lt;";
      return;
    case '>':
      out += "&gt;";
      return;
    case '"':
      out += "&quot;";
      return;
    case '\'':
      out += "&#39;";
      return;
    default:
      break;
  }
  if (static_cast<uint8_t>(c) < 0x20 || c == 0x7F) {
    out += replacement;
  } else {
    out += c;
  }
}

std::string class_of(const std::string& classes) {
  return classes.empty() ? "" : " class=\"" + escape(classes) + "\"";
}

constexpr size_t word_most = 16;

size_t longest_word(const std::string& text) {
  size_t longest = 0;
  size_t here = 0;
  for (const char c : text) {
    here = c == ' ' || c == '-' ? 0 : here + 1;
    longest = std::max(longest, here);
  }
  return longest;
}

std::string pair_of(const char* a, double x, const char* b, double y) {
  return std::string(" ") + a + "=\"" + pixels(x) + "\" " + b + "=\"" + pixels(y) + "\"";
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t bytes = sequence_bytes(text);
    if (bytes == 1) {
      escape_one(text[0], out);
    } else if (bytes == 0) {
      out += replacement;
    } else {
      out += text.substr(0, bytes);
    }
    text.remove_prefix(std::max<size_t>(bytes, 1));
  }
  return out;
}

std::string text_of_number(double number, int decimals) {
  if (!std::isfinite(number)) {
    return "n/a";
  }
  std::string text = text_of("%.*f", decimals, number);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') {
      text.pop_back();
    }
  }
  return text == "-0" ? "0" : text;
}

std::string pixels(double value) {
  return std::isfinite(value) ? text_of_number(value, 1) : "0";
}

std::string text_of_time(uint64_t ms) {
  constexpr uint64_t ms_per_minute = 60'000;
  if (ms < 10 * ms_per_minute) {
    return text_of_number(static_cast<double>(ms) * 1e-3, 1) + " s";
  }
  return grouped(ms / ms_per_minute) + " min " + std::to_string(ms % ms_per_minute / 1000) + " s";
}

std::string text_of_size(uint64_t bytes) {
  if (bytes < 1000) {
    return plural(bytes, "byte");
  }
  if (bytes < 1'000'000) {
    return text_of("%.1f kB", static_cast<double>(bytes) * 1e-3);
  }
  return text_of("%.1f MB", static_cast<double>(bytes) * 1e-6);
}

std::string grouped(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t left = text.size(); left > 3; left -= 3) {
    text.insert(left - 3, ",");
  }
  return text;
}

std::string plural(uint64_t count, const std::string& noun) {
  return grouped(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string shortened(const std::string& text, size_t most) {
  std::string_view rest = text;
  size_t kept = 0;  // bytes
  for (size_t count = 0; !rest.empty(); ++count) {
    if (count == most) {
      return text.substr(0, kept) + "\xE2\x80\xA6";
    }
    const size_t bytes = std::max<size_t>(sequence_bytes(rest), 1);
    rest.remove_prefix(bytes);
    kept += bytes;
  }
  return text;
}

Table::Table(const std::string& caption, std::vector<std::string> heads)
    : heads_(std::move(heads)), caption_(escape(caption)) {}

Table& Table::numbers(std::vector<size_t> columns) {
  numbers_ = std::move(columns);
  return *this;
}

void Table::row(const std::vector<std::string>& cells, const std::string& classes) {
  body_ += "<tr" + class_of(classes) + ">";
  for (size_t i = 0; i < cells.size(); ++i) {
    const bool number = std::find(numbers_.begin(), numbers_.end(), i) != numbers_.end();
    const std::string tag = i == 0 ? "th scope=\"row\"" : "td";
    // Only words that no column has room for may be cut anywhere.
    const bool wide = longest_word(cells[i]) > word_most;
    body_ += "<" + tag + class_of(number ? (wide ? "n w" : "n") : (wide ? "w" : ""));
    if (i > 0 && is_long() && i < heads_.size()) {
      body_ += " data-h=\"" + escape(heads_[i]) + "\"";
    }
    body_ += ">" + escape(cells[i]) + (i == 0 ? "</th>" : "</td>");
  }
  body_ += "</tr>\n";
  ++count_;
}

std::string Table::html() const {
  std::string html = std::string(is_long() ? "<table class=\"long\">" : "<table>") + "<caption>" +
                     caption_ + "</caption><thead><tr>";
  for (size_t i = 0; i < heads_.size(); ++i) {
    const bool number = std::find(numbers_.begin(), numbers_.end(), i) != numbers_.end();
    html += std::string("<th scope=\"col\"") + (number ? " class=\"n\">" : ">") +
            escape(heads_[i]) + "</th>";
  }
  return html + "</tr></thead>\n<tbody>" + body_ + "</tbody></table>\n";
}

Drawing::Drawing(const std::string& id, const std::string& title, const std::string& description)
    : id_(escape(id)),
      head_("<title id=\"" + id_ + "-t\">" + escape(title) + "</title><desc id=\"" + id_ + "-d\">" +
            escape(description) + "</desc>\n") {}

void Drawing::rect(const Box& box, const std::string& classes, const std::string& tip) {
  body_ += "<rect" + pair_of("x", box.x, "y", box.y) +
           pair_of("width", box.width, "height", box.height) + class_of(classes);
  body_ += tip.empty() ? "/>\n" : "><title>" + escape(tip) + "</title></rect>\n";
}

void Drawing::line(double x1, double y1, double x2, double y2, const std::string& classes) {
  body_ += "<line" + pair_of("x1", x1, "y1", y1) + pair_of("x2", x2, "y2", y2) + class_of(classes) +
           "/>\n";
}

void Drawing::circle(double x, double y, double radius, const std::string& classes) {
  body_ += "<circle" + pair_of("cx", x, "cy", y) + " r=\"" + pixels(radius) + "\"" +
           class_of(classes) + "/>\n";
}

void Drawing::path(const std::string& data, const std::string& classes, const std::string& tip) {
  body_ += "<path d=\"" + escape(data) + "\"" + class_of(classes);
  body_ += tip.empty() ? "/>\n" : "><title>" + escape(tip) + "</title></path>\n";
}

void Drawing::text(double x, double y, const std::string& text, const std::string& classes) {
  body_ += "<text" + pair_of("x", x, "y", y) + class_of(classes) + ">" + escape(text) + "</text>\n";
}

std::string Drawing::svg(double width, double height) const {
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + pixels(width) + " " +
         pixels(height) + "\" width=\"" + pixels(width) + "\" role=\"img\" aria-labelledby=\"" +
         id_ + "-t " + id_ + "-d\">\n" + head_ + body_ + "</svg>\n";
}

std::string details(const std::string& summary, const std::string& html) {
  return "<details><summary>" + escape(summary) + "</summary>\n" + html + "</details>\n";
}

}  // namespace lockstep::apps
