// A dispute from the claim to the verdict: who said what, how large it was, and who paid.
#include <algorithm>

#include "apps/page.h"
#include "apps/page_html.h"

namespace lockstep::apps {
namespace {

/// One line of the talk between challenger and claimant.
struct Say {
  bool from_left = true;  // the challenger stands on the left
  std::string what, small;
  std::optional<uint64_t> bytes;
};

std::string root_of(const std::string& hex) {
  return hex.empty() ? "" : hex.substr(0, 12) + "\xE2\x80\xA6";
}

std::vector<Say> talk_of(const DisputeRow& row) {
  std::vector<Say> talk;
  const std::string task = row.task.empty() ? "a task" : row.task;
  talk.push_back({false,
                  "claims " + task + " is done",
                  row.claimed_root.empty() ? "" : "output root " + root_of(row.claimed_root),
                  std::nullopt});
  talk.push_back({true,
                  "computed it again and challenges it",
                  row.own_root.empty() ? "" : "its own root " + root_of(row.own_root),
                  std::nullopt});
  for (const DisputeStep& step : row.steps) {
    const std::string verb = step.by_challenger ? "asks: " : "opens ";
    talk.push_back({step.by_challenger, verb + step.place, {}, step.bytes});
  }
  if (row.proof_bytes || !row.proof.empty()) {
    talk.push_back({true, "proves it", row.proof, row.proof_bytes});
  }
  return talk;
}

std::string verdict_of(const DisputeRow& row) {
  if (row.ending.empty()) {
    return "still open when the run ended";
  }
  return row.convicted ? "CLAIM FALSE" : "claim stands";
}

std::string reason_of(const DisputeRow& row) {
  std::string text = row.ending;
  if (row.judged_ms) {
    text += ", judged in " + text_of_number(*row.judged_ms, 3) + " ms";
  }
  return text;
}

class Ladder {
 public:
  Ladder(const DisputeRow& row, const std::string& id, double width)
      : row_(row), id_(id), width_(width), is_wide_(width > 500) {
    left_ = is_wide_ ? 90 : 10;
    right_ = is_wide_ ? 700 : width - 10;
    line_height_ = is_wide_ ? 40 : 48;
    talk_ = talk_of(row);
    if (talk_.size() > lines_max) {
      left_out_ = talk_.size() - lines_max;
      talk_.erase(talk_.begin() + lines_max - 4, talk_.end() - 4);
    }
    for (const Say& say : talk_) {
      most_ = std::max(most_, say.bytes.value_or(0));
    }
  }

  std::string svg() {
    const std::string about = row_.challenger + " on the left, " + row_.claimant +
                              " on the right, " + plural(talk_.size(), "message") +
                              " from top to bottom, then the verdict: " + verdict_of(row_) + ".";
    Drawing drawing(id_, "Dispute about " + row_.task, about);
    drawing.text(
        is_wide_ ? left_ : 4, 16, shortened(row_.challenger, 18), is_wide_ ? "b mid" : "b");
    drawing.text(is_wide_ ? right_ : width_ - 4,
                 16,
                 shortened(row_.claimant, 18),
                 is_wide_ ? "b mid" : "b end");
    if (is_wide_) {
      drawing.text(bars_at, 16, "bytes on the ledger", "s");
    }
    const double bottom = top + line_height_ * static_cast<double>(talk_.size()) + 6;
    drawing.line(left_, 24, left_, bottom, "life");
    drawing.line(right_, 24, right_, bottom, "life");
    double y = top;
    for (const Say& say : talk_) {
      draw(drawing, say, y);
      y += line_height_;
    }
    const bool bad = row_.convicted;
    drawing.rect({left_, bottom, right_ - left_, 52}, bad ? "verdict" : "verdict ok");
    const double middle = (left_ + right_) / 2;
    drawing.text(middle, bottom + 22, verdict_of(row_), bad ? "b mid bad" : "b mid good");
    drawing.text(middle, bottom + 42, shortened(reason_of(row_), is_wide_ ? 80 : 48), "mid");
    return drawing.svg(width_, bottom + 56);
  }

  [[nodiscard]] size_t left_out() const { return left_out_; }

 private:
  static constexpr double top = 34;
  static constexpr double bars_at = 780;
  static constexpr double bar_most = 210;
  static constexpr size_t lines_max = 40;

  void draw(Drawing& drawing, const Say& say, double y) const {
    std::string text = say.what;
    std::string small = say.small;
    if (is_wide_ && !say.small.empty()) {
      text += "; " + say.small;
    }
    if (!is_wide_ && say.bytes) {
      small += (small.empty() ? "" : ", ") + text_of_size(*say.bytes);
    }
    drawing.text((left_ + right_) / 2, y + 14, shortened(text, is_wide_ ? 88 : 52), "mid");
    const double line = y + 24;
    const double from = say.from_left ? left_ : right_;
    const double to = say.from_left ? right_ : left_;
    const double back = say.from_left ? -9 : 9;
    drawing.line(from, line, to + back, line, say.from_left ? "ask" : "reply");
    drawing.path("M" + pixels(to) + " " + pixels(line) + "l" + pixels(back) + " -5v10z",
                 say.from_left ? "f-violet" : "f-blue");
    if (!is_wide_ && !small.empty()) {
      drawing.text((left_ + right_) / 2, y + 39, shortened(small, 54), "mid s");
    }
    if (is_wide_ && say.bytes) {
      const double share = static_cast<double>(*say.bytes) / static_cast<double>(most_);
      const double w = std::max(bar_most * share, 2.0);
      drawing.rect({bars_at, line - 9, w, 16}, say.from_left ? "f-violet" : "f-blue");
      drawing.text(bars_at + w + 8, line + 4, text_of_size(*say.bytes), "");
    }
  }

  const DisputeRow& row_;
  std::string id_;
  double width_;
  bool is_wide_;
  double left_, right_, line_height_;
  std::vector<Say> talk_;
  uint64_t most_ = 1;
  size_t left_out_ = 0;
};

std::string talk_table(const DisputeRow& row) {
  constexpr size_t rows_max = 500;
  Table table("The dispute, message by message", {"who", "what", "bytes"});
  table.numbers({2});
  for (const Say& say : talk_of(row)) {
    if (table.rows() == rows_max) {
      break;
    }
    table.row({say.from_left ? row.challenger : row.claimant,
               say.what + (say.small.empty() ? "" : ": " + say.small),
               say.bytes ? grouped(*say.bytes) : ""});
  }
  table.row({"the ledger", verdict_of(row) + ": " + reason_of(row), ""}, "sum");
  return details("The messages as a table", table.html());
}

std::string slash_table(const SlashRow& slash, const DisputeRow& row) {
  Table table("Who paid what", {"what", "who", "amount"});
  table.numbers({2});
  table.row({"burned", "nobody has it", slash.burned.print()});
  table.row({"reward", row.challenger + " (challenger)", slash.challenger.print()});
  table.row(
      {"kept", "void work of others, its audits; the rest to the treasury", slash.reserve.print()});
  table.row({"slashed stake", row.claimant + "'s owner pays", slash.amount.print()}, "sum");
  return table.html();
}

std::string sizes_of(const DisputeRow& row) {
  uint64_t asked = 0;
  uint64_t answered = 0;
  size_t answers = 0;
  for (const DisputeStep& step : row.steps) {
    (step.by_challenger ? asked : answered) += step.bytes.value_or(0);
    answers += step.by_challenger ? 0 : 1;
  }
  constexpr double operations_per_unit = 1e9;
  std::string text = "<p>";
  if (row.operations > 0) {
    text += "The task is " +
            text_of_number(static_cast<double>(row.operations) / operations_per_unit, 3) +
            " units of work. ";
  }
  text += escape(plural(answers, "answer")) + " of " + escape(text_of_size(answered)) + " in all" +
          (asked > 0 ? " to questions of " + escape(text_of_size(asked)) : std::string());
  if (row.proof_bytes) {
    text += " narrowed it to one step of one operator, shown by a proof of " +
            escape(text_of_size(*row.proof_bytes));
  }
  return text + ".</p>\n";
}

}  // namespace

std::string disputes_section(const RunRecord& record) {
  constexpr size_t drawn_max = 6;
  std::string html = "<section id=\"disputes-part\"><h2>Disputes</h2>\n";
  if (record.disputes.empty()) {
    return html + "<p>Nobody challenged a claim.</p></section>\n";
  }
  for (size_t i = 0; i < std::min(record.disputes.size(), drawn_max); ++i) {
    const DisputeRow& row = record.disputes[i];
    const std::string id = "dispute-" + std::to_string(i + 1);
    html += "<h3>" + escape(row.challenger + " challenges " + row.claimant + " on " + row.task) +
            "</h3>\n" + sizes_of(row);
    Ladder wide(row, id, wide_width);
    Ladder narrow(row, id + "-narrow", narrow_width);
    html += "<figure><div class=\"wide\">" + wide.svg() + "</div><div class=\"narrow\">" +
            narrow.svg() + "</div></figure>\n";
    if (wide.left_out() > 0) {
      html += "<p class=\"soft\">" + escape(plural(wide.left_out(), "message")) +
              " in the middle are left out of the drawing.</p>\n";
    }
    html += talk_table(row);
    if (row.slash) {
      html += slash_table(*row.slash, row);
    }
  }
  if (record.disputes.size() > drawn_max) {
    constexpr size_t rows_max = 500;
    Table table("Further disputes", {"task", "challenger", "claimant", "verdict", "proof"});
    for (size_t i = drawn_max; i < record.disputes.size() && table.rows() < rows_max; ++i) {
      const DisputeRow& row = record.disputes[i];
      table.row({row.task,
                 row.challenger,
                 row.claimant,
                 verdict_of(row) + ": " + row.ending,
                 row.proof_bytes ? text_of_size(*row.proof_bytes) : ""});
    }
    html += table.html();
  }
  return html + "</section>\n";
}

}  // namespace lockstep::apps
