// Canonical bytes of programs. The layout is hashed: it can only be changed with the law's version.
#include "law/program.h"

#include "base/check.h"
#include "codec/codec.h"

namespace lockstep::law {
namespace {

using codec::Writer;

void write(Writer& w, bool flag) {
  w.number(static_cast<uint8_t>(flag));
}
void write(Writer& w, int64_t value) {
  w.number(value);
}
void write(Writer& w, uint64_t value) {
  w.number(value);
}
void write(Writer& w, uint8_t value) {
  w.number(value);
}
void write(Writer& w, DType type) {
  w.number(static_cast<uint8_t>(type));
}
void write(Writer& w, ReduceOp op) {
  w.number(static_cast<uint8_t>(op));
}
void write(Writer& w, RandomMode mode) {
  w.number(static_cast<uint8_t>(mode));
}
void write(Writer& w, uint32_t value) {
  w.number(value);
}

void write(Writer& w, const MapNode& node);

template <class T>
void write(Writer& w, const std::vector<T>& list) {
  w.number(static_cast<uint8_t>(list.size()));
  for (const T& entry : list) {
    write(w, entry);
  }
}

void write(Writer& w, const MapNode& node) {
  w.number(static_cast<uint8_t>(node.op));
  switch (node.op) {
    case MapOp::input:
      w.number(node.arg);
      break;
    case MapOp::constant:
      write(w, node.type);
      w.number(node.bits);
      break;
    case MapOp::cast:
    case MapOp::bitcast:
      write(w, node.type);
      break;
    default:
      break;
  }
}

void write(Writer& w, const Shape& shape) {
  write(w, shape.type);
  write(w, shape.dims);
}

/// Calls visit(field) for each field of an attribute structure, in the order of its bytes. Writing
/// and reading go through the same list, so they cannot disagree.
template <class A, class Visit>
void fields(A& attr, Visit&& visit) {
  using T = std::remove_const_t<A>;
  if constexpr (std::is_same_v<T, MapAttr>) {
    visit(attr.nodes);
  } else if constexpr (std::is_same_v<T, ContractAttr>) {
    visit(attr.a_transposed), visit(attr.b_transposed);
  } else if constexpr (std::is_same_v<T, ReduceAttr>) {
    visit(attr.op), visit(attr.axes);
  } else if constexpr (std::is_same_v<T, ConvAttr>) {
    visit(attr.stride_h), visit(attr.stride_w), visit(attr.pad_top), visit(attr.pad_bottom);
    visit(attr.pad_left), visit(attr.pad_right), visit(attr.dilation_h), visit(attr.dilation_w);
    visit(attr.groups);
  } else if constexpr (std::is_same_v<T, PoolAttr>) {
    visit(attr.window_h), visit(attr.window_w), visit(attr.stride_h), visit(attr.stride_w);
    visit(attr.pad_top), visit(attr.pad_bottom), visit(attr.pad_left), visit(attr.pad_right);
  } else if constexpr (std::is_same_v<T, AveragePoolAttr>) {
    fields(attr.pool, visit);
    visit(attr.count_padding);
  } else if constexpr (std::is_same_v<T, RandomAttr>) {
    visit(attr.mode), visit(attr.stream), visit(attr.threshold);
  } else if constexpr (std::is_same_v<T, ScanAttr>) {
    visit(attr.op), visit(attr.exclusive);
  } else if constexpr (std::is_same_v<T, RankAttr>) {
    visit(attr.descending);
  } else if constexpr (std::is_same_v<T, TransposeAttr>) {
    visit(attr.order);
  } else if constexpr (std::is_same_v<T, SliceAttr>) {
    visit(attr.start), visit(attr.step);
  } else if constexpr (std::is_same_v<T, PadAttr>) {
    visit(attr.low), visit(attr.high), visit(attr.bits);
  } else if constexpr (std::is_same_v<T, ConcatenateAttr> ||
                       std::is_same_v<T, GatherElementsAttr>) {
    visit(attr.axis);
  } else {
    static_assert(std::is_same_v<T, GatherAttr> || std::is_same_v<T, BroadcastAttr> ||
                  std::is_same_v<T, ScatterAttr>);
  }
}

void write(Writer& w, const Record& record) {
  w.number(static_cast<uint16_t>(record.kind));
  std::visit([&](const auto& attr) { fields(attr, [&](const auto& field) { write(w, field); }); },
             record.attributes);
  w.number(static_cast<uint8_t>(record.inputs.size()));
  for (const Source& source : record.inputs) {
    w.number(static_cast<uint8_t>(source.from));
    w.number(source.index);
    write(w, source.dims);
  }
  write(w, record.out);
}

/// Reads into existing fields; keeps the first error and leaves the rest untouched.
class Decoder {
 public:
  explicit Decoder(ByteView bytes) : reader_(bytes) {}

  void read(bool& flag) {
    uint8_t value = 0;
    read(value);
    flag = value == 1;
    require(value <= 1, "a flag that is neither 0 nor 1");
  }
  template <std::integral T>
  void read(T& value) {
    take(reader_.number<T>(), value);
  }
  void read(DType& type) { read_enum(type, dtype_count, "an unknown element type"); }
  void read(ReduceOp& op) { read_enum(op, 4, "an unknown reduction"); }
  void read(RandomMode& mode) { read_enum(mode, 4, "an unknown kind of random numbers"); }
  void read(Shape& shape) {
    read(shape.type);
    read(shape.dims);
  }
  template <class T>
  void read(std::vector<T>& list) {
    uint8_t size = 0;
    read(size);
    list.clear();
    for (uint8_t i = 0; i < size && ok(); ++i) {
      T entry{};
      read(entry);
      list.push_back(entry);
    }
  }
  void read(MapNode& node) {
    uint8_t op = 0;
    read(op);
    node.op = static_cast<MapOp>(op);
    require(is_known(node.op), "an unknown map node");
    switch (node.op) {
      case MapOp::input:
        read(node.arg);
        break;
      case MapOp::constant:
        read(node.type);
        read(node.bits);
        break;
      case MapOp::cast:
      case MapOp::bitcast:
        read(node.type);
        break;
      default:
        break;
    }
  }
  void read(Record& record);
  void read(Leaf& leaf) {
    take(reader_.text(limits::name_bytes_max), leaf.name);
    read(leaf.shape);
    bool written = false;
    read(written);
    if (written) {
      read(leaf.writer.emplace());
    }
  }
  void read(Constant& constant) {
    read(constant.shape);
    take(reader_.hash(), constant.root);
  }
  template <class T>
  void read_list(std::vector<T>& list, size_t count_max, size_t entry_bytes_min) {
    uint32_t count = 0;
    if (ok()) {
      take(reader_.count(count_max, entry_bytes_min), count);
    }
    for (uint32_t i = 0; i < count && ok(); ++i) {
      read(list.emplace_back());
    }
  }
  Result<void> finish() {
    if (error_) {
      return *error_;
    }
    return reader_.finish();
  }

 private:
  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  template <class T>
  void take(Result<T> result, T& target) {
    if (!ok()) {
      return;
    }
    if (result.ok()) {
      target = std::move(result).value();
    } else {
      error_ = result.error();
    }
  }
  void require(bool condition, const char* what) {
    if (ok() && !condition) {
      error_ = refuse(Code::not_canonical, what);
    }
  }
  template <class E>
  void read_enum(E& value, uint8_t count, const char* what) {
    uint8_t number = 0;
    read(number);
    require(number < count, what);
    value = static_cast<E>(number);
  }
  static bool is_known(MapOp op) {
    const auto n = static_cast<uint8_t>(op);
    return n <= 3 || (n >= 10 && n <= 21) || (n >= 30 && n <= 33) || (n >= 40 && n <= 51) ||
           n == 60 || n == 61;
  }
  codec::Reader reader_;
  std::optional<Error> error_;
};

/// The attribute structure that goes with a kind; nothing for an unknown kind.
std::optional<Attributes> attributes_of(Kind kind) {
  switch (kind) {
    case Kind::map:
      return MapAttr{};
    case Kind::contract:
      return ContractAttr{};
    case Kind::reduce:
      return ReduceAttr{};
    case Kind::conv:
    case Kind::conv_weight_grad:
    case Kind::conv_input_grad:
      return ConvAttr{};
    case Kind::max_pool:
    case Kind::max_pool_grad:
      return PoolAttr{};
    case Kind::gather:
      return GatherAttr{};
    case Kind::rank:
      return RankAttr{};
    case Kind::transpose:
      return TransposeAttr{};
    case Kind::slice:
      return SliceAttr{};
    case Kind::pad:
      return PadAttr{};
    case Kind::concatenate:
      return ConcatenateAttr{};
    case Kind::broadcast:
      return BroadcastAttr{};
    case Kind::scatter_add:
    case Kind::scatter_set:
      return ScatterAttr{};
    case Kind::gather_elements:
      return GatherElementsAttr{};
    case Kind::average_pool:
    case Kind::average_pool_grad:
      return AveragePoolAttr{};
    case Kind::random:
      return RandomAttr{};
    case Kind::scan:
      return ScanAttr{};
  }
  return std::nullopt;
}

void Decoder::read(Record& record) {
  uint16_t kind = 0;
  read(kind);
  record.kind = static_cast<Kind>(kind);
  auto attributes = attributes_of(record.kind);
  require(attributes.has_value(), "an unknown operator kind");
  if (!ok()) {
    return;
  }
  record.attributes = std::move(*attributes);
  std::visit([&](auto& attr) { fields(attr, [&](auto& field) { read(field); }); },
             record.attributes);
  uint8_t inputs = 0;
  read(inputs);
  for (uint8_t i = 0; i < inputs && ok(); ++i) {
    Source& source = record.inputs.emplace_back();
    read_enum(source.from, 3, "an unknown kind of source");
    read(source.index);
    read(source.dims);
  }
  read(record.out);
}

}  // namespace

bool matches(Kind kind, const Attributes& attributes) {
  const auto expected = attributes_of(kind);
  return expected && expected->index() == attributes.index();
}

Bytes encode(const Record& record) {
  Writer w;
  write(w, record);
  return std::move(w).bytes();
}

Bytes encode(const Program& program) {
  Writer w;
  w.number(program.version);
  w.number(static_cast<uint32_t>(program.leaves.size()));
  for (const Leaf& leaf : program.leaves) {
    w.string(leaf.name);
    write(w, leaf.shape);
    write(w, leaf.writer.has_value());
    if (leaf.writer) {
      w.number(*leaf.writer);
    }
  }
  w.number(static_cast<uint32_t>(program.constants.size()));
  for (const Constant& constant : program.constants) {
    write(w, constant.shape);
    w.hash(constant.root);
  }
  w.number(static_cast<uint32_t>(program.records.size()));
  for (const Record& record : program.records) {
    write(w, record);
  }
  return std::move(w).bytes();
}

Result<Program> decode(ByteView bytes) {
  if (bytes.size() > limits::program_bytes_max) {
    return refuse(Code::too_large,
                  "a program of " + std::to_string(bytes.size()) + " bytes, where at most " +
                      std::to_string(limits::program_bytes_max) + " are allowed");
  }
  Program program;
  Decoder decoder(bytes);
  decoder.read(program.version);
  decoder.read_list(program.leaves, limits::leaves_max, 7);
  decoder.read_list(program.constants, limits::constants_max, 34);
  decoder.read_list(program.records, limits::records_max, 5);
  TRY(decoder.finish());
  return program;
}

Op op_of(const Program& program, uint32_t record) {
  CHECK(record < program.records.size());
  Op op{&program.records[record], {}};
  for (const Source& source : op.record->inputs) {
    const DType type = source.from == From::state   ? program.leaves.at(source.index).shape.type
                       : source.from == From::value ? program.records.at(source.index).out.type
                                                    : program.constants.at(source.index).shape.type;
    op.in.push_back({type, source.dims});
  }
  return op;
}

}  // namespace lockstep::law
