// The loss of each round; rounds that a conviction made void are shown as they were, dimmed.
#include <algorithm>
#include <cmath>

#include "apps/page.h"
#include "apps/page_html.h"
#include "apps/report.h"

namespace lockstep::apps {
namespace {

using Line = std::vector<const RoundLoss*>;

/// Rounds in the order they were finished, cut where an earlier one is computed again.
std::vector<Line> attempts_of(const RunRecord& record) {
  std::vector<Line> attempts;
  for (const RoundLoss& round : record.rounds) {
    if (!std::isfinite(round.loss)) {
      continue;
    }
    if (attempts.empty() || attempts.back().back()->round >= round.round) {
      attempts.emplace_back();
    }
    attempts.back().push_back(&round);
  }
  return attempts;
}

struct Curves {
  std::vector<Line> old;  // void
  Line last;              // what the model came from
  uint64_t first_void = 0, last_void = 0;
};

Curves curves_of(const RunRecord& record) {
  Curves curves;
  std::map<uint64_t, const RoundLoss*> last;
  const std::vector<Line> attempts = attempts_of(record);
  for (const Line& attempt : attempts) {
    for (const RoundLoss* round : attempt) {
      last[round->round] = round;
    }
  }
  for (const Line& attempt : attempts) {
    Line dimmed;
    for (const RoundLoss* round : attempt) {
      if (last.at(round->round) != round) {
        dimmed.push_back(round);
      }
    }
    if (!dimmed.empty()) {
      const uint64_t first = dimmed.front()->round;
      curves.first_void = curves.old.empty() ? first : std::min(curves.first_void, first);
      curves.last_void = std::max(curves.last_void, dimmed.back()->round);
      curves.old.push_back(std::move(dimmed));
    }
  }
  curves.last.reserve(last.size());
  for (const auto& entry : last) {
    curves.last.push_back(entry.second);
  }
  return curves;
}

/// 1, 2 or 5 times a power of ten, so that about `parts` of them make `span`.
double nice_step(double span, double parts) {
  const double raw = std::max(span, 1e-12) / parts;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double rest = raw / power;
  return power * (rest <= 1 ? 1 : rest <= 2 ? 2 : rest <= 5 ? 5 : 10);
}

class LossChart {
 public:
  LossChart(const RunRecord& record, const Curves& curves, double width)
      : curves_(curves), width_(width), is_wide_(width > 500) {
    left_ = is_wide_ ? 56 : 40;
    right_ = width_ - (is_wide_ ? 90 : 12);
    for (const RoundLoss& round : record.rounds) {
      if (std::isfinite(round.loss)) {
        top_ = std::max(top_, round.loss);
        low_ = std::min(low_, round.loss);
      }
      rounds_ = std::max(rounds_, round.round);
    }
    rounds_ = std::max<uint64_t>(rounds_, 2);
    step_ = nice_step(top_ - low_, 5);
    top_ = std::max(std::ceil(top_ / step_) * step_, low_ + step_);
    low_ = std::floor(low_ / step_) * step_;
  }

  std::string svg() {
    const std::string title = "Loss of each round";
    Drawing drawing(is_wide_ ? "loss" : "loss-narrow", title, describe());
    axes(drawing);
    for (const Line& line : curves_.old) {
      curve(drawing, line, "old");
      if (line.size() <= dots_max) {
        for (const RoundLoss* round : line) {
          drawing.circle(x_of(round->round), y_of(round->loss), 2.5, "olddot");
        }
      }
    }
    curve(drawing, curves_.last, "loss");
    final_value(drawing);
    return drawing.svg(width_, height);
  }

 private:
  static constexpr double height = 300;
  static constexpr double bottom = 248;
  static constexpr double above = 26;
  static constexpr size_t dots_max = 120;
  static constexpr size_t points_max = 800;

  [[nodiscard]] double x_of(uint64_t round) const {
    const double share = (static_cast<double>(round) - 1) / (static_cast<double>(rounds_) - 1);
    return left_ + std::max(share, 0.0) * (right_ - left_);
  }
  [[nodiscard]] double y_of(double loss) const {
    return bottom - (loss - low_) / (top_ - low_) * (bottom - above);
  }

  [[nodiscard]] std::string describe() const {
    if (curves_.last.empty()) {
      return "No round was finished.";
    }
    std::string text = "The loss is " + text_of_number(curves_.last.front()->loss, 4) +
                       " in round " + std::to_string(curves_.last.front()->round) + " and " +
                       text_of_number(curves_.last.back()->loss, 4) + " in round " +
                       std::to_string(curves_.last.back()->round) + ".";
    if (!curves_.old.empty()) {
      text += " Rounds " + std::to_string(curves_.first_void) + " to " +
              std::to_string(curves_.last_void) + " were voided and computed again.";
    }
    return text;
  }

  void axes(Drawing& drawing) const {
    constexpr int lines_max = 16;
    for (int i = 0; i < lines_max && low_ + i * step_ <= top_ + step_ / 2; ++i) {
      const double value = low_ + i * step_;
      drawing.line(left_, y_of(value), right_, y_of(value), "grid");
      drawing.text(left_ - 8, y_of(value) + 4, text_of_number(value, 4), "s end");
    }
    if (!curves_.old.empty()) {
      const double from = x_of(curves_.first_void);
      const double to = std::max(x_of(curves_.last_void), from + 3);
      drawing.rect({from, above, to - from, bottom - above}, "band");
      drawing.line(from, above, to, above, "bandline");
      const bool on_right = from > (left_ + right_) / 2;
      drawing.text(on_right ? to : std::max(from, left_ + 14),
                   above - 9,
                   "rounds " + std::to_string(curves_.first_void) + " to " +
                       std::to_string(curves_.last_void) + ": voided, computed again",
                   on_right ? "end" : "");
    }
    drawing.line(left_, bottom, right_, bottom, "axis");
    const double parts = is_wide_ ? 12 : 6;
    const auto every =
        static_cast<uint64_t>(std::max(1.0, nice_step(static_cast<double>(rounds_), parts)));
    const uint64_t marks = rounds_ / every;  // counted: rounds_ may be the largest number there is
    for (uint64_t i = 1; i <= marks; ++i) {
      const uint64_t round = i * every;
      drawing.line(x_of(round), bottom, x_of(round), bottom + 5, "axis");
      drawing.text(x_of(round), bottom + 20, std::to_string(round), "s mid");
    }
    drawing.text((left_ + right_) / 2, bottom + 42, "round", "s mid");
    drawing.text(left_ - 8, above - 9, "loss", "s end");
  }

  void curve(Drawing& drawing, const Line& line, const std::string& classes) const {
    const size_t every = line.size() / points_max + 1;
    std::string data;
    for (size_t i = 0; i < line.size(); ++i) {
      if (i % every == 0 || i + 1 == line.size()) {
        data += (data.empty() ? "M" : "L") + pixels(x_of(line[i]->round)) + " " +
                pixels(y_of(line[i]->loss));
      }
    }
    if (line.size() > 1) {
      drawing.path(data, classes);
    } else if (!line.empty()) {
      drawing.circle(
          x_of(line[0]->round), y_of(line[0]->loss), 4, classes == "old" ? "olddot" : "dot");
    }
  }

  void final_value(Drawing& drawing) const {
    if (curves_.last.empty()) {
      drawing.text((left_ + right_) / 2, (above + bottom) / 2, "no round was finished", "s mid");
      return;
    }
    const RoundLoss& last = *curves_.last.back();
    const double x = x_of(last.round);
    const double y = y_of(last.loss);
    drawing.circle(x, y, 4, "dot");
    drawing.text(is_wide_ ? x + 10 : x,
                 is_wide_ ? y + 5 : y - 10,
                 text_of("%.4f", last.loss),
                 is_wide_ ? "b" : "b end");
  }

  const Curves& curves_;
  double width_;
  bool is_wide_;
  double left_ = 0, right_ = 0, low_ = 0, top_ = 0, step_ = 1;
  uint64_t rounds_ = 0;
};

std::string loss_table(const RunRecord& record, const Curves& curves) {
  constexpr size_t rows_max = 2000;
  std::map<uint64_t, std::string> before;
  for (const Line& line : curves.old) {
    for (const RoundLoss* round : line) {
      std::string& text = before[round->round];
      text += (text.empty() ? "" : ", ") + text_of_number(round->loss, 6);
    }
  }
  Table table("Loss by round", {"round", "loss", "voided before"});
  table.numbers({1, 2});
  for (const RoundLoss* round : curves.last) {
    if (table.rows() == rows_max) {
      break;
    }
    table.row({std::to_string(round->round), text_of_number(round->loss, 6), before[round->round]});
  }
  const bool cut = record.rounds.size() > rows_max;
  return details(
      cut ? "The first " + grouped(rows_max) + " rounds as a table" : "The rounds as a table",
      table.html());
}

}  // namespace

std::string loss_section(const RunRecord& record) {
  const Curves curves = curves_of(record);
  std::string html = "<section id=\"loss-part\"><h2>Loss</h2>\n";
  if (!curves.old.empty()) {
    html +=
        "<p>Dashed with open dots: what the rounds gave that a conviction made void. They were "
        "computed again from the last state that stood.</p>\n";
  }
  html += "<figure><div class=\"wide\">" + LossChart(record, curves, wide_width).svg() +
          "</div><div class=\"narrow\">" + LossChart(record, curves, narrow_width).svg() +
          "</div></figure>\n";
  if (!curves.last.empty()) {
    html += loss_table(record, curves);
  }
  return html + "</section>\n";
}

}  // namespace lockstep::apps
