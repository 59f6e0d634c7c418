#include "apps/page.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "apps/page_html.h"
#include "apps/test_page.h"
#include "base/test_random.h"

namespace lockstep::apps {
namespace {

constexpr size_t page_bytes_max = 2'000'000;

size_t count_of(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

RunRecord sample(uint32_t rounds, uint32_t lanes, uint32_t machines) {
  return record_of(lines_of(SampleRun(rounds, lanes, machines).events()));
}

/// One file, and nothing in it that runs or is loaded.
void expect_self_contained(const std::string& page) {
  EXPECT_EQ(count_of(page, "<script"), 0U);
  for (const char* word : {"src=", "href=", "@import", "<link", "<iframe", "<object", "<image"}) {
    EXPECT_EQ(count_of(page, word), 0U) << word;
  }
  EXPECT_EQ(count_of(page, "url("), count_of(page, "url(#"));
  EXPECT_EQ(count_of(page, "http"),
            count_of(page, "http://www.w3.org/2000/svg") + count_of(page, "http-equiv"));
}

TEST(Page, IsWellFormedAndSelfContained) {
  const std::string page = write_page(sample(60, 6, 3));
  EXPECT_EQ(fault_of(page), "");
  expect_self_contained(page);
  EXPECT_LE(page.size(), page_bytes_max);
  for (const char* part : {"<h1>fashion-mnist</h1>",
                           "89.2 %",
                           "lockstep verify receipt.json",
                           "CLAIM FALSE",
                           "rounds 1 to 21: voided, computed again",
                           "step 40, operator 48, chunk 0, fold states",
                           "crashed at ",
                           "convicted at ",
                           "needs 81 MB, offers 64 MB"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
}

TEST(Page, EveryDrawingSaysWhatItShows) {
  const std::string page = write_page(sample(12, 6, 3));
  const size_t drawings = count_of(page, "role=\"img\"");
  EXPECT_EQ(drawings, 8U);  // loss, machines, dispute, money: for wide and narrow screens
  EXPECT_EQ(count_of(page, "aria-labelledby="), drawings);
  EXPECT_EQ(count_of(page, "<desc id="), drawings);
  EXPECT_EQ(count_of(page, "<title id="), drawings);
  std::vector<std::string> ids;
  for (size_t at = page.find(" id=\""); at != std::string::npos; at = page.find(" id=\"", at + 1)) {
    ids.push_back(page.substr(at + 5, page.find('"', at + 5) - at - 5));
  }
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end());
}

TEST(Page, EscapesWhatOthersWrote) {
  EXPECT_EQ(escape("<a href='x'>&\"</a>"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;");
  EXPECT_EQ(escape("gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80"), "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80");
  EXPECT_EQ(escape(std::string("a\0b\x1F\x7F", 5)),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(escape("\xC0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD");                  // overlong
  EXPECT_EQ(escape("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // a surrogate
  EXPECT_EQ(escape("x\xF0\x9F"), "x\xEF\xBF\xBD\xEF\xBF\xBD");                // cut
}

/// Hostile text in every field of every event: no markup of theirs is in the page.
TEST(Page, NoFieldBreaksOut) {
  const std::string evil =
      "</title></svg><script>alert(1)</script><img src=x onerror=\"y\">'\"&amp;\x01\xFF";
  Events events = SampleRun(6, 4, 3, evil).events();
  for (auto& event : events) {
    for (auto& [key, value] : event.items()) {
      const bool kept = key == "event" || key == "id" || key == "claim";
      const bool amount = value.is_string() && value.get<std::string>().ends_with(" LKS");
      if (value.is_string() && !kept && !amount) {
        value = value.get<std::string>() + evil;
      }
    }
  }
  RunRecord record;
  for (const auto& event : events) {
    record.add(event["time_ms"], event["event"], event);
  }
  record.failed = evil;
  const std::string page = write_page(record);
  EXPECT_EQ(fault_of(page), "");
  EXPECT_EQ(count_of(page, "<script"), 0U);
  EXPECT_EQ(count_of(page, "<img"), 0U);
  EXPECT_EQ(count_of(page, "onerror=\""), 0U);
  EXPECT_EQ(count_of(page, "\xFF"), 0U);
  EXPECT_EQ(count_of(page, "\x01"), 0U);
  EXPECT_GT(count_of(page, "&lt;script&gt;"), 5U);
}

TEST(Page, OfNothingIsAPageToo) {
  const std::string page = write_page(RunRecord());
  EXPECT_EQ(fault_of(page), "");
  EXPECT_NE(page.find("Nobody challenged a claim."), std::string::npos);
  EXPECT_NE(page.find("No task was placed."), std::string::npos);
  EXPECT_NE(page.find("not settled"), std::string::npos);
}

TEST(Page, IsWellFormedWhateverIsMissing) {
  TestRandom random(11);
  const Events events = SampleRun(8, 3, 3).events();
  for (int turn = 0; turn < 40; ++turn) {
    Events some;
    for (const auto& event : events) {
      if (random.below(3) > 0) {
        some.push_back(event);
      }
    }
    const std::string page = write_page(record_of(lines_of(some)));
    ASSERT_EQ(fault_of(page), "") << turn;
  }
}

TEST(Page, OfAHugeRunStaysSmall) {
  for (const uint32_t machines : {3U, 64U}) {
    const RunRecord record = sample(1000, 10, machines);
    ASSERT_GE(record.runs.size(), 10'000U);
    const std::string page = write_page(record);
    EXPECT_LE(page.size(), page_bytes_max);
    EXPECT_EQ(fault_of(page), "");
    EXPECT_NE(page.find("mostly "), std::string::npos);  // bars are merged
    EXPECT_NE(page.find("The first 1,000 of "), std::string::npos);
  }
}

TEST(Page, ManyDisputesAndLongOnes) {
  RunRecord record = sample(6, 4, 3);
  ASSERT_EQ(record.disputes.size(), 1U);
  DisputeRow row = record.disputes[0];
  const DisputeStep step = row.steps[0];
  row.steps.assign(5000, step);
  record.disputes.assign(2000, row);
  const std::string page = write_page(record);
  EXPECT_EQ(fault_of(page), "");
  EXPECT_LE(page.size(), page_bytes_max);
  EXPECT_NE(page.find("are left out of the drawing"), std::string::npos);
}

TEST(Page, BearsOddNumbers) {
  RunRecord record = sample(6, 4, 3);
  constexpr double infinite = std::numeric_limits<double>::infinity();
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  const double odd[] = {none, infinite, -infinite, 1e308, -1e308, 0, -0.0, 1e-320};
  for (size_t i = 0; i < std::size(odd); ++i) {
    record.rounds.push_back({i, odd[i], i % 2 == 0, UINT64_MAX});
  }
  record.rounds.push_back({UINT64_MAX, 1, false, 0});
  record.marks.push_back({UINT64_MAX, "provider-1", MarkKind::back});
  record.accuracy_percent = NAN;
  const std::string page = write_page(record);
  EXPECT_EQ(fault_of(page), "");
  EXPECT_LE(page.size(), page_bytes_max);
  EXPECT_EQ(count_of(page, "\"nan"), 0U);
  EXPECT_EQ(count_of(page, "\"inf"), 0U);
}

TEST(Money, BothSidesAreEqual) {
  for (const uint32_t machines : {1U, 2U, 3U, 9U}) {
    const RunRecord record = sample(12, 6, machines);
    const Money money = money_of(record);
    EXPECT_TRUE(money.complete);
    EXPECT_EQ(money.in_sum, money.out_sum) << machines;
    EXPECT_EQ(money.missing, Amount());
    const bool lied = machines > 1;
    EXPECT_EQ(money.in_sum.print(), lied ? "47.5 LKS" : "17.5 LKS");
    const std::string html = money_section(record);
    EXPECT_NE(html.find("Both sides are equal to the last digit"), std::string::npos);
  }
}

TEST(Money, WhatIsMissingIsSaid) {
  TestRandom random(3);
  for (int turn = 0; turn < 50; ++turn) {
    RunRecord record = sample(12, 6, 3);
    const int64_t nano = static_cast<int64_t>(random.below(1'000'000)) + 1;
    const bool more = random.below(2) == 0;
    Amount& refund = record.settlement->refund;
    const auto other =
        more ? refund.add(Amount::from_nano(nano)) : refund.subtract(Amount::from_nano(nano));
    ASSERT_TRUE(other.ok());
    refund = *other;
    Amount& burned = record.slashes.at(0).burned;  // and so the two do not make up for each other
    burned = Amount::from_nano(burned.nano() + 3 * nano);
    const Money money = money_of(record);
    EXPECT_EQ(money.missing, Amount::from_nano(3 * nano));
    EXPECT_FALSE(money.more_in);
    EXPECT_NE(money_section(record).find("NOT ACCOUNTED FOR"), std::string::npos);
  }
}

TEST(Money, WithoutAccountsAuditsAreThoseThatWereTold) {
  RunRecord record = sample(12, 6, 3);
  const Money with = money_of(record);
  record.accounts.clear();
  const Money without = money_of(record);
  EXPECT_FALSE(without.complete);
  EXPECT_EQ(without.out_sum, with.out_sum);
}

TEST(PageHtml, WordsForNumbers) {
  EXPECT_EQ(text_of_time(85'236), "85.2 s");
  EXPECT_EQ(text_of_time(3'725'000), "62 min 5 s");
  EXPECT_EQ(text_of_size(1), "1 byte");
  EXPECT_EQ(text_of_size(1453), "1.5 kB");
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(text_of_number(89.2, 2), "89.2");
  EXPECT_EQ(text_of_number(-0.001, 1), "0");
  EXPECT_EQ(text_of_number(NAN, 2), "n/a");
  EXPECT_EQ(shortened("gr\xC3\xBC\xC3\x9F", 3), "gr\xC3\xBC\xE2\x80\xA6");
  EXPECT_EQ(shortened("abc", 3), "abc");
}

/// The checker itself: what it is for.
TEST(PageHtml, FaultsAreFound) {
  EXPECT_EQ(fault_of("<a b=\"1\"><c/>&amp;</a>"), "");
  for (const char* bad : {"<a>",
                          "</a>",
                          "<a><b></a></b>",
                          "<a b=1></a>",
                          "<a b=\"1\" b=\"2\"></a>",
                          "a & b",
                          "a < b",
                          "<a b=\"<\"></a>",
                          "<a"}) {
    EXPECT_NE(fault_of(bad), "") << bad;
  }
}

/// Relative luminance contrast, from "#rgb" or "#rrggbb".
double contrast(const std::string& a, const std::string& b) {
  const auto light = [](const std::string& hex) {
    double sum = 0;
    static constexpr double shares[] = {0.2126, 0.7152, 0.0722};
    for (size_t i = 0; i < 3; ++i) {
      const std::string part =
          hex.size() == 4 ? std::string(2, hex[1 + i]) : hex.substr(1 + 2 * i, 2);
      const double c = static_cast<double>(std::stoi(part, nullptr, 16)) / 255;
      sum += shares[i] * (c <= 0.03928 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4));
    }
    return sum;
  };
  const double x = light(a);
  const double y = light(b);
  return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
}

TEST(PageStyle, TextAndDrawingsStandOutInLightAndDark) {
  std::string css = page_style();
  for (const char* scheme : {"light", "dark"}) {
    const auto colour = [&](const std::string& name) {
      const size_t at = css.find("--" + name + ":#");
      const size_t from = at + name.size() + 3;
      return at == std::string::npos ? "#000000"
                                     : css.substr(from, css.find_first_of(";}", from) - from);
    };
    for (const char* text : {"ink", "soft", "blue", "good", "bad"}) {
      EXPECT_GE(contrast(colour(text), colour("card")), 4.5) << scheme << " " << text;
      EXPECT_GE(contrast(colour(text), colour("ground")), 4.5) << scheme << " " << text;
    }
    EXPECT_GE(contrast(colour("good"), colour("goodbg")), 4.5) << scheme;
    EXPECT_GE(contrast(colour("bad"), colour("badbg")), 4.5) << scheme;
    EXPECT_GE(contrast(colour("ink"), colour("badbg")), 4.5) << scheme;
    EXPECT_GE(contrast(colour("ink"), colour("code")), 4.5) << scheme;
    for (const char* drawn : {"teal", "amber", "grey", "red", "violet"}) {
      EXPECT_GE(contrast(colour(drawn), colour("card")), 3.0) << scheme << " " << drawn;
    }
    css = css.substr(css.find("prefers-color-scheme:dark"));
  }
}

}  // namespace
}  // namespace lockstep::apps
