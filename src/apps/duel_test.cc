// The theorem of disputes over random programs: whatever a lying claimant does, an honest
// challenger ends in silence or conviction; an honest claimant who answers is never convicted.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "apps/duel_lies.h"
#include "apps/duel_seeds.h"

namespace lockstep::duels {
namespace {

constexpr size_t answers_max = 9;
constexpr uint64_t answer_bytes_max = uint64_t{60} << 10;

struct Figures {
  size_t duels = 0, lies = 0, refuted = 0, bad_answers = 0, silent = 0, answers = 0;
  uint64_t answer_bytes = 0, proof_bytes = 0;
  std::map<law::Kind, size_t> convicted;  // by the operator of the proof
  void add(const Game& game, const End& end) {
    ++duels;
    refuted += end.verdict == Verdict::refuted ? 1 : 0;
    bad_answers += end.verdict == Verdict::bad_answer ? 1 : 0;
    silent += end.verdict == Verdict::silent ? 1 : 0;
    answers = std::max(answers, end.answers);
    answer_bytes = std::max(answer_bytes, end.answer_bytes);
    proof_bytes = std::max(proof_bytes, end.proof_bytes);
    if (end.step && end.verdict == Verdict::refuted) {
      ++convicted[game.program().records[end.step->place.record].kind];
    }
  }
};

void expect_bounds(const End& end) {
  EXPECT_LE(end.answers, answers_max);
  EXPECT_LE(end.answer_bytes, answer_bytes_max);
  EXPECT_LE(end.proof_bytes, judge::proof_bytes_max);
}

/// One claim, told in every way that `tongues` has.
void challenge(const Game& game, const Lie& lie, uint64_t seed, Figures& figures) {
  Draw draw{seed};
  const Story truth(game);
  Story story(game);
  // Some lies vanish before a root that is claimed: such a claim is true, and rarely looked at.
  bool is_false = false;
  for (int tries = 0; tries < 6 && !is_false; ++tries) {
    story = Story(game);
    lie.tell(story, draw);
    is_false =
        story.list() != truth.list() || story.claim().output_root != truth.claim().output_root;
    tries += draw.chance(4) ? 6 : 0;
  }
  const bool output_is_false = story.claim().output_root != truth.claim().output_root;
  for (int told = 0; told < 3; ++told) {
    const Tongue& tongue = told == 0 ? all_tongues()[0] : draw.one_of(all_tongues());
    const bool binds = !output_is_false || !draw.chance(3);
    SCOPED_TRACE(std::string(lie.name) + ", " + tongue.name + (binds ? "" : ", never opened"));
    Asker asker(truth);
    LyingSpeaker speaker(story, truth, tongue, draw.next());
    const End end = duel(story.claim(binds), std::ref(speaker), asker);
    if (is_false) {
      EXPECT_TRUE(is_lost(end.verdict)) << text_of(end.verdict) << " " << end.error;
      ++figures.lies;
    } else {
      EXPECT_TRUE(end.verdict == Verdict::conceded || end.verdict == Verdict::bad_answer ||
                  end.verdict == Verdict::silent)
          << "the claim was true: " << text_of(end.verdict) << " " << end.error;
      EXPECT_TRUE(told > 0 || end.verdict == Verdict::conceded) << "an honest claim is conceded";
    }
    expect_bounds(end);
    figures.add(game, end);
  }
}

TEST(Duels, WhateverALiarDoesItIsSilentOrConvicted) {
  Figures figures;
  const auto seeds = seeds_of(100);
  for (const uint64_t seed : seeds) {
    SCOPED_TRACE("LOCKSTEP_SEED=" + std::to_string(seed));
    const auto game = make_game(seed);
    Draw draw{test_mixed(seed ^ 0x11e5)};
    for (const Lie& lie : all_lies()) {
      challenge(*game, lie, draw.next(), figures);
    }
    if (HasFatalFailure() || HasFailure()) {
      return;
    }
  }
  std::printf(
      "%zu programs, %zu disputes, %zu false claims: %zu refuted, %zu bad answers, %zu silent; at "
      "most %zu answers of %.1f KiB, a proof of %.1f KiB\n",
      seeds.size(),
      figures.duels,
      figures.lies,
      figures.refuted,
      figures.bad_answers,
      figures.silent,
      figures.answers,
      static_cast<double>(figures.answer_bytes) / 1024,
      static_cast<double>(figures.proof_bytes) / 1024);
  for (const auto& [kind, count] : figures.convicted) {
    std::printf("kind %d: %zu\n", static_cast<int>(kind), count);
  }
  EXPECT_TRUE(seeds.size() == 1 || figures.lies > 20 * seeds.size());
}

}  // namespace
}  // namespace lockstep::duels
