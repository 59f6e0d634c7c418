// What the general kernels share: strided walks, cutting work into parts, and the entry points that
// the two kernel tables name. For src/tensor/*_kernel.cc, *_avx2.cc and general_*.cc only.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>

#include "law/indexing.h"
#include "law/scalar.h"
#include "tensor/kernel.h"

namespace lockstep::tensor {

/// Elements that one part of an elementwise loop takes: long enough to hide the hand-out, short
/// enough to balance.
inline constexpr int64_t part_elements = int64_t{1} << 14;

[[nodiscard]] inline int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

/// Workers::run without an allocation: a std::function of one reference stays in place.
template <class Body>
void for_parts(Workers& workers, int64_t parts, const Body& body) {
  workers.run(parts, [&body](int64_t part, int worker) { body(part, worker); });
}

/// body(begin, end, worker) over [0, count) in pieces of part_elements.
template <class Body>
void for_ranges(Workers& workers, int64_t count, const Body& body) {
  for_parts(workers, ceil_div(count, part_elements), [&body, count](int64_t part, int worker) {
    const int64_t begin = part * part_elements;
    body(begin, std::min(count, begin + part_elements), worker);
  });
}

/// A row-major walk with one stride an axis (in elements), axes of size 1 dropped and neighbours
/// merged where one stride serves both; at least one axis. Only for counts above zero.
struct Walk {
  size_t rank = 0;
  std::array<int64_t, limits::rank_max> size{}, stride{};
};
[[nodiscard]] Walk walk_of(std::span<const int64_t> dims, std::span<const int64_t> strides);
/// `dims` read as `out` by numpy broadcasting.
[[nodiscard]] Walk broadcast_walk(const law::Dims& dims, const law::Dims& out);

/// A place in a Walk: its coordinates and the element it stands on.
struct Cursor {
  std::array<int64_t, limits::rank_max> at{};
  int64_t element = 0;
};
[[nodiscard]] Cursor cursor_at(const Walk& walk, int64_t flat);
/// Goes on by `run` elements of the last axis, not past its end, then carries.
void advance(const Walk& walk, Cursor& cursor, int64_t run);

/// Elements [begin, begin + count) of the walk over `in`, packed into `out`. `size`: bytes of one.
void copy_walk(
    const Walk& walk, const uint8_t* in, std::span<uint8_t> out, int64_t begin, int64_t size);

template <class T>
[[nodiscard]] const T* as(ByteView bytes) {
  return reinterpret_cast<const T*>(bytes.data());
}
template <class T>
[[nodiscard]] T* as(std::span<uint8_t> bytes) {
  return reinterpret_cast<T*>(bytes.data());
}

inline constexpr uint32_t canonical_nan_f32 = 0x7fc00000;
[[nodiscard]] inline float canonical_f32(float value) {
  return value == value ? value : __builtin_bit_cast(float, canonical_nan_f32);
}

[[nodiscard]] inline size_t no_scratch(const law::Op&, int) {
  return 0;
}
template <law::Kind kind>
[[nodiscard]] bool is_kind(const law::Op& op) {
  return op.record->kind == kind;
}

// map_kernel.cc. A node's function computes `count` elements, a multiple of map_round, and says
// whether it knows the node; what none knows goes through the law's scalars.
inline constexpr int64_t map_block = 512;
inline constexpr int64_t map_round = 32;
struct MapStep {
  law::MapOp op = law::MapOp::input;
  law::DType operand = law::DType::f32;  // the type of the operands (of select: of a and b)
  law::DType result = law::DType::f32;
  std::array<const uint8_t*, 3> in{};  // 64-byte aligned unless they are a tensor's own bytes
  uint8_t* out = nullptr;              // no operand, but for a bitcast
  int64_t count = 0;
};
using MapFunction = bool (*)(const MapStep& step);
[[nodiscard]] size_t map_scratch(const law::Op& op, int workers);
void run_map(const Call& call, MapFunction fast);
[[nodiscard]] bool map_step_portable(const MapStep& step);  // map_steps.cc
void map_step_scalar(const MapStep& step);                  // map_steps.cc

// reduce_kernel.cc
/// The input as [outer, n, inner], where n is what is reduced; false where it is no such thing.
struct ReduceView {
  int64_t outer = 1, n = 1, inner = 1;
};
[[nodiscard]] bool reduce_view(const law::Op& op, ReduceView& view);
void run_reduce(const Call& call);
[[nodiscard]] uint64_t identity_of(law::ReduceOp op, law::DType type);
[[nodiscard]] law::MapOp merge_of(law::ReduceOp op);

// window_kernel.cc
struct PoolGeometry {
  int64_t n = 0, h = 0, w = 0, c = 0, oh = 0, ow = 0;
  law::PoolAttr attr;
  struct Window {
    int64_t h0, h1, w0, w1;  // in range; never empty
  };
  [[nodiscard]] Window window(int64_t y, int64_t x) const {
    const int64_t top = y * attr.stride_h - attr.pad_top;
    const int64_t left = x * attr.stride_w - attr.pad_left;
    return {std::max<int64_t>(0, top),
            std::min(h, top + attr.window_h),
            std::max<int64_t>(0, left),
            std::min(w, left + attr.window_w)};
  }
};
[[nodiscard]] PoolGeometry pool_geometry(const law::Op& op);
void run_max_pool(const Call& call);
void run_max_pool_grad(const Call& call);

// average_kernel.cc
void run_average_pool(const Call& call);
void run_average_pool_grad(const Call& call);

// scatter_kernel.cc
using AddRow = void (*)(float* out, const float* in, int64_t count);  // out[i] += in[i], canonical
void add_row_portable(float* out, const float* in, int64_t count);
void run_scatter_add_f32(const Call& call, AddRow add_row);
void run_scatter_add(const Call& call);
void run_scatter_set(const Call& call);
void run_gather_elements(const Call& call);

// scan_kernel.cc
void run_scan(const Call& call);

// random_kernel.cc
struct PhiloxStream {
  uint64_t seed = 0;
  uint32_t step = 0, id = 0;
};
/// The words of counters from `first` on; words.size() is a multiple of four.
using PhiloxWords = void (*)(const PhiloxStream& stream, uint64_t first, std::span<uint32_t> words);
void philox_portable(const PhiloxStream& stream, uint64_t first, std::span<uint32_t> words);
void run_random(const Call& call, PhiloxWords philox, MapFunction fast);

// move_kernel.cc
void run_gather(const Call& call);
void run_strided(const Call& call);  // transpose, slice, broadcast
void run_pad(const Call& call);
void run_concatenate(const Call& call);

// rank_kernel.cc
[[nodiscard]] size_t rank_scratch(const law::Op& op, int workers);
void run_rank(const Call& call);

}  // namespace lockstep::tensor
