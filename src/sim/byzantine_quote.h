// Quotes that somebody changes. Not for use outside the module.
#pragma once

#include "base/amount.h"
#include "base/bytes.h"

namespace lockstep::sim {

/// The body of a quote, with another price.
[[nodiscard]] Bytes at_a_price(const Bytes& quote, Amount price);

}  // namespace lockstep::sim
