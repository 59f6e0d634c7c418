// Canonical bytes, the type check, cost and the hashed roots of programs.
#include "law/program.h"

#include <gtest/gtest.h>

#include "law/roots.h"

namespace lockstep::law {
namespace {

/// y = w·x + b for one row, with w's momentum-free update: every field of the format is used.
Program small_program() {
  Program p;
  p.leaves = {{"b", {DType::f32, {4}}, std::nullopt},
              {"w", {DType::f32, {3, 4}}, 2},
              {"x", {DType::f32, {1, 3}}, std::nullopt}};
  p.constants = {{{DType::f32, {}}, tensor_root(Tensor{{DType::f32, {}}, {0, 0, 0, 63}})}};
  p.records = {
      {Kind::contract,
       ContractAttr{},
       {{From::state, 2, {1, 1, 3}}, {From::state, 1, {1, 3, 4}}},
       {DType::f32, {1, 1, 4}}},
      {Kind::map,
       MapAttr{{{MapOp::input, 0},
                {MapOp::input, 1},
                {MapOp::add},
                {MapOp::input, 2},
                {MapOp::multiply}}},
       {{From::value, 0, {4}}, {From::state, 0, {4}}, {From::constant, 0, {}}},
       {DType::f32, {4}}},
      {Kind::broadcast, BroadcastAttr{}, {{From::value, 1, {1, 4}}}, {DType::f32, {3, 4}}}};
  return p;
}

/// One record of each kind that has attributes, for the codec only.
Program every_attribute() {
  Program p = small_program();
  ConvAttr conv{1, 2, 3, 4, 5, 6, 7, 8, 9};
  PoolAttr pool{1, 2, 3, 4, 5, 6, 7, 8};
  const auto add = [&](Kind kind, Attributes attr) {
    p.records.push_back({kind, std::move(attr), {}, {DType::i64, {2}}});
  };
  add(Kind::reduce, ReduceAttr{ReduceOp::minimum, {0, 2}});
  add(Kind::conv, conv), add(Kind::conv_weight_grad, conv), add(Kind::conv_input_grad, conv);
  add(Kind::max_pool, pool), add(Kind::max_pool_grad, pool);
  add(Kind::gather, GatherAttr{}), add(Kind::rank, RankAttr{true});
  add(Kind::transpose, TransposeAttr{{1, 0}}), add(Kind::slice, SliceAttr{{1, 2}, {3, 4}});
  add(Kind::pad, PadAttr{{1}, {2}, 7}), add(Kind::concatenate, ConcatenateAttr{3});
  add(Kind::scatter_add, ScatterAttr{}), add(Kind::scatter_set, ScatterAttr{});
  add(Kind::gather_elements, GatherElementsAttr{4});
  add(Kind::average_pool, AveragePoolAttr{pool, false});
  add(Kind::average_pool_grad, AveragePoolAttr{pool, true});
  add(Kind::random, RandomAttr{RandomMode::keep, 0x0102'0304, 0xf0e0'd0c0});
  add(Kind::scan, ScanAttr{ReduceOp::product, true});
  p.records.push_back({Kind::map,
                       MapAttr{{{MapOp::input, 5},
                                {MapOp::cast, 0, DType::f16},
                                {MapOp::constant, 0, DType::u64, ~0ULL},
                                {MapOp::bitcast, 0, DType::f64},
                                {MapOp::select},
                                {MapOp::fma},
                                {MapOp::sin},
                                {MapOp::tanh},
                                {MapOp::reciprocal_square_root}}},
                       {},
                       {DType::boolean, {}}});
  return p;
}

TEST(Codec, RoundTripsEveryKindOfRecord) {
  const Program p = every_attribute();
  const auto back = decode(encode(p));
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(*back, p);
}

Bytes bytes_of(Kind kind, Attributes attributes) {
  return encode(Record{kind, std::move(attributes), {}, {DType::u8, {}}});
}

TEST(Codec, AttributesOfTheNewKindsAreTheseBytes) {
  const Bytes end{0, static_cast<uint8_t>(DType::u8), 0};  // no inputs; u8 of no dims
  const auto with = [&](Bytes front) {
    front.insert(front.end(), end.begin(), end.end());
    return front;
  };
  EXPECT_EQ(bytes_of(Kind::scatter_add, ScatterAttr{}), with({16, 0}));
  EXPECT_EQ(bytes_of(Kind::scatter_set, ScatterAttr{}), with({17, 0}));
  EXPECT_EQ(bytes_of(Kind::gather_elements, GatherElementsAttr{5}), with({18, 0, 5}));
  EXPECT_EQ(bytes_of(Kind::random, RandomAttr{RandomMode::keep, 0x0102, 0xf0}),
            with({21, 0, 3, 2, 1, 0, 0, 0xf0, 0, 0, 0}));
  EXPECT_EQ(bytes_of(Kind::scan, ScanAttr{ReduceOp::minimum, true}), with({22, 0, 3, 1}));
  Bytes pool = bytes_of(Kind::max_pool, PoolAttr{1, 2, 3, 4, 5, 6, 7, 8});
  pool[0] = 20;
  pool.insert(pool.end() - static_cast<ptrdiff_t>(end.size()), 1);
  EXPECT_EQ(bytes_of(Kind::average_pool_grad, AveragePoolAttr{{1, 2, 3, 4, 5, 6, 7, 8}, true}),
            pool);
}

TEST(Codec, RefusesUnknownModesFlagsAndKinds) {
  const auto accepts = [](Kind kind, Attributes attributes, size_t at, uint8_t value) {
    Program p;
    p.records.push_back({kind, std::move(attributes), {}, {DType::u8, {}}});
    Bytes bytes = encode(p);
    const size_t record = bytes.size() - encode(p.records[0]).size();
    bytes[record + at] = value;
    return decode(bytes).ok();
  };
  EXPECT_TRUE(accepts(Kind::random, RandomAttr{}, 2, 3));
  EXPECT_FALSE(accepts(Kind::random, RandomAttr{}, 2, 4)) << "an unknown mode";
  EXPECT_TRUE(accepts(Kind::scan, ScanAttr{}, 2, 3));
  EXPECT_FALSE(accepts(Kind::scan, ScanAttr{}, 2, 4)) << "an unknown reduction";
  EXPECT_FALSE(accepts(Kind::scan, ScanAttr{}, 3, 2)) << "a flag of 2";
  EXPECT_FALSE(accepts(Kind::average_pool, AveragePoolAttr{}, 2 + 64, 2)) << "a flag of 2";
  EXPECT_TRUE(accepts(Kind::scatter_add, ScatterAttr{}, 0, 17));
  EXPECT_FALSE(accepts(Kind::scatter_add, ScatterAttr{}, 0, 23)) << "an unknown kind";
  EXPECT_FALSE(accepts(Kind::scatter_add, ScatterAttr{}, 0, 0)) << "an unknown kind";
}

TEST(Codec, RefusesEveryTruncationAndTrailingBytes) {
  const Bytes bytes = encode(every_attribute());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode(ByteView(bytes).first(size)).ok()) << size;
  }
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_EQ(decode(longer).error().code, Code::trailing_bytes);
}

TEST(Codec, WhatDecodesEncodesToTheSameBytes) {
  const Bytes bytes = encode(every_attribute());
  int accepted = 0;
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const unsigned flip : {0x01U, 0x80U, 0xffU}) {
      Bytes changed = bytes;
      changed[at] = static_cast<uint8_t>(changed[at] ^ flip);
      if (const auto program = decode(changed); program.ok()) {
        ++accepted;
        EXPECT_EQ(encode(*program), changed) << at;
        EXPECT_NE(program_root(*program), program_root(every_attribute()));
      }
    }
  }
  EXPECT_GT(accepted, 0);
}

TEST(Check, AcceptsTheSmallProgramAndCountsItsCost) {
  const Program p = small_program();
  const auto ok = check(p);
  ASSERT_TRUE(ok.ok()) << ok.error().message();
  EXPECT_EQ(cost(p), 4 * 3 * 2 + 5 * 4 + 12u);
}

TEST(Check, NamesWhatIsWrong) {
  const auto broken = [](auto change) {
    Program p = small_program();
    change(p);
    const auto checked = check(p);
    return checked.ok() ? std::string("accepted") : checked.error().where;
  };
  EXPECT_EQ(broken([](Program& p) { p.version = 99; }), "");
  EXPECT_EQ(broken([](Program& p) { std::swap(p.leaves[0], p.leaves[1]); }), "leaf 1");
  EXPECT_EQ(broken([](Program& p) { p.leaves[1].name = "b"; }), "leaf 1");
  EXPECT_EQ(broken([](Program& p) { p.leaves[2].name = "x y"; }), "leaf 2");
  EXPECT_EQ(broken([](Program& p) { p.leaves[1].writer = 1; }), "leaf 1");
  EXPECT_EQ(broken([](Program& p) { p.leaves[1].writer = 3; }), "leaf 1");
  EXPECT_EQ(broken([](Program& p) { p.records[1].inputs[0].index = 1; }), "record 1");
  EXPECT_EQ(broken([](Program& p) { p.records[1].inputs[0].dims = {2, 3}; }), "record 1");
  EXPECT_EQ(broken([](Program& p) { p.records[0].out.dims = {1, 4, 1}; }), "record 0");
  EXPECT_EQ(broken([](Program& p) { p.records[0].attributes = RankAttr{}; }), "record 0");
  EXPECT_EQ(broken([](Program& p) { p.records[2].inputs.clear(); }), "record 2");
  EXPECT_EQ(broken([](Program& p) { p.records[1].inputs[2].index = 7; }), "record 1");
  EXPECT_EQ(broken([](Program& p) { std::get<MapAttr>(p.records[1].attributes).nodes.pop_back(); }),
            "record 1");
}

TEST(Check, MapTypes) {
  const auto accepts = [](std::vector<MapNode> nodes, DType in, DType out) {
    const Record record{Kind::map, MapAttr{std::move(nodes)}, {}, {out, {3}}};
    return check(Op{&record, {{in, {3}}}}).ok();
  };
  const MapNode x{MapOp::input, 0};
  EXPECT_TRUE(accepts({x, {MapOp::exp}}, DType::f32, DType::f32));
  EXPECT_FALSE(accepts({x, {MapOp::exp}}, DType::f64, DType::f64));
  EXPECT_FALSE(accepts({x, x, {MapOp::maximum}}, DType::f64, DType::f64))
      << "f64 has + − × ÷ √ fma only";
  EXPECT_TRUE(accepts({x, x, {MapOp::less}}, DType::f32, DType::boolean));
  EXPECT_FALSE(accepts({x, x, {MapOp::less}}, DType::f32, DType::f32));
  EXPECT_FALSE(accepts({x, x, {MapOp::add}}, DType::bf16, DType::bf16)) << "storage only";
  EXPECT_TRUE(accepts({x, {MapOp::cast, 0, DType::bf16}}, DType::f32, DType::bf16));
  EXPECT_FALSE(accepts({x, {MapOp::bitcast, 0, DType::f64}}, DType::f32, DType::f64));
  EXPECT_FALSE(accepts({x, x}, DType::f32, DType::f32)) << "two values are left";
  EXPECT_FALSE(accepts({x, {MapOp::add}}, DType::f32, DType::f32)) << "one operand";
  EXPECT_FALSE(accepts(
      {{MapOp::constant, 0, DType::f32, 0x7fc00001}, x, {MapOp::add}}, DType::f32, DType::f32));
  EXPECT_FALSE(
      accepts({{MapOp::constant, 0, DType::u8, 256}, x, {MapOp::add}}, DType::u8, DType::u8));
  EXPECT_FALSE(accepts({{MapOp::constant, 0, DType::f32, 0}}, DType::f32, DType::f32))
      << "input never read";
}

TEST(Check, RefusesAFoldOfTooManySteps) {
  const Record record{Kind::contract, ContractAttr{}, {}, {DType::f32, {1, 256, 1}}};
  const auto with = [&](int64_t k) {
    return check(Op{&record, {{DType::f32, {1, 256, k}}, {DType::f32, {1, k, 1}}}}).ok();
  };
  EXPECT_TRUE(with(int64_t{65'536} / 4 * 64));
  EXPECT_FALSE(with(int64_t{65'536} / 4 * 64 + 1));
}

Tensor twelve_ones(DType type, Dims dims) {
  Tensor tensor;
  tensor.shape.type = type;
  tensor.shape.dims = std::move(dims);
  tensor.data.assign(12, 1);
  return tensor;
}

TEST(Roots, AreGolden) {
  const Program p = small_program();
  const Tensor x = twelve_ones(DType::f32, {1, 3});
  const std::vector<Hash> roots(3, tensor_root(x));
  EXPECT_EQ(to_hex(program_root(p).view()),
            "acd4b9264bc35d337dd280debb4d31aad76ce1c3bb1a8b77dd6234711278e6df");
  EXPECT_EQ(to_hex(tensor_root(x).view()),
            "6c9fc670a2a68e218e7454b83c0234195797f8b98c0a06e8485b4397d7092e1b");
  EXPECT_EQ(to_hex(state_root(p, roots).view()),
            "c2a30f36d490f9db021916a2ed5faf32d6b8a88ee406c777030b666a96d85cc0");
}

TEST(Roots, BindTypeDimsNameAndOrder) {
  const Tensor a = twelve_ones(DType::f32, {1, 3});
  const Tensor b = twelve_ones(DType::i32, {1, 3});
  const Tensor c = twelve_ones(DType::f32, {3, 1});
  EXPECT_NE(tensor_root(a), tensor_root(b));
  EXPECT_NE(tensor_root(a), tensor_root(c));
  EXPECT_NE(leaf_hash("a", tensor_root(a)), leaf_hash("b", tensor_root(a)));
  EXPECT_EQ(model_root({{"a", Hash{}}, {"b", tensor_root(a)}}),
            model_root({{"b", tensor_root(a)}, {"a", Hash{}}}));
}

}  // namespace
}  // namespace lockstep::law
