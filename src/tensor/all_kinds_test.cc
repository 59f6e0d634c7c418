#include "base/test_soak.h"
// Random records of every kind: each kernel that may run one against the law, bit for bit, alone
// and shared out, and without an allocation.
#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "law/test_random_ops.h"
#include "tensor/allocation_counter.h"
#include "tensor/executor.h"
#include "tensor/test_cases.h"
#include "tensor/workers.h"

namespace lockstep::tensor {
namespace {

using law::DType;
using law::Kind;

/// Every kernel of both tables that says it applies, whichever the executor would choose.
std::vector<const Kernel*> kernels_for(const law::Op& op) {
  std::vector<std::span<const Kernel>> tables = {contraction_kernels_portable(),
                                                 general_kernels_portable()};
  if (supported(Isa::avx2)) {
    tables.push_back(contraction_kernels_avx2());
    tables.push_back(general_kernels_avx2());
  }
  std::vector<const Kernel*> found;
  for (const std::span<const Kernel> table : tables) {
    for (const Kernel& kernel : table) {
      if (kernel.applies(op)) {
        found.push_back(&kernel);
      }
    }
  }
  return found;
}

/// Last part first: a part that leaves its piece of the output undoes what another has done.
class ReversedWorkers final : public Workers {
 public:
  [[nodiscard]] int count() const override { return 7; }
  void run(int64_t parts, const std::function<void(int64_t, int)>& body) override {
    for (int64_t part = parts; part-- > 0;) {
      body(part, static_cast<int>(part % 7));
    }
  }
};

class Comparison {
 public:
  Comparison() {
    for (const int threads : {1, 2, 7}) {
      workers_.push_back(ThreadPool::create(threads).value());
    }
    workers_.push_back(std::make_unique<ReversedWorkers>());
  }
  void expect_law(const test::Case& c) {
    const law::Op op = c.op();
    const auto checked = law::check(op);
    ASSERT_TRUE(checked.ok()) << text_of(c) << ": " << checked.error().message();
    for (const Isa isa : {Isa::portable, Isa::avx2}) {
      ASSERT_NE(choose_kernel(op, isa), nullptr) << text_of(c);
    }
    const Bytes expected = c.expected();
    for (const Kernel* const kernel : kernels_for(op)) {
      for (const auto& workers : workers_) {
        const auto result = run_kernel(*kernel, c, *workers);
        ASSERT_TRUE(result.has_value()) << kernel->name << " left its buffers, " << text_of(c);
        ASSERT_TRUE(*result == expected)
            << kernel->name << ", " << workers->count() << " threads, " << text_of(c);
      }
    }
  }

 private:
  std::vector<std::unique_ptr<Workers>> workers_;
};

test::Case case_of(law::test::RandomOp random) {
  return {std::move(random.record), std::move(random.in)};
}

class AllKinds : public testing::TestWithParam<int> {};

TEST_P(AllKinds, KernelsGiveTheBitsOfTheLaw) {
  const auto kind = static_cast<Kind>(GetParam());
  Comparison comparison;
  const uint64_t count = 150 * soak_times();
  for (uint64_t seed = 0; seed < count && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    law::test::SeededChoices choices(seed * 100 + static_cast<uint64_t>(kind));
    const int64_t budget = seed % 10 == 9 ? 20000 : 2000;
    comparison.expect_law(case_of(law::test::random_op(choices, kind, budget)));
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds,
                         AllKinds,
                         testing::Range(1, static_cast<int>(law::test::last_kind) + 1));

law::Tensor heavy(TestRandom& random, law::Dims dims) {
  law::Tensor made{{DType::f32, std::move(dims)}, {}};
  made.data.resize(static_cast<size_t>(made.shape.bytes()));
  for (int64_t i = 0; i < made.shape.count(); ++i) {
    law::store_bits(DType::f32, made.data, i, test::random_f32(random, test::Values::heavy));
  }
  return made;
}

law::Tensor places(TestRandom& random, law::Dims dims, int64_t rows) {
  law::Tensor made{{DType::i64, std::move(dims)}, {}};
  made.data.resize(static_cast<size_t>(made.shape.bytes()));
  for (int64_t i = 0; i < made.shape.count(); ++i) {
    const int64_t place = random.in(-rows - 1, rows);
    law::store_bits(DType::i64, made.data, i, static_cast<uint64_t>(place));
  }
  return made;
}

/// Sizes at which work is shared out by columns, by rows, and not at all.
TEST(Scatter, SharesOutColumnsAndRowsAndKeepsTheOrder) {
  Comparison comparison;
  TestRandom random(3);
  for (const Kind kind : {Kind::scatter_add, Kind::scatter_set}) {
    for (const auto& [rows, row, updates] : {std::array<int64_t, 3>{3, 4000, 9},
                                             {40, 1, 300},
                                             {700, 1, 5000},
                                             {200, 7, 900},
                                             {5, 119, 200},
                                             {1, 1, 3000}}) {
      test::Case c;
      c.record.kind = kind;
      c.record.attributes = law::ScatterAttr{};
      c.record.out = {DType::f32, {rows, row}};
      c.in.push_back(heavy(random, {rows, row}));
      // The law looks at all updates for each output: few of the former where many of the latter.
      c.in.push_back(places(random, {updates}, rows));
      c.in.push_back(heavy(random, {updates, row}));
      ASSERT_NO_FATAL_FAILURE(comparison.expect_law(c));
    }
  }
}

TEST(Scatter, ReversedUpdatesAreNoticed) {
  Comparison comparison;
  TestRandom random(4);
  test::Case c;
  c.record.kind = Kind::scatter_add;
  c.record.attributes = law::ScatterAttr{};
  c.record.out = {DType::f32, {2, 40}};
  c.in.push_back(heavy(random, {2, 40}));
  c.in.push_back({{DType::i64, {50}}, Bytes(400)});  // all to row 0
  c.in.push_back(heavy(random, {50, 40}));
  comparison.expect_law(c);
  test::Case turned = c;
  for (size_t i = 0; i < 50; ++i) {
    std::copy_n(c.in[2].data.begin() + static_cast<ptrdiff_t>(i) * 160,
                160,
                turned.in[2].data.begin() + static_cast<ptrdiff_t>(49 - i) * 160);
  }
  EXPECT_NE(c.expected(), turned.expected());
}

TEST(Scan, ManyRowsAndManyBlocks) {
  Comparison comparison;
  TestRandom random(5);
  for (const auto op : {law::ReduceOp::sum, law::ReduceOp::product, law::ReduceOp::maximum}) {
    for (const auto& [rows, n] :
         {std::array<int64_t, 2>{600, 64}, {1, 5000}, {9, 1000}, {700, 5}, {3000, 1}, {5, 65}}) {
      test::Case c;
      c.record.kind = Kind::scan;
      c.record.attributes = law::ScanAttr{op, random.chance(2)};
      c.record.out = {DType::f32, {rows, n}};
      c.in.push_back(heavy(random, {rows, n}));
      if (n > limits::scan_block || random.chance(2)) {
        c.in.push_back(heavy(random, {rows, (n + 63) / 64}));
      }
      ASSERT_NO_FATAL_FAILURE(comparison.expect_law(c));
    }
  }
}

test::Case random_case(const law::RandomAttr& attr, law::Shape out, uint64_t seed, uint64_t step) {
  test::Case c;
  c.record.kind = Kind::random;
  c.record.attributes = attr;
  c.record.out = std::move(out);
  for (const uint64_t word : {seed, step}) {
    c.in.push_back({{DType::u64, {}}, Bytes(8)});
    law::store_bits(DType::u64, c.in.back().data, 0, word);
  }
  return c;
}

TEST(RandomKernel, LongStreamsOfEveryMode) {
  Comparison comparison;
  using law::RandomMode;
  for (const int64_t count : {1, 2, 3, 31, 33, 1023, 1025, 16385, 50001}) {
    const law::Dims dims = {count};
    const uint64_t seed = test_mixed(static_cast<uint64_t>(count));
    const uint64_t step = test_mixed(seed);
    for (const auto& [mode, type] : {std::pair{RandomMode::bits, DType::u32},
                                     {RandomMode::uniform, DType::f32},
                                     {RandomMode::normal, DType::f32},
                                     {RandomMode::keep, DType::boolean}}) {
      const uint32_t threshold = mode == RandomMode::keep ? 0xc0000000 : 0;
      comparison.expect_law(random_case({mode, 0x80000007, threshold}, {type, dims}, seed, step));
    }
  }
}

TEST(RandomKernel, AWordEqualToTheThresholdIsNotKept) {
  Comparison comparison;
  for (const uint32_t place : {0U, 5U, 38U}) {
    const uint32_t word = law::philox({{place / 4, 0, 9, 3}}, 1234).word[place % 4];
    const test::Case c =
        random_case({law::RandomMode::keep, 9, word}, {DType::boolean, {40}}, 1234, 3);
    comparison.expect_law(c);
    EXPECT_EQ(c.expected()[place], 0);
  }
}

TEST(AveragePool, ManyChannelsAndNegativeZeros) {
  Comparison comparison;
  TestRandom random(6);
  for (const int64_t channels : {1, 3, 4, 7, 8, 9, 64, 67}) {
    for (const bool count_padding : {false, true}) {
      test::Case c;
      c.record.kind = Kind::average_pool;
      const law::PoolAttr pool{3, 2, 2, 1, 1, 2, 1, 0};
      c.record.attributes = law::AveragePoolAttr{pool, count_padding};
      c.record.out = {DType::f32, {2, 5, 9, channels}};
      c.in.push_back(heavy(random, {2, 8, 9, channels}));
      ASSERT_NO_FATAL_FAILURE(comparison.expect_law(c));
      for (int64_t i = 0; i < c.in[0].shape.count(); ++i) {
        law::store_bits(DType::f32, c.in[0].data, i, 0x80000000);
      }
      ASSERT_NO_FATAL_FAILURE(comparison.expect_law(c));
      std::swap(c.in[0].shape.dims, c.record.out.dims);
      c.record.kind = Kind::average_pool_grad;
      c.in[0] = heavy(random, {2, 5, 9, channels});
      ASSERT_NO_FATAL_FAILURE(comparison.expect_law(c));
    }
  }
}

/// Rows that are sorted by digits: of the law's order the same, to the last tie.
TEST(Rank, LongRowsWithTiesZerosAndNan) {
  Comparison comparison;
  TestRandom random(7);
  for (const DType type :
       {DType::f32, DType::i8, DType::u16, DType::i32, DType::u32, DType::i64, DType::u64}) {
    for (const auto values : {test::Values::tied, test::Values::special, test::Values::heavy}) {
      for (const bool descending : {false, true}) {
        test::Case c;
        c.record.kind = Kind::rank;
        c.record.attributes = law::RankAttr{descending};
        c.record.out = {DType::i64, {2, random.in(512, 700)}};
        c.in.push_back({{type, c.record.out.dims}, {}});
        c.in[0].data.resize(static_cast<size_t>(c.in[0].shape.bytes()));
        for (int64_t i = 0; i < c.in[0].shape.count(); ++i) {
          const auto of = random.chance(5) ? test::Values::special : values;
          law::store_bits(type, c.in[0].data, i, test::random_bits(random, type, of));
        }
        ASSERT_NO_FATAL_FAILURE(comparison.expect_law(c));
      }
    }
  }
}

/// The most axes that a tensor may have, under every kind that takes any number of them.
TEST(Views, EightAxes) {
  Comparison comparison;
  TestRandom random(8);
  const law::Dims dims = {2, 3, 1, 2, 3, 2, 1, 3};
  const auto run = [&](Kind kind, law::Attributes attributes, law::Dims out, size_t inputs) {
    test::Case c;
    c.record = {kind, std::move(attributes), {}, {DType::f32, std::move(out)}};
    for (size_t i = 0; i < inputs; ++i) {
      c.in.push_back(heavy(random, dims));
    }
    if (kind == Kind::gather_elements) {
      c.in.push_back(places(random, c.record.out.dims, dims[4]));
    }
    comparison.expect_law(c);
  };
  run(Kind::transpose, law::TransposeAttr{{7, 0, 6, 1, 5, 2, 4, 3}}, {3, 2, 1, 3, 2, 1, 3, 2}, 1);
  run(Kind::slice,
      law::SliceAttr{{0, 1, 0, 1, 0, 0, 0, 0}, {1, 1, 1, 9, 2, 1, 1, 2}},
      {2, 2, 1, 1, 2, 2, 1, 2},
      1);
  run(Kind::pad,
      law::PadAttr{{0, 1, 2, 0, 0, 1, 0, 1}, {1, 0, 0, 0, 2, 1, 0, 0}, 0x3f800000},
      {3, 4, 3, 2, 5, 4, 1, 4},
      1);
  run(Kind::concatenate, law::ConcatenateAttr{5}, {2, 3, 1, 2, 3, 6, 1, 3}, 3);
  run(Kind::broadcast, law::BroadcastAttr{}, {2, 3, 4, 2, 3, 2, 5, 3}, 1);
  run(Kind::reduce, law::ReduceAttr{law::ReduceOp::sum, {1, 4, 6}}, {2, 1, 2, 2, 3, 1}, 1);
  run(Kind::gather_elements, law::GatherElementsAttr{4}, {2, 2, 1, 1, 7, 2, 1, 3}, 1);
}

TEST(AllKernels, Avx2IsChosenWhereItIsFaster) {
  if (!supported(Isa::avx2)) {
    EXPECT_TRUE(best_isa() == Isa::portable);
    return;
  }
  for (const auto& [kind, name] : {std::pair{Kind::average_pool, "average_pool_avx2"},
                                   {Kind::average_pool_grad, "average_pool_grad_avx2"},
                                   {Kind::scatter_add, "scatter_add_avx2"},
                                   {Kind::random, "random_avx2"}}) {
    bool chosen = false;
    for (uint64_t seed = 0; seed < 50; ++seed) {
      law::test::SeededChoices choices(seed);
      const test::Case c = case_of(law::test::random_op(choices, kind, 5000));
      const law::Op op = c.op();
      EXPECT_EQ(std::string(choose_kernel(op, Isa::portable)->name).find("avx2"),
                std::string::npos);
      chosen = chosen || std::string(choose_kernel(op, Isa::avx2)->name) == name;
    }
    EXPECT_TRUE(chosen) << name;
  }
}

TEST(AllKernels, DoNotAllocate) {
  const auto pool = ThreadPool::create(2).value();
  for (int kind = 1; kind <= static_cast<int>(law::test::last_kind); ++kind) {
    for (uint64_t seed = 0; seed < 12; ++seed) {
      law::test::SeededChoices choices(seed * 100 + static_cast<uint64_t>(kind));
      const test::Case c = case_of(law::test::random_op(choices, static_cast<Kind>(kind), 5000));
      const law::Op op = c.op();
      for (const Kernel* const kernel : kernels_for(op)) {
        const test::Guarded out(static_cast<size_t>(c.record.out.bytes()));
        const test::Guarded scratch(kernel->scratch_bytes(op, pool->count()));
        std::vector<ByteView> views;
        std::vector<test::Guarded> in;
        for (const law::Tensor& tensor : c.in) {
          in.emplace_back(tensor.data.size());
          std::copy(tensor.data.begin(), tensor.data.end(), in.back().bytes().begin());
          views.emplace_back(in.back().bytes());
        }
        const int64_t before = allocations_so_far();
        kernel->run({op, views, out.bytes(), scratch.bytes(), *pool});
        EXPECT_EQ(allocations_so_far(), before) << kernel->name << ", " << text_of(c);
      }
    }
  }
}

}  // namespace
}  // namespace lockstep::tensor
