// One fold step on opened bytes. Nothing here trusts a byte; what the hashes say is the judge's
// part.
#include "law/referee.h"

#include <algorithm>

#include "base/check.h"

namespace lockstep::law {
namespace {

/// Bytes of chunk `chunk` of a tensor.
int64_t chunk_size(const Shape& shape, int64_t chunk) {
  return std::min(limits::chunk_bytes, shape.bytes() - chunk * limits::chunk_bytes);
}

std::pair<uint32_t, int64_t> place_of(const OpenedChunk& opened) {
  return {opened.input, opened.chunk};
}

/// Ascending, and each a whole chunk of an input that there is.
bool well_formed(const Op& op, std::span<const OpenedChunk> openings) {
  if (openings.size() > openings_max) {
    return false;
  }
  for (size_t i = 0; i < openings.size(); ++i) {
    const OpenedChunk& opened = openings[i];
    if (opened.input >= op.in.size()) {
      return false;
    }
    const Shape& shape = op.in[opened.input];
    if (opened.chunk < 0 || opened.chunk >= chunks_of(shape) ||
        static_cast<int64_t>(opened.data.size()) != chunk_size(shape, opened.chunk)) {
      return false;
    }
    if (i > 0 && !(place_of(openings[i - 1]) < place_of(opened))) {
      return false;
    }
  }
  return true;
}

/// Has only the opened chunks. A read of another byte gives 0 and spoils the whole.
class OpenedReader final : public Reader {
 public:
  OpenedReader(const Op& op, std::span<const OpenedChunk> openings)
      : op_(op), openings_(openings), read_(openings.size()) {}
  uint64_t bits(uint32_t input, int64_t element) override {
    const DType type = op_.in[input].type;
    const int64_t per_chunk = limits::chunk_bytes / size_of(type);
    const std::pair wanted(input, element / per_chunk);
    const auto found = std::lower_bound(
        openings_.begin(), openings_.end(), wanted, [](const OpenedChunk& a, const auto& b) {
          return place_of(a) < b;
        });
    if (found == openings_.end() || place_of(*found) != wanted) {
      missing_ = true;
      return 0;
    }
    read_[static_cast<size_t>(found - openings_.begin())] = true;
    return load_bits(type, found->data, element % per_chunk);
  }
  [[nodiscard]] bool exact() const {
    return !missing_ && std::all_of(read_.begin(), read_.end(), [](bool read) { return read; });
  }

 private:
  const Op& op_;
  std::span<const OpenedChunk> openings_;
  std::vector<bool> read_;
  bool missing_ = false;
};

bool all_canonical(DType type, ByteView bytes) {
  const auto count = static_cast<int64_t>(bytes.size()) / size_of(type);
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t bits = load_bits(type, bytes, i);
    if (canonical(type, bits) != bits) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::optional<FoldState> run_opened(const Op& op,
                                    int64_t chunk,
                                    int64_t step,
                                    ByteView before,
                                    std::span<const OpenedChunk> openings) {
  CHECK(chunk >= 0 && chunk < chunks_of(op.record->out));
  const Fold fold(op, chunk);
  CHECK(step >= 0 && step < fold.steps());
  auto state = state_of(fold, step, before);
  if (!state || !all_canonical(op.record->out.type, state->done) || !well_formed(op, openings)) {
    return std::nullopt;
  }
  OpenedReader reader(op, openings);
  fold.run(step, *state, reader);
  if (!reader.exact()) {
    return std::nullopt;
  }
  return state;
}

std::optional<FoldState> state_of(const Fold& fold, int64_t step, ByteView bytes) {
  const auto [done, words] = fold.size_before(step);
  const DType type = fold.accumulator();
  if (bytes.size() != done + words * static_cast<size_t>(size_of(type))) {
    return std::nullopt;
  }
  const ByteView packed = bytes.subspan(done);
  if (!all_canonical(type, packed)) {
    return std::nullopt;
  }
  FoldState state{Bytes(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(done)), {}};
  for (size_t i = 0; i < words; ++i) {
    state.acc.push_back(load_bits(type, packed, static_cast<int64_t>(i)));
  }
  return state;
}

RecordingReader::RecordingReader(const Op& op, Reader& inner)
    : last_(op.in.size(), -1), inner_(inner) {
  for (const Shape& shape : op.in) {
    sizes_.push_back(size_of(shape.type));
  }
}

uint64_t RecordingReader::bits(uint32_t input, int64_t element) {
  const int64_t chunk = element / (limits::chunk_bytes / sizes_[input]);
  if (chunk != last_[input]) {
    last_[input] = chunk;
    touched_.emplace(input, chunk);
  }
  return inner_.bits(input, element);
}

int64_t chunks_of(const Shape& shape) {
  return std::max<int64_t>(1, (shape.bytes() + limits::chunk_bytes - 1) / limits::chunk_bytes);
}

}  // namespace lockstep::law
