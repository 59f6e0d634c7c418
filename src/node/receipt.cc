// Makes a job's receipt: which transactions and which entries of the ledger concern it, and their
// proofs. What they show is checked in receipt_check.cc.
#include "node/receipt.h"

#include <algorithm>
#include <set>

#include "base/limits.h"
#include "law/roots.h"

namespace lockstep::node {
namespace {

using model::Transaction;
using model::TransactionId;

struct Spoken {
  uint64_t height = 0;
  const model::Signed* paper = nullptr;
  size_t index = 0;  // in its block
  TransactionId id;
  Transaction body;
};

/// All transactions that had an effect, in order. The ledger itself says which these are.
Result<std::vector<Spoken>> effective(const model::Genesis& genesis,
                                      std::span<const model::Block> blocks,
                                      const ledger::State& state) {
  ledger::Ledger ledger = TRY(ledger::Ledger::create(genesis));
  std::vector<Spoken> spoken;
  for (const model::Block& block : blocks) {
    const auto header = TRY(codec::decode<model::Header>(block.header.body));
    const auto events =
        TRY(ledger.apply({header.height, header.time_ms, header.preimage, block.transactions}));
    std::set<TransactionId> failed;
    for (const ledger::Event& event : events) {
      if (const auto* failure = std::get_if<ledger::TransactionFailed>(&event)) {
        failed.insert(failure->id);
      }
    }
    for (size_t i = 0; i < block.transactions.size(); ++i) {
      const model::Signed& paper = block.transactions[i];
      const TransactionId id = model::transaction_id(paper);
      if (!failed.contains(id)) {
        spoken.push_back(
            {header.height, &paper, i, id, TRY(codec::decode<Transaction>(paper.body))});
      }
    }
  }
  if (ledger.state_root() != state.root()) {
    return refuse(Code::bad_receipt, "the blocks do not lead to the ledger's state");
  }
  return spoken;
}

/// Decides what concerns a job.
class Concern {
 public:
  Concern(const ledger::State& state, const model::JobId& id, const ledger::Job& job)
      : state_(state), job_(id), programs_(job.terms.programs.begin(), job.terms.programs.end()) {}

  /// A turn is only told apart by the challenge that uses it.
  void note_challenge(const Spoken& spoken) {
    if (const auto* body = std::get_if<model::Challenge>(&spoken.body); body && is_own(*body)) {
      turns_.insert(model::challenge_commitment(
          body->claim, body->task, body->own_root, spoken.paper->signer, body->salt));
    }
  }
  /// In order: of a program the first inclusion counts.
  bool operator()(const Spoken& spoken) {
    return std::visit([&](const auto& body) { return concerns(spoken, body); }, spoken.body);
  }

 private:
  template <class Body>
  [[nodiscard]] bool is_own(const Body& body) const {
    if constexpr (requires { body.job; }) {
      return body.job == job_;
    } else if constexpr (requires { body.claim; }) {
      const auto claim = state_.claims.find(body.claim);
      return claim != state_.claims.end() && claim->second.job == job_;
    } else if constexpr (requires { body.lease; }) {
      const auto lease = state_.leases.find(body.lease);
      return lease != state_.leases.end() && lease->second.job == job_;
    } else {
      return false;
    }
  }
  template <class Body>
  bool concerns(const Spoken& /*spoken*/, const Body& body) {
    return is_own(body);
  }
  bool concerns(const Spoken& spoken, const model::OpenJob& /*body*/) {
    return spoken.id.hash == job_.hash;
  }
  bool concerns(const Spoken& /*spoken*/, const model::RegisterProgram& body) {
    return programs_.erase(crypto::hash(law::program_mode(), body.program)) > 0;
  }
  bool concerns(const Spoken& /*spoken*/, const model::CommitChallenge& body) {
    return turns_.contains(body.commitment);
  }

  const ledger::State& state_;
  model::JobId job_;
  std::set<Hash> programs_;  // not yet included
  std::set<Hash> turns_;
};

Hash entry_hash(const std::string& key, ByteView bytes) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 ledger entry");
  codec::Writer writer;
  writer.string(std::string_view(key));
  writer.string(bytes);
  return crypto::hash(mode, writer.bytes());
}

/// ledger::prove_presence() for many keys at once: the state is only encoded and hashed once.
class Entries {
 public:
  explicit Entries(const ledger::State& state) : entries_(state.entries()) {
    codec::Writer writer;
    for (const auto& [key, bytes] : entries_) {
      writer.hash(entry_hash(key, bytes));
    }
    message_ = std::move(writer).bytes();
  }
  /// Errors: not_registered.
  [[nodiscard]] Result<ReceiptEntry> prove(const std::string& key) const {
    const auto found = std::lower_bound(
        entries_.begin(), entries_.end(), key, [](const auto& entry, const std::string& text) {
          return entry.first < text;
        });
    if (found == entries_.end() || found->first != key) {
      return refuse(Code::not_registered, "the ledger holds nothing under " + key);
    }
    static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 ledger state");
    constexpr size_t chunk_bytes = limits::chunk_bytes;
    ReceiptEntry entry{key, found->second, {}};
    entry.presence.index = static_cast<uint64_t>(found - entries_.begin());
    entry.presence.entries = entries_.size();
    const size_t chunk = entry.presence.index * sizeof(Hash) / chunk_bytes;
    const size_t first = chunk * chunk_bytes;
    const ByteView bytes =
        ByteView(message_).subspan(first, std::min(chunk_bytes, message_.size() - first));
    entry.presence.path.chunk.assign(bytes.begin(), bytes.end());
    entry.presence.path.siblings = crypto::path_to_root(mode, message_, chunk);
    return entry;
  }

 private:
  std::vector<std::pair<std::string, Bytes>> entries_;
  Bytes message_;
};

/// The keys of all entries that a receipt shows, sorted.
std::set<std::string> keys_of(const ledger::State& state, const model::JobId& id) {
  const ledger::Job& job = state.jobs.at(id);
  std::set<std::string> keys = {
      ledger::totals_key(), ledger::job_key(id), ledger::account_key(job.owner)};
  for (const auto& [lease_id, lease] : state.leases) {
    if (lease.job == id) {
      keys.insert(ledger::lease_key(lease_id));
      keys.insert(ledger::account_key(lease.owner));
    }
  }
  for (const auto& [claim_id, claim] : state.claims) {
    if (claim.job != id) {
      continue;
    }
    keys.insert(ledger::claim_key(claim_id));
    const auto auditor = state.nodes.find(claim.audit.auditor);
    if (auditor != state.nodes.end()) {
      keys.insert(ledger::account_key(auditor->second.owner));
    }
  }
  return keys;
}

}  // namespace

Result<JobReceipt> make_receipt(const model::Genesis& genesis,
                                std::span<const model::Block> blocks,
                                const ledger::State& state,
                                const model::JobId& job,
                                const ReceiptParts& parts) {
  const auto known = state.jobs.find(job);
  if (known == state.jobs.end()) {
    return refuse(Code::not_registered, "the ledger knows no such job");
  }
  JobReceipt receipt;
  receipt.genesis = genesis;
  receipt.job = job;
  for (const model::Block& block : blocks) {
    receipt.headers.push_back(block.header);
  }
  const std::vector<Spoken> spoken = TRY(effective(genesis, blocks, state));
  Concern concern(state, job, known->second);
  for (const Spoken& one : spoken) {
    concern.note_challenge(one);
  }
  for (const Spoken& one : spoken) {
    if (concern(one)) {
      const auto& transactions = blocks[one.height - 1].transactions;
      receipt.transactions.push_back(
          {one.height, *one.paper, chain::prove_inclusion(transactions, one.index)});
    }
  }
  const Entries entries(state);
  for (const std::string& key : keys_of(state, job)) {
    receipt.entries.push_back(TRY(entries.prove(key)));
  }
  receipt.parameters = parts.parameters;
  receipt.test_images = parts.test_images;
  receipt.model = parts.model;
  receipt.evaluation = parts.evaluation;
  receipt.correct = parts.correct;
  return receipt;
}

}  // namespace lockstep::node
