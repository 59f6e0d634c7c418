// Proofs: honest ones hold, lies are refuted whatever they are, forgeries never convict.
#include <gtest/gtest.h>

#include "judge/test_claim.h"

namespace lockstep::judge {
namespace {

using model::Kept;
using model::LeafProof;
using model::Outcome;
using model::Place;
using model::StepProof;
using model::Tree;
using test::at;
using test::Challenger;
using test::End;
using test::Party;

class Proofs : public testing::Test, protected test::Registry {};

/// Opens all that proofs of `record` at `step` need; a list's deeper nodes only where `deep`.
Kept opened(const Party& party, uint32_t step, uint32_t record, bool deep) {
  const Case dispute = party.dispute();
  Kept kept;
  const auto open = [&](const Place& place) {
    if (admissible(dispute, kept, place).ok()) {
      const auto taken = take(dispute, kept, party.answer(place));
      EXPECT_TRUE(taken.ok());
    }
  };
  const auto open_lists = [&] {
    for (const model::KeptNode& node : std::vector(kept.nodes)) {
      const bool is_list = node.place.tree != Tree::tensor;
      const bool has_record = node.place.first <= (record + 3) / 32 || deep;
      if (is_list && has_record) {
        open(node.place);
      }
    }
  };
  open(at(Tree::task));
  open_lists();
  for (uint32_t window = 0; window < dispute.steps; ++window) {
    open(at(Tree::window, window));
  }
  open(at(Tree::step, step));
  open_lists();
  open(at(Tree::tensor, step, record));
  const law::Shape& out = party.program().records[record].out;
  for (uint64_t chunk = 0; chunk < static_cast<uint64_t>(law::chunks_of(out)); ++chunk) {
    open(at(Tree::fold, step, record, chunk));
  }
  return kept;
}

std::vector<StepProof> all_proofs(const Party& party, uint32_t step, uint32_t record) {
  std::vector<StepProof> proofs;
  const law::Shape& out = party.program().records[record].out;
  for (uint64_t chunk = 0; chunk < static_cast<uint64_t>(law::chunks_of(out)); ++chunk) {
    const Place place = at(Tree::fold, step, record, chunk);
    const size_t steps = party.fold_states(place).size() - 1;
    for (size_t b = 0; b < steps; ++b) {
      proofs.push_back(party.prove(place, b));
    }
  }
  return proofs;
}

TEST_F(Proofs, EveryStepOfAnHonestTraceHolds) {
  for (const test::Shape shape : {test::Shape{1, 1}, {3, 2}, {9, 4}}) {
    const Party party(small(), shape);
    for (const uint32_t step : {0U, shape.steps / 2, shape.steps - 1}) {
      for (uint32_t record = 0; record < 7; ++record) {
        const Kept kept = opened(party, step, record, true);
        const auto proofs = all_proofs(party, step, record);
        EXPECT_EQ(proofs.empty(), record == 6);
        for (const StepProof& proof : proofs) {
          EXPECT_EQ(decide(party.dispute(), kept, proof), Outcome::holds)
              << "record " << record << ", fold step " << proof.fold_step;
        }
      }
    }
  }
}

/// A record that reads an earlier output whose entry stands in another chunk of the list, and not
/// beside the state roots.
uint32_t far_reader(const law::Program& program) {
  for (uint32_t record = 100; record < program.records.size(); ++record) {
    const law::Source& source = program.records[record].inputs[1];
    if (source.from == law::From::value && source.index >= 64 && source.index + 64 < record) {
      return record;
    }
  }
  ADD_FAILURE() << "the program has none";
  return 0;
}

TEST_F(Proofs, PathsEndAtARootOrAtAKeptNode) {
  for (const test::Shape shape : {test::Shape{3, 2}, {9, 4}}) {
    const Party party(wide(), shape);
    const Case dispute = party.dispute();
    const uint32_t step = shape.steps - 1;
    const uint32_t record = far_reader(party.program());
    const uint32_t source = party.program().records[record].inputs[1].index;
    const bool in_task = shape.steps < model::short_task_steps;
    const uint32_t index = source + (in_task ? 2 : 0);
    const Kept deep = opened(party, step, record, true);
    Kept shallow = deep;
    std::erase_if(shallow.entries, [&](const model::KeptEntries& list) {
      return list.place.tree == (in_task ? Tree::task : Tree::step) &&
             list.place.first == index / 32;
    });
    ASSERT_FALSE(output_root(dispute, shallow, step, source));
    ASSERT_TRUE(output_root(dispute, shallow, step, record));
    const StepProof whole = party.prove(at(Tree::fold, step, record), 0);
    EXPECT_EQ(decide(dispute, shallow, whole), Outcome::holds) << "up to the root";
    StepProof cut = whole;
    ASSERT_TRUE(cut.inputs[1].path);
    cut.inputs[1].path->siblings.clear();  // ten chunks: each is a kept node
    EXPECT_EQ(decide(dispute, shallow, cut), Outcome::holds);
    cut.inputs[1].path->chunk[5] ^= 1;
    EXPECT_EQ(decide(dispute, shallow, cut), Outcome::inadmissible);
    cut.inputs[1].path.reset();
    EXPECT_EQ(decide(dispute, shallow, cut), Outcome::inadmissible);
    EXPECT_EQ(decide(dispute, deep, cut), Outcome::holds) << "its entry is kept";
    if (in_task) {
      shallow.salt = test::hash_of(5);
      EXPECT_EQ(decide(dispute, shallow, whole), Outcome::inadmissible) << "entries are salted";
    }
  }
}

/// Runs the dispute that an honest challenger would.
End fight(const Party& mine, const Party& theirs, bool binds = true) {
  Case dispute = theirs.dispute();
  EXPECT_EQ(dispute.input_root, mine.dispute().input_root);
  dispute.list_binds = binds;
  Challenger challenger(mine, theirs, dispute);
  const End end = challenger.fight();
  EXPECT_LE(challenger.answers, 20U);
  return end;
}

TEST_F(Proofs, ALieInAnyOutputIsConvicted) {
  uint64_t seed = 0;
  for (const test::Shape shape : {test::Shape{1, 1}, {3, 2}, {9, 4}, {10, 1}}) {
    const Party honest(small(), shape);
    EXPECT_EQ(fight(honest, honest), End::nothing_differs);
    for (const uint32_t step : {0U, shape.steps / 2, shape.steps - 1}) {
      for (uint32_t record = 0; record < 6; ++record) {
        Party liar = honest;
        liar.lie_in_output(step, record, test_mixed(++seed));
        if (liar.dispute().list != honest.dispute().list) {
          EXPECT_EQ(fight(honest, liar), End::convicted)
              << "steps " << shape.steps << ", step " << step << ", record " << record;
          EXPECT_EQ(fight(honest, liar, false), End::convicted) << "salts never opened";
        }
      }
    }
  }
}

TEST_F(Proofs, ALieInAWideProgramIsConvicted) {
  for (const test::Shape shape : {test::Shape{3, 2}, {9, 4}}) {
    const Party honest(wide(), shape);
    for (const uint32_t record : {1U, 33U, 151U, 299U}) {
      Party liar = honest;
      liar.lie_in_output(shape.steps - 1, record, record);
      EXPECT_EQ(fight(honest, liar), End::convicted) << record;
      Party writer = honest;
      writer.states[shape.steps][record].data[2] ^= 1;
      writer.claim();
      EXPECT_EQ(fight(honest, writer), End::convicted) << "leaf " << record;
    }
  }
}

TEST_F(Proofs, AWrongStateLeafIsConvicted) {
  for (const test::Shape shape : {test::Shape{1, 1}, {3, 2}, {9, 4}}) {
    const Party honest(small(), shape);
    for (const uint32_t step : {0U, shape.steps / 2, shape.steps - 1}) {
      for (uint32_t leaf = 0; leaf < 5; ++leaf) {
        Party liar = honest;
        liar.states[step + 1][leaf].data[1] ^= 8;
        liar.run_from(step + 1);
        const bool lasts = liar.dispute().list != honest.dispute().list;
        EXPECT_TRUE(lasts || leaf == 1) << "nothing reads the loss";
        EXPECT_EQ(fight(honest, liar), lasts ? End::convicted : End::nothing_differs)
            << "step " << step << ", leaf " << leaf;
        Party stale = honest;
        stale.states[step + 1][leaf] = honest.states[step][leaf];
        stale.run_from(step + 1);
        if (stale.dispute().list != honest.dispute().list) {
          EXPECT_EQ(fight(honest, stale), End::convicted) << "stale leaf " << leaf;
        }
      }
    }
  }
}

TEST_F(Proofs, RootsThatNobodyCanOpenAreConvicted) {
  const Party honest(small(), {9, 4});
  for (uint32_t step = 0; step < 9; ++step) {
    Party liar = honest;
    liar.state_roots[step] = test::hash_of(step);
    const bool is_claimed = step == 3 || step >= 7;
    EXPECT_EQ(fight(honest, liar), is_claimed ? End::convicted : End::nothing_differs);
  }
  // A window that tells another story between two right ends.
  for (uint32_t step = 4; step < 7; ++step) {
    Party liar = honest;
    liar.lie_in_output(7, 3, 100);
    Place window = at(Tree::window, 1);
    auto roots = liar.entries(window);
    roots[step - 4] = test::hash_of(step);
    liar.lies[window] = roots;
    EXPECT_EQ(fight(honest, liar), End::convicted);
  }
}

TEST_F(Proofs, AFalseFoldStateIsConvicted) {
  const Party honest(small(), {1, 1});
  for (const uint32_t record : {0U, 2U, 5U}) {
    Party liar = honest;
    liar.lie_in_output(0, record, 77);
    const Place fold = at(Tree::fold, 0, record, 0);
    const auto states = liar.fold_hashes(fold);
    for (size_t b = 0; b < states.size(); b += 3) {
      auto entries = states;
      entries[b] = test::hash_of(b);
      liar.lies[fold] = entries;
      EXPECT_EQ(fight(honest, liar), End::convicted) << "state " << b;
      entries = states;
      std::fill(entries.begin() + static_cast<ptrdiff_t>(b), entries.end(), states[0]);
      liar.lies[fold] = entries;
      EXPECT_EQ(fight(honest, liar), End::convicted) << "states from " << b;
    }
  }
}

TEST_F(Proofs, AProofIsInadmissibleWhereAnythingItNeedsIsMissing) {
  const Party party(small(), {9, 4});
  const Case dispute = party.dispute();
  const Kept kept = opened(party, 5, 2, true);
  const StepProof proof = party.prove(at(Tree::fold, 5, 2, 4), 2);
  ASSERT_EQ(decide(dispute, kept, proof), Outcome::holds);
  EXPECT_EQ(decide(dispute, Kept{}, proof), Outcome::inadmissible);
  for (size_t i = 0; i < kept.entries.size(); ++i) {
    Kept less = kept;
    less.entries.erase(less.entries.begin() + static_cast<ptrdiff_t>(i));
    const Place& gone = kept.entries[i].place;
    const bool needed = gone.tree == Tree::step || (gone.tree == Tree::window && gone.step == 1) ||
                        (gone.tree == Tree::fold && gone.chunk == 4);
    // A step's list is needed because its root is not known without its entries.
    EXPECT_EQ(decide(dispute, less, proof), needed ? Outcome::inadmissible : Outcome::holds)
        << static_cast<int>(gone.tree) << " " << gone.chunk;
  }
  for (size_t i = 0; i < kept.nodes.size(); ++i) {
    Kept less = kept;
    less.nodes.erase(less.nodes.begin() + static_cast<ptrdiff_t>(i));
    const bool needed = kept.nodes[i].place.first == 4;
    EXPECT_EQ(decide(dispute, less, proof), needed ? Outcome::inadmissible : Outcome::holds);
  }
}

TEST_F(Proofs, AProofBringsAtMost400KiB) {
  const Party party(small(), {1, 1});
  const Kept kept = opened(party, 0, 0, true);
  StepProof proof = party.prove(at(Tree::fold, 0, 0, 0), 0);
  ASSERT_EQ(decide(party.dispute(), kept, proof), Outcome::holds);
  // A path that is not needed is not looked at, but it counts.
  ASSERT_TRUE(proof.inputs[0].path);
  StepProof large = proof;
  large.before.resize(proof_bytes_max);
  EXPECT_EQ(decide(party.dispute(), kept, large), Outcome::inadmissible);
}

TEST_F(Proofs, ALeafProofComparesWithTheWriterOrTheStateBefore) {
  const Party party(small(), {9, 4});
  const Case dispute = party.dispute();
  for (const uint32_t step : {0U, 5U}) {
    Kept kept = opened(party, step, 3, true);
    for (uint32_t leaf = 0; leaf < 5; ++leaf) {
      EXPECT_EQ(decide(dispute, kept, LeafProof{step, leaf, party.leaf_path(step, leaf)}),
                Outcome::inadmissible)
          << "the state after is not opened";
    }
    ASSERT_TRUE(take(dispute, kept, party.answer(at(Tree::state, step))).ok());
    for (uint32_t leaf = 0; leaf < 5; ++leaf) {
      const bool written = party.program().leaves[leaf].writer.has_value();
      LeafProof proof{step, leaf, party.leaf_path(step, leaf)};
      EXPECT_EQ(decide(dispute, kept, proof), Outcome::holds);
      proof.before->chunk[leaf * 32 + 1] ^= 1;
      EXPECT_EQ(decide(dispute, kept, proof), written ? Outcome::holds : Outcome::inadmissible);
      proof.before.reset();
      EXPECT_EQ(decide(dispute, kept, proof), written ? Outcome::holds : Outcome::inadmissible);
    }
    EXPECT_EQ(decide(dispute, kept, LeafProof{step, 5, std::nullopt}), Outcome::inadmissible);
    EXPECT_EQ(decide(dispute, kept, LeafProof{UINT32_MAX, 0, std::nullopt}), Outcome::inadmissible);
  }
}

uint64_t odd_number(test::Random& random) {
  const uint64_t few[] = {0, 1, 2, 3, 6, 17, UINT32_MAX, UINT64_MAX, uint64_t{1} << 62};
  return few[random.below(std::size(few))];
}

/// Where the step is said to be.
void forge_place(StepProof& proof, test::Random& random) {
  switch (random.below(6)) {
    case 0:
      proof.place.tree = static_cast<Tree>(random.below(6));
      break;
    case 1:
      proof.place.step = static_cast<uint32_t>(odd_number(random));
      break;
    case 2:
      proof.place.record = static_cast<uint32_t>(odd_number(random));
      break;
    case 3:
      proof.place.chunk = odd_number(random);
      break;
    case 4:
      proof.place.last = odd_number(random);
      break;
    default:
      proof.fold_step = odd_number(random);
      break;
  }
}

/// One field or one byte of a proof is changed.
StepProof forged(StepProof proof, const Party& party, test::Random& random) {
  const auto number = [&] { return odd_number(random); };
  const auto other = [&](Bytes& bytes) {
    if (!bytes.empty()) {
      bytes[random.below(bytes.size())] ^= static_cast<uint8_t>(1U << random.below(8));
    }
  };
  model::Opening& opening = proof.openings[random.below(proof.openings.size())];
  model::InputRoot& input = proof.inputs[random.below(proof.inputs.size())];
  switch (random.below(18)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
      forge_place(proof, random);
      break;
    case 6:
      other(proof.before);
      break;
    case 7:
      proof.before.resize(random.below(2000));
      break;
    case 8:
      other(opening.path.chunk);
      break;
    case 9:
      opening.path.chunk.resize(random.below(1500));
      break;
    case 10:
      opening.path.siblings.resize(random.below(80));
      break;
    case 11:
      opening.chunk = number();
      break;
    case 12:
      opening.input = static_cast<uint32_t>(number());
      break;
    case 13:
      proof.openings.erase(proof.openings.begin() +
                           static_cast<ptrdiff_t>(random.below(proof.openings.size())));
      break;
    case 14:
      std::swap(opening, proof.openings[0]);
      break;
    case 15:
      input.data = test::hash_of(random.next());
      break;
    case 16:
      input.input = static_cast<uint32_t>(number());
      break;
    default: {
      // Whole data of another tensor, with paths that lead to it.
      const law::Tensor fake = test::random_tensor({law::DType::f32, {20, 150}}, random.next());
      input.data = law::data_hash(fake.data);
      for (model::Opening& opened : proof.openings) {
        if (opened.input == input.input && opened.chunk < crypto::chunk_count(fake.data.size())) {
          opened.path = Party::path(law::data_mode(), fake.data, opened.chunk);
        }
      }
      input.path = party.leaf_path(proof.place.step < 9 ? proof.place.step : 0, 4);
    }
  }
  return proof;
}

TEST_F(Proofs, AForgeryNeverConvictsAnHonestClaim) {
  test::Random random(5);
  const Party party(small(), {9, 4});
  const Case dispute = party.dispute();
  size_t held = 0;
  for (uint32_t record = 0; record < 6; ++record) {
    const Kept kept = opened(party, 5, record, true);
    const auto proofs = all_proofs(party, 5, record);
    for (int i = 0; i < 1500; ++i) {
      StepProof proof = proofs[random.below(proofs.size())];
      for (uint64_t n = random.below(3); n < 3 && !proof.openings.empty() && !proof.inputs.empty();
           ++n) {
        proof = forged(proof, party, random);
      }
      const Outcome outcome = decide(dispute, kept, proof);
      EXPECT_NE(outcome, Outcome::refuted);
      held += outcome == Outcome::holds ? 1 : 0;
    }
  }
  EXPECT_LT(held, 2000U) << "most forgeries must be no move at all";
}

TEST_F(Proofs, FlippedBytesOfAProofOrAnAnswerNeverCrash) {
  test::Random random(6);
  const Party party(small(), {9, 4});
  const Case dispute = party.dispute();
  const Kept kept = opened(party, 5, 5, true);
  const Bytes proof = codec::encode(party.prove(at(Tree::fold, 5, 5), 1));
  const Bytes leaf = codec::encode(LeafProof{5, 2, party.leaf_path(5, 2)});
  const Bytes answer = codec::encode(party.answer(at(Tree::state, 5)));
  const auto flipped = [&](Bytes bytes) {
    // The front holds the numbers; most flips go there.
    const size_t range = random.below(2) == 0 ? std::min<size_t>(60, bytes.size()) : bytes.size();
    bytes[random.below(range)] ^= static_cast<uint8_t>(1U << random.below(8));
    return bytes;
  };
  for (int i = 0; i < 3000; ++i) {
    if (const auto decoded = codec::decode<StepProof>(flipped(proof)); decoded.ok()) {
      EXPECT_NE(decide(dispute, kept, *decoded), Outcome::refuted);
    }
    if (const auto decoded = codec::decode<LeafProof>(flipped(leaf)); decoded.ok()) {
      EXPECT_NE(decide(dispute, kept, *decoded), Outcome::refuted);
    }
    if (const auto decoded = codec::decode<model::Answer>(flipped(answer)); decoded.ok()) {
      Kept after = kept;
      EXPECT_FALSE(take(dispute, after, *decoded).ok());
      EXPECT_EQ(after, kept);
    }
    Bytes noise(random.below(200));
    for (uint8_t& byte : noise) {
      byte = static_cast<uint8_t>(random.below(3) == 0 ? random.next() : 0);
    }
    if (const auto decoded = codec::decode<StepProof>(noise); decoded.ok()) {
      EXPECT_NE(decide(dispute, kept, *decoded), Outcome::refuted);
    }
  }
}

}  // namespace
}  // namespace lockstep::judge
