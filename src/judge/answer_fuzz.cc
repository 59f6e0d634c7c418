// Fuzzes the taking of answers in one honest dispute: what is not the honest answer is refused, or
// is one that only binds what follows; the ledger keeps its form, and honest proofs never convict
// beside it.
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

/// Sorted by place and without doubles, as the ledger keeps it.
void check_form(const Kept& kept) {
  for (size_t i = 1; i < kept.entries.size(); ++i) {
    CHECK(kept.entries[i - 1].place < kept.entries[i].place);
  }
  for (size_t i = 1; i < kept.nodes.size(); ++i) {
    CHECK(kept.nodes[i - 1].place < kept.nodes[i].place);
  }
}

/// Whether an answer's hashes are bound by a root that was claimed, so that only one is taken.
bool is_bound(const Place& place) {
  return place.tree == Tree::task || place.tree == Tree::state || place.tree == Tree::tensor;
}

/// Whether the answer was taken though it is not the honest one.
bool offer(Kept& kept, const Answer& answer) {
  const Kept before = kept;
  const auto taken = take(claim().dispute(), kept, answer);
  if (!taken.ok()) {
    CHECK(kept == before);
    CHECK(taken.error().code == Code::bad_answer || taken.error().code == Code::bad_place);
    return false;
  }
  const bool is_true = answer == claim().answer(answer.place);
  CHECK(is_true || !is_bound(answer.place));
  check_form(kept);
  return !is_true;
}

/// The places in their order, some of whose answers the input forges, and an honest proof beside
/// them: where the claimant only gave honest answers, it holds or is no move.
void play(ByteView bytes) {
  law::test::ByteChoices choices(bytes);
  Kept kept;
  bool is_honest = true;
  for (const Place& place : claim().places()) {
    if (!admissible(claim().dispute(), kept, place).ok()) {
      continue;
    }
    const Answer honest = claim().answer(place);
    for (uint64_t lies = choices.below(3); lies > 0 && choices.left() > 0; --lies) {
      Answer answer = honest;
      const Place& other = claim().places()[choices.below(claim().places().size())];
      forge(answer, claim().answer(other), choices);
      is_honest = !offer(kept, answer) && is_honest;
    }
    if (choices.chance(16)) {
      continue;  // silent here
    }
    if (admissible(claim().dispute(), kept, place).ok()) {
      CHECK(take(claim().dispute(), kept, honest).ok() || !is_honest);
    }
    if (choices.left() == 0) {
      break;
    }
  }
  const auto& proofs = claim().proofs();
  const Outcome outcome = decide(claim().dispute(), kept, proofs[choices.below(proofs.size())]);
  CHECK(!is_honest || outcome != Outcome::refuted);
}

}  // namespace
}  // namespace lockstep::judge::test

// The claim is made before the first input: its time is none of an input's.
extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** /*arguments*/) {
  (void)lockstep::judge::test::claim();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lockstep;  // NOLINT(google-build-using-namespace)
  if (size == 0) {
    return 0;
  }
  const ByteView rest(data + 1, std::min<size_t>(size - 1, 4096));
  if (data[0] % 4 == 0) {
    if (const auto answer = codec::decode<model::Answer>(rest); answer.ok()) {
      model::Kept kept;
      (void)judge::test::offer(kept, *answer);
    }
  } else {
    judge::test::play(rest);
  }
  return 0;
}
