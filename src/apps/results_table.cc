#include "apps/results_table.h"

#include <algorithm>

namespace lockstep::apps {
namespace {

using Cell = std::variant<std::string, node::TableNumber>;

std::string text_of_cell(const Cell& cell) {
  const auto* const number = std::get_if<node::TableNumber>(&cell);
  return number == nullptr ? std::get<std::string>(cell)
                           : text_of("%.*f", static_cast<int>(number->decimals), number->value);
}

nlohmann::json json_of_cell(const Cell& cell) {
  const auto* const number = std::get_if<node::TableNumber>(&cell);
  return number == nullptr ? nlohmann::json(std::get<std::string>(cell))
                           : nlohmann::json(number->value);
}

/// The widest text of each column.
std::vector<size_t> widths_of(const std::vector<std::string>& columns,
                              const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  widths.reserve(columns.size());
  for (const std::string& column : columns) {
    widths.push_back(column.size());
  }
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  return widths;
}

std::string line_of(const std::vector<std::string>& cells, const std::vector<size_t>& widths) {
  std::string line = "  ";
  for (size_t i = 0; i < cells.size() && i < widths.size(); ++i) {
    line += std::string(2 + widths[i] - cells[i].size(), ' ') + cells[i];
  }
  return line;
}

}  // namespace

void tell_table(const Report& report, const node::TableTold& table) {
  if (table.columns.empty()) {
    return;
  }
  std::vector<std::vector<std::string>> texts;
  texts.reserve(table.rows.size());
  for (const auto& row : table.rows) {
    auto& cells = texts.emplace_back();
    cells.reserve(row.size());
    for (const Cell& cell : row) {
      cells.push_back(text_of_cell(cell));
    }
  }
  const std::vector<size_t> widths = widths_of(table.columns, texts);
  report.tell(line_of(table.columns, widths), "results", {{"columns", table.columns}});
  for (size_t i = 0; i < table.rows.size(); ++i) {
    nlohmann::json cells = nlohmann::json::array();
    for (const Cell& cell : table.rows[i]) {
      cells.push_back(json_of_cell(cell));
    }
    const bool chosen = table.chosen == i;
    report.tell(line_of(texts[i], widths) + (chosen ? "  <- kept" : ""),
                "result",
                {{"row", i}, {"cells", std::move(cells)}, {"texts", texts[i]}, {"kept", chosen}});
  }
}

}  // namespace lockstep::apps
