#include "codec/codec.h"

#include "base/check.h"

namespace lockstep::codec {

void Writer::string(ByteView bytes) {
  CHECK(bytes.size() <= UINT32_MAX);
  number(static_cast<uint32_t>(bytes.size()));
  raw(bytes);
}

void Writer::string(std::string_view text) {
  string(ByteView(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

Error Reader::short_input() {
  return refuse(Code::truncated, "the bytes end before the value does");
}

Result<Hash> Reader::hash() {
  const ByteView bytes = TRY(raw(sizeof(Hash::bytes)));
  Hash hash;
  std::memcpy(hash.bytes.data(), bytes.data(), bytes.size());
  return hash;
}

Result<ByteView> Reader::raw(size_t size) {
  if (left_.size() < size) {
    return short_input();
  }
  const ByteView bytes = left_.first(size);
  left_ = left_.subspan(size);
  return bytes;
}

Result<ByteView> Reader::string(size_t bytes_max) {
  const uint32_t size = TRY(number<uint32_t>());
  if (size > bytes_max) {
    return refuse(Code::too_large,
                  "a byte string of " + std::to_string(size) + " bytes, where at most " +
                      std::to_string(bytes_max) + " are allowed");
  }
  return raw(size);
}

Result<std::string> Reader::text(size_t bytes_max) {
  const ByteView bytes = TRY(string(bytes_max));
  return std::string(bytes.begin(), bytes.end());
}

Result<uint32_t> Reader::count(size_t count_max, size_t entry_bytes_min) {
  const uint32_t count = TRY(number<uint32_t>());
  if (count > count_max) {
    return refuse(Code::too_large,
                  "a list of " + std::to_string(count) + " entries, where at most " +
                      std::to_string(count_max) + " are allowed");
  }
  if (uint64_t{count} * entry_bytes_min > left_.size()) {
    return short_input();
  }
  return count;
}

Result<void> Reader::finish() const {
  if (!left_.empty()) {
    return refuse(Code::trailing_bytes,
                  std::to_string(left_.size()) + " bytes after the end of the value");
  }
  return {};
}

}  // namespace lockstep::codec
