// For tests only: a job on a real sequencer, played by hand: a provider that may lie, one that does
// not, auditors, disputes, and the receipt in the end. The law's own interpreter is every machine.
#pragma once

#include "attest/witness.h"
#include "node/receipt.h"
#include "node/test_network.h"

namespace lockstep::node::receipt_test {

using ledger::test::find;
using ledger::test::lks;
using ledger::test::some_hash;
using ledger::test::some_party;
using model::ClaimId;
using model::LeaseId;
using test_network::Party;
using test_network::requester_chain;

inline constexpr uint32_t images = 3;

/// The model's leaves a and b, what was right before, and the images that are looked at.
inline law::Program evaluate_program() {
  using law::DType;
  using law::MapOp;
  law::Program program;
  program.leaves = {{"a", {DType::f32, {4}}, std::nullopt},
                    {"b", {DType::f32, {4}}, std::nullopt},
                    {"correct", {DType::i64, {}}, 0},
                    {"images", {DType::u8, {images}}, std::nullopt}};
  program.records = {
      {law::Kind::map,
       law::MapAttr{{{MapOp::input, 0}, {MapOp::constant, 0, DType::i64, 2}, {MapOp::add}}},
       {{law::From::state, 2, {}}},
       {DType::i64, {}}}};
  return program;
}
inline law::Program sum_program() {
  using law::DType;
  using law::MapOp;
  law::Program program;
  program.leaves = {{"correct", {DType::i64, {}}, 0}};
  program.records = {
      {law::Kind::map,
       law::MapAttr{{{MapOp::input, 0}, {MapOp::constant, 0, DType::i64, 0}, {MapOp::add}}},
       {{law::From::state, 0, {}}},
       {DType::i64, {}}}};
  return program;
}

/// A task of one step as somebody did it.
struct Made {
  law::Program program;
  model::Assignment assignment;
  model::Signed paper, receipt, voucher;
  model::TaskId id;
  Hash salt;
  model::StepTrace trace;
  model::Execution execution;

  [[nodiscard]] model::ClaimEntry entry() const { return {paper, receipt, voucher}; }
  [[nodiscard]] std::vector<Hash> roots() const { return attest::list_roots(execution, 1); }
  [[nodiscard]] attest::Witness witness() const {
    attest::Witness witness(program, 1, 1, roots());
    witness.set_steps({execution.output_root});
    witness.set_trace(trace);
    return witness;
  }
  [[nodiscard]] ReceiptOutput output() const {
    ReceiptOutput output{id, {}};
    for (const model::TensorRef& leaf : execution.leaves) {
      output.leaves.push_back(leaf.root);
    }
    return output;
  }
};

/// What a task is for, and where its leaves come from: an earlier task's, or made up.
struct Plan {
  model::TaskTag tag;
  law::Program program;
  const Made* reads = nullptr;  // gives every leaf that it has by the same name
  bool lies = false;
};

class World final : public test_network::Network {
 public:
  Party requester = some_party(1), liar = some_party(2), honest = some_party(3);
  Party auditor = some_party(4);
  bool has_auditor = true;
  ledger::test::Events events;  // of the last block

  explicit World(uint32_t share_millionths, bool with_auditor = true)
      : Network(4), has_auditor(with_auditor) {
    register_all();
    open_job(share_millionths);
    liar_lease = open_lease(liar);
    honest_lease = open_lease(honest);
  }

  LeaseId liar_lease, honest_lease;

  [[nodiscard]] const model::JobId& job() const { return job_; }
  [[nodiscard]] const ledger::Job& job_record() const { return state().jobs.at(job_); }
  [[nodiscard]] const ledger::Audit& audit(const ClaimId& id) const {
    return state().claims.at(id).audit;
  }

  /// One block, 100 ms after the last or later.
  void block(uint64_t advance_ms = 100) {
    now += advance_ms;
    events.clear();
    auto made = sequencer_.produce(now, events);
    CHECK(made.ok());
    blocks_.push_back(std::move(made).value());
  }
  /// In a block of its own, where it may fail.
  void send(const crypto::SecretKey& key, const model::Transaction& body) {
    submit(key, body);
    block();
  }
  void must(const crypto::SecretKey& key, const model::Transaction& body) {
    send(key, body);
    const auto failed = find<ledger::TransactionFailed>(events);
    if (failed) {
      (void)std::fprintf(stderr, "%s\n", failed->error.message().c_str());
    }
    CHECK(!failed);
  }
  void reveal() {
    must(requester.node, model::RevealPreimage{job_, requester_chain()[job_record().revealed + 1]});
  }

  [[nodiscard]] Made work(const LeaseId& lease, const Party& provider, const Plan& plan) const;
  ClaimId claim(const LeaseId& lease, const Party& provider, const std::vector<Made>& works) {
    model::PostClaim body{lease, {}};
    for (const Made& made : works) {
      body.entries.push_back(made.entry());
    }
    must(provider.node, body);
    return find<ledger::ClaimPosted>(events)->claim;
  }

  /// The auditor computed `computed` and the claimant `claimed`.
  void commit(const ClaimId& id, const crypto::SecretKey& key, const std::vector<Made>& computed) {
    model::CommitAudit body{id, {}};
    for (const uint32_t place : audit(id).tasks) {
      body.commitments.push_back(
          model::audit_commitment(computed.at(place).roots(), key.public_key(), some_hash(42)));
    }
    must(key, body);
  }
  void open_salts(const ClaimId& id, const Party& provider, const std::vector<Made>& claimed) {
    model::OpenSalts body{id, {}};
    for (const uint32_t place : audit(id).tasks) {
      body.salts.push_back(claimed.at(place).salt);
    }
    must(provider.node, body);
  }
  void reveal_audit(const ClaimId& id,
                    const crypto::SecretKey& key,
                    const std::vector<Made>& computed) {
    model::RevealAudit body{id, {}};
    for (const uint32_t place : audit(id).tasks) {
      body.tasks.push_back({computed.at(place).roots(), some_hash(42)});
    }
    must(key, body);
  }
  void agree(const ClaimId& id, const std::vector<Made>& works) {
    commit(id, auditor.node, works);
    open_salts(id, honest, works);
    reveal_audit(id, auditor.node, works);
  }
  /// A challenge without a drawn audit: a commitment first.
  void challenge_freely(const ClaimId& id, uint32_t task, const crypto::SecretKey& key) {
    const model::Challenge body{id, task, some_hash(50), some_hash(51)};
    must(key,
         model::CommitChallenge{
             model::challenge_commitment(id, task, body.own_root, key.public_key(), body.salt)});
    must(key, body);
  }
  [[nodiscard]] const ledger::Dispute* dispute(const ClaimId& id, uint32_t task) const {
    const auto found = state().disputes.find({id, task});
    return found == state().disputes.end() ? nullptr : &found->second;
  }
  /// Asks for a place as the challenger.
  void ask(const ClaimId& id, uint32_t task, const crypto::SecretKey& key, model::Place place) {
    must(key, model::AskOpen{id, task, place});
  }
  void answer(const ClaimId& id, uint32_t task, const Party& provider, const Made& claimed) {
    const auto reply = claimed.witness().answer(*dispute(id, task)->asked, claimed.salt);
    CHECK(reply.ok());
    const auto* given = std::get_if<model::Answer>(&*reply);
    CHECK(given != nullptr);
    must(provider.node, model::PostAnswer{id, task, *given});
  }
  /// Down to the first false step, and the proof.
  void dispute_to_end(const ClaimId& id,
                      const crypto::SecretKey& key,
                      const Made& claimed,
                      const Made& computed) {
    const attest::Witness witness = computed.witness();
    while (const ledger::Dispute* open = dispute(id, 0)) {
      const attest::Witness::Move move = witness.next(open->kept);
      if (const auto* next = std::get_if<attest::Witness::Ask>(&move)) {
        ask(id, 0, key, next->place);
        answer(id, 0, liar, claimed);
        continue;
      }
      const auto* proof = std::get_if<attest::Witness::Prove>(&move);
      CHECK(proof != nullptr);
      must(key, model::PostProof{id, 0, proof->proof});
    }
  }

  /// Blocks as they fall due.
  void wait(uint64_t milliseconds) {
    for (const uint64_t until = now + milliseconds; now < until;) {
      block(std::min<uint64_t>(500, std::max<uint64_t>(until - now, 100)));
    }
  }
  void finish() {
    must(requester.node, model::CloseJob{job_});
    for (int i = 0; i < 200 && job_record().status != ledger::JobStatus::settled; ++i) {
      block(500);
    }
    CHECK(job_record().status == ledger::JobStatus::settled);
  }
  /// `merge` may be null: then nothing is left.
  [[nodiscard]] JobReceipt receipt(const Made* merge, const Made* sum) const {
    ReceiptParts parts;
    if (merge != nullptr) {
      parts.model = merge->output();
      parts.parameters = {"a", "b"};
      parts.evaluation = sum->output();
      parts.test_images = images;
      parts.correct = sum->trace.after[0];
    }
    auto made = make_receipt(genesis_, blocks_, state(), job_, parts);
    if (!made.ok()) {
      (void)std::fprintf(stderr, "%s\n", made.error().message().c_str());
    }
    CHECK(made.ok());
    return std::move(made).value();
  }

 private:
  void register_all();
  void open_job(uint32_t share_millionths);
  [[nodiscard]] LeaseId open_lease(const Party& provider);

  std::vector<model::Block> blocks_;
  model::JobId job_;
};

inline void World::register_all() {
  const auto registration = [&](const Party& party, model::Role role) {
    return model::register_node(state().network, party.node, {party.owner.public_key(), role});
  };
  must(requester.owner, registration(requester, model::Role::requester));
  must(requester.owner, model::AddStake{lks(100)});
  for (const Party& party : {liar, honest}) {
    must(party.owner, registration(party, model::Role::provider));
    must(party.owner, model::AddStake{lks(500)});
  }
  if (has_auditor) {
    must(auditor.owner, registration(auditor, model::Role::auditor));
    must(auditor.owner, model::AddStake{lks(500)});
  }
  for (const law::Program& program :
       {ledger::test::small_program(), evaluate_program(), sum_program()}) {
    must(requester.owner, model::RegisterProgram{law::encode(program), {}});
  }
}

inline void World::open_job(uint32_t share_millionths) {
  must(requester.owner,
       terms(requester,
             {law::program_root(ledger::test::small_program()),
              law::program_root(evaluate_program()),
              law::program_root(sum_program())},
             1000,
             share_millionths));
  job_ = find<ledger::JobOpened>(events)->job;
}

inline LeaseId World::open_lease(const Party& provider) {
  const bool lies = provider.owner.public_key() == liar.owner.public_key();
  must(requester.node,
       model::OpenLease{job_, quote(provider, lies ? "liar" : "honest", 1'000'000'000)});
  return find<ledger::LeaseOpened>(events)->lease;
}

inline Made World::work(const LeaseId& lease, const Party& provider, const Plan& plan) const {
  Made made;
  made.program = plan.program;
  model::Assignment& assignment = made.assignment;
  assignment.job = job_;
  assignment.lease = lease;
  assignment.kind = plan.tag.kind;
  assignment.round = plan.tag.round;
  assignment.part = plan.tag.part;
  assignment.program = law::program_root(plan.program);
  assignment.operations = law::cost(plan.program);
  std::vector<law::Tensor> leaves;
  for (const law::Leaf& leaf : plan.program.leaves) {
    law::Tensor tensor{leaf.shape, Bytes(static_cast<size_t>(leaf.shape.bytes()))};
    std::optional<model::TaskLeaf> source;
    for (uint32_t i = 0; plan.reads != nullptr && i < plan.reads->program.leaves.size(); ++i) {
      if (plan.reads->program.leaves[i].name == leaf.name) {
        source = model::TaskLeaf{plan.reads->id, i};
        tensor.data = plan.reads->trace.after[i];
      }
    }
    assignment.leaves.push_back({{law::tensor_root(tensor), law::data_hash(tensor.data)}, source});
    leaves.push_back(std::move(tensor));
  }
  const auto traces = test_network::trace_of(
      plan.program, std::move(leaves), 1, plan.lies ? std::optional(0) : std::nullopt);
  made.trace = traces.front();
  made.execution = test_network::execution_of(plan.program, traces, 1);
  const judge::Registered* registered = state().programs.find(assignment.program);
  made.execution.input_root = judge::input_root(*registered, assignment.leaves).value();
  made.paper = sign_as(requester.node, model::SignedKind::assignment, codec::encode(assignment));
  made.id = model::task_id(made.paper);
  made.salt = some_hash(500 + plan.tag.part);
  const model::Receipt receipt =
      attest::make_receipt(assignment, made.id, made.execution, made.salt);
  made.receipt = sign_as(provider.node, model::SignedKind::receipt, codec::encode(receipt));
  made.voucher = sign_as(requester.node,
                         model::SignedKind::voucher,
                         codec::encode(model::Voucher{made.id, made.execution.output_root}));
  return made;
}

}  // namespace lockstep::node::receipt_test
