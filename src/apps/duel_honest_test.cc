// The other half of the theorem, over random programs: an honest claimant who answers is never
// convicted, whoever challenges it, with whatever questions and proofs.
#include <gtest/gtest.h>

#include <cstdio>
#include <set>

#include "apps/duel_lies.h"
#include "apps/duel_seeds.h"
#include "judge/test_forgery.h"

namespace lockstep::duels {
namespace {

using judge::test::Forger;
using law::test::SeededChoices;
using model::Outcome;
using model::StepProof;

/// Proofs of other disputes, programs and steps.
class Spares {
 public:
  void add(StepProof proof) {
    if (proofs_.size() < 64) {
      proofs_.push_back(std::move(proof));
    } else {
      proofs_[next_++ % 64] = std::move(proof);
    }
  }
  const StepProof& any(Draw& draw) const { return draw.one_of(proofs_); }
  [[nodiscard]] bool empty() const { return proofs_.empty(); }

 private:
  std::vector<StepProof> proofs_;
  size_t next_ = 0;
};

struct Figures {
  size_t duels = 0, questions = 0, proofs = 0, admissible = 0;
  std::set<std::pair<law::Kind, size_t>> forged;  // (kind, way)
};

/// An honest claim and what its witness says of it.
struct Accused {
  explicit Accused(const Game& game) : truth(game), claim(truth.claim()) {}
  Story truth;
  judge::Case claim;
};

/// Where a fold step is to be proven.
struct Spot {
  Place place;
  uint64_t fold_step = 0;
};
std::optional<Spot> any_spot(const Game& game, uint32_t step, Draw& draw) {
  const uint32_t record = any_record(game, draw);
  const law::Record& made = game.program().records[record];
  const uint64_t chunks = crypto::chunk_count(static_cast<uint64_t>(made.out.bytes()));
  const Place place = top_at(Tree::fold, step, record, draw.below(chunks));
  const law::Op op = law::op_of(game.program(), record);
  const law::Fold fold(op, static_cast<int64_t>(place.chunk));
  if (fold.steps() == 0) {
    return std::nullopt;
  }
  return Spot{place, draw.below(static_cast<uint64_t>(fold.steps()))};
}

struct Tools {
  Draw& draw;
  const Spares& spares;
  Figures& figures;
};
/// Every way to forge the proof, with the ledger as the dispute left it.
void expect_no_forgery(const judge::Case& claim,
                       const End& end,
                       const StepProof& proof,
                       const Tools& tools) {
  SeededChoices choices(tools.draw.next());
  const law::Kind kind = claim.program->program.records[proof.place.record].kind;
  EXPECT_NE(judge::decide(claim, end.kept, proof), Outcome::refuted);
  for (size_t way = 0; way < Forger::ways; ++way) {
    StepProof forged = proof;
    Forger(forged, tools.spares.any(tools.draw), choices).apply(way);
    if (forged != proof) {
      const Outcome outcome = judge::decide(claim, end.kept, forged);
      EXPECT_NE(outcome, Outcome::refuted) << "way " << way;
      tools.figures.admissible += outcome == Outcome::holds ? 1 : 0;
      tools.figures.forged.emplace(kind, way);
      ++tools.figures.proofs;
    }
  }
}

/// A lying challenger goes its way; between the answers it throws proofs of its own trace.
void expect_safe_from_liars(const Game& game, Draw& draw, Spares& spares, Figures& figures) {
  const Accused accused(game);
  for (const Lie& lie : all_lies()) {
    SCOPED_TRACE(std::string("challenged by: ") + lie.name);
    Story story(game);
    lie.tell(story, draw);
    HonestSpeaker speaker(accused.truth);
    Asker asker(story);
    attest::Witness liar = story.witness();
    const auto step = story.own.empty() ? static_cast<uint32_t>(draw.below(game.steps))
                                        : story.own.begin()->first;
    liar.set_trace(story.trace(step));
    const End end = duel(accused.claim, std::ref(speaker), asker, [&](const model::Kept& kept) {
      if (const auto spot = any_spot(game, step, draw)) {
        spares.add(liar.prove(spot->place, spot->fold_step));
        const Outcome own = judge::decide(accused.claim, kept, spares.any(draw));
        EXPECT_NE(own, Outcome::refuted);
        ++figures.proofs;
      }
    });
    const bool is_safe = end.verdict == Verdict::conceded || end.verdict == Verdict::holds ||
                         end.verdict == Verdict::inadmissible;
    EXPECT_TRUE(is_safe) << text_of(end.verdict) << " " << end.error;
    EXPECT_TRUE(end.verdict == Verdict::conceded || story.list() != accused.truth.list());
    ++figures.duels;
    if (end.step && !spares.empty()) {
      // The liar's own proof is the first forged one; the honest one of the same step is forged
      // too.
      expect_no_forgery(accused.claim, end, *end.step, {draw, spares, figures});
      speaker.witness().set_trace(accused.truth.trace(end.step->place.step));
      const StepProof proof = speaker.witness().prove(end.step->place, end.step->fold_step);
      expect_no_forgery(accused.claim, end, proof, {draw, spares, figures});
    }
  }
}

/// A question that may make sense.
Place any_place(const Game& game, const model::Kept& kept, Draw& draw) {
  if (!kept.nodes.empty() && draw.chance(3)) {
    return draw.one_of(kept.nodes).place;
  }
  Place place;
  place.tree = static_cast<Tree>(draw.below(6));
  place.step = static_cast<uint32_t>(draw.below(game.steps + 1U));
  place.record = static_cast<uint32_t>(draw.below(game.records() + 1U));
  if (place.tree == Tree::window) {
    place.step /= game.claim_every;
  }
  if (place.tree < Tree::tensor) {
    place.record = draw.chance(20) ? place.record : 0;
    place.step = place.tree == Tree::task ? 0 : place.step;
  } else if (place.tree == Tree::fold) {
    std::vector<Place> chunks;
    for (const model::KeptNode& node : kept.nodes) {
      if (node.place.tree == Tree::tensor && node.place.last - node.place.first == 1) {
        chunks.push_back(node.place);
      }
    }
    if (!chunks.empty()) {
      const Place& chunk = draw.one_of(chunks);
      place = top_at(Tree::fold, chunk.step, chunk.record, chunk.first);
    }
  }
  return place;
}

/// Asks at random, as long as the ledger would make the claimant answer. Every answer is taken.
model::Kept questioned(const Game& game, const Accused& accused, Draw& draw, Figures& figures) {
  HonestSpeaker speaker(accused.truth);
  End end;
  for (int asked = 0; asked < 60; ++asked) {
    const Place place = any_place(game, end.kept, draw);
    if (!judge::admissible(accused.claim, end.kept, place).ok()) {
      continue;
    }
    ++figures.questions;
    const bool is_taken = take(accused.claim, speaker(place), end);
    EXPECT_TRUE(is_taken) << "tree " << static_cast<int>(place.tree) << ", step " << place.step
                          << ", record " << place.record << ", chunk " << place.chunk << ", ["
                          << place.first << ", " << place.last << "): " << text_of(end.verdict)
                          << " " << end.error;
  }
  return end.kept;
}

/// After any questions: honest, forged and replayed proofs.
void expect_safe_from_questions(const Game& game, Draw& draw, Spares& spares, Figures& figures) {
  const Accused accused(game);
  const model::Kept kept = questioned(game, accused, draw, figures);
  attest::Witness witness = accused.truth.witness();
  SeededChoices choices(draw.next());
  for (int round = 0; round < 6; ++round) {
    const auto step = static_cast<uint32_t>(draw.below(game.steps));
    witness.set_trace(accused.truth.trace(step));
    const auto spot = any_spot(game, step, draw);
    if (!spot) {
      continue;
    }
    const StepProof proof = witness.prove(spot->place, spot->fold_step);
    EXPECT_NE(judge::decide(accused.claim, kept, proof), Outcome::refuted);
    spares.add(proof);
    for (size_t way = 0; way < Forger::ways; way += 1 + draw.below(4)) {
      StepProof forged = proof;
      Forger(forged, spares.any(draw), choices).apply(way);
      const Outcome outcome = judge::decide(accused.claim, kept, forged);
      EXPECT_NE(outcome, Outcome::refuted) << "way " << way;
      figures.admissible += outcome == Outcome::holds ? 1 : 0;
      ++figures.proofs;
    }
    model::LeafProof leaf{step, any_leaf(game, draw), std::nullopt};
    for (int way = 0; way < 4; ++way) {
      EXPECT_NE(judge::decide(accused.claim, kept, leaf), Outcome::refuted);
      judge::test::forge(leaf, choices);
    }
  }
}

TEST(HonestDuels, AnHonestClaimantIsNeverConvicted) {
  Figures figures;
  Spares spares;
  const auto seeds = seeds_of(100);
  for (const uint64_t seed : seeds) {
    SCOPED_TRACE("LOCKSTEP_SEED=" + std::to_string(seed));
    const auto game = make_game(seed);
    Draw draw{test_mixed(seed ^ 0x40e57)};
    const Story truth(*game);
    HonestSpeaker speaker(truth);
    Asker asker(truth);
    EXPECT_EQ(duel(truth.claim(), std::ref(speaker), asker).verdict, Verdict::conceded);
    expect_safe_from_liars(*game, draw, spares, figures);
    for (int i = 0; i < 4; ++i) {
      expect_safe_from_questions(*game, draw, spares, figures);
    }
    if (HasFailure()) {
      return;
    }
  }
  std::printf(
      "%zu programs, %zu lying challengers, %zu questions, %zu proofs, of these %zu hold, %zu "
      "(kind, way)\n",
      seeds.size(),
      figures.duels,
      figures.questions,
      figures.proofs,
      figures.admissible,
      figures.forged.size());
  if (seeds.size() > 1) {
    EXPECT_GT(figures.questions, 20 * seeds.size());
    EXPECT_GT(figures.proofs, 100 * seeds.size());
    EXPECT_GE(figures.forged.size(), 600U) << "kinds of operators × ways to forge";
  }
}

}  // namespace
}  // namespace lockstep::duels
