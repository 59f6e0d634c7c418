// The hours in which a machine works for others, as its owner writes them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/slice.h"

namespace lockstep::spec {

/// Reads "22:00-07:00, mon-fri idle, sat+sun 08:00-24:00 idle:30". Items are separated by commas
/// and any one of them allows work; all words of one item must hold: days on which it begins (mon
/// to sun, a-b, joined by +), a stretch of local time that may go past midnight, and `idle` (the
/// owner has left the machine alone for 10 minutes) or `idle:N` (for N minutes, at most 1440). An
/// item of days alone is refused, as "mon,wed 22:00-07:00" would lend the whole Monday. `always`
/// stands by itself. `where` names the flag or place in messages. Errors: wrong_type, out_of_range.
[[nodiscard]] Result<std::vector<model::Hours>> parse_when(std::string_view text,
                                                           std::string_view where);
/// Text that parse_when() reads back to the same hours.
[[nodiscard]] std::string text_of(const std::vector<model::Hours>& when);

}  // namespace lockstep::spec
