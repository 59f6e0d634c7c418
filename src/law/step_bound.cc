// The bound of a fold step: for each input the boxes that 64 outputs and some terms read, by kind.
#include "law/step_bound.h"

#include <algorithm>
#include <bit>

#include "law/fold_internal.h"
#include "law/step_boxes.h"
#include "law/taps.h"

namespace lockstep::law {
namespace {

// What the proof's parts take, encoded: numbers of 4 and 8 bytes, lengths of 4, a flag of 1.
constexpr int64_t hash_bytes = 32;
constexpr int64_t proof_frame_bytes = 512;  // the transaction's own fields and the proof's place
constexpr int64_t opening_frame_bytes = 20;
constexpr int64_t list_levels_max = 12;  // of 65,536 operators and the state roots before them
constexpr int64_t input_bytes = 45 + limits::chunk_bytes + list_levels_max * hash_bytes;
constexpr int64_t run_all = int64_t{1} << 62;

using Reaches = std::vector<Reach>;

/// One axis of `reaches` for each of `dims`.
Reaches over(const Dims& dims, const PerAxis& strides) {
  Reaches reaches;
  reaches.reserve(dims.size());
  for (size_t i = 0; i < dims.size(); ++i) {
    reaches.push_back({dims[i], strides[i]});
  }
  return reaches;
}

/// Adds up what a step of `terms` terms opens.
class Sum {
 public:
  Sum(const Op& op, int64_t terms) : op_(op), terms_(terms), openings_(op.in.size(), 0) {}

  /// Chunks of input `input` that reads of one kind touch: the outputs' axes, the terms' axes, and
  /// `window` read whole at each. `offset` in elements.
  [[nodiscard]] int64_t chunks(size_t input,
                               const Reaches& outputs,
                               const Reaches& terms,
                               int64_t offset = 0,
                               const Reaches& window = {}) const {
    const int64_t size = size_of(op_.in[input].type);
    std::vector<Part> parts;
    parts.push_back(part_of(limits::group_outputs, outputs, size));
    parts.push_back(part_of(terms_, terms, size));
    parts.push_back(part_of(run_all, window, size));
    return chunks_touched(parts, size, offset * size);
  }
  /// `per_term` elements are read for each term of each output, at most.
  void add(size_t input, int64_t chunks, int64_t per_term) {
    const Shape& shape = op_.in[input];
    const int64_t elements = limits::group_outputs * terms_ * per_term;
    const int64_t all = (shape.bytes() + limits::chunk_bytes - 1) / limits::chunk_bytes;
    openings_[input] = std::min(all, openings_[input] + std::min(chunks, elements));
  }
  void add(size_t input, const Reaches& outputs, const Reaches& terms, int64_t offset = 0) {
    add(input, chunks(input, outputs, terms, offset), 1);
  }
  /// One element of one of several inputs for each output.
  void limit_to_outputs() { total_max_ = limits::group_outputs; }
  [[nodiscard]] int64_t terms() const { return terms_; }
  [[nodiscard]] const Op& op() const { return op_; }

  [[nodiscard]] StepBound bound(int64_t state_bytes, int64_t reads) const {
    // One more for the state before, whose hash may need a path as an input's does.
    const int64_t around = proof_frame_bytes + input_bytes + state_bytes;
    StepBound bound{0, around, reads};
    int64_t inputs = 0;
    int64_t dearest = 0;
    for (size_t i = 0; i < openings_.size(); ++i) {
      const int64_t size = op_.in[i].bytes();
      const int64_t count = (size + limits::chunk_bytes - 1) / limits::chunk_bytes;
      const auto levels =
          count == 0 ? 0 : static_cast<int64_t>(std::bit_width(static_cast<uint64_t>(count - 1)));
      const int64_t opening =
          opening_frame_bytes + std::min(size, limits::chunk_bytes) + levels * hash_bytes;
      bound.openings += openings_[i];
      bound.bytes += openings_[i] * opening;
      dearest = openings_[i] > 0 ? std::max(dearest, opening) : dearest;
      inputs += openings_[i] > 0 ? 1 : 0;
    }
    bound.bytes += inputs * input_bytes;
    if (bound.openings > total_max_) {
      bound.openings = total_max_;
      bound.bytes = around + total_max_ * (dearest + input_bytes);
    }
    return bound;
  }

 private:
  const Op& op_;
  int64_t terms_;
  std::vector<int64_t> openings_;
  int64_t total_max_ = INT64_MAX;
};

void add_contract(Sum& sum) {
  const Op& op = sum.op();
  const auto& attr = std::get<ContractAttr>(op.record->attributes);
  const Dims& out = op.record->out.dims;
  const int64_t m = out[1];
  const int64_t n = out[2];
  const int64_t k = op.in[0].dims[attr.a_transposed ? 1 : 2];
  const bool a_t = attr.a_transposed;
  const bool b_t = attr.b_transposed;
  sum.add(0, {{out[0], m * k}, {m, a_t ? 1 : k}, {n, 0}}, {{k, a_t ? m : 1}});
  sum.add(1, {{out[0], k * n}, {m, 0}, {n, b_t ? k : 1}}, {{k, b_t ? 1 : n}});
}

void add_reduce(Sum& sum) {
  const Op& op = sum.op();
  const auto& attr = std::get<ReduceAttr>(op.record->attributes);
  const Dims& dims = op.in[0].dims;
  const PerAxis strides = strides_of(dims);
  Reaches kept;
  Reaches reduced;
  bool one_axis = true;  // the reduced ones lie as if they were one
  for (size_t i = 0; i < dims.size(); ++i) {
    if (std::find(attr.axes.begin(), attr.axes.end(), i) == attr.axes.end()) {
      kept.push_back({dims[i], strides[i]});
      continue;
    }
    if (dims[i] == 1) {
      continue;
    }
    one_axis = one_axis && (reduced.empty() || reduced.back().stride == dims[i] * strides[i]);
    reduced.push_back({dims[i], strides[i]});
  }
  const int64_t segments = op.record->out.dims.back();
  if (one_axis && segments > 1) {
    const int64_t stride = reduced.back().stride;
    kept.push_back({segments, limits::reduce_terms * stride});
    reduced = {{limits::reduce_terms, stride}};
  } else if (segments > 1) {
    kept.push_back(anywhere(segments, 1));
  }
  sum.add(0, kept, reduced);
}

/// Strides of what the attributes of a convolution lay over its tensors.
struct ConvStrides {
  const ConvAttr& attr;
  const Dims &x, &w, &y;
  [[nodiscard]] int64_t x_row() const { return x[2] * x[3]; }
  [[nodiscard]] int64_t x_image() const { return x[1] * x_row(); }
  [[nodiscard]] int64_t w_column() const { return w[2] * w[3]; }
  [[nodiscard]] int64_t w_row() const { return w[1] * w_column(); }
  [[nodiscard]] int64_t y_row() const { return y[2] * y[3]; }
  [[nodiscard]] int64_t y_image() const { return y[1] * y_row(); }
  [[nodiscard]] int64_t group_outputs() const { return w[3] / attr.groups; }
  [[nodiscard]] int64_t offset() const { return attr.pad_top * x_row() + attr.pad_left * x[3]; }
};

void add_conv(Sum& sum) {
  const Op& op = sum.op();
  const ConvStrides c{
      std::get<ConvAttr>(op.record->attributes), op.in[0].dims, op.in[1].dims, op.record->out.dims};
  const int64_t gout = c.group_outputs();
  sum.add(
      0,
      {{c.y[0], c.x_image()},
       {c.y[1], c.attr.stride_h * c.x_row()},
       {c.y[2], c.attr.stride_w * c.x[3]},
       {c.attr.groups, c.w[2]},
       {gout, 0}},
      {{c.w[0], c.attr.dilation_h * c.x_row()}, {c.w[1], c.attr.dilation_w * c.x[3]}, {c.w[2], 1}},
      c.offset());
  sum.add(1, {{c.y[0] * c.y[1] * c.y[2], 0}, {c.w[3], 1}}, {{c.w[0] * c.w[1] * c.w[2], c.w[3]}});
}

void add_weight_grad(Sum& sum) {
  const Op& op = sum.op();
  const ConvStrides c{
      std::get<ConvAttr>(op.record->attributes), op.in[0].dims, op.record->out.dims, op.in[1].dims};
  sum.add(0,
          {{c.w[0], c.attr.dilation_h * c.x_row()},
           {c.w[1], c.attr.dilation_w * c.x[3]},
           {c.w[2], 1},
           {c.attr.groups, c.w[2]},
           {c.group_outputs(), 0}},
          {{c.y[0], c.x_image()},
           {c.y[1], c.attr.stride_h * c.x_row()},
           {c.y[2], c.attr.stride_w * c.x[3]}},
          c.offset());
  sum.add(1, {{c.w[0] * c.w[1] * c.w[2], 0}, {c.w[3], 1}}, {{c.y[0] * c.y[1] * c.y[2], c.y[3]}});
}

/// Positions of x against places of dy, for taps of one number.
Reach output_reach(int64_t size, const TapRule& rule, int64_t dilation, int64_t stride) {
  const int64_t common = rule.common();
  if (rule.every() == 1) {
    return {size, stride, 0, common};
  }
  // place = (position − dilation · first tap) / (common · every); a first tap is below `every`.
  return {size, stride, dilation * (rule.every() - 1), common * rule.every(), INT64_MAX, true};
}

/// Positions of x against their first taps: any below rule.every().
Reach tap_reach(int64_t size, const TapRule& rule, int64_t stride) {
  if (rule.every() == 1) {
    return {size, 0};
  }
  return {size, stride, rule.every(), 1, rule.every(), true};
}

void add_input_grad(Sum& sum) {
  const Op& op = sum.op();
  const auto& attr = std::get<ConvAttr>(op.record->attributes);
  const ConvStrides c{attr, op.record->out.dims, op.in[1].dims, op.in[0].dims};
  const TapRule down(attr.pad_top, attr.dilation_h, attr.stride_h, c.w[0]);
  const TapRule across(attr.pad_left, attr.dilation_w, attr.stride_w, c.w[1]);
  const int64_t gout = c.group_outputs();
  const Reaches y_outputs{{c.x[0], c.y_image()},
                          output_reach(c.x[1], down, attr.dilation_h, c.y_row()),
                          output_reach(c.x[2], across, attr.dilation_w, c.y[3]),
                          {attr.groups, gout},
                          {c.w[2], 0}};
  const Reaches w_outputs{{c.x[0], 0},
                          tap_reach(c.x[1], down, c.w_row()),
                          tap_reach(c.x[2], across, c.w_column()),
                          {attr.groups, gout},
                          {c.w[2], c.w[3]}};
  // A column's taps are one of two numbers, which decides how terms are split into taps. Boxes of
  // one column have the larger of both bounds, boxes of several their sum.
  const int64_t tall = (c.w[0] - 1) / down.every() + 1;
  const int64_t few = c.w[1] / across.every();
  const int64_t many = (c.w[1] - 1) / across.every() + 1;
  const bool one_column = c.x[3] >= limits::group_outputs;
  int64_t y_chunks = 0;
  int64_t w_chunks = 0;
  for (int64_t wide = std::max<int64_t>(1, few); wide <= many; ++wide) {
    const Reaches y_terms{{tall, -attr.dilation_h / down.common() * c.y_row()},
                          {wide, -attr.dilation_w / across.common() * c.y[3]},
                          {gout, 1}};
    const Reaches w_terms{
        {tall, down.every() * c.w_row()}, {wide, across.every() * c.w_column()}, {gout, 1}};
    const int64_t offset = attr.pad_top * c.y_row() + attr.pad_left * c.y[3];
    const int64_t y_more = sum.chunks(0, y_outputs, y_terms, offset);
    const int64_t w_more = sum.chunks(1, w_outputs, w_terms);
    y_chunks = one_column ? std::max(y_chunks, y_more) : y_chunks + y_more;
    w_chunks = one_column ? std::max(w_chunks, w_more) : w_chunks + w_more;
  }
  sum.add(0, y_chunks, 1);
  sum.add(1, w_chunks, 1);
}

/// Elements at any place of the image for each output, but one channel.
Reaches any_place(const Dims& dims, const Dims& image) {
  const int64_t row = image[2] * image[3];
  return {
      {dims[0], image[1] * row}, anywhere(dims[1], row), anywhere(dims[2], image[3]), {dims[3], 1}};
}

/// max_pool and average_pool.
void add_pool(Sum& sum) {
  const Op& op = sum.op();
  const PoolAttr& attr = pool_of(*op.record);
  const Dims& x = op.in[0].dims;
  const Dims& y = op.record->out.dims;
  const int64_t row = x[2] * x[3];
  const Reaches outputs{
      {y[0], x[1] * row}, {y[1], attr.stride_h * row}, {y[2], attr.stride_w * x[3]}, {y[3], 1}};
  const Reaches window{{attr.window_h, row}, {attr.window_w, x[3]}};
  const int64_t offset = attr.pad_top * row + attr.pad_left * x[3];
  int64_t chunks = sum.chunks(0, outputs, {}, offset, window);
  if (attr.window_h * attr.window_w > sum.terms()) {
    // Padding cuts windows, so that outputs side by side may be at different places of theirs.
    const Reaches terms{anywhere(attr.window_h * attr.window_w, x[3])};
    chunks = std::min(chunks, sum.chunks(0, any_place(y, x), terms, offset));
  }
  sum.add(0, chunks, 1);
}

/// dy of the windows that cover an element.
Reaches covering(const PoolAttr& attr, const Dims& x, const Dims& y) {
  const int64_t row = y[2] * y[3];
  return {{y[0], y[1] * row},
          {x[1], row, attr.window_h - 1, attr.stride_h, y[1]},
          {x[2], y[3], attr.window_w - 1, attr.stride_w, y[2]},
          {y[3], 1}};
}

void add_pool_grad(Sum& sum) {
  const Op& op = sum.op();
  const PoolAttr& attr = pool_of(*op.record);
  const Dims& x = op.record->out.dims;
  const auto dy = static_cast<uint32_t>(op.in.size() - 1);
  const Dims& y = op.in[dy].dims;
  // Either all windows that cover an output, or one, somewhere there, for each output and term.
  const int64_t windows = range_max(op);
  sum.add(dy,
          std::min(sum.chunks(dy, covering(attr, x, y), {}),
                   sum.chunks(dy, any_place(x, y), {anywhere(windows, y[3])})),
          1);
  if (op.record->kind == Kind::average_pool_grad) {
    return;
  }
  const int64_t row = x[2] * x[3];
  const Reaches around{{x[0], x[1] * row},
                       {x[1], row, 2 * (attr.window_h - 1), 1, x[1]},
                       {x[2], x[3], 2 * (attr.window_w - 1), 1, x[2]},
                       {x[3], 1}};
  const Reaches window{{attr.window_h, row}, {attr.window_w, x[3]}};
  sum.add(0,
          std::min(sum.chunks(0, around, {}),
                   sum.chunks(0, any_place(x, x), {anywhere(windows, x[3])}, 0, window)),
          attr.window_h * attr.window_w);
}

void add_gather(Sum& sum) {
  const Op& op = sum.op();
  const Dims& data = op.in[0].dims;
  const int64_t rows = op.in[1].count();
  const int64_t row = rows == 0 ? 0 : op.record->out.count() / rows;
  sum.add(0, data[0] == 0 ? 0 : sum.chunks(0, {anywhere(rows, row), {row, 1}}, {}), 1);
  sum.add(1, {{rows, 1}, {row, 0}}, {});
}

void add_rank(Sum& sum) {
  const int64_t n = sum.op().in[0].dims.back();
  const int64_t rows = n == 0 ? 0 : sum.op().in[0].count() / n;
  sum.add(0, {{rows, n}, {n, 0}}, {{n, 1}});
  sum.add(0, {{rows * n, 1}}, {});
}

void add_scatter(Sum& sum) {
  const Op& op = sum.op();
  const int64_t count = op.record->out.count();
  const int64_t rows = op.in[0].dims[0];
  const int64_t row = count / rows;
  const int64_t terms = 1 + op.in[1].count();
  sum.add(0, {{count, 1}}, {});
  sum.add(1, {}, {{terms, 1}}, 1);
  sum.add(2, {{rows, 0}, {row, 1}}, {{terms, row}}, row);
}

void add_strided(Sum& sum) {
  const Op& op = sum.op();
  const Dims& in = op.in[0].dims;
  const Dims& out = op.record->out.dims;
  PerAxis strides = strides_of(in);
  int64_t offset = 0;
  if (const auto* transpose = std::get_if<TransposeAttr>(&op.record->attributes)) {
    for (size_t i = 0; i < in.size(); ++i) {
      strides[i] = strides_of(in)[transpose->order[i]];
    }
  } else if (const auto* slice = std::get_if<SliceAttr>(&op.record->attributes)) {
    for (size_t i = 0; i < in.size(); ++i) {
      offset += slice->start[i] * strides[i];
      strides[i] *= out[i] > 1 ? slice->step[i] : 1;
    }
  } else if (const auto* pad = std::get_if<PadAttr>(&op.record->attributes)) {
    for (size_t i = 0; i < in.size(); ++i) {
      offset += std::min(pad->low[i], out[i]) * strides[i];
    }
  } else {
    strides = broadcast_strides(in, out);
  }
  sum.add(0, over(out, strides), {}, offset);
}

void add_scan(Sum& sum) {
  const int64_t count = sum.op().record->out.count();
  // Back to the beginning of a block; blocks follow one another as their carries do.
  sum.add(0, sum.chunks(0, {{count, 1, limits::scan_block, 1}}, {}), limits::scan_block);
  if (sum.op().in.size() > 1) {
    sum.add(1, {{count, 1, 1, 1}}, {});
  }
}

/// Of kinds that take one term.
void add_one_term(Sum& sum) {
  const Op& op = sum.op();
  switch (op.record->kind) {
    case Kind::map:
      for (size_t i = 0; i < op.in.size(); ++i) {
        const Dims& out = op.record->out.dims;
        sum.add(i, over(out, broadcast_strides(op.in[i].dims, out)), {});
      }
      return;
    case Kind::gather:
      return add_gather(sum);
    case Kind::gather_elements:
      sum.add(0, {anywhere(op.record->out.count(), 1)}, {});
      return sum.add(1, {{op.record->out.count(), 1}}, {});
    case Kind::random:
      sum.add(0, 1, 1);
      return sum.add(1, 1, 1);
    case Kind::concatenate:
      for (size_t i = 0; i < op.in.size(); ++i) {
        sum.add(i, limits::group_outputs, 1);
      }
      return sum.limit_to_outputs();
    default:
      return add_strided(sum);
  }
}

void add_all(Sum& sum) {
  switch (sum.op().record->kind) {
    case Kind::contract:
      return add_contract(sum);
    case Kind::reduce:
      return add_reduce(sum);
    case Kind::conv:
      return add_conv(sum);
    case Kind::conv_weight_grad:
      return add_weight_grad(sum);
    case Kind::conv_input_grad:
      return add_input_grad(sum);
    case Kind::max_pool:
    case Kind::average_pool:
      return add_pool(sum);
    case Kind::max_pool_grad:
    case Kind::average_pool_grad:
      return add_pool_grad(sum);
    case Kind::rank:
      return add_rank(sum);
    case Kind::scatter_add:
    case Kind::scatter_set:
      return add_scatter(sum);
    case Kind::scan:
      return add_scan(sum);
    default:
      return add_one_term(sum);
  }
}

/// Elements that one term of one output looks up.
int64_t reads_per_term(const Op& op) {
  switch (op.record->kind) {
    case Kind::map:
      return limits::map_nodes_max;
    case Kind::reduce:
    case Kind::max_pool:
    case Kind::average_pool:
    case Kind::average_pool_grad:
    case Kind::concatenate:
      return 1;
    case Kind::max_pool_grad: {
      const PoolAttr& attr = pool_of(*op.record);
      return attr.window_h * attr.window_w + 1;
    }
    default:
      return 2;
  }
}

/// The longest state: the chunk's other outputs, and the group's accumulators.
int64_t state_bytes(const Op& op) {
  switch (op.record->kind) {
    case Kind::map:
    case Kind::gather:
    case Kind::gather_elements:
    case Kind::random:
    case Kind::concatenate:
    case Kind::transpose:
    case Kind::slice:
    case Kind::pad:
    case Kind::broadcast:
      return limits::chunk_bytes;
    default: {
      const bool lanes = op.record->kind == Kind::reduce;
      const int64_t words = lanes ? limits::reduce_lanes : 2;
      const int64_t word = std::max(size_of(op.record->out.type), size_of(op.in[0].type));
      return limits::chunk_bytes + limits::group_outputs * words * word;
    }
  }
}

}  // namespace

StepBound step_bound(const Op& op, int64_t terms) {
  if (op.record->out.count() == 0) {
    return {};
  }
  const int64_t range = range_max(op);
  Sum sum(op, terms);
  if (range > 0) {
    add_all(sum);
  }
  return sum.bound(state_bytes(op),
                   limits::group_outputs * std::min(terms, range) * reads_per_term(op));
}

int64_t step_terms(const Op& op) {
  for (int64_t terms = limits::step_terms; terms > 0; terms /= 2) {
    if (step_bound(op, terms).fits()) {
      return terms;
    }
  }
  return 0;
}

int64_t steps_max(const Op& op) {
  const Shape& out = op.record->out;
  const int64_t outputs = std::min(out.count(), limits::chunk_bytes / size_of(out.type));
  const int64_t groups = (outputs + limits::group_outputs - 1) / limits::group_outputs;
  if (groups == 0) {
    return 0;
  }
  const int64_t range = range_max(op);
  const int64_t terms = std::max<int64_t>(1, step_terms(op));
  const int64_t steps = range / terms + (range % terms != 0 ? 1 : 0);
  return steps > limits::fold_steps_max ? steps : groups * std::max<int64_t>(1, steps);
}

}  // namespace lockstep::law
