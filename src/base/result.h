// Errors as values: Error, Result<T> and TRY. No exceptions cross a module border.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/codes.h"

namespace lockstep {

/// What went wrong, why, and what to do next. `where` names the file, field or flag at fault
/// (for text files "path:line:column"); it may be empty.
struct Error {
  Code code = Code::internal;
  std::string where;
  std::string what;
  std::string next;

  /// A refusal is the caller's input at fault; a fault is ours (retry or report).
  [[nodiscard]] bool is_fault() const { return static_cast<uint16_t>(code) >= first_fault_code; }
  /// One line for people: `where: what. next [E123]`.
  [[nodiscard]] std::string message() const;
};

[[nodiscard]] inline Error refuse(Code code,
                                  std::string what,
                                  std::string next = {},
                                  std::string where = {}) {
  return Error{code, std::move(where), std::move(what), std::move(next)};
}

/// A value or an Error. Reading the side that is not there aborts.
template <class T>
class [[nodiscard]] Result {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): a function returns its value as it is
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] T& value() & { return present(std::get_if<0>(&state_)); }
  [[nodiscard]] const T& value() const& { return present(std::get_if<0>(&state_)); }
  [[nodiscard]] T&& value() && { return std::move(value()); }
  [[nodiscard]] const Error& error() const { return present(std::get_if<1>(&state_)); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  template <class U>
  static U& present(U* side) {
    if (side == nullptr) [[unlikely]] {
      std::abort();
    }
    return *side;
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(Error error) : error_(std::move(error)) {}
  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  void value() const {}
  [[nodiscard]] const Error& error() const {
    if (ok()) {
      std::abort();
    }
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace lockstep

/// Evaluates a Result; on success yields its value, otherwise returns its Error from the function.
/// Each use has a variable of its own name, so that uses may nest.
#define TRY(expression) LOCKSTEP_TRY_COUNTED(expression, __COUNTER__)
#define LOCKSTEP_TRY_COUNTED(expression, count) LOCKSTEP_TRY_NAMED(expression, count)
#define LOCKSTEP_TRY_NAMED(expression, count)               \
  __extension__({                                           \
    auto try_result_##count = (expression);                 \
    if (!try_result_##count.ok()) [[unlikely]] {            \
      return ::lockstep::Error(try_result_##count.error()); \
    }                                                       \
    std::move(try_result_##count).value();                  \
  })
