// Canonical bytes of plain records that list their fields once, in `each`:
//   template <class Self, class Visit> static void each(Self& self, Visit&& visit)
//   { visit(self.first, self.second); }
// One value has exactly one encoding, and every decoder refuses what no encoder writes.
#pragma once

#include <optional>
#include <type_traits>
#include <variant>

#include "base/amount.h"
#include "codec/codec.h"

namespace lockstep::codec {

template <class T>
concept Record = requires(T& value) {
  T::each(value, [](auto&...) {});
};
/// An enumeration counts from 0 and names its last value: `constexpr E last_of(E)`.
template <class T>
concept Choice = std::is_enum_v<T> && requires(T value) {
  last_of(value);
};

/// The longest byte string or text in a record; a block's transactions are bounded by it too.
inline constexpr size_t field_bytes_max = size_t{4} << 20;

namespace detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_variant = false;
template <class... T>
inline constexpr bool is_variant<std::variant<T...>> = true;
template <class T>
inline constexpr bool is_byte_array = false;
template <size_t n>
inline constexpr bool is_byte_array<std::array<uint8_t, n>> = true;
template <class>
inline constexpr bool never = false;

}  // namespace detail

template <class T>
void put(Writer& writer, const T& value) {
  if constexpr (Record<T>) {
    T::each(value, [&](const auto&... field) { (put(writer, field), ...); });
  } else if constexpr (std::is_same_v<T, bool>) {
    writer.number<uint8_t>(value ? 1 : 0);
  } else if constexpr (std::is_enum_v<T>) {
    writer.number(static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (Number<T>) {
    writer.number(value);
  } else if constexpr (std::is_same_v<T, Hash>) {
    writer.hash(value);
  } else if constexpr (std::is_same_v<T, Amount>) {
    writer.number(value.nano());
  } else if constexpr (std::is_same_v<T, std::string>) {
    writer.string(std::string_view(value));
  } else if constexpr (std::is_same_v<T, Bytes>) {
    writer.string(ByteView(value));
  } else if constexpr (detail::is_byte_array<T>) {
    writer.raw(value);
  } else if constexpr (detail::is_optional<T>) {
    put(writer, value.has_value());
    if (value) {
      put(writer, *value);
    }
  } else if constexpr (detail::is_vector<T>) {
    writer.number(static_cast<uint32_t>(value.size()));
    for (const auto& entry : value) {
      put(writer, entry);
    }
  } else if constexpr (detail::is_variant<T>) {
    writer.number(static_cast<uint8_t>(value.index()));
    std::visit([&](const auto& chosen) { put(writer, chosen); }, value);
  } else {
    static_assert(detail::never<T>, "this type has no canonical bytes");
  }
}

template <class T>
Result<T> take(Reader& reader);

namespace detail {

template <class T>
Result<T> take_number(Reader& reader) {
  if constexpr (std::is_same_v<T, bool>) {
    const auto byte = TRY(reader.number<uint8_t>());
    if (byte > 1) {
      return refuse(Code::not_canonical, "a flag is neither 0 nor 1");
    }
    return byte == 1;
  } else if constexpr (std::is_enum_v<T>) {
    static_assert(Choice<T>, "an encoded enumeration needs last_of()");
    const auto number = TRY(reader.number<std::underlying_type_t<T>>());
    if (number > static_cast<std::underlying_type_t<T>>(last_of(T{}))) {
      return refuse(Code::not_canonical, "a choice is none of those known");
    }
    return static_cast<T>(number);
  } else {
    return reader.number<T>();
  }
}

template <class T>
Result<T> take_vector(Reader& reader) {
  // Every entry takes at least a byte, so the count is bounded by what is left.
  const uint32_t count = TRY(reader.count(field_bytes_max, 1));
  T value;
  for (uint32_t i = 0; i < count; ++i) {
    value.push_back(TRY(take<typename T::value_type>(reader)));
  }
  return value;
}

template <class T, size_t index = 0>
Result<T> take_variant(Reader& reader, size_t chosen) {
  if constexpr (index == std::variant_size_v<T>) {
    return refuse(Code::not_canonical, "a kind is none of those known");
  } else if (chosen == index) {
    using Chosen = std::variant_alternative_t<index, T>;
    return T(std::in_place_index<index>, TRY(take<Chosen>(reader)));
  } else {
    return take_variant<T, index + 1>(reader, chosen);
  }
}

template <class T>
void take_field(Reader& reader, T& field, std::optional<Error>& error) {
  if (error) {
    return;
  }
  auto taken = take<T>(reader);
  if (taken.ok()) {
    field = std::move(taken).value();
  } else {
    error = taken.error();
  }
}

template <class T>
Result<T> take_record(Reader& reader) {
  T value{};
  std::optional<Error> error;
  T::each(value, [&](auto&... field) { (take_field(reader, field, error), ...); });
  if (error) {
    return *error;
  }
  return value;
}

}  // namespace detail

template <class T>
Result<T> take(Reader& reader) {
  if constexpr (Record<T>) {
    return detail::take_record<T>(reader);
  } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    return detail::take_number<T>(reader);
  } else if constexpr (std::is_same_v<T, Hash>) {
    return reader.hash();
  } else if constexpr (std::is_same_v<T, Amount>) {
    return Amount::from_nano(TRY(reader.number<int64_t>()));
  } else if constexpr (std::is_same_v<T, std::string>) {
    return reader.text(field_bytes_max);
  } else if constexpr (std::is_same_v<T, Bytes>) {
    const ByteView view = TRY(reader.string(field_bytes_max));
    return Bytes(view.begin(), view.end());
  } else if constexpr (detail::is_byte_array<T>) {
    T value{};
    const ByteView view = TRY(reader.raw(value.size()));
    std::memcpy(value.data(), view.data(), value.size());
    return value;
  } else if constexpr (detail::is_optional<T>) {
    if (!TRY(detail::take_number<bool>(reader))) {
      return T{};
    }
    return T(TRY(take<typename T::value_type>(reader)));
  } else if constexpr (detail::is_vector<T>) {
    return detail::take_vector<T>(reader);
  } else if constexpr (detail::is_variant<T>) {
    return detail::take_variant<T>(reader, TRY(reader.number<uint8_t>()));
  } else {
    static_assert(detail::never<T>, "this type has no canonical bytes");
  }
}

template <class T>
[[nodiscard]] Bytes encode(const T& value) {
  Writer writer;
  put(writer, value);
  return std::move(writer).bytes();
}

/// Errors: truncated, too_large, not_canonical, trailing_bytes.
template <class T>
[[nodiscard]] Result<T> decode(ByteView bytes) {
  Reader reader(bytes);
  T value = TRY(take<T>(reader));
  TRY(reader.finish());
  return value;
}

}  // namespace lockstep::codec
