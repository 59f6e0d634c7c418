// The portable table of general kernels, and the walks that they share.
#include "tensor/general_internal.h"

namespace lockstep::tensor {

using law::Kind;

Walk walk_of(std::span<const int64_t> dims, std::span<const int64_t> strides) {
  // Built from the last axis to the first, then turned round.
  Walk walk;
  for (size_t i = dims.size(); i-- > 0;) {
    if (dims[i] == 1) {
      continue;
    }
    if (walk.rank > 0) {
      const size_t inner = walk.rank - 1;
      if (strides[i] == walk.stride[inner] * walk.size[inner]) {
        walk.size[inner] *= dims[i];
        continue;
      }
    }
    walk.size[walk.rank] = dims[i];
    walk.stride[walk.rank] = strides[i];
    walk.rank += 1;
  }
  if (walk.rank == 0) {
    walk.rank = 1;
    walk.size[0] = 1;
    walk.stride[0] = 1;
  }
  std::reverse(walk.size.begin(), walk.size.begin() + static_cast<std::ptrdiff_t>(walk.rank));
  std::reverse(walk.stride.begin(), walk.stride.begin() + static_cast<std::ptrdiff_t>(walk.rank));
  return walk;
}

Walk broadcast_walk(const law::Dims& dims, const law::Dims& out) {
  const law::PerAxis strides = law::broadcast_strides(dims, out);
  return walk_of(out, std::span(strides).first(out.size()));
}

Cursor cursor_at(const Walk& walk, int64_t flat) {
  Cursor cursor;
  for (size_t i = walk.rank; i-- > 0;) {
    cursor.at[i] = flat % walk.size[i];
    flat /= walk.size[i];
    cursor.element += cursor.at[i] * walk.stride[i];
  }
  return cursor;
}

void advance(const Walk& walk, Cursor& cursor, int64_t run) {
  size_t axis = walk.rank - 1;
  cursor.at[axis] += run;
  cursor.element += run * walk.stride[axis];
  while (cursor.at[axis] == walk.size[axis] && axis > 0) {
    cursor.element -= walk.size[axis] * walk.stride[axis];
    cursor.at[axis] = 0;
    axis -= 1;
    cursor.at[axis] += 1;
    cursor.element += walk.stride[axis];
  }
}

namespace {

template <class T>
void copy_typed(const Walk& walk, const T* in, std::span<T> out, int64_t begin) {
  const size_t last = walk.rank - 1;
  const int64_t stride = walk.stride[last];
  Cursor cursor = cursor_at(walk, begin);
  T* to = out.data();
  T* const end = to + out.size();
  while (to != end) {
    const int64_t run = std::min(walk.size[last] - cursor.at[last], end - to);
    const T* from = in + cursor.element;
    if (stride == 1) {
      std::memcpy(to, from, static_cast<size_t>(run) * sizeof(T));
    } else if (stride == 0) {
      std::fill(to, to + run, *from);
    } else {
      for (int64_t i = 0; i < run; ++i) {
        to[i] = from[i * stride];
      }
    }
    to += run;
    advance(walk, cursor, run);
  }
}

template <class T>
void copy_as(const Walk& walk, const uint8_t* in, std::span<uint8_t> out, int64_t begin) {
  copy_typed<T>(walk,
                reinterpret_cast<const T*>(in),
                std::span<T>(as<T>(out), out.size() / sizeof(T)),
                begin);
}

void run_map_portable(const Call& call) {
  run_map(call, map_step_portable);
}

void run_random_portable(const Call& call) {
  run_random(call, philox_portable, map_step_portable);
}

constexpr std::array portable_kernels{
    Kernel{"map_portable", is_kind<Kind::map>, map_scratch, run_map_portable},
    Kernel{"reduce_portable", is_kind<Kind::reduce>, no_scratch, run_reduce},
    Kernel{"max_pool_portable", is_kind<Kind::max_pool>, no_scratch, run_max_pool},
    Kernel{"max_pool_grad_portable", is_kind<Kind::max_pool_grad>, no_scratch, run_max_pool_grad},
    Kernel{"gather_portable", is_kind<Kind::gather>, no_scratch, run_gather},
    Kernel{"rank_portable", is_kind<Kind::rank>, rank_scratch, run_rank},
    Kernel{"transpose_portable", is_kind<Kind::transpose>, no_scratch, run_strided},
    Kernel{"slice_portable", is_kind<Kind::slice>, no_scratch, run_strided},
    Kernel{"broadcast_portable", is_kind<Kind::broadcast>, no_scratch, run_strided},
    Kernel{"pad_portable", is_kind<Kind::pad>, no_scratch, run_pad},
    Kernel{"concatenate_portable", is_kind<Kind::concatenate>, no_scratch, run_concatenate},
    Kernel{"scatter_add_portable", is_kind<Kind::scatter_add>, no_scratch, run_scatter_add},
    Kernel{"scatter_set_portable", is_kind<Kind::scatter_set>, no_scratch, run_scatter_set},
    Kernel{"gather_elements_portable",
           is_kind<Kind::gather_elements>,
           no_scratch,
           run_gather_elements},
    Kernel{"average_pool_portable", is_kind<Kind::average_pool>, no_scratch, run_average_pool},
    Kernel{"average_pool_grad_portable",
           is_kind<Kind::average_pool_grad>,
           no_scratch,
           run_average_pool_grad},
    Kernel{"random_portable", is_kind<Kind::random>, no_scratch, run_random_portable},
    Kernel{"scan_portable", is_kind<Kind::scan>, no_scratch, run_scan},
};

}  // namespace

void copy_walk(
    const Walk& walk, const uint8_t* in, std::span<uint8_t> out, int64_t begin, int64_t size) {
  switch (size) {
    case 1:
      return copy_as<uint8_t>(walk, in, out, begin);
    case 2:
      return copy_as<uint16_t>(walk, in, out, begin);
    case 4:
      return copy_as<uint32_t>(walk, in, out, begin);
    default:
      return copy_as<uint64_t>(walk, in, out, begin);
  }
}

std::span<const Kernel> general_kernels_portable() {
  return portable_kernels;
}

}  // namespace lockstep::tensor
