// For tests only: random values of any record, and the properties that every canonical encoding
// has.
#pragma once

#include <limits>

#include "base/test_random.h"
#include "codec/record.h"

namespace lockstep::codec::test {

using Random = TestRandom;

template <class T>
T random_value(Random& random);

namespace detail {

template <class T, size_t index = 0>
T random_variant(Random& random, size_t chosen) {
  if constexpr (index + 1 < std::variant_size_v<T>) {
    if (chosen != index) {
      return random_variant<T, index + 1>(random, chosen);
    }
  }
  return T(std::in_place_index<index>, random_value<std::variant_alternative_t<index, T>>(random));
}

/// Zero and the largest value come more often than chance would have it.
template <class T>
T random_number(Random& random) {
  switch (random.below(4)) {
    case 0:
      return T{0};
    case 1:
      return std::numeric_limits<T>::max();
    default:
      return static_cast<T>(random.next());
  }
}

}  // namespace detail

/// Lists, texts and byte strings have up to three entries.
template <class T>
T random_value(Random& random) {
  constexpr size_t entries_max = 3;
  T value{};
  if constexpr (Record<T>) {
    T::each(value, [&](auto&... field) {
      ((field = random_value<std::remove_reference_t<decltype(field)>>(random)), ...);
    });
  } else if constexpr (std::is_same_v<T, bool>) {
    value = random.below(2) == 1;
  } else if constexpr (std::is_enum_v<T>) {
    value = static_cast<T>(random.below(static_cast<uint64_t>(last_of(T{})) + 1));
  } else if constexpr (Number<T>) {
    value = detail::random_number<T>(random);
  } else if constexpr (std::is_same_v<T, Hash>) {
    value.bytes = random_value<std::array<uint8_t, 32>>(random);
  } else if constexpr (std::is_same_v<T, Amount>) {
    value = Amount::from_nano(detail::random_number<int64_t>(random));
  } else if constexpr (codec::detail::is_byte_array<T>) {
    for (uint8_t& byte : value) {
      byte = static_cast<uint8_t>(random.next());
    }
  } else if constexpr (codec::detail::is_optional<T>) {
    if (random.below(2) == 1) {
      value = random_value<typename T::value_type>(random);
    }
  } else if constexpr (codec::detail::is_variant<T>) {
    value = detail::random_variant<T>(random, random.below(std::variant_size_v<T>));
  } else {
    for (uint64_t count = random.below(entries_max + 1); count > 0; --count) {
      value.push_back(random_value<typename T::value_type>(random));
    }
  }
  return value;
}

/// What is wrong with the encoding of `value`; empty when it comes back the same, and no shorter or
/// longer bytes are read.
template <class T>
std::string encoding_fault(const T& value) {
  Bytes bytes = encode(value);
  const auto back = decode<T>(bytes);
  if (!back.ok()) {
    return "it is not read: " + back.error().message();
  }
  if (encode(*back) != bytes) {
    return "what is read encodes otherwise";
  }
  for (size_t size = 0; size < bytes.size(); ++size) {
    if (decode<T>(ByteView(bytes).first(size)).ok()) {
      return "it is read when cut after " + std::to_string(size) + " bytes";
    }
  }
  bytes.push_back(0);
  const auto longer = decode<T>(bytes);
  if (longer.ok() || longer.error().code != Code::trailing_bytes) {
    return "it is read with a byte after it";
  }
  return {};
}

/// One bit changed: refused, or another value with exactly these bytes.
template <class T>
bool reads_only_canonical(Bytes bytes, Random& random) {
  bytes[random.below(bytes.size())] ^= static_cast<uint8_t>(1U << random.below(8));
  const auto read = decode<T>(bytes);
  return !read.ok() || encode(*read) == bytes;
}

}  // namespace lockstep::codec::test
