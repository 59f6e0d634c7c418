// Who computed what and when: a row of bars for each machine over network time.
#include <algorithm>
#include <set>

#include "apps/page.h"
#include "apps/page_html.h"

namespace lockstep::apps {
namespace {

/// How a bar looks; of two in one place the later here is shown.
enum class Look : uint8_t { running, computed, again, audited, unended, check, voided, lost };
constexpr size_t looks = 8;

const char* name_of(Look look) {
  static constexpr const char* names[looks] = {"still running at the end",
                                               "computed",
                                               "computed again",
                                               "computed and audited",
                                               "an audit that did not end",
                                               "an audit",
                                               "voided by a conviction",
                                               "lost with its machine"};
  return names[static_cast<size_t>(look)];
}

const char* class_of(Look look) {
  static constexpr const char* names[looks] = {
      "running", "computed", "again", "audited", "unended", "check", "voided", "lost"};
  return names[static_cast<size_t>(look)];
}

Look look_of(const TaskRun& run) {
  switch (run.fate) {
    case Fate::running:
      return Look::running;
    case Fate::voided:
      return Look::voided;
    case Fate::lost:
      return Look::lost;
    case Fate::computed:
      break;
  }
  return run.audited ? Look::audited : run.again ? Look::again : Look::computed;
}

struct Bar {
  double from = 0, to = 0;  // ms
  Look look = Look::computed;
  std::string tip;
};
struct Row {
  std::string machine;
  std::vector<Bar> bars;
  std::vector<const Mark*> marks;
};

/// "provider-2" before "provider-10".
bool is_before(const std::string& a, const std::string& b) {
  const bool audits_a = a.starts_with("auditor");
  const bool audits_b = b.starts_with("auditor");
  if (audits_a != audits_b) {
    return audits_b;
  }
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

uint64_t end_of(const RunRecord& record) {
  uint64_t end = 1;
  for (const TaskRun& run : record.runs) {
    end = std::max({end, run.ended_ms, run.placed_ms, run.delivered_ms.value_or(0)});
  }
  for (const AuditRun& audit : record.audits) {
    end = std::max({end, audit.to_ms, audit.from_ms});
  }
  for (const Mark& mark : record.marks) {
    end = std::max(end, mark.time_ms);
  }
  return end;
}

Bar bar_of(const TaskRun& run, uint64_t from, uint64_t to) {
  std::string tip = run.task + " on " + run.machine + ", " + text_of_time(from) + " to " +
                    text_of_time(to) + ": " + name_of(look_of(run));
  tip += run.audited && look_of(run) != Look::audited ? ", audited" : "";
  tip += run.convicted ? ", shown false in a dispute" : "";
  return {static_cast<double>(from), static_cast<double>(to), look_of(run), std::move(tip)};
}

/// A machine computes one task after the other: a bar begins when the task was placed and the one
/// before was delivered.
void add_runs(const RunRecord& record, uint64_t end, std::map<std::string, Row>& rows) {
  std::map<std::string, uint64_t> free_at;
  std::vector<const TaskRun*> runs;
  runs.reserve(record.runs.size());
  for (const TaskRun& run : record.runs) {
    runs.push_back(&run);
  }
  const auto done = [&](const TaskRun& run) {
    return run.delivered_ms.value_or(run.ended_ms > 0 ? run.ended_ms : end);
  };
  std::stable_sort(runs.begin(), runs.end(), [&](const TaskRun* a, const TaskRun* b) {
    return done(*a) < done(*b);
  });
  for (const TaskRun* run : runs) {
    uint64_t& free = free_at[run->machine];
    const uint64_t to = done(*run);
    const uint64_t from = std::min(std::max(run->placed_ms, free), to);
    free = std::max(free, to);
    rows[run->machine].bars.push_back(bar_of(*run, from, to));
  }
}

/// One after the other, like tasks: a bar begins when the auditor was drawn and the audit before
/// was over. One that did not end is drawn first, so that it hides nothing.
void add_audits(const RunRecord& record, uint64_t end, std::map<std::string, Row>& rows) {
  std::map<std::string, uint64_t> free_at;
  std::vector<const AuditRun*> audits;
  audits.reserve(record.audits.size());
  for (const AuditRun& audit : record.audits) {
    audits.push_back(&audit);
  }
  const auto over = [&](const AuditRun& audit) { return audit.to_ms > 0 ? audit.to_ms : end; };
  std::stable_sort(audits.begin(), audits.end(), [&](const AuditRun* a, const AuditRun* b) {
    return std::pair(a->ended, over(*a)) < std::pair(b->ended, over(*b));
  });
  for (const AuditRun* audit : audits) {
    const uint64_t to = over(*audit);
    uint64_t from = std::min(audit->from_ms, to);
    if (audit->ended) {
      uint64_t& free = free_at[audit->auditor];
      from = std::min(std::max(from, free), to);
      free = to;
    }
    std::string tasks;
    for (const std::string& task : audit->tasks) {
      tasks += (tasks.empty() ? "" : ", ") + task;
    }
    const std::string outcome = !audit->ended   ? "not ended"
                                : audit->agreed ? "agrees"
                                                : "disagrees";
    rows[audit->auditor].bars.push_back(
        {static_cast<double>(from),
         static_cast<double>(to),
         audit->ended ? Look::check : Look::unended,
         audit->auditor + " audits " + (audit->provider.empty() ? "a claim" : audit->provider) +
             (tasks.empty() ? "" : " (" + shortened(tasks, 120) + ")") + ", " + text_of_time(from) +
             " to " + text_of_time(to) + ": " + outcome});
  }
}

std::vector<Row> rows_of(const RunRecord& record, uint64_t end) {
  std::map<std::string, Row> rows;
  add_runs(record, end, rows);
  add_audits(record, end, rows);
  for (const Mark& mark : record.marks) {
    rows[mark.machine].marks.push_back(&mark);
  }
  std::vector<Row> sorted;
  sorted.reserve(rows.size());
  for (auto& [machine, row] : rows) {
    row.machine = machine;
    sorted.push_back(std::move(row));
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const Row& a, const Row& b) {
    return is_before(a.machine, b.machine);
  });
  return sorted;
}

/// Where there are too many bars to draw: cells of `cell` ms, each looking as most of it does.
std::vector<Bar> merged(const std::vector<Bar>& bars, double cell, double end) {
  const auto count = static_cast<size_t>(end / cell) + 1;
  std::vector<std::array<double, looks>> weight(count);
  std::vector<uint64_t> tasks(count, 0);
  for (const Bar& bar : bars) {
    const auto first = std::min(static_cast<size_t>(bar.from / cell), count - 1);
    const auto last = std::min(static_cast<size_t>(bar.to / cell), count - 1);
    for (size_t i = first; i <= last; ++i) {
      const double from = std::max(bar.from, static_cast<double>(i) * cell);
      const double to = std::min(bar.to, static_cast<double>(i + 1) * cell);
      weight[i][static_cast<size_t>(bar.look)] += std::max(to - from, 1e-3);
    }
    ++tasks[first];
  }
  std::vector<Bar> cells;
  uint64_t held = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto most = std::max_element(weight[i].begin(), weight[i].end());
    if (*most <= 0) {
      continue;
    }
    const auto look = static_cast<Look>(most - weight[i].begin());
    const double from = static_cast<double>(i) * cell;
    if (cells.empty() || cells.back().look != look || cells.back().to < from) {
      cells.push_back({from, from, look, {}});
      held = 0;
    }
    cells.back().to = from + cell;
    held += tasks[i];
    cells.back().tip = plural(held, "task") + ", mostly " + name_of(look);
  }
  return cells;
}

class Gantt {
 public:
  Gantt(const std::vector<Row>& rows, uint64_t end, double width)
      : rows_(rows),
        end_(static_cast<double>(end)),
        width_(width),
        is_wide_(width > 500),
        left_(is_wide_ ? 110 : 4),
        right_(width - 8) {
    for (const Row& row : rows) {
      for (const Bar& bar : row.bars) {
        seen_.insert(bar.look);
      }
    }
  }

  std::string svg() {
    const std::string about = "A row for each machine, " + std::to_string(rows_.size()) +
                              " in all, over " + text_of_time(static_cast<uint64_t>(end_)) +
                              " of network time. The table below says the same in numbers.";
    Drawing drawing(is_wide_ ? "gantt" : "gantt-narrow", "Tasks by machine over time", about);
    const double top = legend(drawing);
    const double row_height = is_wide_ ? 46 : 60;
    const double bottom = top + row_height * static_cast<double>(rows_.size());
    axis(drawing, top, bottom);
    size_t bars = 0;
    for (const Row& row : rows_) {
      bars += row.bars.size();
    }
    for (size_t i = 0; i < rows_.size(); ++i) {
      draw_row(drawing, rows_[i], top + row_height * static_cast<double>(i), bars > bars_max);
    }
    return drawing.svg(width_, bottom + 46);
  }

 private:
  static constexpr size_t bars_max = 2500;
  static constexpr double bar_height = 22;

  [[nodiscard]] double x_of(double ms) const {
    return left_ + std::clamp(ms / end_, 0.0, 1.0) * (right_ - left_);
  }

  /// Returns where the rows begin.
  double legend(Drawing& drawing) const {
    double x = is_wide_ ? left_ : 4;
    double y = 4;
    for (const Look look : seen_) {
      const std::string name = name_of(look);
      const double needs = 30 + 7.2 * static_cast<double>(name.size());
      if (x > left_ && x + needs > right_) {
        x = is_wide_ ? left_ : 4;
        y += 24;
      }
      drawing.rect({x, y, 22, 14}, class_of(look));
      drawing.text(x + 28, y + 12, name, "");
      x += needs + 14;
    }
    return seen_.empty() ? 8 : y + 30;
  }

  void axis(Drawing& drawing, double top, double bottom) const {
    constexpr double ms_per_second = 1000;
    const double parts = is_wide_ ? 10 : 4;
    double step = 1;
    static constexpr double factors[] = {2, 2.5, 2};
    for (size_t i = 0; end_ / ms_per_second / step > parts; ++i) {
      step *= factors[i % std::size(factors)];
    }
    const auto count = static_cast<size_t>(end_ / ms_per_second / step);
    for (size_t i = 0; i <= count; ++i) {
      const double second = static_cast<double>(i) * step;
      const double x = x_of(second * ms_per_second);
      drawing.line(x, top, x, bottom + 4, "grid");
      drawing.text(x, bottom + 20, text_of_number(second, 1), i == 0 && !is_wide_ ? "s" : "s mid");
    }
    drawing.text((left_ + right_) / 2, bottom + 40, "network time in seconds", "s mid");
  }

  void draw_row(Drawing& drawing, const Row& row, double top, bool merge) const {
    const double y = top + (is_wide_ ? 18 : 32);
    drawing.line(left_, y + bar_height, right_, y + bar_height, "grid");
    if (is_wide_) {
      drawing.text(left_ - 8, y + 16, shortened(row.machine, 14), "end");
    } else {
      drawing.text(left_, y - 18, shortened(row.machine, 30), "b");
    }
    const double cell =
        std::max(1.0, static_cast<double>(rows_.size()) * (right_ - left_) / bars_max) * end_ /
        (right_ - left_);
    const std::vector<Bar> cells = merge ? merged(row.bars, cell, end_) : std::vector<Bar>();
    for (const Bar& bar : merge ? cells : row.bars) {
      const double x = x_of(bar.from);
      const double w = std::max(x_of(bar.to) - x - 0.6, 0.8);
      drawing.rect({x, y, w, bar_height}, class_of(bar.look), bar.tip);
    }
    double free = 0;  // where the next mark's label may begin
    for (size_t i = 0; i < row.marks.size(); ++i) {
      const bool last = i + 1 == row.marks.size();
      const double next = last ? right_ : x_of(static_cast<double>(row.marks[i + 1]->time_ms)) - 8;
      draw_mark(drawing, *row.marks[i], y, next, free);
    }
  }

  /// Its label stands before the mark where the next one is close behind.
  void draw_mark(Drawing& drawing, const Mark& mark, double y, double next, double& free) const {
    static constexpr const char* words[] = {"crashed", "back", "convicted", "given up"};
    const double x = x_of(static_cast<double>(mark.time_ms));
    const bool good = mark.kind == MarkKind::back;
    const std::string down = "M" + pixels(x - 5) + " " + pixels(y - 9) + "h10l-5 9z";
    const std::string cross = "M" + pixels(x - 6) + " " + pixels(y - 8) +
                              "l2-2l4 4l4-4l2 2l-4 4l4 4l-2 2l-4-4l-4 4l-2-2l4-4z";
    const std::string tip = mark.machine + ": " + words[static_cast<size_t>(mark.kind)] + " at " +
                            text_of_time(mark.time_ms);
    drawing.path(mark.kind == MarkKind::crashed ? cross : down, good ? "markgood" : "mark", tip);
    drawing.line(x, y, x, y + bar_height, "lost-line");
    const std::string label =
        std::string(words[static_cast<size_t>(mark.kind)]) + " at " + text_of_time(mark.time_ms);
    const double needs = 7.2 * static_cast<double>(label.size());
    const bool flips = x + 10 + needs > next;
    const double from = flips ? x - 10 - needs : x + 10;
    if (from >= free) {
      drawing.text(flips ? x - 10 : x + 10, y - 4, label, flips ? "end b bad" : "b bad");
      free = std::max(x, from + needs) + 4;
    }
  }

  const std::vector<Row>& rows_;
  double end_;
  double width_;
  bool is_wide_;
  double left_, right_;
  std::set<Look> seen_;
};

std::string summary_table(const RunRecord& record, const std::vector<Row>& rows) {
  Table table("Placings of tasks by machine and what became of them",
              {"machine",
               "placed",
               "stand",
               "of these placed anew",
               "audited",
               "voided",
               "lost",
               "busy",
               "audits made"});
  table.numbers({1, 2, 3, 4, 5, 6, 7, 8});
  for (const Row& row : rows) {
    uint64_t placed = 0;
    uint64_t stand = 0;
    uint64_t again = 0;
    uint64_t audited = 0;
    uint64_t voided = 0;
    uint64_t lost = 0;
    for (const TaskRun& run : record.runs) {
      if (run.machine == row.machine) {
        ++placed;
        stand += run.fate == Fate::computed ? 1 : 0;
        again += run.fate == Fate::computed && run.again ? 1 : 0;
        audited += run.audited ? 1 : 0;
        voided += run.fate == Fate::voided ? 1 : 0;
        lost += run.fate == Fate::lost ? 1 : 0;
      }
    }
    double busy = 0;
    uint64_t audits = 0;
    for (const Bar& bar : row.bars) {
      busy += bar.to - bar.from;
      audits += bar.look == Look::check ? 1 : 0;
    }
    table.row({row.machine,
               grouped(placed),
               grouped(stand),
               grouped(again),
               grouped(audited),
               grouped(voided),
               grouped(lost),
               text_of_time(static_cast<uint64_t>(busy)),
               grouped(audits)});
  }
  return table.html();
}

std::string task_table(const RunRecord& record, uint64_t end) {
  constexpr size_t rows_max = 1000;
  Table table("Every placing, in order", {"task", "machine", "placed", "delivered", "outcome"});
  table.numbers({2, 3});
  for (const TaskRun& run : record.runs) {
    if (table.rows() == rows_max) {
      break;
    }
    const std::string delivered = run.delivered_ms ? text_of_time(*run.delivered_ms) : "never";
    std::string outcome = name_of(look_of(run));
    outcome += run.convicted ? "; shown false in a dispute" : "";
    table.row({run.task, run.machine, text_of_time(run.placed_ms), delivered, outcome});
  }
  (void)end;
  const bool cut = record.runs.size() > rows_max;
  return details(cut ? "The first " + grouped(rows_max) + " of " + grouped(record.runs.size()) +
                           " placings as a table (events.jsonl has all)"
                     : "All " + grouped(record.runs.size()) + " placings as a table",
                 table.html());
}

}  // namespace

std::string machines_section(const RunRecord& record) {
  const uint64_t end = end_of(record);
  const std::vector<Row> rows = rows_of(record, end);
  std::string html = "<section id=\"machines-part\"><h2>Tasks by machine</h2>\n";
  if (rows.empty()) {
    return html + "<p>No task was placed.</p></section>\n";
  }
  html +=
      "<p>Each bar is one task on one machine, as the requester saw it: from when it was placed, "
      "or the one before was delivered, until it was delivered.</p>\n";
  html += "<figure><div class=\"wide\">" + Gantt(rows, end, wide_width).svg() +
          "</div><div class=\"narrow\">" + Gantt(rows, end, narrow_width).svg() +
          "</div></figure>\n";
  html += details("The machines as a table", summary_table(record, rows));
  if (!record.runs.empty()) {
    html += task_table(record, end);
  }
  return html + "</section>\n";
}

}  // namespace lockstep::apps
