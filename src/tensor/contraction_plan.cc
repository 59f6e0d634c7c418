// How each of the four kinds maps to dense problems. LAW section 2 fixes the order of terms.
#include "tensor/contraction_plan.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace lockstep::tensor {
namespace {

using law::Kind;

/// Taps of one axis that reach outputs i = residue (mod stride) of the input gradient: every
/// `every`-th from `first`. Term by term the place in dy falls by `fall`; it begins at `y`.
struct Taps {
  int64_t first = 0, every = 1, count = 0, fall = 0, y = 0;
};

Taps taps_of(const Axis& axis, int64_t residue) {
  Taps taps;
  taps.every = axis.stride / std::gcd(axis.dilation, axis.stride);
  taps.fall = axis.dilation * taps.every / axis.stride;
  for (int64_t k = 0; k < std::min(axis.k, taps.every); ++k) {
    const int64_t reach = residue + axis.low - axis.dilation * k;
    if (reach % axis.stride == 0) {
      taps.first = k;
      taps.count = (axis.k - 1 - k) / taps.every + 1;
      taps.y = reach / axis.stride;
      break;
    }
  }
  return taps;
}

int64_t classes(const Axis& axis) {
  return std::min(axis.stride, axis.x);
}

Problem contract_problem(const Plan& plan, int64_t batch) {
  Problem p;
  p.a = batch * plan.m * plan.k;
  p.b = batch * plan.k * plan.columns;
  p.out = batch * plan.m * plan.columns;
  p.rows.size[2] = plan.m;
  p.rows.a[2] = plan.a_transposed ? 1 : plan.k;
  p.rows.b[2] = plan.columns;
  p.terms.size[2] = plan.k;
  p.terms.a[2] = plan.a_transposed ? plan.m : 1;
  p.terms.b[2] = plan.b_transposed ? 1 : plan.columns;
  p.columns = plan.columns;
  p.b_column = plan.b_transposed ? plan.k : 1;
  return p;
}

/// The weight gradient is the forward convolution with rows and terms exchanged.
Problem conv_problem(const Plan& plan, int64_t group) {
  const int64_t depth = plan.ci / plan.groups;
  Problem p;
  p.columns = plan.co / plan.groups;
  p.a = group * depth;
  p.b = p.out = group * p.columns;
  const Loop places{{plan.n, plan.h.y, plan.w.y},
                    {plan.a_plane, plan.h.stride * plan.a_line, plan.w.stride * plan.ci},
                    {plan.h.y * plan.w.y * plan.co, plan.w.y * plan.co, plan.co}};
  const Loop taps{{plan.h.k, plan.w.k, depth},
                  {plan.h.dilation * plan.a_line, plan.w.dilation * plan.ci, 1},
                  {plan.w.k * depth * plan.co, depth * plan.co, plan.co}};
  const bool forward = plan.kind == Kind::conv;
  p.rows = forward ? places : taps;
  p.terms = forward ? taps : places;
  return p;
}

/// Outputs with equal residues (mod strides) have the same taps: one problem for each residue.
Problem input_grad_problem(const Plan& plan, int64_t index) {
  const int64_t across = index % classes(plan.w);
  const int64_t down = index / classes(plan.w) % classes(plan.h);
  const int64_t group = index / classes(plan.w) / classes(plan.h);
  const Taps h = taps_of(plan.h, down);
  const Taps w = taps_of(plan.w, across);
  const int64_t depth = plan.ci / plan.groups;
  const int64_t group_outputs = plan.co / plan.groups;
  Problem p;
  p.columns = depth;
  p.b_column = plan.co;
  p.a = (h.y + plan.padding.low_h) * plan.a_line + (w.y + plan.padding.low_w) * plan.co +
        group * group_outputs;
  p.b = (h.first * plan.w.k + w.first) * depth * plan.co + group * group_outputs;
  p.out = (down * plan.w.x + across) * plan.ci + group * depth;
  p.rows = Loop{
      {plan.n,
       (plan.h.x - down + plan.h.stride - 1) / plan.h.stride,
       (plan.w.x - across + plan.w.stride - 1) / plan.w.stride},
      {plan.a_plane, plan.a_line, plan.co},
      {plan.h.x * plan.w.x * plan.ci, plan.h.stride * plan.w.x * plan.ci, plan.w.stride * plan.ci}};
  p.terms = Loop{{h.count, w.count, group_outputs},
                 {-h.fall * plan.a_line, -w.fall * plan.co, 1},
                 {h.every * plan.w.k * depth * plan.co, w.every * depth * plan.co, 1}};
  return p;
}

/// What the taps of one axis reach of the first operand: [-low, size - low).
struct Reach {
  int64_t low = 0, size = 0;
};

/// False where the sizes overflow.
bool reach_of(const Axis& axis, bool input_grad, Reach& reach) {
  int64_t span = 0;
  if (__builtin_mul_overflow(axis.dilation, std::max<int64_t>(axis.k, 1) - 1, &span) ||
      span > limits::elements_max || axis.low > limits::elements_max) {
    return false;
  }
  if (input_grad) {
    reach.low = std::max<int64_t>(0, span - axis.low) / axis.stride;
    reach.size = axis.x == 0 ? 0 : reach.low + (axis.x - 1 + axis.low) / axis.stride + 1;
    return true;
  }
  int64_t last = 0;
  if (__builtin_mul_overflow(std::max<int64_t>(axis.y, 1) - 1, axis.stride, &last)) {
    return false;
  }
  reach.low = axis.low;
  return !__builtin_add_overflow(last, span + 1, &reach.size);
}

void plan_padding(Plan& plan) {
  const bool input_grad = plan.kind == Kind::conv_input_grad;
  Reach h;
  Reach w;
  if (!reach_of(plan.h, input_grad, h) || !reach_of(plan.w, input_grad, w)) {
    return;
  }
  Padding& padding = plan.padding;
  padding.n = plan.n;
  padding.h = input_grad ? plan.h.y : plan.h.x;
  padding.w = input_grad ? plan.w.y : plan.w.x;
  padding.c = input_grad ? plan.co : plan.ci;
  padding.low_h = h.low;
  padding.low_w = w.low;
  padding.high = h.size;
  padding.wide = w.size;
  padding.needed = h.low != 0 || w.low != 0 || padding.high > padding.h || padding.wide > padding.w;
  int64_t count = 0;
  plan.fits = !__builtin_mul_overflow(padding.n, padding.high, &count) &&
              !__builtin_mul_overflow(count, padding.wide, &count) &&
              !__builtin_mul_overflow(count, padding.c, &count) && count <= limits::elements_max;
  if (plan.fits) {
    plan.a_line = (padding.needed ? padding.wide : padding.w) * padding.c;
    plan.a_plane = (padding.needed ? padding.high : padding.h) * plan.a_line;
  }
}

Plan plan_contract(const law::Op& op) {
  const auto& attributes = std::get<law::ContractAttr>(op.record->attributes);
  const law::Dims& out = op.record->out.dims;
  Plan plan;
  plan.fits = true;
  plan.problems = out[0];
  plan.m = plan.most_rows = out[1];
  plan.columns = out[2];
  plan.a_transposed = attributes.a_transposed;
  plan.b_transposed = attributes.b_transposed;
  plan.k = op.in[0].dims[plan.a_transposed ? 1 : 2];
  return plan;
}

}  // namespace

Plan plan_contraction(const law::Op& op) {
  const Kind kind = op.record->kind;
  if (kind == Kind::contract) {
    return plan_contract(op);
  }
  const auto& attributes = std::get<law::ConvAttr>(op.record->attributes);
  const law::Dims& out = op.record->out.dims;
  const law::Dims& x = kind == Kind::conv_input_grad ? out : op.in[0].dims;
  const law::Dims& w = kind == Kind::conv_weight_grad ? out : op.in[1].dims;
  const law::Dims& y = kind == Kind::conv               ? out
                       : kind == Kind::conv_weight_grad ? op.in[1].dims
                                                        : op.in[0].dims;
  Plan plan;
  plan.kind = kind;
  plan.n = x[0];
  plan.ci = x[3];
  plan.co = w[3];
  plan.groups = attributes.groups;
  plan.h = {x[1], w[0], y[1], attributes.stride_h, attributes.dilation_h, attributes.pad_top};
  plan.w = {x[2], w[1], y[2], attributes.stride_w, attributes.dilation_w, attributes.pad_left};
  plan_padding(plan);
  plan.problems = plan.groups;
  plan.columns = plan.co / plan.groups;
  if (kind == Kind::conv) {
    plan.most_rows = y[0] * y[1] * y[2];
  } else if (kind == Kind::conv_weight_grad) {
    plan.most_rows = w[0] * w[1] * w[2];
  } else {
    plan.problems = plan.groups * classes(plan.h) * classes(plan.w);
    plan.columns = plan.ci / plan.groups;
    plan.most_rows = plan.problems == 0 ? 0 : problem_of(plan, 0).rows.count();
  }
  return plan;
}

Problem problem_of(const Plan& plan, int64_t index) {
  CHECK(index >= 0 && index < plan.problems);
  switch (plan.kind) {
    case Kind::contract:
      return contract_problem(plan, index);
    case Kind::conv_input_grad:
      return input_grad_problem(plan, index);
    default:
      return conv_problem(plan, index);
  }
}

}  // namespace lockstep::tensor
