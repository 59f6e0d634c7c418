#include "apps/page.h"

#include <algorithm>
#include <set>

#include "apps/page_html.h"
#include "apps/page_table.h"

namespace lockstep::apps {
namespace {

/// Whoever reads the page has the results beside it; what folder they were written to is nobody's
/// business.
std::string file_name_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string tile(const std::string& head, const std::string& value, const std::string& small) {
  constexpr size_t unit_size = 4;  // " LKS"
  const size_t unit = value.ends_with(" LKS") ? value.size() - unit_size : value.size();
  const std::string rest = value.substr(unit);
  return "<div><dt>" + escape(head) + "</dt><dd>" + escape(value.substr(0, unit)) +
         (rest.empty() ? rest : "<span>" + escape(rest) + "</span>") +
         (small.empty() ? std::string() : "<small>" + escape(small) + "</small>") + "</dd></div>\n";
}

std::string fact(const std::string& head, const std::string& code) {
  return "<dt>" + escape(head) + "</dt><dd><code>" + escape(code) + "</code></dd>\n";
}

size_t count_marks(const RunRecord& record, MarkKind kind) {
  std::set<std::string> machines;
  for (const Mark& mark : record.marks) {
    if (mark.kind == kind) {
      machines.insert(mark.machine);
    }
  }
  return machines.size();
}

std::string story_of(const RunRecord& record) {
  std::set<std::string> machines;
  for (const TaskRun& run : record.runs) {
    machines.insert(run.machine);
  }
  std::string text;
  if (!machines.empty()) {
    text += plural(machines.size(), "rented machine") + ". ";
  }
  const size_t liars = count_marks(record, MarkKind::convicted);
  const size_t crashed = count_marks(record, MarkKind::crashed);
  const size_t silent = count_marks(record, MarkKind::lost);
  if (liars > 0) {
    text += plural(liars, "machine") + " claimed false work and lost the stake. ";
  }
  if (crashed > 0) {
    text += plural(crashed, "machine") + " crashed. ";
  } else if (silent > 0) {
    text += plural(silent, "machine") + " fell silent, and its tasks were placed again. ";
  }
  if (liars + crashed + silent > 0 && record.settled) {
    text += "The job was finished all the same.";
  }
  return text;
}

std::string tiles_of(const RunRecord& record) {
  std::string html = "<dl class=\"tiles\">\n";
  if (record.accuracy_percent) {
    html += tile("accuracy", text_of_number(*record.accuracy_percent, 2) + " %", "on the test set");
  }
  const auto again = static_cast<uint64_t>(std::count_if(
      record.runs.begin(), record.runs.end(), [](const TaskRun& run) { return run.again; }));
  html += tile("tasks", grouped(record.tasks), again > 0 ? grouped(again) + " placed again" : "");
  const auto audits = static_cast<uint64_t>(
      std::count_if(record.audits.begin(), record.audits.end(), [](const AuditRun& audit) {
        return audit.ended;
      }));
  const auto agreed = static_cast<uint64_t>(
      std::count_if(record.audits.begin(), record.audits.end(), [](const AuditRun& audit) {
        return audit.agreed;
      }));
  html += tile("audits",
               grouped(audits),
               audits > agreed ? grouped(audits - agreed) + " disagreed"
               : audits > 0    ? "all agreed"
                               : "");
  const uint64_t time = record.network_ms > 0 ? record.network_ms : record.last_ms;
  html += tile(
      "network time", text_of_time(time), record.blocks > 0 ? plural(record.blocks, "block") : "");
  if (record.escrow && record.settlement) {
    const auto spent = record.escrow->subtract(record.settlement->refund);
    html += tile("price",
                 spent.ok() ? spent->print() : "n/a",
                 "of " + record.escrow->print() + " in escrow");
  } else if (record.escrow) {
    html += tile("escrow", record.escrow->print(), "not settled");
  }
  return html + "</dl>\n";
}

}  // namespace

std::string head_section(const RunRecord& record) {
  const bool done = record.failed.empty() && record.settled;
  std::string html = "<header><h1>" + escape(record.job.empty() ? "A job" : record.job) + "</h1>\n";
  html += "<p><span class=\"tag" + std::string(done ? "" : " bad") + "\">";
  html += done                    ? "\xE2\x9C\x93 finished and settled"
          : record.failed.empty() ? "\xE2\x9C\x97 not settled"
                                  : "\xE2\x9C\x97 failed";
  html += "</span></p>\n";
  if (!record.failed.empty()) {
    html += "<p>" + escape(record.failed) + "</p>\n";
  }
  html += "<p>" + escape(story_of(record)) + "</p>\n" + tiles_of(record);
  html += "<dl class=\"facts\">\n";
  if (!record.model_root.empty()) {
    html += fact("model root", record.model_root);
  }
  if (!record.model_path.empty()) {
    html += fact("model", file_name_of(record.model_path));
  }
  if (!record.receipt_path.empty()) {
    html += fact("check the receipt", "lockstep verify " + file_name_of(record.receipt_path));
  }
  return html + "</dl></header>\n";
}

std::string write_page(const RunRecord& record) {
  const std::string title =
      escape(record.job.empty() ? "A job" : record.job) + " \xE2\x80\x93 lockstep";
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
      "<meta http-equiv=\"Content-Security-Policy\" "
      "content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n<title>";
  html += title + "</title>\n<style>" + page_style() + "</style>\n</head>\n<body>\n";
  html += page_patterns();
  html += "<main>\n" + head_section(record) +
          (record.results.empty() ? loss_section(record) : results_section(record)) +
          machines_section(record) + disputes_section(record) + money_section(record) +
          offers_section(record);
  html +=
      "<footer>Everything here is computed from the events of the run (events.jsonl) and the "
      "ledger.";
  if (record.wall_seconds) {
    html += " The run took " + escape(text_of_number(*record.wall_seconds, 1)) + " s.";
  }
  return html + "</footer>\n</main>\n</body>\n</html>\n";
}

}  // namespace lockstep::apps
