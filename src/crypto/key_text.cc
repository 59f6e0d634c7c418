#include "crypto/key_text.h"

namespace lockstep::crypto {
namespace {

// A character stands for five bits; the letters that are taken for one another are not among them.
constexpr std::string_view alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr std::string_view prefix = "lk1";
constexpr size_t data_chars = 52;  // 256 bits and four that are zero
constexpr size_t check_chars = 6;
constexpr uint32_t good_remainder = 0x2bc830a3;
static_assert(key_text_size == prefix.size() + data_chars + check_chars);

/// The remainder of a polynomial over GF(32), one coefficient after the other.
class Remainder {
 public:
  Remainder() {
    // What stands in front counts by its upper bits, a zero, and its lower bits.
    constexpr std::array<uint32_t, 2> front = {'l', 'k'};
    for (const uint32_t value : {front[0] >> 5, front[1] >> 5, 0U, front[0] & 31, front[1] & 31}) {
      add(value);
    }
  }
  void add(uint32_t value) {
    constexpr std::array<uint32_t, 5> generator = {
        0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
    const uint32_t top = value_ >> 25;
    value_ = (value_ & 0x1ffffff) << 5 ^ value;
    for (size_t bit = 0; bit < generator.size(); ++bit) {
      value_ ^= (top >> bit & 1) != 0 ? generator[bit] : 0;
    }
  }
  [[nodiscard]] uint32_t value() const { return value_; }

 private:
  uint32_t value_ = 1;
};

Error not_a_key(std::string what) {
  return refuse(Code::bad_address,
                std::move(what),
                "copy it whole from `lockstep wallet show` or from whoever gave it to you");
}

}  // namespace

std::string key_text(const PublicKey& key) {
  std::string text(prefix);
  text.reserve(key_text_size);
  Remainder remainder;
  for (size_t i = 0; i < data_chars; ++i) {
    uint32_t value = 0;
    for (size_t bit = 5 * i; bit < 5 * i + 5; ++bit) {
      const bool set = bit < 256 && (key.bytes[bit / 8] >> (7 - bit % 8) & 1) != 0;
      value = value << 1 | (set ? 1U : 0U);
    }
    remainder.add(value);
    text += alphabet[value];
  }
  for (size_t i = 0; i < check_chars; ++i) {
    remainder.add(0);
  }
  const uint32_t check = remainder.value() ^ good_remainder;
  for (size_t i = 0; i < check_chars; ++i) {
    text += alphabet[check >> 5 * (check_chars - 1 - i) & 31];
  }
  return text;
}

Result<PublicKey> parse_key(std::string_view text) {
  if (!text.starts_with(prefix)) {
    return not_a_key("a key begins with \"lk1\"");
  }
  if (text.size() != key_text_size) {
    return not_a_key("a key has 61 characters, this has " + std::to_string(text.size()));
  }
  PublicKey key;
  Remainder remainder;
  bool pad_is_zero = true;
  for (size_t i = 0; i < data_chars + check_chars; ++i) {
    const size_t value = alphabet.find(text[prefix.size() + i]);
    if (value == std::string_view::npos) {
      return not_a_key("character " + std::to_string(prefix.size() + i + 1) +
                       " of the key is none that keys are written with");
    }
    remainder.add(static_cast<uint32_t>(value));
    for (size_t bit = 0; bit < 5 && i < data_chars; ++bit) {
      const size_t at = 5 * i + bit;
      const bool set = (value >> (4 - bit) & 1) != 0;
      if (set && at < 256) {
        key.bytes[at / 8] |= static_cast<uint8_t>(0x80U >> at % 8);
      }
      pad_is_zero = pad_is_zero && !(set && at >= 256);
    }
  }
  if (remainder.value() != good_remainder || !pad_is_zero) {
    return not_a_key("the key has a typo: its checksum does not fit");
  }
  return key;
}

}  // namespace lockstep::crypto
