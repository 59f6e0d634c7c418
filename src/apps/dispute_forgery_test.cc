// Forged proofs against honest claims over the programs of the Fashion-MNIST example: none
// convicts.
#include <gtest/gtest.h>

#include "apps/dispute_case.h"

namespace lockstep::disputes {
namespace {

using model::Outcome;
using model::StepProof;
using model::StepTrace;
using model::Tree;

/// One of the ways in which a proof can be other than the honest one. `spare` is an honest proof of
/// another place.
class Mutation {
 public:
  Mutation(StepProof& proof, const StepProof& spare, Draw& draw)
      : proof_(proof), spare_(spare), draw_(draw) {}
  static constexpr size_t count = 30;
  void apply(size_t way) {
    if (way < 10) {
      of_numbers(way);
    } else if (way < 20 && !proof_.openings.empty()) {
      of_openings(way - 10);
    } else if (way >= 20 && !proof_.inputs.empty()) {
      of_inputs(way - 20);
    }
  }

 private:
  void of_numbers(size_t way);
  void of_openings(size_t way);
  void of_inputs(size_t way);
  static void touch(model::Path& path, Draw& draw) {
    if (!path.chunk.empty()) {
      flip(path.chunk, draw);
    }
  }
  StepProof& proof_;
  const StepProof& spare_;
  Draw& draw_;
};

void Mutation::of_numbers(size_t way) {
  switch (way) {
    case 0:
    case 1:
    case 2:
      if (!proof_.before.empty()) {
        flip(proof_.before, draw_);
      }
      break;
    case 3:
      proof_.before.push_back(0);
      break;
    case 4:
      proof_.before = spare_.before;
      break;
    case 5:
      proof_.fold_step += draw_.below(2) == 0 ? 1 : uint64_t{0} - 1;
      break;
    case 6:
      proof_.place.chunk += 1 + draw_.below(3);
      break;
    case 7:
      proof_.place.record += draw_.below(2) == 0 ? 1U : 0U - 1U;
      break;
    case 8:
      proof_.place.step += draw_.below(2) == 0 ? 1U : 0U - 1U;
      break;
    default:
      proof_.place.tree = static_cast<Tree>(draw_.below(5));
      break;
  }
}

void Mutation::of_openings(size_t way) {
  auto& all = proof_.openings;
  const size_t at = draw_.below(all.size());
  model::Opening& one = all[at];
  switch (way) {
    case 0:
    case 1:
      touch(one.path, draw_);
      break;
    case 2:
      one.path.siblings.empty() ? one.path.siblings.push_back(draw_.hash())
                                : one.path.siblings.pop_back();
      break;
    case 3:
      if (!one.path.siblings.empty()) {
        one.path.siblings[draw_.below(one.path.siblings.size())] = draw_.hash();
      }
      break;
    case 4:
      all.erase(all.begin() + static_cast<ptrdiff_t>(at));
      break;
    case 5:
      all.insert(all.begin() + static_cast<ptrdiff_t>(at), model::Opening(one));
      break;
    case 6:
      std::swap(all.front(), all.back());
      break;
    case 7:
      one.input += 1;
      break;
    case 8:
      one.chunk += 1;
      break;
    default:
      one.path.chunk.pop_back();
      break;
  }
}

void Mutation::of_inputs(size_t way) {
  auto& all = proof_.inputs;
  const size_t at = draw_.below(all.size());
  model::InputRoot& one = all[at];
  switch (way) {
    case 0:
    case 1:
      one.data = draw_.hash();
      break;
    case 2:
      one.path ? touch(*one.path, draw_) : one.path.emplace().siblings.push_back(draw_.hash());
      break;
    case 3:
      if (one.path) {
        one.path->siblings.push_back(draw_.hash());
      }
      break;
    case 4:
      one.path.reset();
      break;
    case 5:
      all.erase(all.begin() + static_cast<ptrdiff_t>(at));
      break;
    case 6:
      all.insert(all.begin() + static_cast<ptrdiff_t>(at), model::InputRoot(one));
      break;
    case 7:
      std::swap(all.front().data, all.back().data);
      break;
    case 8:  // all that was read is foreign, and hashes
      proof_.inputs = spare_.inputs;
      proof_.openings = spare_.openings;
      break;
    default:
      proof_.openings = spare_.openings;
      break;
  }
}

/// What others can make of an honest proof of `fold_step`, against an honest claim whose entries
/// are kept: nothing that convicts. Returns how many were tried.
size_t expect_no_forgery(const TaskCase& about,
                         const End& end,
                         const StepProof& proof,
                         const StepProof& spare,
                         Draw& draw) {
  const judge::Case claim = honest(about).claim();
  EXPECT_EQ(judge::decide(claim, end.kept, proof), Outcome::holds);
  size_t forged = 0;
  for (size_t way = 0; way < Mutation::count; ++way) {
    StepProof other = proof;
    Mutation(other, spare, draw).apply(way);
    if (other == proof) {
      continue;
    }
    ++forged;
    EXPECT_NE(judge::decide(claim, end.kept, other), Outcome::refuted) << "mutation " << way;
  }
  return forged;
}

TEST(ForgedProofs, ConvictNoHonestClaim) {
  Draw draw{9};
  std::map<law::Kind, size_t> least;  // forged proofs of one operator of the kind
  for (const TaskCase& about : world().cases()) {
    const Party truth = honest(about);
    const judge::Case claim = truth.claim();
    for (uint32_t record = 0; record < about.program().records.size(); ++record) {
      const auto step = static_cast<uint32_t>(draw.below(about.steps()));
      SCOPED_TRACE(text_of(about, step, record));
      // The way down is a liar's who challenges: its own proof is the first forged one.
      const Party forger = lie_about(about, step, record, Later::recomputed, draw);
      const End end = dispute(truth, forger);
      ASSERT_TRUE(end.step.has_value()) << end.error;
      EXPECT_NE(end.verdict, Verdict::refuted);
      attest::Witness own = truth.witness();
      own.set_trace(truth.trace(step));
      attest::Witness false_one = forger.witness();
      false_one.set_trace(forger.trace(step));
      const law::Op op = law::op_of(about.program(), record);
      const law::Fold fold(op, static_cast<int64_t>(end.step->place.chunk));
      const auto steps = static_cast<size_t>(fold.steps());
      size_t forged = 0;
      for (const size_t at : {size_t{0}, steps - 1, draw.below(steps)}) {
        const StepProof proof = own.prove(end.step->place, at);
        const StepProof spare = own.prove(end.step->place, (at + 1) % steps);
        forged += expect_no_forgery(about, end, proof, spare, draw);
        const StepProof lie = false_one.prove(end.step->place, at);
        EXPECT_NE(judge::decide(claim, end.kept, lie), Outcome::refuted);
      }
      const auto found = least.emplace(about.program().records[record].kind, forged).first;
      found->second = std::min(found->second, forged);
    }
  }
  EXPECT_GE(least.size(), 8U);
  for (const auto& [kind, forged] : least) {
    EXPECT_GE(forged, 20U) << static_cast<int>(kind);
  }
}

TEST(ForgedProofs, OfForeignDataConvictNoHonestClaim) {
  Draw draw{10};
  for (const TaskCase& about : world().cases()) {
    const Party truth = honest(about);
    for (size_t leaf = 0; leaf < about.task.leaves.size(); ++leaf) {
      SCOPED_TRACE(about.name + ", " + about.program().leaves[leaf].name);
      const TaskCase other = world().computed(about.name, on_false_leaf(about, leaf, draw));
      const End end = dispute(truth, from_others(about, other));
      EXPECT_NE(end.verdict, Verdict::refuted);
      EXPECT_NE(end.verdict, Verdict::broken) << end.error;
    }
  }
}

TEST(ForgedProofs, OfLeavesConvictNoHonestClaim) {
  Draw draw{11};
  for (const TaskCase& about : world().cases()) {
    const Party truth = honest(about);
    const judge::Case claim = truth.claim();
    const uint32_t step = about.steps() - 1;
    for (uint32_t leaf = 0; leaf < about.program().leaves.size(); ++leaf) {
      SCOPED_TRACE(about.name + ", leaf " + about.program().leaves[leaf].name);
      StepTrace trace = about.traces[step];
      flip_element(about.program().leaves[leaf].shape, trace.after[leaf], draw);
      const End end = dispute(truth, liar(about, trace));
      ASSERT_TRUE(end.leaf.has_value()) << end.error;
      EXPECT_EQ(end.verdict, Verdict::holds);
      for (int way = 0; way < 8; ++way) {
        model::LeafProof proof = *end.leaf;
        if (way == 0) {
          proof.step -= 1;
        } else if (way == 1) {
          proof.leaf += 1;
        } else if (way == 2) {
          proof.leaf = static_cast<uint32_t>(draw.below(about.program().leaves.size()));
        } else if (way == 3) {
          proof.before.reset();
        } else if (!proof.before) {
          proof.before.emplace().siblings.push_back(draw.hash());
        } else if (way == 4) {
          proof.before->siblings.push_back(draw.hash());
        } else {
          flip(proof.before->chunk, draw);
        }
        EXPECT_NE(judge::decide(claim, end.kept, proof), Outcome::refuted) << way;
      }
    }
  }
}

}  // namespace
}  // namespace lockstep::disputes
