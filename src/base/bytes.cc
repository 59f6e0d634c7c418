#include "base/bytes.h"

namespace lockstep {
namespace {

int digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

std::string to_hex(ByteView bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

Result<Bytes> from_hex(std::string_view text) {
  Bytes bytes(text.size() / 2);
  for (size_t i = 0; i < text.size(); ++i) {
    const int nibble = digit(text[i]);
    if (nibble < 0 || text.size() % 2 != 0) {
      return refuse(
          Code::not_canonical, "not hexadecimal text", "write an even number of the digits 0-9a-f");
    }
    bytes[i / 2] = static_cast<uint8_t>(bytes[i / 2] << 4 | nibble);
  }
  return bytes;
}

}  // namespace lockstep
