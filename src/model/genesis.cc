// The network's id and preimage chains.
#include "model/genesis.h"

#include "base/check.h"
#include "crypto/blake3.h"

namespace lockstep::model {
namespace {

// One a thread, for as long as somebody holds it.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
thread_local ChainMemo* memo = nullptr;

std::vector<Hash> make_chain(const Hash& secret, uint32_t length) {
  std::vector<Hash> chain(size_t{length} + 1);
  chain[length] = secret;
  for (size_t i = length; i > 0; --i) {
    chain[i - 1] = chain_link(chain[i]);
  }
  return chain;
}

}  // namespace

NetworkId network_id(const Genesis& genesis) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 network");
  return {crypto::hash(mode, codec::encode(genesis))};
}

Hash chain_link(const Hash& preimage) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 preimage");
  return crypto::hash(mode, preimage.view());
}

std::vector<Hash> preimage_chain(const Hash& secret, uint32_t length) {
  return memo != nullptr ? memo->chain(secret, length) : make_chain(secret, length);
}

ChainMemo::ChainMemo() {
  CHECK(memo == nullptr);
  memo = this;
}

ChainMemo::~ChainMemo() {
  memo = nullptr;
}

const std::vector<Hash>& ChainMemo::chain(const Hash& secret, uint32_t length) {
  const auto known = chains_.find({secret, length});
  if (known != chains_.end()) {
    return known->second;
  }
  if (chains_.size() >= chains_max) {
    chains_.clear();
  }
  return chains_.emplace(std::pair(secret, length), make_chain(secret, length)).first->second;
}

}  // namespace lockstep::model
