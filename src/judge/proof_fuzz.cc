// Fuzzes the verdict on proofs against one honest claim: none convicts it, whether the input is a
// proof's bytes or says how to forge an honest one.
#include "base/check.h"
#include "codec/record.h"
#include "judge/test_forgery.h"
#include "judge/test_fuzz_claim.h"

namespace lockstep::judge::test {
namespace {

const FuzzClaim& claim() {
  static const FuzzClaim the_claim;
  return the_claim;
}

template <class Proof>
void judge_proof(const Proof& proof) {
  CHECK(decide(claim().dispute(), claim().kept(), proof) != Outcome::refuted);
}

template <class T>
const T& one_of(const std::vector<T>& list, Choices& choices) {
  return list[choices.below(list.size())];
}

void judge_bytes(ByteView bytes) {
  if (const auto step = codec::decode<model::StepProof>(bytes); step.ok()) {
    judge_proof(*step);
  }
  if (const auto leaf = codec::decode<model::LeafProof>(bytes); leaf.ok()) {
    judge_proof(*leaf);
  }
}

void judge_forged(ByteView bytes) {
  law::test::ByteChoices choices(bytes);
  if (choices.chance(8)) {
    model::LeafProof leaf = one_of(claim().leaves(), choices);
    while (choices.left() > 0) {
      forge(leaf, choices);
    }
    judge_proof(leaf);
    return;
  }
  model::StepProof proof = one_of(claim().proofs(), choices);
  const model::StepProof& spare = one_of(claim().proofs(), choices);
  while (choices.left() > 0) {
    Forger(proof, spare, choices).apply(choices.below(Forger::ways));
  }
  judge_proof(proof);
}

}  // namespace
}  // namespace lockstep::judge::test

// The claim is made before the first input: its time is none of an input's.
extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** /*arguments*/) {
  (void)lockstep::judge::test::claim();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0) {
    const lockstep::ByteView rest(data + 1, std::min<size_t>(size - 1, 4096));
    if (data[0] % 4 == 0) {
      lockstep::judge::test::judge_bytes(rest);
    } else {
      lockstep::judge::test::judge_forged(rest);
    }
  }
  return 0;
}
