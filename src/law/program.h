// Program records and their canonical bytes: a leaf table, constants, and an SSA list of records
// with exactly one output each. LAW sections 2 and 5.
#pragma once

#include <optional>
#include <variant>

#include "law/types.h"

namespace lockstep::law {

/// Numbers are part of hashed bytes: never renumber, never reuse.
enum class Kind : uint16_t {
  map = 1,
  contract = 2,
  reduce = 3,
  conv = 4,
  conv_weight_grad = 5,
  conv_input_grad = 6,
  max_pool = 7,
  max_pool_grad = 8,
  gather = 9,
  rank = 10,
  transpose = 11,
  slice = 12,
  pad = 13,
  concatenate = 14,
  broadcast = 15,
  scatter_add = 16,
  scatter_set = 17,
  gather_elements = 18,
  average_pool = 19,
  average_pool_grad = 20,
  random = 21,
  scan = 22,
};

/// One node of a map's postfix expression. Operands have one type; a node pops its operands and
/// pushes its result.
enum class MapOp : uint8_t {
  input = 0,     // pushes input `arg`
  constant = 1,  // pushes `bits` of type `type`
  cast = 2,      // to `type`: value conversion (LAW section 1)
  bitcast = 3,   // to `type` of the same size: NaN canonical first
  // two operands of one type; not on bool unless said
  add = 10,
  subtract = 11,
  multiply = 12,
  divide = 13,
  remainder = 14,  // remainder: integers only
  maximum = 15,
  minimum = 16,
  bit_and = 17,
  bit_or = 18,
  bit_xor = 19,  // integers and bool
  shift_left = 20,
  shift_right = 21,  // integers; right is arithmetic on signed
  // two operands, result bool; equal and not_equal also on bool
  less = 30,
  less_equal = 31,
  equal = 32,
  not_equal = 33,
  // one operand
  negate = 40,
  absolute = 41,
  logical_not = 42,  // not: bool only
  square_root = 43,
  exp = 44,
  log = 45,
  cos = 46,
  sin = 47,
  tanh = 48,
  erf = 49,
  sigmoid = 50,
  reciprocal_square_root = 51,  // exp to here: f32 only
  // three operands
  fma = 60,     // a·b + c rounded once; f32 and f64
  select = 61,  // bool c, a, b: c ? a : b
};

struct MapNode {
  MapOp op = MapOp::input;
  uint8_t arg = 0;          // input: which
  DType type = DType::f32;  // constant, cast, bitcast: the type
  uint64_t bits = 0;        // constant: raw bits, zero-extended; NaN canonical
  bool operator==(const MapNode&) const = default;
};

struct MapAttr {
  std::vector<MapNode> nodes;
  bool operator==(const MapAttr&) const = default;
};
/// A is [b,m,k], or [b,k,m] when a_transposed; B is [b,k,n], or [b,n,k] when b_transposed.
struct ContractAttr {
  bool a_transposed = false, b_transposed = false;
  bool operator==(const ContractAttr&) const = default;
};
enum class ReduceOp : uint8_t { sum = 0, product = 1, maximum = 2, minimum = 3 };
/// Axes ascending and distinct; may be empty (then n = 1).
struct ReduceAttr {
  ReduceOp op = ReduceOp::sum;
  std::vector<uint8_t> axes;
  bool operator==(const ReduceAttr&) const = default;
};
/// Of the *forward* convolution, also for its gradients. x is [n,h,w,ci], w [kh,kw,ci/groups,co],
/// y [n,oh,ow,co]. Weight gradient: inputs x, dy. Input gradient: inputs dy, w. Their out shape,
/// with what the attributes say, fixes the rest and is checked against the forward size rule.
struct ConvAttr {
  int64_t stride_h = 1, stride_w = 1, pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;
  int64_t dilation_h = 1, dilation_w = 1, groups = 1;
  bool operator==(const ConvAttr&) const = default;
};
/// max_pool: input x [n,h,w,c]. max_pool_grad: inputs x, dy; output like x.
struct PoolAttr {
  int64_t window_h = 1, window_w = 1, stride_h = 1, stride_w = 1;
  int64_t pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;
  bool operator==(const PoolAttr&) const = default;
};
/// average_pool: input x [n,h,w,c]; average_pool_grad: input dy, its output has x's dims. The sum
/// runs from +0 over the positions inside the image, window row-major, and is divided once by their
/// number or, with count_padding, by the window's area. The gradient runs from +0 over the covering
/// windows, (oh, ow) ascending, of dy divided by the same number.
struct AveragePoolAttr {
  PoolAttr pool;
  bool count_padding = false;
  bool operator==(const AveragePoolAttr&) const = default;
};
struct GatherAttr {
  bool operator==(const GatherAttr&) const = default;
};  // inputs: data, index
/// Inputs base, index (i32 or i64), updates [index dims, base dims without axis 0]; the output is
/// like base. An index below 0 adds n once; still outside: ignored. Term 0 is the base, term 1 + i
/// update i where its index hits; scatter_add adds them in that order, in scatter_set the last
/// wins.
struct ScatterAttr {
  bool operator==(const ScatterAttr&) const = default;
};
/// Inputs data and index (i32 or i64) of one rank; the output is like index, and equals data at the
/// output's own place but for `axis`, where the index says. Off the axis no index dim is larger
/// than data's.
struct GatherElementsAttr {
  uint8_t axis = 0;
  bool operator==(const GatherElementsAttr&) const = default;
};
enum class RandomMode : uint8_t { bits = 0, uniform = 1, normal = 2, keep = 3 };
/// Inputs seed and step, u64 of one element each. Word e of the stream is word e mod 4 of
/// Philox4x32-10 with the seed as key (low word first) and counter (e div 4 low, high, `stream`,
/// step mod 2^32). bits: u32; uniform and normal: f32; keep: bool, whether the word is below
/// `threshold`, which is 0 in the other modes. normal: elements 2i and 2i+1 are the cosine and sine
/// of the pair of words (2i, 2i+1).
struct RandomAttr {
  RandomMode mode = RandomMode::uniform;
  uint32_t stream = 0;
  uint32_t threshold = 0;
  bool operator==(const RandomAttr&) const = default;
};
/// A running fold along the last axis, which is cut into blocks of limits::scan_block. Inputs x
/// [.., n] and, needed where there is more than one block, carry [.., blocks]. Output i starts with
/// its block's carry, where there is one, and takes the block's elements up to i in order, without
/// i where exclusive; what has taken nothing is the identity, and the first thing taken is copied.
struct ScanAttr {
  ReduceOp op = ReduceOp::sum;
  bool exclusive = false;
  bool operator==(const ScanAttr&) const = default;
};
struct RankAttr {
  bool descending = false;
  bool operator==(const RankAttr&) const = default;
};
/// Output axis i is input axis order[i].
struct TransposeAttr {
  std::vector<uint8_t> order;
  bool operator==(const TransposeAttr&) const = default;
};
/// Per axis: output i is input start + i·step; sizes are those of the output dims.
struct SliceAttr {
  std::vector<int64_t> start, step;
  bool operator==(const SliceAttr&) const = default;
};
struct PadAttr {
  std::vector<int64_t> low, high;
  uint64_t bits = 0;
  bool operator==(const PadAttr&) const = default;
};
struct ConcatenateAttr {
  uint8_t axis = 0;
  bool operator==(const ConcatenateAttr&) const = default;
};
struct BroadcastAttr {
  bool operator==(const BroadcastAttr&) const = default;
};  // numpy rule, to the out dims

/// The alternative fixes the family; conv and its gradients share ConvAttr, pools PoolAttr.
using Attributes = std::variant<MapAttr,
                                ContractAttr,
                                ReduceAttr,
                                ConvAttr,
                                PoolAttr,
                                GatherAttr,
                                RankAttr,
                                TransposeAttr,
                                SliceAttr,
                                PadAttr,
                                ConcatenateAttr,
                                BroadcastAttr,
                                AveragePoolAttr,
                                ScatterAttr,
                                GatherElementsAttr,
                                RandomAttr,
                                ScanAttr>;

/// Where an input comes from, with the dims it is read with: their count is the producer's.
enum class From : uint8_t { state = 0, value = 1, constant = 2 };
struct Source {
  From from = From::state;
  uint32_t index = 0;
  Dims dims;
  bool operator==(const Source&) const = default;
};

struct Record {
  Kind kind = Kind::map;
  Attributes attributes;
  std::vector<Source> inputs;
  Shape out;
  bool operator==(const Record&) const = default;
};

/// A state leaf; `writer` is the record whose output becomes its next value, none = unchanged.
struct Leaf {
  std::string name;
  Shape shape;
  std::optional<uint32_t> writer;
  bool operator==(const Leaf&) const = default;
};

struct Constant {
  Shape shape;
  Hash root;
  bool operator==(const Constant&) const = default;
};

struct Program {
  uint16_t version = law_version;
  std::vector<Leaf> leaves;  // sorted bytewise by name, unique
  std::vector<Constant> constants;
  std::vector<Record> records;
  bool operator==(const Program&) const = default;
};

/// A record with the shapes its inputs are read with: all that a fold needs to know.
struct Op {
  const Record* record = nullptr;
  std::vector<Shape> in;
};
[[nodiscard]] Op op_of(const Program& program, uint32_t record);

[[nodiscard]] Bytes encode(const Program& program);
/// Errors: truncated, too_large, not_canonical (an unknown kind, a flag that is not 0 or 1),
/// trailing_bytes. Does not type-check: call check().
[[nodiscard]] Result<Program> decode(ByteView bytes);
[[nodiscard]] Bytes encode(const Record& record);
/// Whether the attribute alternative is the one that goes with the kind.
[[nodiscard]] bool matches(Kind kind, const Attributes& attributes);

/// The only type check there is. Errors: bad_program, bad_record, bad_shape, bad_law_version; the
/// text names the record or leaf.
[[nodiscard]] Result<void> check(const Program& program);
/// The shape rule of one record, from its attributes, `in` and the out shape it claims.
[[nodiscard]] Result<void> check(const Op& op);

/// Operations of one record and of a program's step: the price of a job rests on it.
[[nodiscard]] uint64_t cost(const Op& op);
[[nodiscard]] uint64_t cost(const Program& program);

}  // namespace lockstep::law
