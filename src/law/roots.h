// Data hashes, tensor, state, list and program roots. LAW section 5; every use has its own context.
#pragma once

#include <span>
#include <utility>

#include "crypto/blake3.h"
#include "law/program.h"

namespace lockstep::law {

/// The BLAKE3 derive-key modes of the law's roots.
[[nodiscard]] const crypto::Mode& data_mode();     // "lockstep v1 data"
[[nodiscard]] const crypto::Mode& tensor_mode();   // "lockstep v1 tensor"
[[nodiscard]] const crypto::Mode& leaf_mode();     // "lockstep v1 state leaf"
[[nodiscard]] const crypto::Mode& state_mode();    // "lockstep v1 state"
[[nodiscard]] const crypto::Mode& program_mode();  // "lockstep v1 program"

/// Row-major little-endian bytes: also the blob's address.
[[nodiscard]] Hash data_hash(ByteView bytes);
[[nodiscard]] Hash tensor_root(const Shape& shape, const Hash& data);
[[nodiscard]] Hash tensor_root(const Tensor& tensor);
[[nodiscard]] Hash list_root(const crypto::Mode& mode, std::span<const Hash> entries);
[[nodiscard]] Hash leaf_hash(std::string_view name, const Hash& tensor_root);
/// `roots` are the tensor roots of program.leaves, in order.
[[nodiscard]] Hash state_root(const Program& program, std::span<const Hash> roots);
/// Of named tensor roots in any order: list root over their leaf hashes, sorted bytewise by name.
[[nodiscard]] Hash model_root(std::vector<std::pair<std::string, Hash>> tensors);
[[nodiscard]] Hash program_root(const Program& program);

}  // namespace lockstep::law
