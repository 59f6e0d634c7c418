// For tests only: a small network with its keys, a program, and helpers that sign, order and apply.
#pragma once

#include <algorithm>
#include <array>
#include <map>

#include "base/check.h"
#include "base/test_random.h"
#include "ledger/ledger.h"

namespace lockstep::ledger::test {

using Random = TestRandom;

/// A hash that nothing else in a test has.
inline Hash some_hash(uint64_t number) {
  Hash hash;
  std::memcpy(hash.bytes.data(), &number, sizeof number);
  hash.bytes[31] = 0x5a;
  return hash;
}
inline crypto::SecretKey some_key(uint64_t number) {
  return crypto::SecretKey::from_seed(some_hash(number));
}
inline Amount lks(int64_t whole) {
  return Amount::from_nano(whole * Amount::nano_per_whole);
}
inline Amount nano(int64_t value) {
  return Amount::from_nano(value);
}

/// An owner and its node.
struct Party {
  crypto::SecretKey owner, node;
};
inline Party some_party(uint64_t number) {
  return {some_key(2 * number), some_key(2 * number + 1)};
}

/// a ← (a + b) · b on four floats; b stays. Two records, two leaves.
inline law::Program small_program() {
  using law::DType;
  using law::From;
  using law::MapOp;
  const law::Shape four{DType::f32, {4}};
  law::Program program;
  program.leaves = {{"a", four, 1}, {"b", four, std::nullopt}};
  program.records = {{law::Kind::map,
                      law::MapAttr{{{MapOp::input, 0}, {MapOp::input, 1}, {MapOp::add}}},
                      {{From::state, 0, {4}}, {From::state, 1, {4}}},
                      four},
                     {law::Kind::map,
                      law::MapAttr{{{MapOp::input, 0}, {MapOp::input, 1}, {MapOp::multiply}}},
                      {{From::value, 0, {4}}, {From::state, 1, {4}}},
                      four}};
  return program;
}

/// The law's tensor root, written again: the ledger's tests may not include law/.
inline model::TensorRef tensor_ref(const law::Shape& shape, const Hash& data) {
  codec::Writer writer;
  writer.number(static_cast<uint8_t>(shape.type));
  writer.number(static_cast<uint8_t>(shape.dims.size()));
  for (const int64_t dim : shape.dims) {
    writer.number(dim);
  }
  writer.hash(data);
  return {crypto::hash(crypto::Mode::derive("lockstep v1 tensor"), writer.bytes()), data};
}

/// What a provider has after a task, and what the requester signed about it.
struct Work {
  model::Signed assignment;
  model::Signed receipt;
  model::Signed voucher;
  TaskId id;
  Hash input_root, output_root;
  Hash salt;
  std::vector<Hash> roots;  // of the task's list, unsalted
  [[nodiscard]] model::ClaimEntry entry(bool with_voucher = true) const {
    return {assignment, receipt, with_voucher ? std::optional(voucher) : std::nullopt};
  }
};
struct WorkPlan {
  uint32_t part = 0;  // tells tasks apart; also decides their made-up roots
  uint32_t steps = 1;
  uint32_t claim_every = 1;
  std::vector<model::TaskId> reads;  // at most two: the sources of the leaves a and b
};

using Events = std::vector<Event>;

/// The first event of a kind; nothing when there is none.
template <class T>
std::optional<T> find(const Events& events) {
  for (const Event& event : events) {
    if (const T* found = std::get_if<T>(&event)) {
      return *found;
    }
  }
  return std::nullopt;
}
template <class T>
size_t count(const Events& events) {
  size_t count = 0;
  for (const Event& event : events) {
    count += std::holds_alternative<T>(event) ? 1 : 0;
  }
  return count;
}
/// The code of the first failed transaction.
inline std::optional<Code> failure(const Events& events) {
  const auto failed = find<TransactionFailed>(events);
  return failed ? std::optional(failed->error.code) : std::nullopt;
}

class World {
 public:
  Party requester = some_party(1);
  std::array<Party, 3> providers = {some_party(2), some_party(3), some_party(4)};
  Party auditor = some_party(5);
  crypto::SecretKey sequencer = some_key(100);
  crypto::SecretKey stranger = some_key(101);  // without an account

  /// 1,000 LKS each. `registered`: nodes registered, 500 LKS staked by providers and auditor, the
  /// program known.
  explicit World(bool registered = true, model::Genesis rules = {})
      : ledger_(start(std::move(rules))) {
    if (registered) {
      register_all();
    }
  }

  [[nodiscard]] Ledger& ledger() { return ledger_; }
  [[nodiscard]] const State& state() const { return ledger_.state(); }
  [[nodiscard]] uint64_t now() const { return state().totals.time_ms; }
  [[nodiscard]] const model::NetworkId& network() const { return state().network; }
  [[nodiscard]] const Account& account(const crypto::SecretKey& owner) const {
    return state().accounts.at(owner.public_key());
  }
  [[nodiscard]] const Job& job(const JobId& id) const { return state().jobs.at(id); }
  [[nodiscard]] const Lease& lease(const LeaseId& id) const { return state().leases.at(id); }
  [[nodiscard]] const Claim& claim(const ClaimId& id) const { return state().claims.at(id); }
  [[nodiscard]] Hash program() const { return state().program_costs.begin()->first; }
  /// Operations of a step of the program.
  [[nodiscard]] uint64_t step_cost() const { return state().program_costs.begin()->second; }

  /// Signed with the signer's next nonce, `ahead` transactions before it in the same block.
  [[nodiscard]] model::Signed transaction(const crypto::SecretKey& key,
                                          const model::Transaction& body,
                                          uint64_t ahead = 0) const {
    const auto found = state().nonces.find(key.public_key());
    const uint64_t next = found == state().nonces.end() ? 0 : found->second;
    return model::sign(
        key, {network(), model::SignedKind::transaction, next + ahead}, codec::encode(body));
  }
  /// The input of the next block.
  [[nodiscard]] BlockInput input(std::vector<model::Signed> transactions,
                                 uint64_t advance_ms = 100) const {
    const uint64_t height = state().totals.height + 1;
    return {height, now() + advance_ms, sequencer_chain().at(height), std::move(transactions)};
  }
  /// Applies a block that must be a good one.
  Events block(std::vector<model::Signed> transactions = {}, uint64_t advance_ms = 100) {
    auto events = ledger_.apply(input(std::move(transactions), advance_ms));
    if (!events.ok()) {
      (void)std::fprintf(stderr, "%s\n", events.error().message().c_str());
    }
    CHECK(events.ok());
    return std::move(events).value();
  }
  Events send(const crypto::SecretKey& key, const model::Transaction& body) {
    return block({transaction(key, body)});
  }
  /// The same; it must not fail.
  Events must(const crypto::SecretKey& key, const model::Transaction& body) {
    Events events = send(key, body);
    const auto failed = find<TransactionFailed>(events);
    if (failed) {
      (void)std::fprintf(stderr, "%s\n", failed->error.message().c_str());
    }
    CHECK(!failed);
    return events;
  }
  /// Empty blocks until the time has come.
  void wait_until(uint64_t time_ms) {
    while (now() < time_ms) {
      block({}, std::min<uint64_t>(1000, std::max<uint64_t>(time_ms - now(), 100)));
    }
  }
  void wait(uint64_t milliseconds) { wait_until(now() + milliseconds); }

  /// 100 tasks of one step at 0.001 LKS an operation; `share` in millionths.
  [[nodiscard]] model::OpenJob terms(uint32_t share = 0) const {
    model::OpenJob terms;
    terms.name = "job";
    terms.requester = requester.node.public_key();
    terms.programs = {program()};
    terms.operations = 100 * step_cost();
    terms.tasks = 100;
    terms.price_per_unit = lks(1'000'000);
    terms.share_millionths = share;
    terms.preimages = requester_chain(state().jobs.size())[0];
    return terms;
  }
  /// With an anchor of its own, whatever the terms say.
  JobId open_job(model::OpenJob terms) {
    terms.preimages = requester_chain(state().jobs.size())[0];
    return find<JobOpened>(must(requester.owner, terms))->job;
  }
  [[nodiscard]] model::Quote quote(const Party& provider) const {
    model::Quote quote;
    quote.owner = provider.owner.public_key();
    quote.name = "provider";
    quote.price_per_unit = lks(1'000'000);
    quote.operations_per_second = 1000;
    quote.expires_ms = now() + 60'000;
    return quote;
  }
  [[nodiscard]] model::RegisterNode registration(const Party& party, model::Role role) const {
    return model::register_node(network(), party.node, {party.owner.public_key(), role});
  }
  [[nodiscard]] model::Signed sign_as(const crypto::SecretKey& key,
                                      model::SignedKind kind,
                                      Bytes body) const {
    return model::sign(key, {network(), kind, 0}, std::move(body));
  }
  LeaseId open_lease(const JobId& job, const Party& provider) {
    const auto signed_quote =
        sign_as(provider.node, model::SignedKind::quote, codec::encode(quote(provider)));
    return find<LeaseOpened>(must(requester.node, model::OpenLease{job, signed_quote}))->lease;
  }

  [[nodiscard]] model::Assignment assignment(const LeaseId& lease_id, const WorkPlan& plan) const {
    model::Assignment assignment;
    assignment.job = lease(lease_id).job;
    assignment.lease = lease_id;
    assignment.part = plan.part;
    assignment.program = program();
    assignment.steps = plan.steps;
    assignment.claim_every = plan.claim_every;
    assignment.operations = plan.steps * step_cost();
    for (uint32_t leaf = 0; leaf < 2; ++leaf) {
      model::AssignedLeaf assigned;
      assigned.tensor = tensor_ref(small_program().leaves[leaf].shape,
                                   some_hash(1'000'000 + 2 * uint64_t{plan.part} + leaf));
      if (leaf < plan.reads.size()) {
        assigned.source = model::TaskLeaf{plan.reads[leaf], leaf};
      }
      assignment.leaves.push_back(assigned);
    }
    return assignment;
  }
  /// A task with made-up roots, signed by everybody.
  [[nodiscard]] Work work(const LeaseId& lease_id,
                          const Party& provider,
                          const WorkPlan& plan) const {
    Work work;
    const model::Assignment assigned = assignment(lease_id, plan);
    work.assignment =
        sign_as(requester.node, model::SignedKind::assignment, codec::encode(assigned));
    work.id = model::task_id(work.assignment);
    const judge::Registered* known = state().programs.find(assigned.program);
    CHECK(known != nullptr);
    const auto input_root = judge::input_root(*known, assigned.leaves);
    CHECK(input_root.ok());
    work.input_root = *input_root;
    work.salt = some_hash(3'000'000 + uint64_t{plan.part});
    const uint64_t states = model::state_roots_of(plan.steps, plan.claim_every);
    for (uint64_t i = 0; i < judge::list_entries(*known, plan.steps, plan.claim_every); ++i) {
      work.roots.push_back(some_hash((uint64_t{plan.part} + 1) * 10'000'000 + i));
    }
    work.output_root = work.roots[states - 1];
    sign_results(work, lease_id, provider);
    return work;
  }
  /// Signs receipt and voucher for what `work` says now.
  void sign_results(Work& work, const LeaseId& lease_id, const Party& provider) const {
    model::Receipt receipt;
    receipt.lease = lease_id;
    receipt.task = work.id;
    receipt.law_version = law::law_version;
    receipt.program = program();
    receipt.input_root = work.input_root;
    receipt.output_root = work.output_root;
    receipt.list = model::task_list(work.salt, work.roots);
    work.receipt = sign_as(provider.node, model::SignedKind::receipt, codec::encode(receipt));
    work.voucher = sign_as(requester.node,
                           model::SignedKind::voucher,
                           codec::encode(model::Voucher{work.id, work.output_root}));
  }
  ClaimId post_claim(const LeaseId& lease, const Party& provider, const std::vector<Work>& works) {
    model::PostClaim body{lease, {}};
    for (const Work& work : works) {
      body.entries.push_back(work.entry());
    }
    return find<ClaimPosted>(must(provider.node, body))->claim;
  }

  /// x_0 (the anchor), x_1, …
  static const std::vector<Hash>& sequencer_chain() {
    static const std::vector<Hash> chain = model::preimage_chain(some_hash(7), 40'000);
    return chain;
  }
  /// Of its job number `number` (from 0): each has a chain of its own.
  static const std::vector<Hash>& requester_chain(size_t number = 0) {
    static std::map<size_t, std::vector<Hash>> chains;
    const auto [chain, fresh] = chains.try_emplace(number);
    if (fresh) {
      codec::Writer writer;
      writer.hash(some_hash(8));
      writer.number(static_cast<uint64_t>(number));
      chain->second = model::preimage_chain(
          crypto::hash(crypto::Mode::derive("test chain"), writer.bytes()), 1000);
    }
    return chain->second;
  }
  [[nodiscard]] const std::vector<Hash>& chain_of(const JobId& id) const {
    size_t number = 0;
    while (requester_chain(number)[0] != job(id).terms.preimages) {
      ++number;
    }
    return requester_chain(number);
  }

 private:
  [[nodiscard]] Ledger start(model::Genesis rules) const {
    rules.name = "test";
    rules.sequencer = sequencer.public_key();
    rules.preimages = sequencer_chain()[0];
    rules.balances = {{requester.owner.public_key(), lks(1000)},
                      {auditor.owner.public_key(), lks(1000)}};
    for (const Party& provider : providers) {
      rules.balances.push_back({provider.owner.public_key(), lks(1000)});
    }
    std::sort(rules.balances.begin(), rules.balances.end(), [](const auto& a, const auto& b) {
      return a.owner < b.owner;
    });
    auto ledger = Ledger::create(rules);
    CHECK(ledger.ok());
    return std::move(ledger).value();
  }
  void register_all() {
    must(requester.owner, registration(requester, model::Role::requester));
    must(auditor.owner, registration(auditor, model::Role::auditor));
    must(auditor.owner, model::AddStake{lks(500)});
    for (const Party& provider : providers) {
      must(provider.owner, registration(provider, model::Role::provider));
      must(provider.owner, model::AddStake{lks(500)});
    }
    must(requester.owner, model::RegisterProgram{law::encode(small_program()), {}});
  }

  Ledger ledger_;
};

}  // namespace lockstep::ledger::test
