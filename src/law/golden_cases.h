// For tests only: the golden cases, at least four of every primitive, and the committed hashes of
// what they give: for the law, for every kernel and for every compiler.
#pragma once

#include <string_view>
#include <utility>

#include "law/golden_inputs.h"
#include "law/golden_more_cases.h"

namespace lockstep::law::test {

/// A case's name and the data hash of its output, in the order of golden_cases().
struct GoldenHash {
  std::string_view name;
  std::string_view hex;
};
inline constexpr GoldenHash golden_hashes[] = {
#include "law/golden_hashes.inc"
};
/// An entry of law/golden_hashes.inc: as a case asks for it, and as it stands there.
inline std::string golden_entry(std::string_view name, std::string_view hex) {
  return "{\"" + std::string(name) + "\",\n \"" + std::string(hex) + "\"},";
}
inline std::string golden_entry(const GoldenCase& c, const Hash& hash) {
  return golden_entry(c.name, to_hex(hash.view()));
}
inline std::string committed_entry(size_t index) {
  if (index >= std::size(golden_hashes)) {
    return "nothing";
  }
  return golden_entry(golden_hashes[index].name, golden_hashes[index].hex);
}

inline void map_float_cases(GoldenMaker& maker) {
  const Dims dims{3, 331};
  const std::pair<const char*, MapOp> unary[] = {{"negate", MapOp::negate},
                                                 {"absolute", MapOp::absolute},
                                                 {"square_root", MapOp::square_root},
                                                 {"exp", MapOp::exp},
                                                 {"log", MapOp::log},
                                                 {"cos", MapOp::cos},
                                                 {"sin", MapOp::sin}};
  for (const auto& [name, op] : unary) {
    const std::string text = std::string("map f32 ") + name;
    maker.add(text, Kind::map, on_inputs(1, {{op}}), {DType::f32, dims}, {floats(dims)});
    maker.add(text + " edges",
              Kind::map,
              on_inputs(1, {{op}}),
              {DType::f32, dims},
              {floats(dims, Fill::edges)});
  }
  const std::pair<const char*, MapOp> binary[] = {{"add", MapOp::add},
                                                  {"subtract", MapOp::subtract},
                                                  {"multiply", MapOp::multiply},
                                                  {"divide", MapOp::divide},
                                                  {"maximum", MapOp::maximum},
                                                  {"minimum", MapOp::minimum},
                                                  {"less", MapOp::less},
                                                  {"less_equal", MapOp::less_equal},
                                                  {"equal", MapOp::equal},
                                                  {"not_equal", MapOp::not_equal}};
  for (const auto& [name, op] : binary) {
    const DType type = op >= MapOp::less ? DType::boolean : DType::f32;
    maker.add(std::string("map f32 ") + name,
              Kind::map,
              on_inputs(2, {{op}}),
              {type, dims},
              {floats(dims, Fill::edges), floats({331}, Fill::poisoned)});
  }
  maker.add("map f32 fma",
            Kind::map,
            on_inputs(3, {{MapOp::fma}}),
            {DType::f32, dims},
            {floats(dims, Fill::poisoned), floats({3, 1}), floats({331}, Fill::edges)});
  maker.add("map f32 select",
            Kind::map,
            on_inputs(3, {{MapOp::select}}),
            {DType::f32, dims},
            {of_type(DType::boolean, dims), floats({}, Fill::edges), floats(dims, Fill::edges)});
  maker.add("map f64 divide, square root, fma",
            Kind::map,
            on_inputs(3, {{MapOp::divide}, {MapOp::square_root}, {MapOp::input, 0}, {MapOp::fma}}),
            {DType::f64, dims},
            {doubles(dims, Fill::poisoned), doubles(dims), doubles(dims, Fill::edges)});
  maker.add(
      "map empty", Kind::map, on_inputs(1, {{MapOp::exp}}), {DType::f32, {0, 7}}, {floats({0, 7})});
}

inline void map_integer_cases(GoldenMaker& maker) {
  const Dims dims{5, 77};
  const std::pair<const char*, MapOp> ops[] = {{"add", MapOp::add},
                                               {"subtract", MapOp::subtract},
                                               {"multiply", MapOp::multiply},
                                               {"divide", MapOp::divide},
                                               {"remainder", MapOp::remainder},
                                               {"maximum", MapOp::maximum},
                                               {"minimum", MapOp::minimum},
                                               {"bit_and", MapOp::bit_and},
                                               {"bit_or", MapOp::bit_or},
                                               {"bit_xor", MapOp::bit_xor},
                                               {"shift_left", MapOp::shift_left},
                                               {"shift_right", MapOp::shift_right}};
  for (const auto& [name, op] : ops) {
    for (const DType type : {DType::i8, DType::i64, DType::u32}) {
      maker.add(std::string("map ") + name_of(type) + " " + name,
                Kind::map,
                on_inputs(2, {{op}}),
                {type, dims},
                {of_type(type, dims, Fill::edges), of_type(type, {5, 1})});
    }
  }
  maker.add(
      "map bool not, xor, select",
      Kind::map,
      on_inputs(3, {{MapOp::bit_xor}, {MapOp::logical_not}, {MapOp::input, 0}, {MapOp::select}}),
      {DType::boolean, dims},
      {of_type(DType::boolean, dims),
       of_type(DType::boolean, dims),
       of_type(DType::boolean, {77})});
}

inline void map_cast_cases(GoldenMaker& maker) {
  const Dims dims{401};
  for (uint8_t to = 0; to < dtype_count; ++to) {
    const auto type = static_cast<DType>(to);
    for (const DType from : {DType::f32, DType::f64, DType::i64, DType::u64, DType::bf16}) {
      const std::string text = std::string("map cast ") + name_of(from) + " to " + name_of(type);
      const Fill fill = from == DType::f32 ? Fill::edges : Fill::poisoned;
      maker.add(text,
                Kind::map,
                on_inputs(1, {{MapOp::cast, 0, type}}),
                {type, dims},
                {of_type(from, dims, fill)});
    }
  }
  maker.add("map bitcast f32 to u32",
            Kind::map,
            on_inputs(1, {{MapOp::bitcast, 0, DType::u32}}),
            {DType::u32, dims},
            {floats(dims, Fill::edges)});
  maker.add("map bitcast i16 to f16",
            Kind::map,
            on_inputs(1, {{MapOp::bitcast, 0, DType::f16}}),
            {DType::f16, dims},
            {of_type(DType::i16, dims)});
}

inline void contract_cases(GoldenMaker& maker) {
  const auto add = [&](const std::string& name,
                       ContractAttr attr,
                       const Input& a,
                       const Input& b,
                       const Dims& out) {
    const DType type = a.shape.type;
    maker.add("contract " + name, Kind::contract, attr, {type, out}, {a, b});
  };
  add("f32 over two segments", {}, floats({2, 13, 1030}), floats({2, 1030, 37}), {2, 13, 37});
  add("f32 a transposed",
      {true, false},
      floats({1, 61, 7}, Fill::poisoned),
      floats({1, 61, 19}),
      {1, 7, 19});
  add("f32 b transposed", {false, true}, floats({3, 5, 513}), floats({3, 33, 513}), {3, 5, 33});
  add("f32 edges", {}, floats({1, 9, 3}, Fill::edges), floats({1, 3, 17}, Fill::edges), {1, 9, 17});
  add("f64", {true, true}, doubles({1, 600, 3}), doubles({1, 5, 600}), {1, 3, 5});
  add("i32", {}, of_type(DType::i32, {1, 5, 71}), of_type(DType::i32, {1, 71, 9}), {1, 5, 9});
  add("u8",
      {false, true},
      of_type(DType::u8, {2, 3, 65}),
      of_type(DType::u8, {2, 4, 65}),
      {2, 3, 4});
  add("of no terms", {}, floats({1, 3, 0}), floats({1, 0, 5}), {1, 3, 5});
  add("of no rows", {}, floats({2, 0, 5}), floats({2, 5, 5}), {2, 0, 5});
  add("of one term", {}, floats({1, 1, 1}, Fill::tied), floats({1, 1, 33}, Fill::tied), {1, 1, 33});
}

inline void reduce_cases(GoldenMaker& maker) {
  const std::pair<const char*, ReduceOp> ops[] = {{"sum", ReduceOp::sum},
                                                  {"product", ReduceOp::product},
                                                  {"maximum", ReduceOp::maximum},
                                                  {"minimum", ReduceOp::minimum}};
  for (const auto& [text, op] : ops) {
    const std::string name = std::string("reduce ") + text;
    const Kind kind = Kind::reduce;
    const ReduceAttr last{op, {1}};
    maker.add(
        name + " f32 all", kind, ReduceAttr{op, {0, 1}}, {DType::f32, {2}}, {floats({3, 1501})});
    maker.add(
        name + " f32 rows", kind, last, {DType::f32, {5, 1}}, {floats({5, 77}, Fill::poisoned)});
    maker.add(name + " f32 columns",
              kind,
              ReduceAttr{op, {0}},
              {DType::f32, {43, 1}},
              {floats({53, 43}, Fill::tied)});
    maker.add(name + " f32 middle",
              kind,
              last,
              {DType::f32, {3, 19, 1}},
              {floats({3, 21, 19}, Fill::edges)});
    maker.add(name + " f32 outer and inner",
              kind,
              ReduceAttr{op, {0, 2}},
              {DType::f32, {4, 1}},
              {floats({7, 4, 9})});
    maker.add(name + " i32", kind, last, {DType::i32, {4, 1}}, {of_type(DType::i32, {4, 40})});
    maker.add(name + " u8", kind, last, {DType::u8, {4, 1}}, {of_type(DType::u8, {4, 40})});
    maker.add(name + " of no terms", kind, last, {DType::f32, {3, 1}}, {floats({3, 0})});
    maker.add(name + " of no axis",
              kind,
              ReduceAttr{op, {}},
              {DType::f32, {11, 1}},
              {floats({11}, Fill::edges)});
    if (op <= ReduceOp::product) {
      maker.add(name + " f64", kind, last, {DType::f64, {3, 2}}, {doubles({3, 4100})});
    }
  }
}

inline void conv_cases(GoldenMaker& maker) {
  const ConvAttr same{.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
  const ConvAttr strided{.stride_h = 2, .stride_w = 3, .pad_top = 2, .pad_right = 1};
  const ConvAttr holes{.stride_h = 2, .pad_left = 3, .dilation_h = 2, .dilation_w = 3, .groups = 2};
  const GoldenConv convs[] = {
      {"f32 same", DType::f32, {2, 9, 7, 3}, {3, 3, 3, 8}, {2, 9, 7, 8}, same},
      {"f32 deep", DType::f32, {1, 5, 6, 67}, {3, 3, 67, 17}, {1, 5, 6, 17}, same},
      {"f32 strided", DType::f32, {2, 8, 11, 4}, {3, 2, 4, 5}, {2, 4, 4, 5}, strided},
      {"f32 holes", DType::f32, {1, 9, 8, 6}, {3, 2, 3, 4}, {1, 3, 8, 4}, holes},
      {"f32 poisoned", DType::f32, {1, 6, 6, 2}, {3, 3, 2, 3}, {1, 6, 6, 3}, same, Fill::poisoned},
      {"f32 edges", DType::f32, {1, 4, 5, 1}, {2, 2, 1, 9}, {1, 3, 4, 9}, {}, Fill::edges},
      {"f64", DType::f64, {1, 5, 5, 3}, {3, 3, 3, 2}, {1, 5, 5, 2}, same},
      {"i16", DType::i16, {2, 5, 5, 3}, {1, 1, 3, 2}, {2, 5, 5, 2}, {}},
      {"of no image", DType::f32, {0, 5, 5, 3}, {3, 3, 3, 2}, {0, 5, 5, 2}, same},
  };
  for (const GoldenConv& c : convs) {
    add_conv(maker, c);
  }
}

inline void pool_cases(GoldenMaker& maker) {
  struct GoldenPool {
    const char* name;
    DType type;
    Dims x, y;
    PoolAttr attr;
    Fill fill;
  };
  const PoolAttr halves{.window_h = 2, .window_w = 2, .stride_h = 2, .stride_w = 2};
  const PoolAttr overlapping{
      .window_h = 3, .window_w = 3, .stride_h = 2, .stride_w = 1, .pad_top = 1, .pad_right = 2};
  const GoldenPool pools[] = {
      {"f32 halves", DType::f32, {2, 8, 6, 19}, {2, 4, 3, 19}, halves, Fill::heavy},
      {"f32 tied", DType::f32, {2, 7, 7, 8}, {2, 3, 3, 8}, halves, Fill::tied},
      {"f32 overlapping", DType::f32, {1, 9, 6, 11}, {1, 4, 6, 11}, overlapping, Fill::poisoned},
      {"f32 edges", DType::f32, {1, 6, 8, 5}, {1, 3, 8, 5}, overlapping, Fill::edges},
      {"i32", DType::i32, {2, 5, 5, 3}, {2, 2, 2, 3}, halves, Fill::tied},
      {"u8", DType::u8, {1, 5, 4, 7}, {1, 2, 2, 7}, halves, Fill::heavy},
      {"of no image", DType::f32, {0, 4, 4, 3}, {0, 2, 2, 3}, halves, Fill::heavy},
  };
  for (const GoldenPool& c : pools) {
    const Input x{{c.type, c.x}, c.fill};
    const Input dy{{c.type, c.y}};
    const std::string name = c.name;
    maker.add("max_pool " + name, Kind::max_pool, c.attr, dy.shape, {x});
    maker.add("max_pool_grad " + name, Kind::max_pool_grad, c.attr, x.shape, {x, dy});
  }
}

inline void gather_cases(GoldenMaker& maker) {
  const auto add = [&](Input data, DType index_type, Dims index) {
    Dims out = index;
    out.insert(out.end(), data.shape.dims.begin() + 1, data.shape.dims.end());
    const std::string name = std::string("gather ") + name_of(data.shape.type) + " " +
                             text_of(data.shape.dims) + " by " + name_of(index_type) + " " +
                             text_of(index);
    const int64_t rows = data.shape.dims[0];
    maker.add(name,
              Kind::gather,
              GatherAttr{},
              {data.shape.type, out},
              {data, {{index_type, index}, Fill::index, rows}});
  };
  add(floats({5, 7}, Fill::poisoned), DType::i64, {4, 3});
  add(floats({9}, Fill::edges), DType::i32, {40});
  add(doubles({3, 2, 3}), DType::i32, {11});
  add(of_type(DType::bf16, {4, 5}), DType::i64, {13});
  add(of_type(DType::boolean, {6}), DType::i64, {29});
  add(of_type(DType::i32, {3, 3}), DType::i64, {});
  add(floats({0, 3}), DType::i32, {5});
  add(floats({4, 3}), DType::i64, {0});
}

inline void rank_cases(GoldenMaker& maker) {
  for (const bool descending : {false, true}) {
    const auto add = [&](const std::string& name, const Input& in) {
      maker.add("rank " + name + (descending ? " descending" : " ascending"),
                Kind::rank,
                RankAttr{descending},
                {DType::i64, in.shape.dims},
                {in});
    };
    add("f32", floats({3, 65}));
    add("f32 tied", floats({2, 33}, Fill::tied));
    add("f32 edges", floats({40}, Fill::edges));
    add("i8", of_type(DType::i8, {4, 50}));
    add("u64", of_type(DType::u64, {2, 20}, Fill::edges));
    add("of one", floats({3, 1}));
    add("of none", floats({3, 0}));
  }
}

inline void move_cases(GoldenMaker& maker) {
  const auto transpose = [&](const std::string& name, const Input& in, TransposeAttr attr) {
    Dims out;
    for (const uint8_t axis : attr.order) {
      out.push_back(in.shape.dims[axis]);
    }
    maker.add("transpose " + name, Kind::transpose, std::move(attr), {in.shape.type, out}, {in});
  };
  transpose("f32", floats({5, 7, 11}, Fill::poisoned), {{2, 0, 1}});
  transpose("f64", doubles({17, 19}, Fill::edges), {{1, 0}});
  transpose("f16", of_type(DType::f16, {3, 2, 1, 2, 3, 2, 1, 2}), {{7, 1, 5, 0, 3, 2, 6, 4}});
  transpose("u8", of_type(DType::u8, {33, 3}), {{1, 0}});
  transpose("of rank 0", floats({}, Fill::edges), {});
  transpose("empty", floats({3, 0, 2}), {{1, 2, 0}});

  const auto slice =
      [&](const std::string& name, const Input& in, SliceAttr attr, const Dims& out) {
        maker.add("slice " + name, Kind::slice, std::move(attr), {in.shape.type, out}, {in});
      };
  slice("f32", floats({9, 11, 5}, Fill::edges), {{1, 0, 2}, {3, 2, 1}}, {3, 5, 2});
  slice("i64", of_type(DType::i64, {40}), {{39}, {limits::elements_max}}, {1});
  slice("bool", of_type(DType::boolean, {8, 8}), {{0, 7}, {1, 1}}, {8, 1});
  slice("bf16", of_type(DType::bf16, {50}), {{3}, {4}}, {12});
  slice("empty", floats({4, 4}), {{4, 0}, {1, 1}}, {0, 4});

  const auto broadcast = [&](const std::string& name, const Input& in, const Dims& out) {
    maker.add("broadcast " + name, Kind::broadcast, BroadcastAttr{}, {in.shape.type, out}, {in});
  };
  broadcast("f32 row", floats({1, 7}, Fill::edges), {3, 5, 7});
  broadcast("f32 column", floats({5, 1}, Fill::poisoned), {2, 5, 33});
  broadcast("f16 scalar", of_type(DType::f16, {}), {4, 9});
  broadcast("u64 middle", of_type(DType::u64, {3, 1, 2}), {3, 6, 2});
  broadcast("empty", floats({1, 3}), {0, 3});
}

inline void join_cases(GoldenMaker& maker) {
  const auto pad = [&](const std::string& name, const Input& in, PadAttr attr) {
    Dims out;
    for (size_t i = 0; i < in.shape.dims.size(); ++i) {
      out.push_back(attr.low[i] + in.shape.dims[i] + attr.high[i]);
    }
    maker.add("pad " + name, Kind::pad, std::move(attr), {in.shape.type, out}, {in});
  };
  pad("f32", floats({5, 7}, Fill::poisoned), {{1, 2}, {0, 3}, nan_or_zero(DType::f32)});
  pad("f64", doubles({2, 3, 4}, Fill::edges), {{0, 1, 0}, {2, 0, 0}, uint64_t{1} << 63});
  pad("bf16", of_type(DType::bf16, {19}), {{4}, {5}, 0xff80});
  pad("i8", of_type(DType::i8, {3, 3}), {{0, 1}, {1, 0}, 0x80});
  pad("empty", floats({0, 2}), {{1, 0}, {2, 1}, 1});

  const auto join =
      [&](const std::string& name, uint8_t axis, Shape out, std::initializer_list<Input> in) {
        maker.add(
            "concatenate " + name, Kind::concatenate, ConcatenateAttr{axis}, std::move(out), in);
      };
  join("f32",
       1,
       {DType::f32, {3, 9, 2}},
       {floats({3, 4, 2}, Fill::edges), floats({3, 0, 2}), floats({3, 5, 2}, Fill::poisoned)});
  join("bool",
       0,
       {DType::boolean, {5, 3}},
       {of_type(DType::boolean, {4, 3}), of_type(DType::boolean, {1, 3})});
  join("f64", 1, {DType::f64, {7, 4}}, {doubles({7, 1}, Fill::edges), doubles({7, 3})});
  join("of one", 0, {DType::u16, {31}}, {of_type(DType::u16, {31})});
  join("empty", 0, {DType::f32, {0, 3}}, {floats({0, 3}), floats({0, 3})});
}

inline std::vector<GoldenCase> golden_cases() {
  GoldenMaker maker;
  map_float_cases(maker);
  map_integer_cases(maker);
  map_cast_cases(maker);
  contract_cases(maker);
  reduce_cases(maker);
  conv_cases(maker);
  pool_cases(maker);
  gather_cases(maker);
  rank_cases(maker);
  move_cases(maker);
  join_cases(maker);
  more_cases(maker);
  return maker.take();
}

}  // namespace lockstep::law::test
