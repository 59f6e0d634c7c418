// The page about a run: one self-contained HTML file, inline SVG, no script, nothing loaded from
// elsewhere, for light and dark, wide and narrow screens.
#pragma once

#include "apps/run_record.h"

namespace lockstep::apps {

[[nodiscard]] std::string write_page(const RunRecord& record);

// Sections, each an element of its own: for write_page and tests.
[[nodiscard]] std::string head_section(const RunRecord& record);
[[nodiscard]] std::string loss_section(const RunRecord& record);
[[nodiscard]] std::string machines_section(const RunRecord& record);
[[nodiscard]] std::string disputes_section(const RunRecord& record);
[[nodiscard]] std::string money_section(const RunRecord& record);
[[nodiscard]] std::string offers_section(const RunRecord& record);
/// What stands between <style> and </style>.
[[nodiscard]] const char* page_style();
/// Patterns that bars are filled with; once in the page.
[[nodiscard]] const char* page_patterns();

/// Widths of a chart on wide and on narrow screens: each is drawn twice, one is shown.
inline constexpr double wide_width = 1080;
inline constexpr double narrow_width = 360;

/// Where the money of a job came from and where it went; equal sums, or `missing` says by how much
/// they differ, with `more_in` for in > out.
struct MoneyLine {
  std::string what, who, kind;
  Amount amount;
};
struct Money {
  std::vector<MoneyLine> in, out;
  Amount in_sum, out_sum, missing;
  bool more_in = false;
  bool complete = false;  // the job was settled and everything is known
};
[[nodiscard]] Money money_of(const RunRecord& record);

}  // namespace lockstep::apps
