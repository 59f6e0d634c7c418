// For tests only: what is true of every state that the ledger can reach.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/blake3.h"
#include "ledger/test_world.h"

namespace lockstep::ledger::test {

inline bool is_live(const Lease& lease) {
  return lease.status == LeaseStatus::open || lease.status == LeaseStatus::closing;
}

/// What the claims say that each lease has counted and made final.
struct Operations {
  uint64_t counted = 0, final = 0;
};

/// Every pending amount has its claimed tasks, to the last nano.
inline void check_leases(const State& state) {
  std::map<LeaseId, Operations> works;
  for (const auto& [id, claim] : state.claims) {
    Operations& work = works[claim.lease];
    for (const Task& task : claim.tasks) {
      const bool is_final = task.status == TaskStatus::final;
      work.final += is_final ? task.operations : 0;
      work.counted += is_final || task.status == TaskStatus::pending ? task.operations : 0;
      EXPECT_TRUE(state.claimed.contains(task.id));
      EXPECT_FALSE(claim.final && task.status == TaskStatus::pending);
    }
  }
  std::map<JobId, uint64_t> counted;
  for (const auto& [id, lease] : state.leases) {
    const Job& job = state.jobs.at(lease.job);
    const auto price = [&](uint64_t operations) {
      return model::price_of(operations, job.terms.price_per_unit).value();
    };
    EXPECT_EQ(lease.counted_operations, works[id].counted);
    EXPECT_EQ(lease.final_operations, works[id].final);
    EXPECT_EQ(lease.paid, price(lease.final_operations));
    EXPECT_EQ(lease.pending.add(lease.paid).value(), price(lease.counted_operations));
    EXPECT_EQ(is_live(lease), lease.locked > Amount());
    counted[lease.job] += lease.counted_operations;
  }
  for (const auto& [id, job] : state.jobs) {
    EXPECT_EQ(job.counted_operations, counted[id]);
    EXPECT_LE(job.counted_operations, job.terms.operations);
  }
}

/// Locked is exactly what leases, audits and disputes have locked.
inline void check_locks(const State& state) {
  std::map<PublicKey, Amount> locked;
  const auto lock = [&](const PublicKey& owner, Amount amount) {
    locked[owner] = locked[owner].add(amount).value();
  };
  for (const auto& [id, lease] : state.leases) {
    lock(lease.owner, lease.locked);
  }
  for (const auto& [id, claim] : state.claims) {
    if (claim.audit.bond > Amount()) {
      lock(state.nodes.at(claim.audit.auditor).owner, claim.audit.bond);
    }
  }
  for (const auto& [key, dispute] : state.disputes) {
    lock(state.nodes.at(dispute.challenger).owner, dispute.bond);
  }
  for (const auto& [owner, account] : state.accounts) {
    EXPECT_EQ(account.locked, locked[owner]);
    EXPECT_LE(account.locked, account.stake);
    EXPECT_GE(account.locked, Amount());
    EXPECT_GE(account.balance, Amount());
  }
}

inline void check_jobs(const State& state) {
  for (const auto& [id, job] : state.jobs) {
    EXPECT_GE(job.escrow, Amount());
    EXPECT_GE(job.audit_budget, Amount());
    EXPECT_GE(job.reserve, Amount());
    EXPECT_EQ(state.active.contains(id), job.status == JobStatus::open);
    if (job.status == JobStatus::settled) {
      EXPECT_EQ(job.escrow, Amount());
      EXPECT_EQ(job.audit_budget, Amount());
      EXPECT_EQ(job.reserve, Amount());
    }
  }
  for (const auto& [id, lease] : state.leases) {
    EXPECT_FALSE(lease.status == LeaseStatus::open &&
                 state.jobs.at(lease.job).status != JobStatus::open);
  }
  for (const auto& [key, dispute] : state.disputes) {
    EXPECT_FALSE(state.claims.at(key.first).final);
  }
  for (const auto& [key, lost] : state.dismissed) {
    EXPECT_FALSE(state.claims.at(key.first).final);
  }
}

inline void check_state(const State& state) {
  check_leases(state);
  check_locks(state);
  check_jobs(state);
  EXPECT_EQ(state.sum().value(), state.total);
}

/// Nonces never fall, and nobody's is forgotten.
inline void check_nonces(const std::map<PublicKey, uint64_t>& before,
                         const std::map<PublicKey, uint64_t>& after) {
  for (const auto& [signer, nonce] : before) {
    const auto found = after.find(signer);
    ASSERT_NE(found, after.end());
    EXPECT_GE(found->second, nonce);
  }
}

/// The same records put in one by one in a random order.
template <class Map>
void shuffle_in(Map& map, Random& random) {
  Map fresh;
  while (!map.empty()) {
    auto at = map.begin();
    std::advance(at, static_cast<int64_t>(random.below(map.size())));
    fresh.insert(map.extract(at));
  }
  map = std::move(fresh);
}
inline State rebuilt(State state, Random& random) {
  shuffle_in(state.nonces, random);
  shuffle_in(state.accounts, random);
  shuffle_in(state.nodes, random);
  shuffle_in(state.program_costs, random);
  shuffle_in(state.jobs, random);
  shuffle_in(state.leases, random);
  shuffle_in(state.claims, random);
  shuffle_in(state.disputes, random);
  shuffle_in(state.active, random);
  shuffle_in(state.dismissed, random);
  shuffle_in(state.turns, random);
  shuffle_in(state.claimed, random);
  shuffle_in(state.voided, random);
  return state;
}

/// The root is that of the same records however they came in, and of their sorted entries; it shows
/// what is there and what is not.
inline void check_proofs(const State& state, Random& random) {
  const Hash root = state.root();
  EXPECT_EQ(rebuilt(state, random).root(), root);
  const auto entries = state.entries();
  codec::Writer list;
  for (const auto& [key, bytes] : entries) {
    codec::Writer entry;
    entry.string(std::string_view(key));
    entry.string(bytes);
    list.hash(crypto::hash(crypto::Mode::derive("lockstep v1 ledger entry"), entry.bytes()));
  }
  EXPECT_EQ(crypto::hash(crypto::Mode::derive("lockstep v1 ledger state"), list.bytes()), root);
  EXPECT_TRUE(std::is_sorted(entries.begin(), entries.end()));
  const auto& [key, bytes] = entries[random.below(entries.size())];
  const auto presence = prove_presence(state, key);
  ASSERT_TRUE(presence.ok());
  EXPECT_TRUE(is_present(root, key, bytes, *presence));
  EXPECT_FALSE(prove_absence(state, key).ok());
  for (const std::string& away : {key + "0", claim_key({some_hash(random.next())})}) {
    const auto absence = prove_absence(state, away);
    ASSERT_TRUE(absence.ok());
    EXPECT_TRUE(is_absent(root, away, *absence));
    EXPECT_FALSE(is_absent(root, key, *absence));
  }
}

}  // namespace lockstep::ledger::test
