#include "law/roots.h"

#include <algorithm>

#include "base/check.h"
#include "codec/codec.h"

namespace lockstep::law {

const crypto::Mode& data_mode() {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 data");
  return mode;
}

const crypto::Mode& tensor_mode() {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 tensor");
  return mode;
}

const crypto::Mode& leaf_mode() {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 state leaf");
  return mode;
}

const crypto::Mode& state_mode() {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 state");
  return mode;
}

const crypto::Mode& program_mode() {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 program");
  return mode;
}

Hash data_hash(ByteView bytes) {
  return crypto::hash(data_mode(), bytes);
}

Hash tensor_root(const Shape& shape, const Hash& data) {
  codec::Writer w;
  w.number(static_cast<uint8_t>(shape.type));
  w.number(static_cast<uint8_t>(shape.dims.size()));
  for (const int64_t dim : shape.dims) {
    w.number(dim);
  }
  w.hash(data);
  return crypto::hash(tensor_mode(), w.bytes());
}

Hash tensor_root(const Tensor& tensor) {
  return tensor_root(tensor.shape, data_hash(tensor.data));
}

Hash list_root(const crypto::Mode& mode, std::span<const Hash> entries) {
  codec::Writer w;
  for (const Hash& entry : entries) {
    w.hash(entry);
  }
  return crypto::hash(mode, w.bytes());
}

Hash leaf_hash(std::string_view name, const Hash& tensor_root) {
  codec::Writer w;
  w.string(name);
  w.hash(tensor_root);
  return crypto::hash(leaf_mode(), w.bytes());
}

Hash state_root(const Program& program, std::span<const Hash> roots) {
  CHECK(roots.size() == program.leaves.size());
  std::vector<Hash> leaves;
  leaves.reserve(roots.size());
  for (size_t i = 0; i < roots.size(); ++i) {
    leaves.push_back(leaf_hash(program.leaves[i].name, roots[i]));
  }
  return list_root(state_mode(), leaves);
}

Hash model_root(std::vector<std::pair<std::string, Hash>> tensors) {
  std::sort(tensors.begin(), tensors.end());
  std::vector<Hash> leaves;
  leaves.reserve(tensors.size());
  for (const auto& [name, root] : tensors) {
    leaves.push_back(leaf_hash(name, root));
  }
  return list_root(state_mode(), leaves);
}

Hash program_root(const Program& program) {
  return crypto::hash(program_mode(), encode(program));
}

}  // namespace lockstep::law
