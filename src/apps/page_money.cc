// Where the job's money came from and where it went. Both sides are computed from different facts
// (escrow, slashes, settlement; accounts before and after), so that their being equal says
// something.
#include <algorithm>

#include "apps/page.h"
#include "apps/page_html.h"

namespace lockstep::apps {
namespace {

Amount plus(Amount a, Amount b) {
  const auto sum = a.add(b);
  return sum.ok() ? *sum : a;
}

Amount minus(Amount a, Amount b) {
  const auto difference = a.subtract(b);
  return difference.ok() ? *difference : Amount();
}

void put(std::vector<MoneyLine>& lines,
         const std::string& what,
         const std::string& who,
         const std::string& kind,
         Amount amount) {
  if (amount > Amount()) {
    lines.push_back({what, who, kind, amount});
  }
}

/// What an account's owner got beyond the payments that are known.
using Known = std::map<std::string, Amount>;

void put_rest(Money& money,
              const AccountRow& account,
              const Known& known,
              const std::string& what,
              const std::string& kind) {
  const auto found = known.find(account.name);
  const Amount change = minus(account.after, account.before);
  const Amount rest = minus(change, found == known.end() ? Amount() : found->second);
  put(money.out, what, account.name, kind, rest);
  put(money.in, "bonds lost", account.name, "f-red", minus(Amount(), rest));
}

/// Auditors' fees: from the accounts where they are known, else from what audits told.
void put_audits(const RunRecord& record, const Known& known, Money& money) {
  bool from_accounts = false;
  for (const AccountRow& account : record.accounts) {
    if (account.role == "auditor") {
      put_rest(money, account, known, "audits", "f-teal");
      from_accounts = true;
    } else if (account.role == "requester") {
      AccountRow own = account;
      own.name = "requester";
      put_rest(money, own, known, "audits of its own", "f-teal");
    } else {
      put_rest(money, account, known, "bonds won", "f-violet");
    }
  }
  if (from_accounts) {
    return;
  }
  std::map<std::string, Amount> fees;
  for (const AuditRun& audit : record.audits) {
    fees[audit.auditor] = plus(fees[audit.auditor], audit.paid);
  }
  for (const auto& [auditor, fee] : fees) {
    put(money.out, "audits", auditor, "f-teal", fee);
  }
}

void put_slashes(const RunRecord& record, Known& known, Money& money) {
  for (const SlashRow& slash : record.slashes) {
    put(money.in, "slashed stake", slash.provider, "f-red", slash.amount);
    known[slash.provider] = minus(known[slash.provider], slash.amount);
    put(money.out, "burned", "nobody", "f-red", slash.burned);
    const auto dispute =
        std::find_if(record.disputes.begin(), record.disputes.end(), [&](const DisputeRow& row) {
          return row.slash && row.slash->provider == slash.provider &&
                 row.slash->amount == slash.amount;
        });
    const std::string who = dispute == record.disputes.end() ? "challenger" : dispute->challenger;
    put(money.out, "reward for a conviction", who, "f-violet", slash.challenger);
    known[who] = plus(known[who], slash.challenger);
  }
}

void put_paid(const RunRecord& record, Known& known, Money& money) {
  for (const PaidRow& row : record.paid) {
    put(money.out, "work", row.provider, "f-blue", row.paid);
    put(money.out, "work that a lie voided", row.provider, "f-grey", row.paid_void);
    Amount& all = known[row.provider];
    all = plus(plus(all, row.paid), row.paid_void);
  }
}

Amount sum_of(const std::vector<MoneyLine>& lines) {
  Amount sum;
  for (const MoneyLine& line : lines) {
    sum = plus(sum, line.amount);
  }
  return sum;
}

/// Equal kinds side by side, small ones after large ones.
void arrange(std::vector<MoneyLine>& lines) {
  const auto rank = [](const MoneyLine& line) {
    static const std::vector<std::string> kinds = {
        "f-blue", "f-grey", "f-teal", "f-violet", "f-green", "f-amber", "f-red"};
    return std::find(kinds.begin(), kinds.end(), line.kind) - kinds.begin();
  };
  std::stable_sort(lines.begin(), lines.end(), [&](const MoneyLine& a, const MoneyLine& b) {
    return rank(a) != rank(b) ? rank(a) < rank(b) : a.amount > b.amount;
  });
}

std::string label_of(const MoneyLine& line) {
  return line.who.empty() ? line.what : line.what + ": " + line.who;
}

struct Slot {
  double y = 0, height = 0;  // of the bar; the label stands at its middle
};

/// Bars of one side, with room for a label each; centred on `middle`.
std::vector<Slot> slots_of(const std::vector<MoneyLine>& lines, double scale, double& total) {
  constexpr double label_height = 22;
  std::vector<Slot> slots;
  slots.reserve(lines.size());
  double y = 0;
  for (const MoneyLine& line : lines) {
    const double height = std::max(static_cast<double>(line.amount.nano()) * scale, 1.5);
    const double room = std::max(height, label_height);
    slots.push_back({y + (room - height) / 2, height});
    y += room + 6;
  }
  total = y;
  return slots;
}

/// A vertical edge of a band.
struct Edge {
  double x = 0, y = 0, height = 0;
};

std::string ribbon(const Edge& from, const Edge& to) {
  const std::string middle = pixels((from.x + to.x) / 2);
  return "M" + pixels(from.x) + " " + pixels(from.y) + "C" + middle + " " + pixels(from.y) + " " +
         middle + " " + pixels(to.y) + " " + pixels(to.x) + " " + pixels(to.y) + "V" +
         pixels(to.y + to.height) + "C" + middle + " " + pixels(to.y + to.height) + " " + middle +
         " " + pixels(from.y + from.height) + " " + pixels(from.x) + " " +
         pixels(from.y + from.height) + "z";
}

/// What stands on one side of the hub.
struct Side {
  const std::vector<MoneyLine>& lines;
  std::vector<Slot> slots;
  double top = 0;
  bool is_left = false;
};

class Flow {
 public:
  explicit Flow(const Money& money) : money_(money) {
    const Amount most = std::max(money.in_sum, money.out_sum);
    scale_ = hub_height / std::max<double>(static_cast<double>(most.nano()), 1);
  }

  std::string svg() {
    Drawing drawing("money",
                    "Where the money came from and went",
                    "On the left what came in, " + money_.in_sum.print() +
                        "; on the right what went out, " + money_.out_sum.print() +
                        ". The table below has every amount.");
    double left_total = 0;
    double right_total = 0;
    const auto left = slots_of(money_.in, scale_, left_total);
    const auto right = slots_of(money_.out, scale_, right_total);
    const double height = std::max({left_total, right_total, hub_height}) + 34;
    const double hub_y = 30 + (height - 34 - hub_height) / 2;
    drawing.text(left_x + bar, 16, "in: " + money_.in_sum.print(), "b end");
    drawing.text(hub_x + bar / 2, 16, "held by the ledger", "b mid");
    drawing.text(right_x, 16, "out: " + money_.out_sum.print(), "b");
    side(drawing, {money_.in, left, 30 + (height - 34 - left_total) / 2, true}, hub_y);
    side(drawing, {money_.out, right, 30 + (height - 34 - right_total) / 2, false}, hub_y);
    drawing.rect({hub_x, hub_y, bar, hub_height}, "f-grey");
    return drawing.svg(wide_width, height);
  }

 private:
  static constexpr double hub_height = 300;
  static constexpr double bar = 16;
  static constexpr double left_x = 320;
  static constexpr double hub_x = 460;
  static constexpr double right_x = 600;

  void side(Drawing& drawing, const Side& its, double hub_y) const {
    double hub = hub_y;
    for (size_t i = 0; i < its.lines.size(); ++i) {
      const MoneyLine& line = its.lines[i];
      const double share = static_cast<double>(line.amount.nano()) * scale_;
      const double y = its.top + its.slots[i].y;
      const double h = its.slots[i].height;
      const std::string text = label_of(line) + ", " + line.amount.print();
      const std::string band = its.is_left ? ribbon({left_x + bar, y, h}, {hub_x, hub, share})
                                           : ribbon({hub_x + bar, hub, share}, {right_x, y, h});
      drawing.path(band, line.kind + " flow", text);
      drawing.rect({its.is_left ? left_x : right_x, y, bar, h}, line.kind, text);
      const double base = y + h / 2 + 5;
      if (its.is_left) {
        drawing.text(left_x - 8, base, shortened(text, 46), "end");
      } else {
        drawing.text(right_x + bar + 8, base, shortened(text, 62), "");
      }
      hub += share;
    }
  }

  const Money& money_;
  double scale_ = 0;
};

/// For narrow screens: a bar under each label.
std::string bars_of(const Money& money) {
  Drawing drawing("money-narrow",
                  "Where the money came from and went",
                  "What came in, " + money.in_sum.print() + ", and what went out, " +
                      money.out_sum.print() + ", a bar for each.");
  const Amount sum = std::max(money.in_sum, money.out_sum);
  const double scale = narrow_width / std::max<double>(static_cast<double>(sum.nano()), 1);
  double y = 14;
  for (const bool is_in : {true, false}) {
    drawing.text(
        0, y, is_in ? "in: " + money.in_sum.print() : "out: " + money.out_sum.print(), "b");
    y += 22;
    for (const MoneyLine& line : is_in ? money.in : money.out) {
      drawing.text(0, y, shortened(label_of(line), 36), "");
      drawing.text(narrow_width, y, shortened(line.amount.print(), 22), "s end");
      const double w = std::max(static_cast<double>(line.amount.nano()) * scale, 1.5);
      drawing.rect({0, y + 5, w, 10}, line.kind);
      y += 34;
    }
    y += 10;
  }
  return drawing.svg(narrow_width, y - 14);
}

std::string side_table(const std::string& caption,
                       const std::vector<MoneyLine>& lines,
                       Amount sum) {
  Table table(caption, {"what", "who", "amount"});
  table.numbers({2});
  for (const MoneyLine& line : lines) {
    table.row({line.what, line.who, line.amount.print()});
  }
  table.row({"sum", "", sum.print()}, "sum");
  return table.html();
}

std::string money_table(const Money& money) {
  std::string html = side_table("What came in", money.in, money.in_sum) +
                     side_table("What went out", money.out, money.out_sum);
  if (money.missing > Amount()) {
    Table table("The difference", {"what", "why", "amount"});
    table.numbers({2});
    table.row({money.more_in ? "more came in" : "more went out",
               money.complete ? "NOT ACCOUNTED FOR" : "not settled, or not known here",
               money.missing.print()},
              "sum");
    html += table.html();
  }
  return html;
}

std::string account_table(const RunRecord& record) {
  if (record.accounts.empty()) {
    return {};
  }
  Table table("Accounts of the owners, balance and stake together",
              {"owner of", "before", "after", "change"});
  table.numbers({1, 2, 3});
  Amount sum;
  for (const AccountRow& account : record.accounts) {
    const Amount change = minus(account.after, account.before);
    sum = plus(sum, change);
    table.row({account.name, account.before.print(), account.after.print(), change.print()});
  }
  table.row({"burned", "", "", record.burned.print()});
  table.row({"treasury", "", "", record.treasury.print()});
  sum = plus(plus(sum, record.burned), record.treasury);
  table.row({"sum of changes", "", "", sum.print()}, "sum");
  return details("Accounts before and after", table.html());
}

}  // namespace

Money money_of(const RunRecord& record) {
  Money money;
  Known known;
  put(money.in, "escrow for work", "requester", "f-blue", record.work_price.value_or(Amount()));
  put(money.in, "escrow for audits", "requester", "f-teal", record.audit_budget.value_or(Amount()));
  put_slashes(record, known, money);
  put_paid(record, known, money);
  if (record.settlement) {
    put(money.out, "refund", "requester", "f-green", record.settlement->refund);
    put(money.out, "treasury", "", "f-amber", record.settlement->treasury);
    const Amount escrow =
        plus(record.work_price.value_or(Amount()), record.audit_budget.value_or(Amount()));
    Amount& requester = known["requester"];
    requester = plus(requester, minus(record.settlement->refund, escrow));
  }
  if (record.settled) {
    put_audits(record, known, money);
  }
  if (record.settlement && !record.accounts.empty()) {
    put(money.out,
        "bonds lost to the treasury",
        "",
        "f-amber",
        minus(record.treasury, record.settlement->treasury));
  }
  arrange(money.in);
  arrange(money.out);
  money.in_sum = sum_of(money.in);
  money.out_sum = sum_of(money.out);
  money.more_in = money.in_sum > money.out_sum;
  money.missing =
      money.more_in ? minus(money.in_sum, money.out_sum) : minus(money.out_sum, money.in_sum);
  money.complete = record.settled && record.settlement && !record.accounts.empty();
  return money;
}

std::string money_section(const RunRecord& record) {
  const Money money = money_of(record);
  std::string html = "<section id=\"money-part\"><h2>Money</h2>\n";
  if (money.in.empty() && money.out.empty()) {
    return html + "<p>No money moved.</p></section>\n";
  }
  const bool equal = money.missing == Amount();
  html += "<p>" +
          std::string(equal            ? "Both sides are equal to the last digit"
                      : money.complete ? "The two sides differ"
                                       : "The job was not settled here, so what is left is still "
                                         "in escrow or not known") +
          (record.total ? ", and the ledger's total of " + escape(record.total->print()) +
                              (record.total_unchanged ? " is unchanged" : " HAS CHANGED")
                        : std::string()) +
          ".</p>\n";
  // More lines than anybody reads in a drawing: the table has them.
  constexpr size_t drawn_max = 60;
  if (money.in.size() + money.out.size() <= drawn_max) {
    html += "<figure><div class=\"wide\">" + Flow(money).svg() + "</div><div class=\"narrow\">" +
            bars_of(money) + "</div></figure>\n";
  }
  return html + money_table(money) + account_table(record) + "</section>\n";
}

}  // namespace lockstep::apps
