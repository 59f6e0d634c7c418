// The canonical bytes of everything hashed, signed, stored or sent: fixed-width little-endian
// integers, byte strings and lists with a u32 length. One value has exactly one encoding.
#pragma once

#include <bit>
#include <concepts>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace lockstep::codec {

static_assert(std::endian::native == std::endian::little, "big-endian machines are not supported");

/// Integers only: a byte that is neither 0 nor 1 must never become a bool.
template <class T>
concept Number = std::integral<T> && !std::same_as<T, bool>;

class Writer {
 public:
  template <Number T>
  void number(T value) {
    const size_t at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }
  void hash(const Hash& hash) { raw(hash.view()); }
  /// Without a length: only where the reader knows the size.
  void raw(ByteView bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void string(ByteView bytes);
  void string(std::string_view text);
  [[nodiscard]] const Bytes& bytes() const& { return bytes_; }
  [[nodiscard]] Bytes bytes() && { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

/// Reads what Writer wrote. Every length is compared with what is left before anything is
/// allocated. Errors: truncated, too_large, trailing_bytes.
class Reader {
 public:
  explicit Reader(ByteView bytes) : left_(bytes) {}
  template <Number T>
  Result<T> number() {
    if (left_.size() < sizeof(T)) {
      return short_input();
    }
    T value{};
    std::memcpy(&value, left_.data(), sizeof value);
    left_ = left_.subspan(sizeof value);
    return value;
  }
  Result<Hash> hash();
  Result<ByteView> raw(size_t size);
  Result<ByteView> string(size_t bytes_max);
  Result<std::string> text(size_t bytes_max);
  /// A list's count: at most `count_max`, and each entry is known to take at least
  /// `entry_bytes_min`.
  Result<uint32_t> count(size_t count_max, size_t entry_bytes_min);
  /// Refuses bytes after the last field.
  Result<void> finish() const;
  [[nodiscard]] size_t left() const { return left_.size(); }

 private:
  static Error short_input();
  ByteView left_;
};

}  // namespace lockstep::codec
