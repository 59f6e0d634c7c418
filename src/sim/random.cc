#include "sim/random.h"

#include "codec/codec.h"
#include "crypto/blake3.h"

namespace lockstep::sim {

uint64_t Random::next() {
  state_ += 0x9e3779b97f4a7c15U;
  uint64_t mixed = state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
  return mixed ^ (mixed >> 31);
}

uint64_t Random::between(uint64_t low, uint64_t high) {
  const uint64_t count = high - low + 1;
  return count == 0 ? next() : low + next() % count;
}

Hash secret_of(uint64_t seed, std::string_view name) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 sim");
  codec::Writer writer;
  writer.number(seed);
  writer.string(name);
  return crypto::hash(mode, writer.bytes());
}

}  // namespace lockstep::sim
