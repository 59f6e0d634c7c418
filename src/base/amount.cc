// Checked arithmetic on amounts and their text form.
#include "base/amount.h"

namespace lockstep {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

size_t count_digits(std::string_view text) {
  size_t count = 0;
  while (count < text.size() && is_digit(text[count])) {
    ++count;
  }
  return count;
}

Error not_money() {
  return refuse(Code::not_canonical,
                "not an amount of money",
                "write digits, at most nine decimals and the currency, like \"12.5 LKS\"");
}

Error too_much() {
  return refuse(
      Code::overflow, "the amount does not fit 64 bits of nano-LKS", "stay below 9223372036 LKS");
}

// Adds one decimal digit on the negative side, where 64 bits reach one further than on the
// positive.
bool append_digit(int64_t& negative, char digit) {
  return !__builtin_mul_overflow(negative, int64_t{10}, &negative) &&
         !__builtin_sub_overflow(negative, int64_t{digit - '0'}, &negative);
}

}  // namespace

Result<Amount> Amount::parse(std::string_view text) {
  const bool minus = text.starts_with('-');
  text.remove_prefix(minus ? 1 : 0);
  const std::string_view whole = text.substr(0, count_digits(text));
  text.remove_prefix(whole.size());
  std::string_view fraction;
  if (text.starts_with('.')) {
    fraction = text.substr(1, count_digits(text.substr(1)));
    text.remove_prefix(1 + fraction.size());
    if (fraction.empty() || fraction.size() > decimals) {
      return not_money();
    }
  }
  const bool leading_zero = whole.size() > 1 && whole.front() == '0';
  if (whole.empty() || leading_zero || !text.starts_with(' ') || text.substr(1) != currency) {
    return not_money();
  }
  int64_t negative = 0;
  bool fits = true;
  for (const char digit : whole) {
    fits = fits && append_digit(negative, digit);
  }
  for (size_t i = 0; i < decimals; ++i) {
    fits = fits && append_digit(negative, i < fraction.size() ? fraction[i] : '0');
  }
  if (!fits || (!minus && negative == INT64_MIN)) {
    return too_much();
  }
  return Amount(minus ? negative : -negative);
}

std::string Amount::print() const {
  const bool minus = nano_ < 0;
  const uint64_t size = minus ? uint64_t{0} - static_cast<uint64_t>(nano_)  // also for INT64_MIN
                              : static_cast<uint64_t>(nano_);
  std::string text = (minus ? "-" : "") + std::to_string(size / nano_per_whole);
  const std::string rest = std::to_string(size % nano_per_whole);
  std::string fraction = std::string(decimals - rest.size(), '0') + rest;
  fraction.erase(fraction.find_last_not_of('0') + 1);
  if (!fraction.empty()) {
    text += "." + fraction;
  }
  return text + " " + std::string(currency);
}

Result<Amount> Amount::add(Amount other) const {
  int64_t sum = 0;
  if (__builtin_add_overflow(nano_, other.nano_, &sum)) {
    return too_much();
  }
  return Amount(sum);
}

Result<Amount> Amount::subtract(Amount other) const {
  int64_t difference = 0;
  if (__builtin_sub_overflow(nano_, other.nano_, &difference)) {
    return too_much();
  }
  return Amount(difference);
}

Result<Amount> Amount::multiply(int64_t factor) const {
  int64_t product = 0;
  if (__builtin_mul_overflow(nano_, factor, &product)) {
    return too_much();
  }
  return Amount(product);
}

}  // namespace lockstep
