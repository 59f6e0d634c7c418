// Scatters and the element gather. A scatter takes its updates in the order of their indices: what
// is shared out are columns or rows of the output, never the updates.
#include "tensor/general_internal.h"

namespace lockstep::tensor {
namespace {

using law::DType;
using law::MapOp;

/// Base [rows, row], index [updates], updates [updates, row].
struct Scatter {
  const Call& call;
  int64_t rows = 0, row = 1, updates = 0, size = 0;  // size: bytes of an element
  bool wide_index = false;

  explicit Scatter(const Call& from)
      : call(from),
        rows(from.op.in[0].dims[0]),
        updates(from.op.in[1].count()),
        size(size_of(from.op.record->out.type)),
        wide_index(from.op.in[1].type == DType::i64) {
    for (size_t i = 1; i < from.op.in[0].dims.size(); ++i) {
      row *= from.op.in[0].dims[i];
    }
  }
  /// The row of the output that update i goes to; outside [0, rows) it is ignored.
  [[nodiscard]] int64_t target(int64_t i) const {
    const int64_t index = wide_index ? as<int64_t>(call.in[1])[i] : as<int32_t>(call.in[1])[i];
    return index + (index < 0 ? rows : 0);
  }
};

/// A rectangle of the output: all that one part writes.
struct Piece {
  int64_t row_begin, row_end, begin, end;  // columns [begin, end)
};

/// Columns where rows are long enough to share; else each part reads the whole index for its rows.
template <class Body>
void for_pieces(const Scatter& s, const Body& body) {
  constexpr int64_t least = 1024;  // elements of updates that a part is worth
  constexpr int64_t line = 16;     // columns that two parts do not divide
  const int64_t work = (s.rows + s.updates) * s.row;
  const int64_t wanted = std::clamp<int64_t>(work / least, 1, s.call.workers.count());
  if (s.row >= line * wanted) {
    const int64_t columns = ceil_div(ceil_div(s.row, wanted), line) * line;
    for_parts(s.call.workers, ceil_div(s.row, columns), [&](int64_t part, int) {
      body(Piece{0, s.rows, part * columns, std::min(s.row, (part + 1) * columns)});
    });
    return;
  }
  // Whether an index hits is a guess that costs more than adding one element: a few threads would
  // lose more by it than they share.
  const int64_t pieces = s.row < 4 && wanted < 4 ? 1 : wanted;
  const int64_t rows = ceil_div(s.rows, pieces);
  for_parts(s.call.workers, ceil_div(s.rows, rows), [&](int64_t part, int) {
    body(Piece{part * rows, std::min(s.rows, (part + 1) * rows), 0, s.row});
  });
}

void copy_base(const Scatter& s, const Piece& piece) {
  const int64_t bytes = (piece.end - piece.begin) * s.size;
  if (piece.end - piece.begin == s.row) {
    const int64_t first = piece.row_begin * bytes;
    std::memcpy(s.call.out.data() + first,
                s.call.in[0].data() + first,
                static_cast<size_t>((piece.row_end - piece.row_begin) * bytes));
    return;
  }
  for (int64_t row = piece.row_begin; row < piece.row_end; ++row) {
    const int64_t first = (row * s.row + piece.begin) * s.size;
    std::memcpy(s.call.out.data() + first, s.call.in[0].data() + first, static_cast<size_t>(bytes));
  }
}

/// body(first element in the output, first in the updates, count) for each update that hits.
template <class Body>
void for_hits(const Scatter& s, const Piece& piece, const Body& body) {
  for (int64_t i = 0; i < s.updates; ++i) {
    const int64_t row = s.target(i);
    if (row >= piece.row_begin && row < piece.row_end) {
      body(row * s.row + piece.begin, i * s.row + piece.begin, piece.end - piece.begin);
    }
  }
}

template <class T>
void gather_elements(const Call& call, T outside) {
  const size_t axis = std::get<law::GatherElementsAttr>(call.op.record->attributes).axis;
  const law::Shape& data = call.op.in[0];
  const law::Dims& dims = call.op.record->out.dims;
  const int64_t places = data.dims[axis];
  law::PerAxis strides = law::strides_of(data.dims);
  const int64_t axis_stride = strides[axis];
  strides[axis] = 0;
  const Walk walk = walk_of(dims, std::span(strides).first(dims.size()));
  const size_t last = walk.rank - 1;
  const bool wide = call.op.in[1].type == DType::i64;
  for_ranges(call.workers, call.op.record->out.count(), [&](int64_t begin, int64_t end, int) {
    Cursor cursor = cursor_at(walk, begin);
    T* to = as<T>(call.out) + begin;
    while (begin < end) {
      const int64_t run = std::min(walk.size[last] - cursor.at[last], end - begin);
      const T* const from = as<T>(call.in[0]) + cursor.element;
      for (int64_t i = 0; i < run; ++i) {
        int64_t index =
            wide ? as<int64_t>(call.in[1])[begin + i] : as<int32_t>(call.in[1])[begin + i];
        index += index < 0 ? places : 0;
        const bool inside = index >= 0 && index < places;
        *to++ = inside ? from[i * walk.stride[last] + index * axis_stride] : outside;
      }
      begin += run;
      advance(walk, cursor, run);
    }
  });
}

}  // namespace

void add_row_portable(float* out, const float* in, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    out[i] = canonical_f32(out[i] + in[i]);
  }
}

void run_scatter_add_f32(const Call& call, AddRow add_row) {
  if (call.out.empty()) {
    return;
  }
  const Scatter s(call);
  float* const out = as<float>(call.out);
  const float* const updates = as<float>(call.in[2]);
  for_pieces(s, [&](const Piece& piece) {
    copy_base(s, piece);
    if (s.row == 1) {
      for_hits(s, piece, [&](int64_t to, int64_t from, int64_t) {
        out[to] = canonical_f32(out[to] + updates[from]);
      });
      return;
    }
    for_hits(s, piece, [&](int64_t to, int64_t from, int64_t count) {
      add_row(out + to, updates + from, count);
    });
  });
}

void run_scatter_add(const Call& call) {
  const DType type = call.op.record->out.type;
  if (type == DType::f32) {
    return run_scatter_add_f32(call, add_row_portable);
  }
  if (call.out.empty()) {
    return;
  }
  const Scatter s(call);
  for_pieces(s, [&](const Piece& piece) {
    copy_base(s, piece);
    for_hits(s, piece, [&](int64_t to, int64_t from, int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        const uint64_t sum = law::binary(MapOp::add,
                                         type,
                                         law::load_bits(type, call.out, to + i),
                                         law::load_bits(type, call.in[2], from + i));
        law::store_bits(type, call.out, to + i, sum);
      }
    });
  });
}

void run_scatter_set(const Call& call) {
  if (call.out.empty()) {
    return;
  }
  const Scatter s(call);
  for_pieces(s, [&](const Piece& piece) {
    copy_base(s, piece);
    for_hits(s, piece, [&](int64_t to, int64_t from, int64_t count) {
      std::memcpy(call.out.data() + to * s.size,
                  call.in[2].data() + from * s.size,
                  static_cast<size_t>(count * s.size));
    });
  });
}

void run_gather_elements(const Call& call) {
  if (call.out.empty()) {
    return;
  }
  const DType type = call.op.record->out.type;
  const uint64_t outside = law::nan_or_zero(type);
  switch (size_of(type)) {
    case 1:
      return gather_elements(call, static_cast<uint8_t>(outside));
    case 2:
      return gather_elements(call, static_cast<uint16_t>(outside));
    case 4:
      return gather_elements(call, static_cast<uint32_t>(outside));
    default:
      return gather_elements(call, outside);
  }
}

}  // namespace lockstep::tensor
