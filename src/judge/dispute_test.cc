// Which places may be asked for and which answers are taken, against a claimant that has all data.
#include "judge/dispute.h"

#include <gtest/gtest.h>

#include "judge/test_claim.h"

namespace lockstep::judge {
namespace {

using model::Answer;
using model::Kept;
using model::Place;
using model::Tree;
using test::at;
using test::Party;

class Disputes : public testing::Test, protected test::Registry {};

/// Every top that the task may have, and some that it has not.
std::vector<Place> tops(const Party& party, const Case& dispute, uint32_t records) {
  std::vector<Place> places{at(Tree::task)};
  for (uint32_t step = 0; step <= dispute.steps; ++step) {
    places.push_back(at(Tree::window, step));
    places.push_back(at(Tree::step, step));
    places.push_back(at(Tree::state, step));
    for (uint32_t record = 0; record < records; ++record) {
      places.push_back(at(Tree::tensor, step, record));
      const law::Shape& out = party.program().records[record].out;
      for (uint64_t chunk = 0; chunk <= static_cast<uint64_t>(law::chunks_of(out)); ++chunk) {
        places.push_back(at(Tree::fold, step, record, chunk));
      }
    }
  }
  return places;
}

/// Asks for whatever may be asked for until nothing is left; `each` sees every honest answer before
/// it is taken.
template <class Each>
void open_everything(const Party& party, Kept& kept, uint32_t records, Each&& each) {
  const Case dispute = party.dispute();
  for (bool more = true; more;) {
    more = false;
    std::vector<Place> places = tops(party, dispute, records);
    for (const model::KeptNode& node : kept.nodes) {
      places.push_back(node.place);
    }
    for (const Place& place : places) {
      if (!admissible(dispute, kept, place).ok()) {
        continue;
      }
      const Answer answer = party.answer(place);
      each(dispute, kept, answer);
      const auto taken = take(dispute, kept, answer);
      ASSERT_TRUE(taken.ok()) << taken.error().message();
      ASSERT_FALSE(admissible(dispute, kept, place).ok()) << "known now";
      more = true;
    }
  }
}

uint64_t task_entries(const Case& dispute) {
  return list_entries(*dispute.program, dispute.steps, dispute.claim_every);
}

template <class Each>
void expect_sorted(const std::vector<Each>& list) {
  for (size_t i = 1; i < list.size(); ++i) {
    EXPECT_LT(list[i - 1].place, list[i].place);
  }
}

TEST_F(Disputes, HonestAnswersAreTakenDownToTheLastChunk) {
  for (const test::Shape shape : {test::Shape{1, 1}, {3, 2}, {9, 4}}) {
    const Party party(small(), shape);
    Kept kept;
    open_everything(party, kept, 7, [](const Case&, const Kept&, const Answer&) {});
    expect_sorted(kept.entries);
    expect_sorted(kept.nodes);
    const Case dispute = party.dispute();
    for (uint32_t step = 0; step < shape.steps; ++step) {
      EXPECT_EQ(state_after(dispute, kept, step), party.state_roots[step]);
      EXPECT_EQ(state_before(dispute, kept, step),
                step == 0 ? dispute.input_root : party.state_roots[step - 1]);
      for (uint32_t r = 0; r < 7; ++r) {
        const law::Tensor& output = party.outputs[step][r];
        EXPECT_EQ(output_root(dispute, kept, step, r), law::tensor_root(output));
        for (uint64_t c = 0; c < crypto::chunk_count(output.data.size()); ++c) {
          const Place chunk{Tree::tensor, step, r, 0, c, c + 1};
          EXPECT_EQ(kept.node(chunk), crypto::subtree(law::data_mode(), output.data, c, c + 1).cv);
        }
      }
    }
    EXPECT_EQ(kept.salt, party.salt);
  }
}

TEST_F(Disputes, ListsThatDoNotFitOneAnswerAreOpenedByNodes) {
  for (const test::Shape shape : {test::Shape{3, 2}, {9, 4}}) {
    const Party party(wide(), shape);
    const Case dispute = party.dispute();
    Kept kept;
    open_everything(party, kept, 3, [](const Case&, const Kept&, const Answer&) {});
    for (uint32_t r = 0; r < 300; ++r) {
      EXPECT_EQ(output_root(dispute, kept, shape.steps - 1, r),
                law::tensor_root(party.outputs[shape.steps - 1][r]));
      EXPECT_EQ(kept.entry(at(Tree::state, 1), r), party.leaf_hashes(2)[r]);
    }
  }
}

TEST_F(Disputes, AChangedAnswerIsRefusedAndLeavesWhatIsKept) {
  uint64_t seed = 0;
  const auto change = [&](const Case& dispute, const Kept& kept, const Answer& answer) {
    const auto refused = [&](const Answer& other) {
      Kept after = kept;
      const auto taken = take(dispute, after, other);
      EXPECT_EQ(after == kept, !taken.ok());
      return !taken.ok() && taken.error().code == Code::bad_answer;
    };
    Answer other = answer;
    other.hashes.pop_back();
    EXPECT_TRUE(refused(other));
    other = answer;
    other.hashes.push_back(answer.hashes[0]);
    EXPECT_TRUE(refused(other));
    other = answer;
    other.salt.bytes[3] ^= 4;
    const bool nodes_of_task =
        answer.place == Place{} && answer.hashes.size() != task_entries(dispute);
    EXPECT_EQ(refused(other), !nodes_of_task) << "nodes are salted already: the salt only binds";
    other = answer;
    ++seed;
    other.hashes[test_mixed(seed) % other.hashes.size()].bytes[seed % 32] ^= 16;
    const bool is_top = answer.place.last == 0;
    const Tree tree = answer.place.tree;
    const bool binds = !is_top || tree == Tree::task || tree == Tree::state || tree == Tree::tensor;
    if (binds) {
      EXPECT_TRUE(refused(other)) << static_cast<int>(answer.place.tree);
    } else if (tree == Tree::window) {
      other = answer;
      other.hashes.back() = test::hash_of(seed);
      EXPECT_TRUE(refused(other)) << "a window ends in the claimed root";
    } else {
      EXPECT_FALSE(refused(other)) << "nothing binds it yet";
    }
  };
  Kept kept;
  open_everything(Party(small(), {3, 2}), kept, 7, change);
  for (const test::Shape shape : {test::Shape{3, 2}, {9, 4}}) {
    kept = {};
    open_everything(Party(wide(), shape), kept, 2, change);
  }
}

TEST_F(Disputes, APlaceIsAskedForOnlyUnderAKnownParent) {
  const Party party(small(), {9, 4});
  const Case dispute = party.dispute();
  Kept kept;
  const auto may = [&](const Place& place) { return admissible(dispute, kept, place).ok(); };
  const auto open = [&](const Place& place) {
    ASSERT_TRUE(may(place));
    ASSERT_TRUE(take(dispute, kept, party.answer(place)).ok());
    EXPECT_FALSE(may(place)) << "known";
  };
  EXPECT_FALSE(may(at(Tree::window, 0)) || may(at(Tree::step, 0)) || may(at(Tree::state, 0)));
  EXPECT_TRUE(may(at(Tree::state, 8))) << "the output root is in the receipt";
  EXPECT_FALSE(may(at(Tree::step, 8))) << "the state before it is not known";
  open(at(Tree::task));
  EXPECT_TRUE(may(at(Tree::state, 3)) && may(at(Tree::state, 7)) && may(at(Tree::step, 8)));
  EXPECT_FALSE(may(at(Tree::state, 4)) || may(at(Tree::step, 4)));
  EXPECT_FALSE(may(at(Tree::window, 2))) << "a window of one step";
  open(at(Tree::window, 1));
  EXPECT_TRUE(may(at(Tree::step, 4)) && may(at(Tree::state, 6)));
  EXPECT_FALSE(may(at(Tree::tensor, 4, 2)));
  open(at(Tree::step, 4));
  EXPECT_FALSE(may(at(Tree::fold, 4, 2, 3)));
  open(at(Tree::tensor, 4, 2));
  EXPECT_FALSE(may(Place{Tree::tensor, 4, 2, 0, 3, 4})) << "a chunk has no nodes";
  EXPECT_FALSE(may(at(Tree::fold, 4, 2, 18)));
  open(at(Tree::fold, 4, 2, 3));
  open(at(Tree::tensor, 4, 4));
  EXPECT_FALSE(may(at(Tree::fold, 4, 4, 0))) << "a fold of one step";
  open(at(Tree::tensor, 4, 6));
  EXPECT_FALSE(may(at(Tree::fold, 4, 6, 0))) << "no fold at all";
}

TEST_F(Disputes, AShortTasksLastStepIsInItsList) {
  const Party party(small(), {3, 2});
  const Case dispute = party.dispute();
  Kept kept;
  ASSERT_TRUE(take(dispute, kept, party.answer(at(Tree::task))).ok());
  EXPECT_FALSE(admissible(dispute, kept, at(Tree::step, 2)).ok());
  EXPECT_TRUE(admissible(dispute, kept, at(Tree::tensor, 2, 5)).ok());
}

TEST_F(Disputes, PlacesOutOfRangeAreRefused) {
  for (const bool is_wide : {false, true}) {
    const Party party(is_wide ? wide() : small(), {3, 2});
    const Case dispute = party.dispute();
    Kept kept;
    open_everything(party, kept, 3, [](const Case&, const Kept&, const Answer&) {});
    test::Random random(4);
    const auto number = [&] {
      const uint64_t few[] = {0, 0, 1, 2, 7, 32, UINT32_MAX, UINT64_MAX, uint64_t{1} << 58};
      return few[random.below(9)];
    };
    for (int i = 0; i < 20'000; ++i) {
      const Place place{static_cast<Tree>(random.below(6)),
                        static_cast<uint32_t>(number()),
                        static_cast<uint32_t>(number()),
                        number(),
                        number(),
                        number()};
      const auto asked = admissible(dispute, kept, place);
      if (!asked.ok()) {
        EXPECT_EQ(asked.error().code, Code::bad_place);
        Kept after = kept;
        EXPECT_FALSE(take(dispute, after, {place, {}, {test::hash_of(1)}}).ok());
        EXPECT_EQ(after, kept);
      } else {
        EXPECT_TRUE(place.record >= 3) << "all else is open";
      }
      (void)operations_of(dispute, place);
      (void)output_root(dispute, kept, place.step, place.record);
      (void)state_before(dispute, kept, place.step);
      EXPECT_EQ(state_after(dispute, kept, place.step).has_value(), place.step < 3);
    }
  }
}

TEST_F(Disputes, AListMustEndInTheOutputRoot) {
  Party party(small(), {3, 2});
  Case dispute = party.dispute();
  auto roots = party.entries({});
  roots[1] = test::hash_of(9);
  party.lies[Place{}] = roots;
  dispute.list = model::task_list(party.salt, roots);  // it hashes, but ends elsewhere
  Kept kept;
  EXPECT_EQ(take(dispute, kept, party.answer({})).error().code, Code::bad_answer);
}

TEST_F(Disputes, AListThatDoesNotBindMustOnlyEndRightly) {
  for (const bool is_wide : {false, true}) {
    Party party(is_wide ? wide() : small(), {3, 2});
    Case dispute = party.dispute();
    dispute.list = test::hash_of(2);
    dispute.list_binds = false;
    party.salt = test::hash_of(77);
    auto roots = party.entries({});
    roots[0] = test::hash_of(3);
    party.lies[Place{}] = roots;
    Kept kept;
    ASSERT_TRUE(take(dispute, kept, party.answer({})).ok());
    if (is_wide) {
      ASSERT_TRUE(take(dispute, kept, party.answer(kept.nodes[0].place)).ok());
    }
    EXPECT_EQ(state_after(dispute, kept, 1), test::hash_of(3));
    roots[1] = test::hash_of(4);
    party.lies[Place{}] = roots;
    kept = {};
    const auto top = take(dispute, kept, party.answer({}));
    const auto end = is_wide ? take(dispute, kept, party.answer(kept.nodes[0].place)) : top;
    EXPECT_EQ(end.error().code, Code::bad_answer);
  }
}

TEST_F(Disputes, ATensorWithoutElementsHasOneDataHash) {
  Party party(small(), {9, 1});
  Place list = at(Tree::step, 2);
  auto roots = party.entries(list);
  const Hash other = test::hash_of(6);
  roots[6] = law::tensor_root(party.program().records[6].out, other);
  party.lies[list] = roots;
  const Case dispute = party.dispute();
  Kept kept;
  ASSERT_TRUE(take(dispute, kept, party.answer({})).ok());
  ASSERT_TRUE(take(dispute, kept, party.answer(list)).ok());
  const Answer answer{at(Tree::tensor, 2, 6), {}, {other}};
  EXPECT_EQ(take(dispute, kept, answer).error().code, Code::bad_answer);
}

TEST_F(Disputes, OperationsAreThoseOfTheWindowOrTheStep) {
  const Registered& program = small();
  const Case dispute = Party(program, {9, 4}).dispute();
  EXPECT_EQ(operations_of(dispute, at(Tree::window, 1)), 4 * program.operations);
  EXPECT_EQ(operations_of(dispute, at(Tree::step, 5)), program.operations);
  EXPECT_EQ(operations_of(dispute, at(Tree::state, 5)), 0U);
  EXPECT_EQ(operations_of(dispute, at(Tree::task)), 0U);
}

}  // namespace
}  // namespace lockstep::judge
