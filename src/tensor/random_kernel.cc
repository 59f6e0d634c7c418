// Random numbers: a buffer of Philox words at a time, then what the mode makes of them.
#include "tensor/general_internal.h"

namespace lockstep::tensor {
namespace {

using law::RandomMode;

constexpr int64_t buffer_words = 1024;
static_assert(part_elements % buffer_words == 0 && buffer_words % (2 * map_round) == 0);

/// The word's 24 high bits: exact.
float high_bits(uint32_t word) {
  return static_cast<float>(static_cast<int32_t>(word >> 8));
}

struct alignas(64) Floats {
  std::array<float, buffer_words / 2> of;
};

void apply(MapFunction fast, law::MapOp op, const Floats& in, Floats& out, int64_t count) {
  const MapStep step{.op = op,
                     .operand = law::DType::f32,
                     .result = law::DType::f32,
                     .in = {reinterpret_cast<const uint8_t*>(in.of.data())},
                     .out = reinterpret_cast<uint8_t*>(out.of.data()),
                     .count = count};
  if (!fast(step)) {
    map_step_scalar(step);
  }
}

/// The law's steps on all the pairs of the words at once; the words of the last map_round pairs are
/// there, whether wanted or not.
void write_normals(MapFunction fast, const uint32_t* words, float* out, int64_t count) {
  const int64_t pairs = ceil_div(ceil_div(count, 2), map_round) * map_round;
  Floats radius, angle, scratch;
  for (int64_t i = 0; i < pairs; ++i) {
    const auto at = static_cast<size_t>(i);
    scratch.of[at] = (high_bits(words[2 * i]) + 1.0F) * 0x1p-24F;
    angle.of[at] = 0x1.921fb6p+2F * (high_bits(words[2 * i + 1]) * 0x1p-24F);
  }
  apply(fast, law::MapOp::log, scratch, radius, pairs);
  for (int64_t i = 0; i < pairs; ++i) {
    float& r = radius.of[static_cast<size_t>(i)];
    r = __builtin_sqrtf(-2.0F * r);
  }
  apply(fast, law::MapOp::cos, angle, scratch, pairs);
  for (int64_t i = 0; i < count; i += 2) {
    const auto at = static_cast<size_t>(i / 2);
    out[i] = radius.of[at] * scratch.of[at];
  }
  apply(fast, law::MapOp::sin, angle, scratch, pairs);
  for (int64_t i = 1; i < count; i += 2) {
    const auto at = static_cast<size_t>(i / 2);
    out[i] = radius.of[at] * scratch.of[at];
  }
}

/// `count` elements from `begin` on, which is even.
struct Piece {
  int64_t begin, count;
};
void write_elements(const Call& call, MapFunction fast, const uint32_t* words, Piece piece) {
  const auto [begin, count] = piece;
  const auto& attr = std::get<law::RandomAttr>(call.op.record->attributes);
  uint8_t* const bytes = call.out.data() + begin * size_of(call.op.record->out.type);
  auto* const floats = reinterpret_cast<float*>(bytes);
  switch (attr.mode) {
    case RandomMode::bits:
      std::memcpy(bytes, words, static_cast<size_t>(count) * sizeof(uint32_t));
      return;
    case RandomMode::uniform:
      for (int64_t i = 0; i < count; ++i) {
        floats[i] = high_bits(words[i]) * 0x1p-24F;
      }
      return;
    case RandomMode::normal:
      write_normals(fast, words, floats, count);
      return;
    case RandomMode::keep:
      for (int64_t i = 0; i < count; ++i) {
        bytes[i] = words[i] < attr.threshold ? 1 : 0;
      }
      return;
  }
}

}  // namespace

void philox_portable(const PhiloxStream& stream, uint64_t first, std::span<uint32_t> words) {
  for (size_t at = 0; at < words.size(); at += 4, ++first) {
    const law::Philox four = law::philox({{static_cast<uint32_t>(first),
                                           static_cast<uint32_t>(first >> 32),
                                           stream.id,
                                           stream.step}},
                                         stream.seed);
    std::copy(
        std::begin(four.word), std::end(four.word), words.begin() + static_cast<ptrdiff_t>(at));
  }
}

void run_random(const Call& call, PhiloxWords philox, MapFunction fast) {
  const PhiloxStream stream{.seed = *as<uint64_t>(call.in[0]),
                            .step = static_cast<uint32_t>(*as<uint64_t>(call.in[1])),
                            .id = std::get<law::RandomAttr>(call.op.record->attributes).stream};
  for_ranges(call.workers, call.op.record->out.count(), [&](int64_t begin, int64_t end, int) {
    alignas(64) std::array<uint32_t, buffer_words> buffer;
    for (int64_t at = begin; at < end; at += buffer_words) {
      const int64_t count = std::min(buffer_words, end - at);
      // Whole rounds of pairs, which are whole counters.
      const int64_t whole = ceil_div(count, 2 * map_round) * 2 * map_round;
      philox(stream,
             static_cast<uint64_t>(at) / 4,
             std::span(buffer).first(static_cast<size_t>(whole)));
      write_elements(call, fast, buffer.data(), {at, count});
    }
  });
}

}  // namespace lockstep::tensor
