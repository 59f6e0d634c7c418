// Bytes that nobody may see: wiped when they go, never printed, never encoded.
#pragma once

#include <span>
#include <string_view>

#include "base/bytes.h"

namespace lockstep::crypto {

/// Overwrites in a way that no compiler leaves out.
void wipe(std::span<uint8_t> bytes);

/// A fixed number of secret bytes.
template <size_t n>
class Secret {
 public:
  Secret() = default;
  ~Secret() { wipe(bytes_); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }
  Secret& operator=(Secret&&) = delete;
  [[nodiscard]] std::array<uint8_t, n>& bytes() { return bytes_; }
  [[nodiscard]] const std::array<uint8_t, n>& bytes() const { return bytes_; }

 private:
  std::array<uint8_t, n> bytes_{};
};

using Seed = Secret<32>;

/// A text that a person types. It has room for the longest, so that it never moves in memory
/// and leaves a copy behind.
class SecretText {
 public:
  static constexpr size_t bytes_max = 1024;
  SecretText() = default;
  ~SecretText() { wipe(bytes_); }
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  SecretText(SecretText&& other) noexcept : bytes_(other.bytes_), size_(other.size_) {
    other.clear();
  }
  SecretText& operator=(SecretText&&) = delete;

  /// False when there is no room left: the text is as before.
  [[nodiscard]] bool add(char letter) {
    if (size_ == bytes_max) {
      return false;
    }
    bytes_[size_++] = static_cast<uint8_t>(letter);
    return true;
  }
  void drop_last() { size_ -= size_ > 0 ? 1 : 0; }
  void clear() {
    wipe(bytes_);
    size_ = 0;
  }
  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes_.data()), size_};
  }

 private:
  std::array<uint8_t, bytes_max> bytes_{};
  size_t size_ = 0;
};

}  // namespace lockstep::crypto
