// Kernels that move elements without computing: gather, transpose, slice, broadcast, pad,
// concatenate.
#include "tensor/general_internal.h"

namespace lockstep::tensor {
namespace {

/// `element` bytes wide copies of `bits`, little-endian.
void fill_elements(std::span<uint8_t> out, uint64_t bits, int64_t element) {
  const auto size = static_cast<size_t>(element);
  for (size_t at = 0; at < out.size(); at += size) {
    std::memcpy(out.data() + at, &bits, size);
  }
}

std::span<uint8_t> piece(std::span<uint8_t> bytes, int64_t offset, int64_t count) {
  return bytes.subspan(static_cast<size_t>(offset), static_cast<size_t>(count));
}

void copy_bytes(uint8_t* to, const uint8_t* from, int64_t count) {
  std::memcpy(to, from, static_cast<size_t>(count));
}

}  // namespace

void run_gather(const Call& call) {
  const law::Shape& data = call.op.in[0];
  const int64_t rows = data.dims[0];
  const int64_t count = call.op.in[1].count();
  if (call.out.empty()) {
    return;
  }
  const int64_t row_bytes = static_cast<int64_t>(call.out.size()) / count;
  const law::DType index_type = call.op.in[1].type;
  const int64_t rows_a_part = std::max<int64_t>(1, part_elements / row_bytes);
  for_parts(call.workers, ceil_div(count, rows_a_part), [&](int64_t part, int) {
    const int64_t end = std::min(count, (part + 1) * rows_a_part);
    for (int64_t i = part * rows_a_part; i < end; ++i) {
      int64_t index =
          index_type == law::DType::i64 ? as<int64_t>(call.in[1])[i] : as<int32_t>(call.in[1])[i];
      index += index < 0 ? rows : 0;
      if (index >= 0 && index < rows) {
        copy_bytes(
            call.out.data() + i * row_bytes, call.in[0].data() + index * row_bytes, row_bytes);
      } else {
        fill_elements(
            piece(call.out, i * row_bytes, row_bytes), nan_or_zero(data.type), size_of(data.type));
      }
    }
  });
}

void run_strided(const Call& call) {
  const law::Shape& out = call.op.record->out;
  const int64_t count = out.count();
  if (count == 0) {
    return;
  }
  const law::Attributes& attributes = call.op.record->attributes;
  const law::PerAxis own = law::strides_of(call.op.in[0].dims);
  const size_t rank = out.dims.size();
  law::PerAxis strides{};
  int64_t base = 0;
  Walk walk;
  if (const auto* transpose = std::get_if<law::TransposeAttr>(&attributes)) {
    for (size_t i = 0; i < rank; ++i) {
      strides[i] = own[transpose->order[i]];
    }
    walk = walk_of(out.dims, std::span(strides).first(rank));
  } else if (const auto* slice = std::get_if<law::SliceAttr>(&attributes)) {
    for (size_t i = 0; i < rank; ++i) {
      // One place needs no stride, and its step is not bounded by the axis.
      strides[i] = out.dims[i] > 1 ? own[i] * slice->step[i] : 0;
      base += slice->start[i] * own[i];
    }
    walk = walk_of(out.dims, std::span(strides).first(rank));
  } else {
    walk = broadcast_walk(call.op.in[0].dims, out.dims);
  }
  const int64_t size = size_of(out.type);
  const uint8_t* const in = call.in[0].data() + base * size;
  for_ranges(call.workers, count, [&](int64_t begin, int64_t end, int) {
    copy_walk(walk, in, piece(call.out, begin * size, (end - begin) * size), begin, size);
  });
}

void run_pad(const Call& call) {
  const auto& attr = std::get<law::PadAttr>(call.op.record->attributes);
  const law::Shape& out = call.op.record->out;
  const law::Dims& dims = call.op.in[0].dims;
  const int64_t size = size_of(out.type);
  if (call.out.empty()) {
    return;
  }
  for_ranges(call.workers, out.count(), [&](int64_t begin, int64_t end, int) {
    fill_elements(piece(call.out, begin * size, (end - begin) * size), attr.bits, size);
  });
  const int64_t count = call.op.in[0].count();
  if (count == 0) {
    return;
  }
  // The input, row-major, with the output's strides: where each of its rows belongs.
  const law::PerAxis strides = law::strides_of(out.dims);
  int64_t base = 0;
  for (size_t i = 0; i < dims.size(); ++i) {
    base += attr.low[i] * strides[i];
  }
  const Walk walk = walk_of(dims, std::span(strides).first(dims.size()));
  const size_t last = walk.rank - 1;
  for_ranges(call.workers, count, [&](int64_t begin, int64_t end, int) {
    Cursor cursor = cursor_at(walk, begin);
    while (begin < end) {
      const bool packed = walk.stride[last] == 1;
      const int64_t run = packed ? std::min(walk.size[last] - cursor.at[last], end - begin) : 1;
      copy_bytes(call.out.data() + (base + cursor.element) * size,
                 call.in[0].data() + begin * size,
                 run * size);
      begin += run;
      advance(walk, cursor, run);
    }
  });
}

void run_concatenate(const Call& call) {
  const size_t axis = std::get<law::ConcatenateAttr>(call.op.record->attributes).axis;
  const law::Shape& out = call.op.record->out;
  if (call.out.empty()) {
    return;
  }
  int64_t outer = 1;
  for (size_t i = 0; i < axis; ++i) {
    outer *= out.dims[i];
  }
  const int64_t row = static_cast<int64_t>(call.out.size()) / outer;
  const int64_t rows_a_part = std::max<int64_t>(1, part_elements / row);
  for_parts(call.workers, ceil_div(outer, rows_a_part), [&](int64_t part, int) {
    const int64_t end = std::min(outer, (part + 1) * rows_a_part);
    for (int64_t i = part * rows_a_part; i < end; ++i) {
      uint8_t* to = call.out.data() + i * row;
      for (const ByteView in : call.in) {
        const int64_t bytes = static_cast<int64_t>(in.size()) / outer;
        if (bytes > 0) {
          copy_bytes(to, in.data() + i * bytes, bytes);
        }
        to += bytes;
      }
    }
  });
}

}  // namespace lockstep::tensor
