// For tests only: moves of audits and disputes on top of the test world, and work with a real
// trace.
#pragma once

#include "judge/dispute.h"
#include "ledger/test_world.h"

namespace lockstep::ledger::test {

inline WorkPlan part(uint32_t number) {
  WorkPlan plan;
  plan.part = number;
  return plan;
}

class AuditWorld : public World {
 public:
  using World::World;

  /// A job with every task drawn unless said otherwise, and its first lease.
  void start(uint32_t share = 1'000'000) {
    job_ = open_job(terms(share));
    lease_ = open_lease(job_, providers[0]);
  }
  [[nodiscard]] const JobId& job_id() const { return job_; }
  [[nodiscard]] const LeaseId& lease_id() const { return lease_; }

  /// An auditor besides the world's, with `stake` LKS.
  Party add_auditor(uint64_t number, int64_t stake) {
    Party party = some_party(number);
    must(requester.owner, model::Transfer{party.owner.public_key(), lks(stake + 1)});
    must(party.owner, registration(party, model::Role::auditor));
    must(party.owner, model::AddStake{lks(stake)});
    return party;
  }
  Events reveal(const JobId& id) {
    return must(requester.node, model::RevealPreimage{id, chain_of(id)[job(id).revealed + 1]});
  }
  /// Honest-looking work of the first provider.
  [[nodiscard]] std::vector<Work> some_works(uint32_t count, uint32_t first_part = 0) const {
    std::vector<Work> works;
    for (uint32_t i = 0; i < count; ++i) {
      works.push_back(work(lease_, providers[0], part(first_part + i)));
    }
    return works;
  }
  /// Claimed and drawn.
  ClaimId drawn_claim(const std::vector<Work>& works) {
    const ClaimId id = post_claim(lease_, providers[0], works);
    reveal(job_);
    return id;
  }
  /// One block at that time, or as soon after it as a block may be.
  Events at(uint64_t time_ms) {
    return block({}, std::max<uint64_t>(time_ms, now() + 100) - now());
  }
  [[nodiscard]] const Audit& audit(const ClaimId& id) const { return claim(id).audit; }
  [[nodiscard]] const Task& task(const ClaimId& id, uint32_t place) const {
    return claim(id).tasks.at(place);
  }

  /// What `auditor` commits to and reveals when it got `works` (all of the claim, in order).
  [[nodiscard]] model::CommitAudit commit(const ClaimId& id,
                                          const crypto::SecretKey& key,
                                          const std::vector<Work>& works) const {
    model::CommitAudit body{id, {}};
    for (const uint32_t place : audit(id).tasks) {
      body.commitments.push_back(
          model::audit_commitment(works.at(place).roots, key.public_key(), some_hash(42)));
    }
    return body;
  }
  [[nodiscard]] model::OpenSalts salts(const ClaimId& id, const std::vector<Work>& works) const {
    model::OpenSalts body{id, {}};
    for (const uint32_t place : audit(id).tasks) {
      body.salts.push_back(works.at(place).salt);
    }
    return body;
  }
  [[nodiscard]] model::RevealAudit reveal_of(const ClaimId& id,
                                             const std::vector<Work>& works) const {
    model::RevealAudit body{id, {}};
    for (const uint32_t place : audit(id).tasks) {
      body.tasks.push_back({works.at(place).roots, some_hash(42)});
    }
    return body;
  }
  /// Commit, open and reveal: the claimant has `claimed`, the auditor got `computed`.
  Events audit_all(const ClaimId& id,
                   const crypto::SecretKey& key,
                   const std::vector<Work>& claimed,
                   const std::vector<Work>& computed) {
    must(key, commit(id, key, computed));
    must(providers[0].node, salts(id, claimed));
    return must(key, reveal_of(id, computed));
  }
  /// A commitment in one block, the challenge in the next.
  Events challenge(const crypto::SecretKey& key, const ClaimId& id, uint32_t task) {
    const model::Challenge body{id, task, some_hash(50), some_hash(51)};
    must(key, model::CommitChallenge{commitment_of(key, body)});
    return send(key, body);
  }
  [[nodiscard]] static Hash commitment_of(const crypto::SecretKey& key,
                                          const model::Challenge& body) {
    return model::challenge_commitment(
        body.claim, body.task, body.own_root, key.public_key(), body.salt);
  }
  [[nodiscard]] const Dispute& dispute(const ClaimId& id, uint32_t task) const {
    return state().disputes.at({id, task});
  }

 private:
  JobId job_;
  LeaseId lease_;
};

using Four = std::array<float, 4>;

inline Bytes bytes_of(const Four& values) {
  Bytes bytes(sizeof values);
  std::memcpy(bytes.data(), values.data(), sizeof values);
  return bytes;
}
inline Hash data_of(const Four& values) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 data");
  return crypto::hash(mode, bytes_of(values));
}
inline model::TensorRef ref_of(const Four& values) {
  return tensor_ref({law::DType::f32, {4}}, data_of(values));
}
inline Hash leaf_of(const std::string& name, const Four& values) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 state leaf");
  codec::Writer writer;
  writer.string(std::string_view(name));
  writer.hash(ref_of(values).root);
  return crypto::hash(mode, writer.bytes());
}

/// Steps of the small program, computed here. A liar may change `product` before it makes its work.
struct Trace {
  Four b = {1, 2, 0.5F, -1};
  std::vector<Four> a = {{1, 2, 3, 4}};  // before each step, and after the last
  std::vector<Four> sum, product;        // the two records' outputs

  explicit Trace(uint32_t steps) {
    for (uint32_t step = 0; step < steps; ++step) {
      Four added{};
      Four multiplied{};
      for (size_t i = 0; i < 4; ++i) {
        added[i] = a[step][i] + b[i];
        multiplied[i] = added[i] * b[i];
      }
      sum.push_back(added);
      product.push_back(multiplied);
      a.push_back(multiplied);
    }
  }
  /// A false product, and all that follows from it consistent.
  static Trace lying() {
    Trace trace(1);
    trace.product[0][2] += 1;
    trace.a[1] = trace.product[0];
    return trace;
  }
  [[nodiscard]] uint32_t steps() const { return static_cast<uint32_t>(sum.size()); }
  [[nodiscard]] Hash state(uint32_t step) const {
    static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 state");
    codec::Writer writer;
    writer.hash(leaf_of("a", a[step]));
    writer.hash(leaf_of("b", b));
    return crypto::hash(mode, writer.bytes());
  }
  /// The task's work of the lease, with a root after every step.
  [[nodiscard]] Work work(const World& world,
                          const LeaseId& lease,
                          const Party& provider,
                          const WorkPlan& plan) const {
    model::Assignment assigned = world.assignment(lease, {plan.part, steps(), 1, plan.reads});
    assigned.leaves[0].tensor = ref_of(a[0]);
    assigned.leaves[1].tensor = ref_of(b);
    Work work;
    work.assignment =
        world.sign_as(world.requester.node, model::SignedKind::assignment, codec::encode(assigned));
    work.id = model::task_id(work.assignment);
    work.input_root = state(0);
    work.output_root = state(steps());
    work.salt = some_hash(4'000'000 + uint64_t{plan.part});
    for (uint32_t step = 1; step <= steps(); ++step) {
      work.roots.push_back(state(step));
    }
    if (steps() < model::short_task_steps) {
      work.roots.push_back(ref_of(sum.back()).root);
      work.roots.push_back(ref_of(product.back()).root);
    }
    world.sign_results(work, lease, provider);
    return work;
  }
};

inline model::Place task_list() {
  return {};
}
inline model::Place step_list(uint32_t step) {
  return {model::Tree::step, step, 0, 0, 0, 0};
}
inline model::Place state_list(uint32_t step) {
  return {model::Tree::state, step, 0, 0, 0, 0};
}
inline model::Place tensor(uint32_t step, uint32_t record) {
  return {model::Tree::tensor, step, record, 0, 0, 0};
}
/// The whole of a trace's answer to a top.
inline model::Answer answer_to(const Trace& trace, const Work& work, const model::Place& place) {
  model::Answer answer;
  answer.place = place;
  switch (place.tree) {
    case model::Tree::task:
      answer.salt = work.salt;
      answer.hashes = work.roots;
      break;
    case model::Tree::step:
      answer.hashes = {ref_of(trace.sum[place.step]).root, ref_of(trace.product[place.step]).root};
      break;
    case model::Tree::state:
      answer.hashes = {leaf_of("a", trace.a[place.step + 1]), leaf_of("b", trace.b)};
      break;
    case model::Tree::tensor:
      answer.hashes = {
          data_of(place.record == 0 ? trace.sum[place.step] : trace.product[place.step])};
      break;
    case model::Tree::window:
    case model::Tree::fold:
      CHECK(false);  // the small program has none
  }
  return answer;
}
/// The only fold step of the product of the first step.
inline model::StepProof product_proof(const Trace& trace) {
  model::StepProof proof;
  proof.place = {model::Tree::fold, 0, 1, 0, 0, 0};
  proof.openings = {{0, 0, {bytes_of(trace.sum[0]), {}}}, {1, 0, {bytes_of(trace.b), {}}}};
  model::Path leaves;
  for (const Hash& leaf : {leaf_of("a", trace.a[0]), leaf_of("b", trace.b)}) {
    leaves.chunk.insert(leaves.chunk.end(), leaf.bytes.begin(), leaf.bytes.end());
  }
  proof.inputs = {{0, data_of(trace.sum[0]), std::nullopt}, {1, data_of(trace.b), leaves}};
  return proof;
}

}  // namespace lockstep::ledger::test
