#include "apps/page_table.h"

#include <algorithm>

#include "apps/page_html.h"

namespace lockstep::apps {

std::string results_section(const RunRecord& record) {
  if (record.results.empty()) {
    return {};
  }
  std::vector<std::string> heads = record.result_columns;
  heads.emplace_back("kept");
  std::vector<size_t> numbers(record.result_columns.size());
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = i;
  }
  Table table("What was tried, and what it came to", heads);
  table.numbers(numbers);
  for (const ResultRow& row : record.results) {
    std::vector<std::string> cells = row.cells;
    cells.resize(record.result_columns.size());
    cells.emplace_back(row.kept ? "\xE2\x9C\x93 this model" : "");
    table.row(cells, row.kept ? "kept" : "");
  }
  const bool chosen = std::any_of(
      record.results.begin(), record.results.end(), [](const ResultRow& row) { return row.kept; });
  return std::string("<section id=\"results-part\"><h2>Results</h2>\n") +
         (chosen ? "<p>Choosing was a task like any other: it was claimed, and who doubts it can "
                   "compute it again.</p>\n"
                 : "") +
         table.html() + "</section>\n";
}

}  // namespace lockstep::apps
