#include "sim/recount.h"

#include <algorithm>

#include "crypto/blake3.h"
#include "crypto/ed25519.h"

namespace lockstep::sim {
namespace {

using ledger::AuditPhase;
using ledger::LeaseStatus;
using ledger::TaskStatus;

/// Integers beyond 64 bits; both compilers have them.
__extension__ using Wide = unsigned __int128;

bool waits_for_somebody(AuditPhase phase) {
  return phase >= AuditPhase::drawn && phase <= AuditPhase::must_challenge;
}

bool is_over(AuditPhase phase) {
  return phase == AuditPhase::none || phase == AuditPhase::done || phase == AuditPhase::lapsed;
}

Hash hash_of(const char* context, const std::vector<Hash>& hashes) {
  codec::Writer writer;
  for (const Hash& hash : hashes) {
    writer.hash(hash);
  }
  return crypto::hash(crypto::Mode::derive(context), writer.bytes());
}

/// LAW section 6: the first eight bytes of H(seed, index), little-endian, below floor(p 2^64).
bool must_be_drawn(const Hash& seed, uint32_t index, uint32_t share_millionths) {
  constexpr uint32_t million = 1'000'000;
  codec::Writer writer;
  writer.hash(seed);
  writer.number(index);
  const Hash hash = crypto::hash(crypto::Mode::derive("lockstep v1 drawn"), writer.bytes());
  Wide number = 0;
  for (size_t i = sizeof(uint64_t); i-- > 0;) {
    number = number << 8 | hash.bytes[i];
  }
  return number < (Wide{share_millionths} << 64) / million;
}

template <class Body>
std::optional<Body> body_of(const model::Signed& paper) {
  auto body = codec::decode<Body>(paper.body);
  return body.ok() ? std::optional<Body>(std::move(body).value()) : std::nullopt;
}

bool is_signed(const model::Signed& paper, const model::NetworkId& network) {
  return paper.network == network &&
         crypto::verify(paper.signer, model::signed_hash(paper).view(), paper.signature);
}

}  // namespace

void Recount::on_block(const model::Block& block, const ledger::State& after) {
  check_link(block, after);
  check_signatures(block, after);
  check_papers(block, after);
  check_draws(after);
  check_salts(after);
  check_deadlines(after);
  check_slashes(after);
  check_void(after);
  check_final(after);
  remember(after);
}

/// One chain: no height twice, every block on the one before it, every preimage new.
void Recount::check_link(const model::Block& block, const ledger::State& after) {
  const auto header = body_of<model::Header>(block.header);
  if (!header) {
    require_(false, "a block has no header");
    return;
  }
  require_(header->height == height_ + 1 && header->previous == header_,
           "a block does not follow on the one before");
  const Hash& last = height_ == 0 ? after.genesis.preimages : preimage_;
  require_(hash_of("lockstep v1 preimage", {header->preimage}) == last,
           "a preimage is not the next of its chain");
  require_(header->preimage == after.totals.preimage && header->height == after.totals.height &&
               header->time_ms == after.totals.time_ms,
           "a header and the ledger's state differ");
  height_ = header->height;
  header_ = model::signed_hash(block.header);
  preimage_ = header->preimage;
}

/// Nobody acts for another, and nothing happens twice.
void Recount::check_signatures(const model::Block& block, const ledger::State& after) {
  require_(is_signed(block.header, after.network), "a header is not signed");
  for (const model::Signed& transaction : block.transactions) {
    require_(is_signed(transaction, after.network), "a transaction is not signed");
    require_(transaction.nonce == nonces_[transaction.signer]++, "a nonce is not the next");
  }
}

/// What a claim's papers say is what the ledger keeps of it.
void Recount::check_papers(const model::Block& block, const ledger::State& after) {
  for (const model::Signed& transaction : block.transactions) {
    const auto claim = after.claims.find(model::ClaimId{model::signed_hash(transaction)});
    if (claim == after.claims.end()) {
      continue;
    }
    const auto body = body_of<model::Transaction>(transaction);
    const auto* const posted = body ? std::get_if<model::PostClaim>(&*body) : nullptr;
    if (posted == nullptr || posted->lease != claim->second.lease ||
        posted->entries.size() != claim->second.tasks.size()) {
      require_(false, "a claim is not the one that was posted");
      continue;
    }
    std::vector<Hash> receipts;
    for (size_t i = 0; i < posted->entries.size(); ++i) {
      check_entry(posted->entries[i], claim->second.tasks[i], claim->second, after);
      receipts.push_back(model::signed_hash(posted->entries[i].receipt));
    }
    require_(claim->second.list == hash_of("lockstep v1 claim", receipts),
             "a claim's list is not that of its receipts");
  }
}

void Recount::check_entry(const model::ClaimEntry& entry,
                          const ledger::Task& task,
                          const ledger::Claim& claim,
                          const ledger::State& after) {
  const ledger::Lease& lease = after.leases.at(claim.lease);
  const auto assignment = body_of<model::Assignment>(entry.assignment);
  const auto receipt = body_of<model::Receipt>(entry.receipt);
  if (!assignment || !receipt) {
    require_(false, "a claim has papers that are none");
    return;
  }
  const Hash id = model::signed_hash(entry.assignment);
  require_(entry.assignment.signer == after.jobs.at(claim.job).terms.requester &&
               is_signed(entry.assignment, after.network) && assignment->lease == claim.lease &&
               assignment->job == claim.job && task.id.hash == id,
           "an assignment is not its claim's");
  require_(entry.receipt.signer == lease.node && is_signed(entry.receipt, after.network) &&
               receipt->lease == claim.lease && receipt->task.hash == id &&
               receipt->program == assignment->program && receipt->input_root == task.input_root,
           "a receipt is not its assignment's");
  require_(task.output_root == receipt->output_root && task.list == receipt->list &&
               task.operations == assignment->operations && task.steps == assignment->steps &&
               task.claim_every == assignment->claim_every,
           "the ledger keeps another task than was claimed");
}

void Recount::check_draws(const ledger::State& after) {
  for (const auto& [id, claim] : after.claims) {
    const ledger::Job& job = after.jobs.at(claim.job);
    const auto before = before_.revealed.find(claim.job);
    const bool revealed = before != before_.revealed.end() && before->second != job.revealed;
    const bool waited = after.totals.height - claim.block >= after.genesis.preimage_blocks;
    if (claim.audit.phase == AuditPhase::waiting) {
      require_(claim.block == after.totals.height || !(revealed || waited),
               "a claim was not drawn when it had to be");
    } else if (claim.audit.block == after.totals.height) {
      require_(revealed || waited, "a claim was drawn before its preimages were there");
      check_draw(claim, job, revealed);
    }
  }
}

/// Draws are the last thing that a block does, so what is open now was open then.
void Recount::check_draw(const ledger::Claim& claim, const ledger::Job& job, bool revealed) {
  const Hash seed =
      hash_of("lockstep v1 draw", {preimage_, revealed ? job.preimage : Hash(), claim.list});
  require_(claim.audit.seed == seed, "a draw's seed is not that of its preimages");
  std::vector<uint32_t> drawn;
  for (uint32_t i = 0; i < claim.tasks.size(); ++i) {
    const TaskStatus status = claim.tasks[i].status;
    if ((status == TaskStatus::pending || status == TaskStatus::voided) &&
        must_be_drawn(seed, i, job.terms.share_millionths)) {
      drawn.push_back(i);
    }
  }
  require_(claim.audit.tasks == drawn, "other tasks were drawn than the seed draws");
}

/// One salt for two tasks would tell what their lists have in common.
void Recount::check_salts(const ledger::State& after) {
  for (const auto& [id, claim] : after.claims) {
    if (!is_honest_(after.leases.at(claim.lease).node)) {
      continue;
    }
    for (size_t i = 0; i < claim.audit.salts.size(); ++i) {
      const model::TaskId& task = claim.tasks.at(claim.audit.tasks.at(i)).id;
      const auto known = salts_.try_emplace(claim.audit.salts[i], task).first;
      require_(known->second == task, "an honest claimant used a salt twice");
    }
  }
}

/// What is due at a block's time has happened in it, and nothing before its time.
void Recount::check_deadlines(const ledger::State& after) {
  const uint64_t now_ms = after.totals.time_ms;
  for (const auto& [id, claim] : after.claims) {
    const ledger::Audit& audit = claim.audit;
    require_(!waits_for_somebody(audit.phase) || audit.deadline_ms > now_ms,
             "an audit's deadline passed and nothing happened");
    const auto before = before_.phases.find(id);
    if (before == before_.phases.end() || before_.deadlines.at(id) <= now_ms) {
      continue;
    }
    require_(audit.excused.size() == before_.excused.at(id), "an auditor was passed over too soon");
    require_(audit.phase != AuditPhase::unopened || before->second == AuditPhase::unopened,
             "salts were called unopened too soon");
  }
  for (const auto& [key, dispute] : after.disputes) {
    require_(dispute.deadline_ms > now_ms, "a dispute's deadline passed and nothing happened");
  }
}

/// Half of what a convicted owner had locked in leases is burned, and it keeps none of them.
void Recount::check_slashes(const ledger::State& after) {
  std::set<crypto::PublicKey> owners;
  int64_t burned = 0;
  for (const auto& [id, was] : before_.leases) {
    const bool slashed =
        was.status != LeaseStatus::slashed && after.leases.at(id).status == LeaseStatus::slashed;
    if (slashed) {
      owners.insert(was.owner);
      burned += was.locked.nano() - was.locked.nano() / 2;
    }
  }
  require_(after.totals.burned.nano() - before_.burned.nano() == burned,
           "what was burned is not half of what was slashed");
  for (const auto& [id, was] : before_.leases) {
    const bool live = was.status == LeaseStatus::open || was.status == LeaseStatus::closing;
    require_(
        !live || !owners.contains(was.owner) || after.leases.at(id).status == LeaseStatus::slashed,
        "a convicted owner kept a lease");
  }
}

/// Nothing is pending that read, directly or not, from what is false.
void Recount::check_void(const ledger::State& after) {
  std::set<std::pair<model::JobId, model::TaskId>> bad;
  for (const auto& [id, claim] : after.claims) {
    for (const ledger::Task& task : claim.tasks) {
      if (task.status == TaskStatus::voided || task.status == TaskStatus::convicted ||
          task.status == TaskStatus::paid_void) {
        bad.emplace(claim.job, task.id);
      }
    }
  }
  for (const auto& entry : after.claims) {
    const ledger::Claim& claim = entry.second;
    for (const ledger::Task& task : claim.tasks) {
      const bool reads_bad =
          std::any_of(task.reads.begin(), task.reads.end(), [&](const model::TaskId& read) {
            return bad.contains({claim.job, read});
          });
      require_(task.status != TaskStatus::pending || !reads_bad,
               "work is to be paid that read from what is void");
    }
  }
}

/// Nothing becomes final while somebody may still show it to be false.
void Recount::check_final(const ledger::State& after) {
  const model::Genesis& rules = after.genesis;
  const uint64_t now_ms = after.totals.time_ms;
  for (const auto& [id, claim] : after.claims) {
    if (!claim.final || before_.final.contains(id)) {
      continue;
    }
    const ledger::Job& job = after.jobs.at(claim.job);
    const auto first = after.disputes.lower_bound({id, 0});
    const bool disputed = first != after.disputes.end() && first->first.first == id;
    require_(is_over(claim.audit.phase) && !disputed,
             "a claim became final under an open audit or dispute");
    const bool spans = job.terms.finality == model::FinalityRule::span;
    const uint64_t from_ms = spans
                                 ? claim.posted_ms + job.terms.span_ms
                                 : std::max(job.closed_ms, claim.posted_ms) + rules.final_window_ms;
    require_((spans || job.status != ledger::JobStatus::open) && now_ms >= from_ms,
             "a claim became final too soon");
    for (const ledger::Task& task : claim.tasks) {
      require_(task.status != TaskStatus::final || task.available,
               "a task was paid that nobody has read");
    }
  }
}

void Recount::remember(const ledger::State& after) {
  before_ = Before();
  for (const auto& [id, claim] : after.claims) {
    before_.phases[id] = claim.audit.phase;
    before_.deadlines[id] = claim.audit.deadline_ms;
    before_.excused[id] = claim.audit.excused.size();
    if (claim.final) {
      before_.final.insert(id);
    }
  }
  before_.leases = after.leases;
  for (const auto& [id, job] : after.jobs) {
    before_.revealed[id] = job.revealed;
  }
  before_.burned = after.totals.burned;
}

/// An honest requester sees to it that all work it built on is claimed.
void Recount::at_end(const ledger::State& state) const {
  for (const auto& [id, claim] : state.claims) {
    if (!is_honest_(state.jobs.at(claim.job).terms.requester)) {
      continue;
    }
    for (const ledger::Task& task : claim.tasks) {
      const bool all = std::all_of(task.reads.begin(), task.reads.end(), [&](const auto& read) {
        return state.claimed.contains(read);
      });
      require_(task.status != TaskStatus::final || all,
               "work was accepted and used, and never claimed");
    }
  }
}

}  // namespace lockstep::sim
