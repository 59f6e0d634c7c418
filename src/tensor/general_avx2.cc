// The AVX2 table of general kernels: what a training step spends its time in. Everything else
// falls to the portable table.
#include "tensor/kernel.h"

#if defined(__x86_64__)

#include "tensor/general_avx2.h"

namespace lockstep::tensor {
namespace {

using law::DType;
using law::Kind;

/// Integer maps gain nothing here; a map with no f32 in it stays portable.
bool map_applies(const law::Op& op) {
  if (op.record->kind != Kind::map) {
    return false;
  }
  const auto is_f32 = [](const law::Shape& shape) { return shape.type == DType::f32; };
  return is_f32(op.record->out) || std::any_of(op.in.begin(), op.in.end(), is_f32);
}

/// Fewer channels than half a vector are not worth a mask.
template <Kind kind>
bool pool_applies(const law::Op& op) {
  return op.record->kind == kind && op.record->out.type == DType::f32 &&
         op.in[0].dims[3] >= vector_lanes / 2;
}

/// Rows of less than a vector gain nothing.
bool scatter_add_applies(const law::Op& op) {
  return op.record->kind == Kind::scatter_add && op.record->out.type == DType::f32 &&
         op.record->out.count() >= op.in[0].dims[0] * vector_lanes;
}

void run_map_avx2(const Call& call) {
  run_map(call, map_step_avx2);
}

constexpr std::array avx2_kernels{
    Kernel{"map_avx2", map_applies, map_scratch, run_map_avx2},
    Kernel{"reduce_avx2", reduce_avx2_applies, no_scratch, run_reduce_avx2},
    Kernel{"max_pool_avx2", pool_applies<Kind::max_pool>, no_scratch, run_max_pool_avx2},
    Kernel{"max_pool_grad_avx2",
           pool_applies<Kind::max_pool_grad>,
           no_scratch,
           run_max_pool_grad_avx2},
    Kernel{
        "average_pool_avx2", pool_applies<Kind::average_pool>, no_scratch, run_average_pool_avx2},
    Kernel{"average_pool_grad_avx2",
           pool_applies<Kind::average_pool_grad>,
           no_scratch,
           run_average_pool_grad_avx2},
    Kernel{"scatter_add_avx2", scatter_add_applies, no_scratch, run_scatter_add_avx2},
    Kernel{"random_avx2", is_kind<Kind::random>, no_scratch, run_random_avx2},
};

}  // namespace

std::span<const Kernel> general_kernels_avx2() {
  return avx2_kernels;
}

}  // namespace lockstep::tensor

#else

namespace lockstep::tensor {
std::span<const Kernel> general_kernels_avx2() {
  return {};
}
}  // namespace lockstep::tensor

#endif
