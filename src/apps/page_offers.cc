// The offers in the order they were ranked, and why some were not taken.
#include "apps/page.h"
#include "apps/page_html.h"

namespace lockstep::apps {

std::string offers_section(const RunRecord& record) {
  std::string html = "<section id=\"offers-part\"><h2>Offers</h2>\n";
  if (record.offers.empty()) {
    return html + "<p>No offer was ranked.</p></section>\n";
  }
  html +=
      "<p>Ranked by price, then speed. All that were taken are paid the highest price among "
      "them" +
      (record.price_per_unit.empty() ? std::string()
                                     : ", " + escape(record.price_per_unit) + " a unit") +
      "; a unit is 10\xE2\x81\xB9 operations.</p>\n";
  Table table("Offers, best first",
              {"provider",
               "price a unit",
               "units a second",
               "memory",
               "processors",
               "device",
               "region",
               "outcome"});
  table.numbers({1, 2, 3, 4});
  for (const OfferRow& offer : record.offers) {
    const bool known = offer.operations_per_second > 0;
    table.row(
        {offer.provider,
         offer.price,
         known ? text_of_number(static_cast<double>(offer.operations_per_second) * 1e-9, 1) : "",
         text_of_size(offer.memory_bytes),
         offer.cpus > 0 ? std::to_string(offer.cpus) : "",
         offer.device,
         offer.region,
         (offer.taken ? "\xE2\x9C\x93 " : "\xE2\x80\x93 ") + offer.outcome},
        offer.taken ? "" : "off");
  }
  return html + table.html() + "</section>\n";
}

}  // namespace lockstep::apps
