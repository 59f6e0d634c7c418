// Every order of moves, and of deadlines missed, in small jobs: two providers, two tasks, an
// auditor, a requester, a meddler. However it goes, no money stays locked, who answers in time
// loses nothing, and a liar never ends richer than an honest provider would.
#include <gtest/gtest.h>

#include <unordered_set>

#include "ledger/test_explore.h"

namespace lockstep::ledger::test {
namespace {

constexpr uint64_t unit_ms = 1000;  // times this near each other are one: moves take a millisecond
constexpr int64_t forgotten = -100'000;  // units after which the past is all the same

/// A time as seen from now, in units.
uint64_t seen(uint64_t time_ms, uint64_t now_ms) {
  if (time_ms == 0) {
    return 0;
  }
  const auto distance = static_cast<int64_t>(time_ms - now_ms) + static_cast<int64_t>(unit_ms) / 2;
  const int64_t units = distance >= 0 ? distance / static_cast<int64_t>(unit_ms)
                                      : -((-distance) / static_cast<int64_t>(unit_ms)) - 1;
  return static_cast<uint64_t>(std::max(units, forgotten)) + (uint64_t{1} << 40);
}

/// What of a state decides everything that can follow: times and heights relative to now, and
/// nothing that only names the way here (nonces, preimages, the draw's seed: all tasks are drawn).
State essence(State state) {
  const uint64_t now = state.totals.time_ms;
  const uint64_t height = state.totals.height;
  const auto recent = [&](uint64_t block) {
    return block == 0 ? 0 : 1 + std::min<uint64_t>(height - block, 3);
  };
  state.nonces.clear();
  state.totals.height = 0;
  state.totals.time_ms = 0;
  state.totals.preimage = {};
  for (auto& [id, job] : state.jobs) {
    job.opened_ms = 0;
    job.closed_ms = seen(job.closed_ms, now);
    job.preimage = {};
    job.revealed = 0;
  }
  for (auto& [id, lease] : state.leases) {
    lease.opened_ms = 0;
    lease.closed_ms = seen(lease.closed_ms, now);
  }
  for (auto& [id, claim] : state.claims) {
    claim.block = recent(claim.block);
    claim.posted_ms = seen(claim.posted_ms, now);
    claim.disputed_ms = seen(claim.disputed_ms, now);
    claim.audit.seed = {};
    claim.audit.block = 0;
    claim.audit.requester_preimage = true;
    claim.audit.deadline_ms = seen(claim.audit.deadline_ms, now);
  }
  for (auto& [key, dispute] : state.disputes) {
    dispute.opened_ms = seen(dispute.opened_ms, now);
    dispute.deadline_ms = seen(dispute.deadline_ms, now);
  }
  for (auto& [commitment, turn] : state.turns) {
    turn.block = recent(turn.block);
  }
  for (auto& [id, time] : state.active) {
    time = seen(time, now);
  }
  for (auto& [task, time] : state.voided) {
    time = seen(time, now);
  }
  return state;
}

struct Scene {
  Ledger ledger;
  std::set<Who> late;
  std::vector<Move> path;
};

class Explorer {
 public:
  explicit Explorer(const Play& play) : stage_(play), before_(wealth_of_all()) {}

  /// Visits every state; stops at the first failure, or with `states_max`.
  void run(size_t states_max) {
    std::vector<Scene> stack = {{stage_.ledger(), {}, {}}};
    visit(stack.back());
    while (!stack.empty() && !testing::Test::HasFailure()) {
      const Scene scene = std::move(stack.back());
      stack.pop_back();
      stage_.ledger() = scene.ledger;
      const std::vector<Move> moves = stage_.moves();
      if (!stage_.state_due() && is_over()) {
        at_the_end(scene);
        continue;
      }
      for (const Move& move : moves) {
        stage_.ledger() = scene.ledger;
        step(scene, move, stack);
      }
      ASSERT_LE(visited_.size(), states_max) << "the play has more states than were thought";
    }
  }
  size_t states() const { return visited_.size(); }
  size_t ends = 0, convictions = 0, honest_ends = 0, moves_made = 0;

 private:
  [[nodiscard]] std::array<int64_t, who_count> wealth_of_all() const {
    std::array<int64_t, who_count> all{};
    for (size_t i = 0; i < who_count; ++i) {
      all.at(i) = stage_.wealth(static_cast<Who>(i));
    }
    const Job& job = stage_.job(stage_.job_id());
    all.front() += job.escrow.nano() + job.audit_budget.nano();  // what it opened the job with
    return all;
  }
  [[nodiscard]] bool is_over() const {
    return stage_.job(stage_.job_id()).status == JobStatus::settled;
  }
  bool visit(const Scene& scene) {
    codec::Writer writer;
    writer.hash(essence(stage_.state()).root());
    for (const auto& [key, until] : stage_.state().awaited) {
      writer.hash(key.second.hash);
      writer.number(seen(until, stage_.now()));
    }
    for (const Who who : scene.late) {
      writer.number(static_cast<uint8_t>(who));
    }
    const Hash key = crypto::hash(crypto::Mode::plain(), writer.bytes());
    return visited_.insert(key).second;
  }
  /// Makes the move; a new state goes on the stack.
  void step(const Scene& from, const Move& move, std::vector<Scene>& stack) {
    Scene next{from.ledger, from.late, from.path};
    std::vector<model::Signed> transactions;
    uint64_t advance = 1;
    if (move.act == Act::tick) {
      const uint64_t due = *stage_.state_due();
      advance = std::max<uint64_t>(1, due - std::min(due, stage_.now()));
    } else {
      const auto [key, body] = stage_.transaction_of(move);
      transactions.push_back(stage_.transaction(key, body));
    }
    next.late.merge(stage_.late_at(stage_.now() + advance));
    const Events events = stage_.block(std::move(transactions), advance);
    if (find<TransactionFailed>(events)) {
      return;
    }
    ++moves_made;
    next.ledger = stage_.ledger();
    next.path.push_back(move);
    for (const Event& event : events) {
      if (const auto* ended = std::get_if<DisputeEnded>(&event)) {
        check_verdict(*ended, next);
      }
    }
    if (visit(next)) {
      stack.push_back(std::move(next));
    }
  }
  /// A conviction is of the liar, or of one that did not answer.
  void check_verdict(const DisputeEnded& ended, const Scene& scene) {
    const bool convicts = ended.ending == Ending::proof_refuted ||
                          ended.ending == Ending::bad_answer ||
                          ended.ending == Ending::claimant_silent;
    if (!convicts) {
      return;
    }
    ++convictions;
    const PublicKey node = stage_.lease(stage_.claim(ended.claim).lease).node;
    const bool first = node == stage_.party(Who::first).node.public_key();
    const Who who = first ? Who::first : Who::second;
    const bool liar = first && stage_.play().lie;
    EXPECT_TRUE(liar || scene.late.contains(who)) << trace_of(scene);
  }
  void at_the_end(const Scene& scene);
  void check_honest(const Scene& scene, Who who, uint32_t claim);
  [[nodiscard]] int64_t gain(Who who) const {
    return stage_.wealth(who) - before_.at(static_cast<size_t>(who));
  }
  [[nodiscard]] int64_t price() const {
    const auto& terms = stage_.job(stage_.job_id()).terms;
    return model::price_of(stage_.step_cost(), terms.price_per_unit)->nano();
  }
  [[nodiscard]] static std::string trace_of(const Scene& scene) {
    std::string text = "after";
    for (const Move& move : scene.path) {
      text += " " + text_of(move);
    }
    return text;
  }

  Stage stage_;
  std::array<int64_t, who_count> before_;
  struct HashOf {
    size_t operator()(const Hash& hash) const {
      size_t value = 0;
      std::memcpy(&value, hash.bytes.data(), sizeof value);
      return value;
    }
  };
  std::unordered_set<Hash, HashOf> visited_;
};

void Explorer::at_the_end(const Scene& scene) {
  ++ends;
  const State& state = stage_.state();
  for (const auto& [owner, account] : state.accounts) {
    EXPECT_EQ(account.locked, Amount()) << "a lock without end, " << trace_of(scene);
  }
  for (const auto& [id, job] : state.jobs) {
    EXPECT_EQ(job.escrow, Amount()) << trace_of(scene);
    EXPECT_EQ(job.audit_budget, Amount()) << trace_of(scene);
    EXPECT_EQ(job.reserve, Amount()) << trace_of(scene);
  }
  for (const auto& [id, lease] : state.leases) {
    EXPECT_EQ(lease.pending, Amount()) << trace_of(scene);
  }
  EXPECT_TRUE(state.disputes.empty()) << trace_of(scene);
  EXPECT_EQ(*state.sum(), state.total);
  const Play& play = stage_.play();
  if (play.lie) {
    // A challenger that falls silent gives its bond to whom it accused, as to an honest one.
    const int64_t bonds = scene.late.contains(Who::auditor) || scene.late.contains(Who::requester)
                              ? 2 * stage_.state().genesis.bond_min.nano()
                              : 0;
    EXPECT_LE(gain(Who::first), price() + bonds)
        << "the liar is richer than an honest provider, " << trace_of(scene);
  } else {
    check_honest(scene, Who::first, 0);
  }
  if (play.claims > 1) {
    check_honest(scene, Who::second, 1);
  }
  if (!scene.late.contains(Who::auditor)) {
    EXPECT_GE(gain(Who::auditor), 0) << trace_of(scene);
  }
  // A requester pays for work and audits only, what the ledger says it paid; a meddling one can but
  // lose, unless the accused falls silent.
  const int64_t paid = stage_.job(stage_.job_id()).paid.nano();
  if (!play.meddler && !scene.late.contains(Who::requester)) {
    EXPECT_GE(gain(Who::requester), -paid) << trace_of(scene);
  }
  // Only who convicts, or is not answered, is rewarded.
  if (!play.lie && !scene.late.contains(Who::first)) {
    EXPECT_LE(gain(Who::requester), 0) << trace_of(scene);
  }
}

void Explorer::check_honest(const Scene& scene, Who who, uint32_t claim) {
  if (scene.late.contains(who)) {
    return;
  }
  ++honest_ends;
  EXPECT_GE(gain(who), 0) << "an honest provider lost money, " << trace_of(scene);
  const auto id = stage_.claim_of(claim);
  // Of a task without a voucher its provider knows that it may lose it; it stops at four of them.
  if (id && !(claim == 0 && stage_.play().unsigned_work)) {
    EXPECT_GE(gain(who), price()) << "claimed, answered and not paid, " << trace_of(scene);
  }
}

void explore(const Play& play, size_t states_max) {
  Explorer explorer(play);
  explorer.run(states_max);
  std::printf("%zu states, %zu moves, %zu ends, %zu convictions, %zu honest ends\n",
              explorer.states(),
              explorer.moves_made,
              explorer.ends,
              explorer.convictions,
              explorer.honest_ends);
  EXPECT_GT(explorer.ends, 0U);
}

TEST(Explore, OneHonestProvider) {
  explore({.claims = 1, .early_close = true}, 200'000);
}
TEST(Explore, OneLiar) {
  explore({.claims = 1, .lie = true, .early_close = true}, 200'000);
}
TEST(Explore, AMeddler) {
  explore({.claims = 1, .meddler = true, .early_close = true}, 200'000);
}
TEST(Explore, AnUnsignedTask) {
  explore({.claims = 2, .linked = true, .unsigned_work = true}, 200'000);
}
TEST(Explore, TwoHonest) {
  explore({.claims = 2}, 2'000'000);
}
TEST(Explore, TwoHonestLinked) {
  explore({.claims = 2, .linked = true}, 2'000'000);
}
TEST(Explore, ALiarAndOneThatReadsFromIt) {
  explore({.claims = 2, .lie = true, .linked = true}, 2'000'000);
}

}  // namespace
}  // namespace lockstep::ledger::test
