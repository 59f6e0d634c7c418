// Evaluation of whole outputs and of single fold steps, over whichever Reader the caller brings.
#include "law/fold.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "law/float_environment.h"
#include "law/fold_internal.h"
#include "law/step_bound.h"

namespace lockstep::law {

TensorReader::TensorReader(const Op& op, std::vector<ByteView> inputs)
    : inputs_(std::move(inputs)) {
  CHECK(inputs_.size() == op.in.size());
  for (size_t i = 0; i < op.in.size(); ++i) {
    CHECK(static_cast<int64_t>(inputs_[i].size()) == op.in[i].bytes());
    types_.push_back(op.in[i].type);
  }
}

uint64_t TensorReader::bits(uint32_t input, int64_t element) {
  return load_bits(types_[input], inputs_[input], element);
}

std::unique_ptr<Primitive> primitive(const Op& op) {
  switch (op.record->kind) {
    case Kind::contract:
    case Kind::conv:
    case Kind::conv_weight_grad:
    case Kind::conv_input_grad:
      return contraction_primitive(op);
    case Kind::reduce:
    case Kind::max_pool:
    case Kind::max_pool_grad:
    case Kind::rank:
      return reduction_primitive(op);
    case Kind::average_pool:
    case Kind::average_pool_grad:
      return average_primitive(op);
    case Kind::scatter_add:
    case Kind::scatter_set:
      return scatter_primitive(op);
    case Kind::random:
      return random_primitive(op);
    case Kind::scan:
      return scan_primitive(op);
    default:
      return one_term_primitive(op);
  }
}

Tensor evaluate(const Op& op, Reader& in) {
  const FloatEnvironment environment;
  const Shape& shape = op.record->out;
  Tensor out{shape, Bytes(static_cast<size_t>(shape.bytes()))};
  const auto fold = primitive(op);
  std::vector<uint64_t> acc(static_cast<size_t>(fold->words()));
  const int64_t count = shape.count();
  for (int64_t o = 0; o < count; ++o) {
    fold->init(acc);
    const int64_t terms = acc.empty() ? 0 : fold->range(o);
    for (int64_t r = 0; r < terms; ++r) {
      fold->step(o, r, in, acc);
    }
    store_bits(shape.type, out.data, o, fold->finish(o, in, acc));
  }
  return out;
}

Bytes FoldState::bytes(DType accumulator) const {
  Bytes all = done;
  all.resize(done.size() + acc.size() * static_cast<size_t>(size_of(accumulator)));
  const std::span<uint8_t> words = std::span(all).subspan(done.size());
  for (size_t i = 0; i < acc.size(); ++i) {
    store_bits(accumulator, words, static_cast<int64_t>(i), acc[i]);
  }
  return all;
}

Fold::Fold(const Op& op, int64_t chunk)
    : op_(op), primitive_(primitive(op)), terms_(step_terms(op)) {
  const Shape& out = op.record->out;
  const int64_t per_chunk = limits::chunk_bytes / size_of(out.type);
  CHECK(terms_ > 0 && chunk >= 0 && chunk * per_chunk <= out.count());
  first_ = chunk * per_chunk;
  outputs_ = std::min(per_chunk, out.count() - first_);
  starts_.push_back(0);
  for (int64_t at = 0; at < outputs_; at += limits::group_outputs) {
    int64_t longest = 0;
    const int64_t end = std::min(outputs_, at + limits::group_outputs);
    for (int64_t o = at; o < end; ++o) {
      longest = std::max(longest, primitive_->range(first_ + o));
    }
    const int64_t steps = (longest + terms_ - 1) / terms_;
    starts_.push_back(starts_.back() + std::max<int64_t>(1, steps));
  }
}

size_t Fold::group_of(int64_t step) const {
  return static_cast<size_t>(std::upper_bound(starts_.begin(), starts_.end(), step) -
                             starts_.begin()) -
         1;
}

int64_t Fold::outputs_of(size_t group) const {
  const int64_t first = static_cast<int64_t>(group) * limits::group_outputs;
  return std::clamp<int64_t>(outputs_ - first, 0, limits::group_outputs);
}

std::pair<size_t, size_t> Fold::size_before(int64_t step) const {
  CHECK(step >= 0 && step <= steps());
  const size_t group = group_of(step);
  const int64_t done = std::min(outputs_, static_cast<int64_t>(group) * limits::group_outputs);
  const bool inside = step != starts_[group];
  const int64_t words = inside ? outputs_of(group) * primitive_->words() : 0;
  return {static_cast<size_t>(done * size_of(op_.record->out.type)), static_cast<size_t>(words)};
}

void Fold::run(int64_t step, FoldState& state, Reader& in) const {
  const FloatEnvironment environment;
  CHECK(step < steps() && std::pair(state.done.size(), state.acc.size()) == size_before(step));
  const size_t group = group_of(step);
  const int64_t outputs = outputs_of(group);
  const auto words = static_cast<size_t>(primitive_->words());
  const bool opens = step == starts_[group];
  const bool closes = step + 1 == starts_[group + 1];
  state.acc.resize(static_cast<size_t>(outputs) * words);
  const DType type = op_.record->out.type;
  const int64_t base = first_ + static_cast<int64_t>(group) * limits::group_outputs;
  const int64_t term = (step - starts_[group]) * terms_;
  for (int64_t i = 0; i < outputs; ++i) {
    const std::span<uint64_t> acc =
        std::span(state.acc).subspan(static_cast<size_t>(i) * words, words);
    if (opens) {
      primitive_->init(acc);
    }
    const int64_t end = words == 0 ? term : std::min(term + terms_, primitive_->range(base + i));
    for (int64_t r = term; r < end; ++r) {
      primitive_->step(base + i, r, in, acc);
    }
    if (closes) {
      const uint64_t bits = primitive_->finish(base + i, in, acc);
      state.done.resize(state.done.size() + static_cast<size_t>(size_of(type)));
      const auto last = static_cast<int64_t>(state.done.size()) / size_of(type) - 1;
      store_bits(type, state.done, last, bits);
    }
  }
  if (closes) {
    state.acc.clear();
  }
}

}  // namespace lockstep::law
