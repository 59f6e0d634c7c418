// Contractions in plain C++ for every type: slow where the target has no fused multiply-add, right
// everywhere.
#include "tensor/contraction_engine.h"

namespace lockstep::tensor {
namespace {

inline float fused(float a, float b, float acc) {
  return __builtin_fmaf(a, b, acc);
}
inline double fused(double a, double b, double acc) {
  return __builtin_fma(a, b, acc);
}
/// Integers wrap. Unsigned types alone come here: the bits of signed ones are the same.
template <class T>
requires std::is_unsigned_v<T>
inline T fused(T a, T b, T acc) {
  using Wide = std::common_type_t<T, uint32_t>;  // uint16_t would promote to int and overflow
  return static_cast<T>(static_cast<Wide>(a) * static_cast<Wide>(b) + static_cast<Wide>(acc));
}

template <class T>
T canonical(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    return value == value ? value : std::numeric_limits<T>::quiet_NaN();
  }
  return value;
}

template <class T, int width>
void run_tile(const Tile<T>& tile) {
  for (int i = 0; i < tile.rows; ++i) {
    T acc[width] = {};
    const T* b = tile.b;
    for (int64_t t = 0; t < tile.terms; ++t, b += tile.b_step) {
      const T a = tile.a[i][tile.offsets[t]];
      for (int column = 0; column < width; ++column) {
        acc[column] = fused(a, b[column], acc[column]);
      }
    }
    T* out = tile.out[i];
    for (int column = 0; column < tile.columns; ++column) {
      const T sum = tile.first ? acc[column] : static_cast<T>(out[column] + acc[column]);
      out[column] = tile.last ? canonical(sum) : sum;
    }
  }
}

template <class T>
struct PortableMicro {
  static int rows(int) { return tile_rows_max; }
  static void run(const Tile<T>& tile) {
    tile.width == panel_wide ? run_tile<T, panel_wide>(tile) : run_tile<T, panel_narrow>(tile);
  }
};

/// Bytes of the unsigned type that computes `type`; 0 for floating and other types.
int integer_bytes(law::DType type) {
  switch (type) {
    case law::DType::i8:
    case law::DType::u8:
      return 1;
    case law::DType::i16:
    case law::DType::u16:
      return 2;
    case law::DType::i32:
    case law::DType::u32:
      return 4;
    case law::DType::i64:
    case law::DType::u64:
      return 8;
    default:
      return 0;
  }
}

/// Calls visit(T{}) with the type that computes `type`, which applies() has accepted.
template <class Visit>
auto with_type(law::DType type, const Visit& visit) {
  if (type == law::DType::f32) {
    return visit(float{});
  }
  if (type == law::DType::f64) {
    return visit(double{});
  }
  switch (integer_bytes(type)) {
    case 1:
      return visit(uint8_t{});
    case 2:
      return visit(uint16_t{});
    case 4:
      return visit(uint32_t{});
    default:
      return visit(uint64_t{});
  }
}

bool applies(const law::Op& op) {
  const law::DType type = op.record->out.type;
  return is_contraction(op.record->kind) &&
         (type == law::DType::f32 || type == law::DType::f64 || integer_bytes(type) != 0) &&
         plan_contraction(op).fits;
}

size_t scratch_bytes(const law::Op& op, int workers) {
  return with_type(op.record->out.type,
                   [&](auto zero) { return contraction_scratch<decltype(zero)>(op, workers); });
}

void run(const Call& call) {
  with_type(call.op.record->out.type, [&](auto zero) {
    using T = decltype(zero);
    Contraction<T, PortableMicro<T>>(call).run();
  });
}

constexpr Kernel kernels[] = {{"contraction portable", applies, scratch_bytes, run}};

}  // namespace

std::span<const Kernel> contraction_kernels_portable() {
  return kernels;
}

}  // namespace lockstep::tensor
