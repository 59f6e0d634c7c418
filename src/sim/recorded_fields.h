// Bytes of any value that a node's effects hold, for hashing: records by their codec, other plain
// structures field by field. Not for use outside the module.
#pragma once

#include <bit>

#include "codec/record.h"
#include "node/node.h"

namespace lockstep::sim::fields {

/// Converts to anything; only named where nothing is evaluated.
struct Anything {
  template <class T>
  operator T() const;  // NOLINT(google-explicit-constructor)
};

/// How many fields a plain structure has.
template <class T, class... Known>
constexpr size_t count_fields() {
  if constexpr (requires { T{Known{}..., Anything{}}; }) {
    return count_fields<T, Known..., Anything>();
  } else {
    return sizeof...(Known);
  }
}
template <class T>
inline constexpr size_t fields_of = count_fields<T>();
template <>
inline constexpr size_t fields_of<node::TableTold> = 3;
template <>
inline constexpr size_t fields_of<node::JobFinished> = 4;
template <>
inline constexpr size_t fields_of<model::LeafInput> = 3;

template <class T>
inline constexpr bool is_pair = false;
template <class A, class B>
inline constexpr bool is_pair<std::pair<A, B>> = true;

template <class T>
void put_any(codec::Writer& writer, const T& value);

template <class... Fields>
void put_each(codec::Writer& writer, const Fields&... fields) {
  (put_any(writer, fields), ...);
}

template <class T>
void put_fields(codec::Writer& writer, const T& value) {
  constexpr size_t count = fields_of<T>;
  static_assert(count <= 7);
  if constexpr (count == 1) {
    const auto& [a] = value;
    put_each(writer, a);
  } else if constexpr (count == 2) {
    const auto& [a, b] = value;
    put_each(writer, a, b);
  } else if constexpr (count == 3) {
    const auto& [a, b, c] = value;
    put_each(writer, a, b, c);
  } else if constexpr (count == 4) {
    const auto& [a, b, c, d] = value;
    put_each(writer, a, b, c, d);
  } else if constexpr (count == 5) {
    const auto& [a, b, c, d, e] = value;
    put_each(writer, a, b, c, d, e);
  } else if constexpr (count == 6) {
    const auto& [a, b, c, d, e, f] = value;
    put_each(writer, a, b, c, d, e, f);
  } else if constexpr (count == 7) {
    const auto& [a, b, c, d, e, f, g] = value;
    put_each(writer, a, b, c, d, e, f, g);
  }
}

template <class T>
void put_any(codec::Writer& writer, const T& value) {
  if constexpr (std::is_same_v<T, double>) {
    writer.number(std::bit_cast<uint64_t>(value));
  } else if constexpr (std::is_same_v<T, const model::ProgramRef*>) {
    writer.hash(value->root);
  } else if constexpr (std::is_same_v<T, Bytes> || std::is_same_v<T, std::string> ||
                       std::is_same_v<T, Hash> || std::is_same_v<T, Amount> ||
                       std::is_arithmetic_v<T> || std::is_enum_v<T> || codec::Record<T>) {
    codec::put(writer, value);
  } else if constexpr (is_pair<T>) {
    put_each(writer, value.first, value.second);
  } else if constexpr (codec::detail::is_optional<T>) {
    codec::put(writer, value.has_value());
    if (value) {
      put_any(writer, *value);
    }
  } else if constexpr (codec::detail::is_vector<T>) {
    writer.number(static_cast<uint32_t>(value.size()));
    for (const auto& entry : value) {
      put_any(writer, entry);
    }
  } else if constexpr (codec::detail::is_variant<T>) {
    writer.number(static_cast<uint8_t>(value.index()));
    std::visit([&](const auto& chosen) { put_any(writer, chosen); }, value);
  } else {
    put_fields(writer, value);
  }
}

}  // namespace lockstep::sim::fields
