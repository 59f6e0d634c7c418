// What the rules of the type check share. For src/law/ only.
#pragma once

#include "law/fold_internal.h"

namespace lockstep::law {

[[nodiscard]] inline Error bad(std::string what) {
  return refuse(Code::bad_record, std::move(what));
}

[[nodiscard]] inline Result<void> require(bool condition, const char* what) {
  if (!condition) {
    return bad(what);
  }
  return {};
}

[[nodiscard]] inline Result<void> require_out(const Op& op, const Dims& dims) {
  if (op.record->out.dims != dims) {
    return bad("the output is " + text_of(op.record->out.dims) + ", its rule gives " +
               text_of(dims));
  }
  return {};
}

[[nodiscard]] inline bool is_integer(DType type) {
  return !is_float(type) && type != DType::boolean;
}
[[nodiscard]] inline bool computes(DType type) {
  return type == DType::f32 || type == DType::f64 || is_integer(type);
}

[[nodiscard]] inline bool within(int64_t value, int64_t low, int64_t high) {
  return value >= low && value <= high;
}

/// All inputs and the output have one type, and it computes.
[[nodiscard]] inline Result<void> one_type(const Op& op) {
  for (const Shape& shape : op.in) {
    TRY(require(shape.type == op.record->out.type, "input and output types differ"));
  }
  return require(computes(op.record->out.type), "this type is for storage, not for arithmetic");
}

/// The rules of the kinds that move elements: gathers, scatters, concatenate and the views.
[[nodiscard]] Result<void> check_move(const Op& op);

}  // namespace lockstep::law
