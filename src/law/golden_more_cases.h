// For tests only: golden cases of the kinds that came after the first fifteen, and more of those
// that models of today use most. They stand after the others, which keep their places.
#pragma once

#include <utility>

#include "law/golden_inputs.h"

namespace lockstep::law::test {

inline void more_conv_cases(GoldenMaker& maker) {
  const ConvAttr depthwise{.stride_h = 2,
                           .stride_w = 2,
                           .pad_top = 1,
                           .pad_bottom = 1,
                           .pad_left = 1,
                           .pad_right = 1,
                           .groups = 6};
  const ConvAttr groups{.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1, .groups = 3};
  const ConvAttr dilated{.stride_h = 3,
                         .stride_w = 2,
                         .pad_top = 2,
                         .pad_bottom = 4,
                         .pad_left = 3,
                         .pad_right = 1,
                         .dilation_h = 3,
                         .dilation_w = 2};
  const ConvAttr sparse{.stride_h = 4, .stride_w = 3, .groups = 2};
  const ConvAttr padding{.pad_top = 2, .pad_bottom = 2, .pad_left = 1};
  const GoldenConv convs[] = {
      {"f32 depthwise", DType::f32, {2, 7, 8, 6}, {3, 3, 1, 6}, {2, 4, 4, 6}, depthwise},
      {"f32 depthwise, two each",
       DType::f32,
       {1, 6, 5, 6},
       {3, 3, 1, 12},
       {1, 3, 3, 12},
       depthwise},
      {"f32 deep groups", DType::f32, {1, 4, 5, 177}, {3, 3, 59, 9}, {1, 4, 5, 9}, groups},
      {"f32 dilated", DType::f32, {2, 9, 10, 3}, {3, 4, 3, 5}, {2, 3, 4, 5}, dilated},
      {"f32 sparse", DType::f32, {2, 9, 8, 4}, {2, 2, 2, 6}, {2, 2, 3, 6}, sparse},
      {"f32 groups edges",
       DType::f32,
       {1, 4, 4, 6},
       {3, 3, 2, 3},
       {1, 4, 4, 3},
       groups,
       Fill::edges},
      {"f32 of padding", DType::f32, {1, 0, 3, 2}, {3, 2, 2, 3}, {1, 2, 3, 3}, padding},
      {"f64 groups", DType::f64, {1, 5, 4, 6}, {3, 3, 2, 6}, {1, 5, 4, 6}, groups, Fill::poisoned},
      {"i32 dilated", DType::i32, {1, 9, 7, 2}, {3, 4, 2, 3}, {1, 3, 3, 3}, dilated},
  };
  for (const GoldenConv& c : convs) {
    add_conv(maker, c);
  }
}

inline void more_join_cases(GoldenMaker& maker) {
  const auto pad = [&](const std::string& name, const Input& in, PadAttr attr) {
    Dims out;
    for (size_t i = 0; i < in.shape.dims.size(); ++i) {
      out.push_back(attr.low[i] + in.shape.dims[i] + attr.high[i]);
    }
    maker.add("pad " + name, Kind::pad, std::move(attr), {in.shape.type, out}, {in});
  };
  pad("an image", floats({2, 5, 4, 3}, Fill::edges), {{0, 2, 1, 0}, {0, 1, 2, 0}, 0xff800000});
  pad("by nothing", floats({4, 5}, Fill::poisoned), {{0, 0}, {0, 0}, 1});
  pad("of rank 0", doubles({}, Fill::edges), {{}, {}, 0});
  pad("bool", of_type(DType::boolean, {3, 6}), {{2, 0}, {0, 5}, 1});
  pad("i64", of_type(DType::i64, {37}, Fill::edges), {{1}, {90}, ~uint64_t{0}});
  pad("f16", of_type(DType::f16, {3, 1, 7}), {{1, 1, 1}, {2, 2, 2}, 0x7e00});

  const auto join =
      [&](const std::string& name, uint8_t axis, Shape out, std::initializer_list<Input> in) {
        maker.add(
            "concatenate " + name, Kind::concatenate, ConcatenateAttr{axis}, std::move(out), in);
      };
  const Input image = floats({2, 3, 4, 5}, Fill::poisoned);
  join("channels",
       3,
       {DType::f32, {2, 3, 4, 9}},
       {image, floats({2, 3, 4, 1}), floats({2, 3, 4, 3})});
  join("images", 0, {DType::f32, {5, 3, 4, 5}}, {image, floats({1, 3, 4, 5}), image});
  join(
      "i64", 1, {DType::i64, {3, 77}}, {of_type(DType::i64, {3, 70}), of_type(DType::i64, {3, 7})});
  const Input one = of_type(DType::f16, {1});
  join("f16 of nine", 0, {DType::f16, {9}}, {one, one, one, one, one, one, one, one, one});
}

inline void scatter_cases(GoldenMaker& maker) {
  const auto add =
      [&](Kind kind, const Input& base, DType index_type, const Dims& index, Fill fill) {
        const DType type = base.shape.type;
        Dims moved = index;
        moved.insert(moved.end(), base.shape.dims.begin() + 1, base.shape.dims.end());
        const std::string name =
            std::string(kind == Kind::scatter_add ? "scatter_add " : "scatter_set ") +
            name_of(type) + " " + text_of(base.shape.dims) + " by " + name_of(index_type) + " " +
            text_of(index);
        maker.add(
            name,
            kind,
            ScatterAttr{},
            base.shape,
            {base, {{index_type, index}, Fill::index, base.shape.dims[0]}, {{type, moved}, fill}});
      };
  for (const Kind kind : {Kind::scatter_add, Kind::scatter_set}) {
    add(kind, floats({7, 5}), DType::i64, {40}, Fill::heavy);
    add(kind, floats({3}), DType::i32, {500}, Fill::heavy);
    add(kind, floats({6, 2, 3}, Fill::poisoned), DType::i64, {4, 3}, Fill::poisoned);
    add(kind, floats({9}, Fill::edges), DType::i32, {33}, Fill::edges);
    add(kind, floats({5, 70}, Fill::tied), DType::i64, {130}, Fill::tied);
    add(kind, doubles({4, 9}, Fill::poisoned), DType::i32, {21}, Fill::heavy);
    add(kind, of_type(DType::i8, {5, 3}), DType::i64, {30}, Fill::edges);
    add(kind, of_type(DType::u64, {4}), DType::i32, {17}, Fill::edges);
    add(kind, floats({3, 4}), DType::i64, {}, Fill::heavy);
    add(kind, floats({4, 3}, Fill::edges), DType::i64, {0}, Fill::heavy);
    add(kind, floats({0, 3}), DType::i32, {5}, Fill::heavy);
    add(kind, floats({3, 0}), DType::i32, {5}, Fill::heavy);
  }
  add(Kind::scatter_set, of_type(DType::boolean, {11}), DType::i64, {7}, Fill::heavy);
  add(Kind::scatter_set, of_type(DType::bf16, {6, 5}), DType::i32, {9}, Fill::heavy);
  add(Kind::scatter_set, of_type(DType::f16, {6, 5}), DType::i64, {2, 3}, Fill::heavy);
}

inline void gather_elements_cases(GoldenMaker& maker) {
  const auto add = [&](const Input& data, uint8_t axis, DType index_type, const Dims& index) {
    const std::string name = std::string("gather_elements ") + name_of(data.shape.type) + " " +
                             text_of(data.shape.dims) + " axis " + std::to_string(axis) + " by " +
                             name_of(index_type) + " " + text_of(index);
    maker.add(name,
              Kind::gather_elements,
              GatherElementsAttr{axis},
              {data.shape.type, index},
              {data, {{index_type, index}, Fill::index, data.shape.dims[axis]}});
  };
  add(floats({5, 7}, Fill::poisoned), 0, DType::i64, {9, 7});
  add(floats({5, 7}, Fill::edges), 1, DType::i32, {5, 3});
  add(floats({4, 3, 50}), 2, DType::i64, {2, 3, 61});
  add(floats({4, 9, 5}, Fill::poisoned), 1, DType::i32, {3, 2, 5});
  add(doubles({23}, Fill::edges), 0, DType::i64, {40});
  add(of_type(DType::bf16, {4, 5}), 1, DType::i32, {4, 11});
  add(of_type(DType::boolean, {3, 6}), 0, DType::i64, {7, 6});
  add(of_type(DType::i16, {3, 2, 2, 3}), 3, DType::i32, {1, 2, 1, 8});
  add(floats({3, 0}), 1, DType::i64, {3, 4});
  add(floats({3, 4}), 0, DType::i64, {0, 4});
}

inline void average_pool_cases(GoldenMaker& maker) {
  struct GoldenAverage {
    const char* name;
    DType type;
    Dims x, y;
    PoolAttr attr;
    Fill fill;
  };
  const PoolAttr halves{.window_h = 2, .window_w = 2, .stride_h = 2, .stride_w = 2};
  const PoolAttr overlapping{
      .window_h = 3, .window_w = 3, .stride_h = 2, .stride_w = 1, .pad_top = 1, .pad_right = 2};
  const PoolAttr whole{.window_h = 9, .window_w = 11};
  const PoolAttr sparse{
      .window_h = 2, .window_w = 1, .stride_h = 3, .stride_w = 4, .pad_top = 1, .pad_bottom = 1};
  const GoldenAverage pools[] = {
      {"f32 halves", DType::f32, {2, 8, 6, 19}, {2, 4, 3, 19}, halves, Fill::heavy},
      {"f32 overlapping", DType::f32, {1, 9, 6, 11}, {1, 4, 6, 11}, overlapping, Fill::poisoned},
      {"f32 edges", DType::f32, {1, 6, 8, 5}, {1, 3, 8, 5}, overlapping, Fill::edges},
      {"f32 tied", DType::f32, {2, 5, 5, 3}, {2, 2, 5, 3}, overlapping, Fill::tied},
      {"f32 whole", DType::f32, {2, 9, 11, 4}, {2, 1, 1, 4}, whole, Fill::heavy},
      {"f32 sparse", DType::f32, {1, 8, 10, 2}, {1, 3, 3, 2}, sparse, Fill::heavy},
      {"f64", DType::f64, {1, 7, 5, 3}, {1, 3, 5, 3}, overlapping, Fill::poisoned},
      {"of no image", DType::f32, {0, 4, 4, 3}, {0, 2, 2, 3}, halves, Fill::heavy},
  };
  for (const GoldenAverage& c : pools) {
    for (const bool count_padding : {false, true}) {
      const Input x{{c.type, c.x}, c.fill};
      const Input dy{{c.type, c.y}, c.fill};
      const AveragePoolAttr attr{c.attr, count_padding};
      const std::string name = std::string(c.name) + (count_padding ? " by the area" : "");
      maker.add("average_pool " + name, Kind::average_pool, attr, dy.shape, {x});
      maker.add("average_pool_grad " + name, Kind::average_pool_grad, attr, x.shape, {dy});
    }
  }
}

inline void random_cases(GoldenMaker& maker) {
  const auto add = [&](const std::string& name, RandomAttr attr, DType type, Dims dims) {
    maker.add("random " + name,
              Kind::random,
              attr,
              {type, std::move(dims)},
              {of_type(DType::u64, {}), of_type(DType::u64, {1}, Fill::edges)});
  };
  const auto add_shapes = [&](const std::string& name, RandomAttr attr, DType type) {
    add(name, attr, type, {3, 331});
    add(name + " of seven", attr, type, {7});
    add(name + " of rank 0", attr, type, {});
    add(name + " of none", attr, type, {0, 5});
  };
  add_shapes("bits", {RandomMode::bits, 1, 0}, DType::u32);
  add_shapes("uniform", {RandomMode::uniform, 0xffff'ffff, 0}, DType::f32);
  add_shapes("normal", {RandomMode::normal, 7, 0}, DType::f32);
  add_shapes("keep", {RandomMode::keep, 2, 0xc000'0000}, DType::boolean);
  add("keep none", {RandomMode::keep, 2, 0}, DType::boolean, {70});
  add("normal, many", {RandomMode::normal, 0, 0}, DType::f32, {40'001});
}

inline void scan_cases(GoldenMaker& maker) {
  const std::pair<const char*, ReduceOp> ops[] = {{"sum", ReduceOp::sum},
                                                  {"product", ReduceOp::product},
                                                  {"maximum", ReduceOp::maximum},
                                                  {"minimum", ReduceOp::minimum}};
  for (const auto& [text, op] : ops) {
    for (const bool exclusive : {false, true}) {
      const std::string prefix = std::string("scan ") + text + (exclusive ? " exclusive " : " ");
      const auto add = [&, op = op](const std::string& name, const Input& x, bool carried) {
        const ScanAttr attr{op, exclusive};
        Input carry = x;
        carry.shape.dims.back() =
            (x.shape.dims.back() + limits::scan_block - 1) / limits::scan_block;
        if (carried) {
          maker.add(prefix + name, Kind::scan, attr, x.shape, {x, carry});
        } else {
          maker.add(prefix + name, Kind::scan, attr, x.shape, {x});
        }
      };
      add("f32", floats({5, 64}), false);
      add("f32 poisoned", floats({3, 4, 41}, Fill::poisoned), false);
      add("f32 edges", floats({50}, Fill::edges), false);
      add("f32 tied", floats({4, 33}, Fill::tied), false);
      add("f32 blocks", floats({3, 200}), true);
      add("f32 two blocks, tied", floats({2, 65}, Fill::tied), true);
      add("f32 carried", floats({7, 20}, Fill::poisoned), true);
      add("i32 blocks", of_type(DType::i32, {2, 130}), true);
      add("u8", of_type(DType::u8, {6, 30}, Fill::edges), false);
      add("of one", floats({9, 1}, Fill::edges), false);
      add("of none", floats({3, 0}), true);
      if (op <= ReduceOp::product) {
        add("f64 blocks", doubles({2, 150}, Fill::poisoned), true);
      }
    }
  }
}

inline void more_map_cases(GoldenMaker& maker) {
  const Dims dims{3, 331};
  const std::pair<const char*, MapOp> functions[] = {
      {"tanh", MapOp::tanh},
      {"erf", MapOp::erf},
      {"sigmoid", MapOp::sigmoid},
      {"reciprocal_square_root", MapOp::reciprocal_square_root}};
  for (const auto& [name, op] : functions) {
    for (const Fill fill : {Fill::heavy, Fill::edges}) {
      maker.add(std::string("map f32 ") + name + (fill == Fill::edges ? " edges" : ""),
                Kind::map,
                on_inputs(1, {{op}}),
                {DType::f32, dims},
                {floats(dims, fill)});
    }
  }
}

inline void more_cases(GoldenMaker& maker) {
  more_conv_cases(maker);
  more_join_cases(maker);
  scatter_cases(maker);
  gather_elements_cases(maker);
  average_pool_cases(maker);
  random_cases(maker);
  scan_cases(maker);
  more_map_cases(maker);
}

}  // namespace lockstep::law::test
