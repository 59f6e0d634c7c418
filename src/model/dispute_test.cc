// Finding what answers have put on the ledger, and hashes that are not taken for one another.
#include "model/dispute.h"

#include <gtest/gtest.h>

#include <set>

namespace lockstep::model {
namespace {

Hash some_hash(uint64_t number) {
  Hash hash;
  std::memcpy(hash.bytes.data(), &number, sizeof number);
  return hash;
}

const Place list = {Tree::fold, 3, 4, 5, 0, 0};
Place node_of(uint64_t first, uint64_t last) {
  Place place = list;
  place.first = first;
  place.last = last;
  return place;
}

TEST(Kept, FindsEntriesByTheirIndex) {
  Kept kept;
  EXPECT_FALSE(kept.entry(list, 0).has_value());
  // Chunks [8, 10) of a list, 32 entries each; the last is not full.
  kept.entries.push_back({node_of(8, 10), {}});
  for (uint64_t i = 0; i < 50; ++i) {
    kept.entries[0].hashes.push_back(some_hash(256 + i));
  }
  for (uint64_t i = 0; i < 400; ++i) {
    const auto found = kept.entry(list, i);
    EXPECT_EQ(found.has_value(), i >= 256 && i < 306) << i;
    if (found) {
      EXPECT_EQ(*found, some_hash(i));
    }
  }
  EXPECT_TRUE(kept.entry(node_of(1, 2), 300).has_value());
  EXPECT_FALSE(kept.entry(list, UINT64_MAX).has_value());
}

TEST(Kept, ListsOfOtherPlacesAreOtherLists) {
  Kept kept;
  kept.entries.push_back({node_of(0, 1), {some_hash(1)}});
  kept.nodes.push_back({node_of(0, 1), some_hash(2)});
  EXPECT_EQ(kept.entry(list, 0), some_hash(1));
  EXPECT_EQ(kept.node(node_of(0, 1)), some_hash(2));
  std::vector<Place> others(4, node_of(0, 1));
  others[0].tree = Tree::tensor;
  others[1].step += 1;
  others[2].record += 1;
  others[3].chunk += 1;
  for (const Place& other : others) {
    EXPECT_FALSE(kept.entry(other, 0).has_value());
    EXPECT_FALSE(kept.node(other).has_value());
  }
  EXPECT_FALSE(kept.node(node_of(0, 2)).has_value());
  EXPECT_FALSE(kept.node(list).has_value());
}

TEST(DisputeHashes, EachUseHasItsOwnContext) {
  const Bytes entry(32, 1);
  const std::set<Hash> hashes = {fold_state_hash(entry),
                                 crypto::hash(step_list_mode(), entry),
                                 crypto::hash(fold_list_mode(), entry),
                                 crypto::hash(crypto::Mode::plain(), entry)};
  EXPECT_EQ(hashes.size(), 4U);
  EXPECT_EQ(fold_state_hash(entry),
            crypto::hash(crypto::Mode::derive("lockstep v1 fold state"), entry));
  EXPECT_EQ(crypto::hash(fold_list_mode(), entry),
            crypto::hash(crypto::Mode::derive("lockstep v1 fold list"), entry));
  EXPECT_EQ(crypto::hash(step_list_mode(), entry),
            crypto::hash(crypto::Mode::derive("lockstep v1 step list"), entry));
}

}  // namespace
}  // namespace lockstep::model
