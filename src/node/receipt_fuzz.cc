// Fuzzes receipts: bytes as they come, and a good receipt with some of its bytes changed. Whatever
// checks says the same as the good one did.
#include <algorithm>
#include <set>

#include "base/check.h"
#include "node/receipt_test_world.h"

namespace {

using namespace lockstep;  // NOLINT(google-build-using-namespace)
using node::receipt_test::Made;
using node::receipt_test::World;

constexpr uint32_t all = 1'000'000;
constexpr size_t edit_bytes = 4;  // three of the place, one of the value
constexpr size_t edits_max = 8;

/// A lie, found and proved, and an honest ending beside it.
node::JobReceipt good_receipt() {
  using model::TaskKind;
  World world(all);
  const law::Program step = ledger::test::small_program();
  const node::receipt_test::Plan lie{{TaskKind::lane, 0, 7}, step, nullptr, true};
  const node::receipt_test::Plan truth{{TaskKind::lane, 0, 7}, step, nullptr, false};
  const Made claimed = world.work(world.liar_lease, world.liar, lie);
  const Made computed = world.work(world.liar_lease, world.liar, truth);
  const model::ClaimId id = world.claim(world.liar_lease, world.liar, {claimed});
  world.reveal();
  world.commit(id, world.auditor.node, {computed});
  world.open_salts(id, world.liar, {claimed});
  world.reveal_audit(id, world.auditor.node, {computed});
  world.must(world.auditor.node,
             model::Challenge{id, 0, computed.execution.output_root, ledger::test::some_hash(42)});
  world.dispute_to_end(id, world.auditor.node, claimed, computed);
  const Made merge =
      world.work(world.honest_lease, world.honest, {{TaskKind::merge, 1, 0}, step, nullptr});
  const Made evaluate =
      world.work(world.honest_lease,
                 world.honest,
                 {{TaskKind::evaluate, 0, 1}, node::receipt_test::evaluate_program(), &merge});
  const Made sum =
      world.work(world.honest_lease,
                 world.honest,
                 {{TaskKind::sum, 0, 2}, node::receipt_test::sum_program(), &evaluate});
  const std::vector<Made> works = {merge, evaluate, sum};
  const model::ClaimId last = world.claim(world.honest_lease, world.honest, works);
  world.reveal();
  world.agree(last, works);
  world.finish();
  return world.receipt(&merge, &sum);
}

struct Good {
  Bytes bytes;
  node::JobFacts facts;
};
const Good& good() {
  static const Good known = [] {
    const node::JobReceipt receipt = good_receipt();
    const auto facts = node::check_receipt(receipt);
    CHECK(facts.ok());
    return Good{codec::encode(receipt), *facts};
  }();
  return known;
}

/// Whether two receipts say the same about money, the model and the verdicts.
bool same(const node::JobFacts& a, const node::JobFacts& b) {
  const auto lease = [](const node::LeaseFact& x, const node::LeaseFact& y) {
    return x.lease == y.lease && x.owner == y.owner && x.paid == y.paid &&
           x.paid_void == y.paid_void && x.status == y.status;
  };
  const auto verdict = [](const node::VerdictFact& x, const node::VerdictFact& y) {
    return x.claim == y.claim && x.task == y.task && x.outcome == y.outcome;
  };
  const auto draw = [](const node::DrawFact& x, const node::DrawFact& y) {
    return x.claim == y.claim && x.seed == y.seed && x.tasks == y.tasks && x.phase == y.phase;
  };
  return a.paid == b.paid && a.work_price == b.work_price && a.model_root == b.model_root &&
         a.correct == b.correct && a.final_tasks == b.final_tasks && a.status == b.status &&
         std::equal(a.leases.begin(), a.leases.end(), b.leases.begin(), b.leases.end(), lease) &&
         std::equal(
             a.verdicts.begin(), a.verdicts.end(), b.verdicts.begin(), b.verdicts.end(), verdict) &&
         std::equal(a.draws.begin(), a.draws.end(), b.draws.begin(), b.draws.end(), draw);
}

void check_bytes(ByteView bytes) {
  const auto receipt = codec::decode<node::JobReceipt>(bytes);
  if (!receipt.ok()) {
    CHECK(!receipt.error().is_fault());
    return;
  }
  CHECK(codec::encode(*receipt) == Bytes(bytes.begin(), bytes.end()));
  const auto facts = node::check_receipt(*receipt);
  // Another job's receipt may be good too; the same job's says what it said.
  if (facts.ok() && receipt->genesis == codec::decode<node::JobReceipt>(good().bytes)->genesis) {
    CHECK(same(*facts, good().facts));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  check_bytes({data, size});
  Bytes changed = good().bytes;
  for (size_t at = 0; at + edit_bytes <= size && at < edits_max * edit_bytes; at += edit_bytes) {
    const size_t place = data[at] + data[at + 1] * size_t{256} + data[at + 2] * size_t{65'536};
    changed[place % changed.size()] ^= data[at + 3];
  }
  check_bytes(changed);
  return 0;
}
