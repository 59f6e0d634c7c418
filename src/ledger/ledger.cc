// The frame around the rules: what may be in a block, in which order things happen, and that no
// money is made or lost.
#include "ledger/ledger.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "base/mutant.h"
#include "ledger/rules.h"

namespace lockstep::ledger {
namespace {

/// Times and durations stay far below where their sums leave 64 bits.
constexpr uint64_t time_max_ms = uint64_t{1} << 60;
constexpr uint64_t duration_max_ms = uint64_t{1} << 40;

Result<Amount> total_of(const model::Genesis& genesis) {
  Amount total;
  for (size_t i = 0; i < genesis.balances.size(); ++i) {
    const model::Allocation& allocation = genesis.balances[i];
    if (i > 0 && !(genesis.balances[i - 1].owner < allocation.owner)) {
      return refuse(Code::out_of_range, "the genesis names its owners out of order, or one twice");
    }
    if (allocation.amount <= Amount()) {
      return refuse(Code::out_of_range, "the genesis gives an owner nothing, or less");
    }
    total = TRY(total.add(allocation.amount));
  }
  return total;
}

Result<void> check_genesis(const model::Genesis& genesis) {
  for (const uint64_t duration : {genesis.epoch_ms,
                                  genesis.block_ms,
                                  genesis.answer_ms,
                                  genesis.final_window_ms,
                                  genesis.job_idle_ms}) {
    if (duration == 0 || duration > duration_max_ms) {
      return refuse(Code::out_of_range, "a duration of the genesis is 0 or too long");
    }
  }
  if (genesis.preimage_blocks == 0 || genesis.bond_min < Amount()) {
    return refuse(Code::out_of_range, "the genesis waits for no preimage, or has a bond below 0");
  }
  if (genesis.name.size() > limits::name_bytes_max) {
    return refuse(Code::out_of_range, "the network's name is too long");
  }
  return {};
}

uint64_t next_nonce(const State& state, const PublicKey& signer) {
  const auto found = state.nonces.find(signer);
  return found == state.nonces.end() ? 0 : found->second;
}

Result<model::Transaction> open_transaction(const model::Signed& transaction,
                                            const model::NetworkId& network,
                                            uint64_t nonce) {
  if (transaction.body.size() > limits::transaction_bytes_max) {
    return refuse(Code::too_large, "the transaction is too large");
  }
  if (transaction.nonce != nonce) {
    return refuse(Code::wrong_nonce,
                  "the nonce is " + std::to_string(transaction.nonce) + ", the signer's next is " +
                      std::to_string(nonce));
  }
  if (is_mutated(Mutant::signature_ignored)) {
    return codec::decode<model::Transaction>(transaction.body);
  }
  return model::open<model::Transaction>(transaction, network, model::SignedKind::transaction);
}

Error bad_block(std::string what) {
  return refuse(Code::bad_block, std::move(what));
}

Result<void> check_frame(const State& state, const BlockInput& block) {
  const Totals& last = state.totals;
  if (block.height != last.height + 1) {
    return bad_block("the block's height is not the next");
  }
  const bool first = last.height == 0;
  if (block.time_ms > time_max_ms ||
      (!first && block.time_ms < last.time_ms + state.genesis.block_ms)) {
    return bad_block("the block comes too soon after the one before, or is of no real time");
  }
  const bool reused = is_mutated(Mutant::preimage_reused) && block.preimage == last.preimage;
  if (model::chain_link(block.preimage) != last.preimage && !reused) {
    return bad_block("the preimage is not the next of the sequencer's chain");
  }
  if (block.transactions.size() > limits::block_transactions_max) {
    return bad_block("the block has too many transactions");
  }
  return {};
}

/// The transactions of a block, each of which belongs into it.
Result<std::vector<model::Transaction>> open_all(const State& state, const BlockInput& block) {
  std::map<PublicKey, uint64_t> used;  // nonces by signer, in this block
  std::vector<model::Transaction> bodies;
  for (const model::Signed& transaction : block.transactions) {
    uint64_t& ahead = used[transaction.signer];
    const uint64_t nonce = next_nonce(state, transaction.signer) + ahead;
    auto body = open_transaction(transaction, state.network, nonce);
    if (!body.ok()) {
      return bad_block("a transaction does not belong here: " + body.error().what);
    }
    bodies.push_back(std::move(body).value());
    ++ahead;
  }
  return bodies;
}

}  // namespace

Result<Ledger> Ledger::create(const model::Genesis& genesis) {
  TRY(check_genesis(genesis));
  State state;
  state.total = TRY(total_of(genesis));
  state.genesis = genesis;
  state.network = model::network_id(genesis);
  state.totals.preimage = genesis.preimages;
  for (const model::Allocation& allocation : genesis.balances) {
    state.accounts[allocation.owner].balance = allocation.amount;
  }
  return Ledger(std::move(state));
}

Result<std::vector<Event>> Ledger::apply(const BlockInput& block) {
  TRY(check_frame(state_, block));
  const auto bodies = TRY(open_all(state_, block));

  std::vector<Event> events;
  Turn turn{state_, events, block.height, block.time_ms, block.preimage};
  state_.totals.height = block.height;
  state_.totals.time_ms = block.time_ms;
  state_.totals.preimage = block.preimage;
  unread_due(turn);
  audits_due(turn);
  disputes_due(turn);
  settle_due(turn);
  for (size_t i = 0; i < bodies.size(); ++i) {
    const model::Signed& transaction = block.transactions[i];
    const Signer signer{transaction.signer, model::transaction_id(transaction)};
    ++state_.nonces[signer.key];
    const Result<void> result =
        std::visit([&](const auto& body) { return ledger::apply(turn, signer, body); }, bodies[i]);
    if (!result.ok()) {
      events.emplace_back(TransactionFailed{signer.id, signer.key, result.error()});
    }
  }
  draw_claims(turn);

  const Result<Amount> sum = state_.sum();
  CHECK((sum.ok() && *sum == state_.total) || !is_mutated(Mutant::none));
  return events;
}

Result<void> Ledger::admit(const model::Signed& transaction, uint64_t ahead) const {
  const uint64_t nonce = next_nonce(state_, transaction.signer) + ahead;
  (void)TRY(open_transaction(transaction, state_.network, nonce));
  return {};
}

std::optional<uint64_t> Ledger::next_due_ms() const {
  std::optional<uint64_t> next;
  for (const std::optional<uint64_t> due : {unread_next_due(state_),
                                            audits_next_due(state_),
                                            disputes_next_due(state_),
                                            settle_next_due(state_)}) {
    if (due) {
      next = std::min(next.value_or(*due), *due);
    }
  }
  // What a transaction has made due in this block falls due with the next one.
  return next ? std::optional(std::max(*next, state_.totals.time_ms)) : std::nullopt;
}

}  // namespace lockstep::ledger
