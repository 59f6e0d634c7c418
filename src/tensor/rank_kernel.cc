// Rank along the last axis by sorting keys whose unsigned order is the law's order: short rows by
// comparison, long ones by digits, which keeps ties in the order of their places.
#include <utility>

#include "tensor/general_internal.h"

namespace lockstep::tensor {
namespace {

using law::DType;

struct Entry {
  uint64_t key;
  int64_t index;
};

/// Ascending order of values as unsigned numbers, −0 = +0; `all` is the type's mask. No NaN.
uint64_t ordered(DType type, uint64_t bits, uint64_t all) {
  const uint64_t top = all ^ (all >> 1);
  if (is_float(type)) {
    if ((bits & ~top) == 0) {
      return top;
    }
    return (bits & top) != 0 ? ~bits & all : bits | top;
  }
  return is_signed(type) ? bits ^ top : bits;
}

uint64_t key_of(DType type, uint64_t bits, bool descending) {
  const uint64_t all = ~uint64_t{0} >> (64 - law::size_of(type) * 8);
  if (is_float(type) && bits == nan_or_zero(type)) {
    // Above the infinities in either direction: an infinity's key is never all ones.
    return all;
  }
  const uint64_t key = ordered(type, bits, all);
  return descending ? ~key & all : key;
}

constexpr int64_t digits_from = 512;  // elements of a row
constexpr size_t digit_bits = 8, digit_values = 256;

/// Entries of one row and room for as many; the indices ascend.
struct Row {
  Entry* entries;
  Entry* room;
  int64_t n;
};

void sort_by_comparison(const Row& row) {
  std::sort(row.entries, row.entries + row.n, [](const Entry& a, const Entry& b) {
    return a.key != b.key ? a.key < b.key : a.index < b.index;
  });
}

/// From the lowest digit up, each pass keeping the order of the one before. Where they ended.
const Entry* sort_by_digits(const Row& row, size_t key_bits) {
  Entry* from = row.entries;
  Entry* to = row.room;
  for (size_t shift = 0; shift < key_bits; shift += digit_bits) {
    const auto digit = [&](const Entry& entry) { return entry.key >> shift & (digit_values - 1); };
    std::array<int64_t, digit_values> next{};
    for (int64_t i = 0; i < row.n; ++i) {
      next[digit(from[i])] += 1;
    }
    if (next[digit(from[0])] == row.n) {
      continue;
    }
    int64_t before = 0;
    for (int64_t& count : next) {
      before += std::exchange(count, before);
    }
    for (int64_t i = 0; i < row.n; ++i) {
      to[next[digit(from[i])]++] = from[i];
    }
    std::swap(from, to);
  }
  return from;
}

}  // namespace

size_t rank_scratch(const law::Op& op, int workers) {
  return 2 * static_cast<size_t>(op.in[0].dims.back()) * static_cast<size_t>(workers) *
         sizeof(Entry);
}

void run_rank(const Call& call) {
  const law::Shape& in = call.op.in[0];
  const int64_t n = in.dims.back();
  const int64_t count = in.count();
  if (count == 0) {
    return;
  }
  const bool descending = std::get<law::RankAttr>(call.op.record->attributes).descending;
  const int64_t rows = count / n;
  const int64_t rows_a_part = std::max<int64_t>(1, part_elements / 16 / n);
  for_parts(call.workers, ceil_div(rows, rows_a_part), [&](int64_t part, int worker) {
    Entry* const entries = as<Entry>(call.scratch) + int64_t{2} * worker * n;
    const Row work{entries, entries + n, n};
    const int64_t end = std::min(rows, (part + 1) * rows_a_part);
    for (int64_t row = part * rows_a_part; row < end; ++row) {
      for (int64_t i = 0; i < n; ++i) {
        const uint64_t bits = law::load_bits(in.type, call.in[0], row * n + i);
        entries[i] = {key_of(in.type, law::canonical(in.type, bits), descending), i};
      }
      const Entry* sorted = entries;
      if (n < digits_from) {
        sort_by_comparison(work);
      } else {
        sorted = sort_by_digits(work, static_cast<size_t>(law::size_of(in.type)) * 8);
      }
      for (int64_t i = 0; i < n; ++i) {
        as<int64_t>(call.out)[row * n + sorted[i].index] = i;
      }
    }
  });
}

}  // namespace lockstep::tensor
