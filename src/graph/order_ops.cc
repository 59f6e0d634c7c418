// Running folds of any length, and what is made of ranks: sorting and the greatest k.
#include <algorithm>
#include <numeric>

#include "graph/impl.h"

namespace lockstep::graph {
namespace {

using law::Dims;
using law::DType;
using law::Kind;
using law::MapOp;
using law::ReduceOp;

constexpr int64_t block = limits::scan_block;

Error bad_shape(std::string what) {
  return refuse(Code::bad_shape, std::move(what));
}

/// Folds of the blocks of x [rows, n]: [rows, blocks]. What fills up the last block is of no
/// matter: no block begins with its fold.
Value block_folds(Builder& builder, Value x, ReduceOp op) {
  const law::Shape shape = builder.shape(x);
  const int64_t rows = shape.dims[0];
  const int64_t blocks = (shape.dims[1] + block - 1) / block;
  const int64_t missing = blocks * block - shape.dims[1];
  if (missing > 0) {
    x = builder.pad(x, {{0, 0}, {0, missing}, 0});
  }
  const Value folds = builder.reduce(builder.reshape(x, {rows, blocks, block}), {op, {2}});
  return builder.reshape(folds, {rows, blocks});
}

/// The axis first, the others in their order; and the way back.
struct Orders {
  std::vector<uint8_t> there, back;
};
Orders bring(size_t rank, size_t from, size_t to) {
  Orders orders;
  orders.there.resize(rank);
  std::iota(orders.there.begin(), orders.there.end(), uint8_t{0});
  orders.there.erase(orders.there.begin() + static_cast<std::ptrdiff_t>(from));
  orders.there.insert(orders.there.begin() + static_cast<std::ptrdiff_t>(to),
                      static_cast<uint8_t>(from));
  orders.back.resize(rank);
  for (size_t i = 0; i < rank; ++i) {
    orders.back[orders.there[i]] = static_cast<uint8_t>(i);
  }
  return orders;
}

/// [rows, 1] i64: where each row of n begins.
Value row_starts(Builder& builder, int64_t rows, int64_t n) {
  const Value starts = builder.binary(MapOp::multiply, iota(builder, rows), builder.scalar_i64(n));
  return builder.reshape(starts, {rows, 1});
}

int64_t rows_of(const Dims& dims) {
  return std::accumulate(dims.begin(), dims.end() - 1, int64_t{1}, std::multiplies<>());
}

/// The elements of x, rows of n, at `places` [rows, count] of their rows.
Value take(Builder& builder, Value x, Value places) {
  const law::Shape shape = builder.shape(x);
  const int64_t rows = rows_of(shape.dims);
  const Value flat =
      builder.binary(MapOp::add, places, row_starts(builder, rows, shape.dims.back()));
  return builder.gather(builder.reshape(x, {shape.count()}), flat);
}

}  // namespace

Value Builder::scan_blocks(Value x, law::ScanAttr attr) {
  return impl_->alive(x) ? impl_->record(Kind::scan, attr, std::span(&x, 1), shape(x)) : Value{};
}

Value Builder::scan_blocks(Value x, Value carry, law::ScanAttr attr) {
  const Value inputs[] = {x, carry};
  return impl_->alive(inputs) ? impl_->record(Kind::scan, attr, inputs, shape(x)) : Value{};
}

Value Builder::scan(Value x, law::ScanAttr attr) {
  if (!impl_->alive(x)) {
    return {};
  }
  const Dims dims = shape(x).dims;
  if (dims.empty()) {
    return fail(bad_shape("a scan takes a value of rank 1 or more"));
  }
  if (dims.back() <= block) {
    return scan_blocks(x, attr);
  }
  // Upwards: folds of blocks, of blocks of those, until one block is left; then down again.
  std::vector<Value> folds = {reshape(x, {rows_of(dims), dims.back()})};
  while (impl_->alive(folds.back()) && shape(folds.back()).dims[1] > block) {
    folds.push_back(block_folds(*this, folds.back(), attr.op));
  }
  Value carry = scan_blocks(folds.back(), {attr.op, true});
  for (size_t level = folds.size() - 1; level-- > 1;) {
    carry = scan_blocks(folds[level], carry, {attr.op, true});
  }
  const Value done = scan_blocks(folds[0], carry, attr);
  return reshape(done, dims);
}

Value Builder::reverse(Value x, uint8_t axis) {
  if (!impl_->alive(x)) {
    return {};
  }
  const Dims dims = shape(x).dims;
  if (axis >= dims.size()) {
    return fail(bad_shape("an axis that is not there cannot be reversed"));
  }
  if (dims[axis] <= 1) {
    return x;
  }
  const Value last = scalar_i64(dims[axis] - 1);
  const Value places = binary(MapOp::subtract, last, iota(*this, dims[axis]));
  if (axis == 0) {
    return gather(x, places);
  }
  const Orders orders = bring(dims.size(), axis, 0);
  return transpose(gather(transpose(x, orders.there), places), orders.back);
}

Value Builder::cumulative_sum(Value x, uint8_t axis, RunningSum how) {
  if (!impl_->alive(x)) {
    return {};
  }
  const size_t rank = shape(x).dims.size();
  if (axis >= rank) {
    return fail(bad_shape("an axis that is not there cannot be summed"));
  }
  const bool is_last = axis + size_t{1} == rank;
  const Orders orders = bring(rank, axis, rank - 1);
  Value y = how.reverse ? reverse(x, axis) : x;
  y = is_last ? y : transpose(y, orders.there);
  y = scan(y, {ReduceOp::sum, how.exclusive});
  y = is_last ? y : transpose(y, orders.back);
  return how.reverse ? reverse(y, axis) : y;
}

Value Builder::argsort(Value x, bool descending) {
  const Value ranks = rank(x, descending);
  if (!impl_->alive(ranks)) {
    return {};
  }
  const Dims dims = shape(x).dims;
  if (shape(x).count() == 0) {
    return ranks;
  }
  // Element i of a row goes to place rank(i) of it: there it writes i.
  const int64_t count = shape(x).count();
  const int64_t n = dims.back();
  const int64_t rows = count / n;
  const Value to = binary(MapOp::add, reshape(ranks, {rows, n}), row_starts(*this, rows, n));
  const Value places = broadcast(iota(*this, n), {rows, n});
  const Value sorted = scatter_set(
      broadcast(scalar_i64(0), {count}), reshape(to, {count}), reshape(places, {count}));
  return reshape(sorted, dims);
}

Builder::Sorted Builder::sort(Value x, bool descending) {
  const Value indices = argsort(x, descending);
  if (!impl_->alive(indices) || shape(x).count() == 0) {
    return {x, indices};
  }
  const Dims dims = shape(x).dims;
  const Value values = take(*this, x, reshape(indices, {rows_of(dims), dims.back()}));
  return {reshape(values, dims), indices};
}

Builder::Sorted Builder::top_k(Value x, int64_t k) {
  const Value order = argsort(x, true);
  if (!impl_->alive(order)) {
    return {};
  }
  Dims dims = shape(x).dims;
  if (k < 0 || k > dims.back()) {
    const Value dead = fail(bad_shape("a row has fewer elements than are asked for"));
    return {dead, dead};
  }
  dims.back() = k;
  const law::SliceAttr first{Dims(dims.size(), 0), Dims(dims.size(), 1)};
  const Value indices = slice(order, first, dims);
  if (law::count_of(dims) == 0) {
    return {slice(x, first, dims), indices};
  }
  const Value values = take(*this, x, reshape(indices, {rows_of(dims), k}));
  return {reshape(values, dims), indices};
}

}  // namespace lockstep::graph
