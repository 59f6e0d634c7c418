// A network's id binds every rule, and a preimage chain can only be walked one way.
#include "model/genesis.h"

#include <gtest/gtest.h>

#include <set>

#include "crypto/blake3.h"

namespace lockstep::model {
namespace {

TEST(Genesis, EveryFieldIsInTheNetworksId) {
  Genesis genesis;
  std::set<NetworkId> ids = {network_id(genesis)};
  const auto add = [&](auto change) {
    Genesis changed = genesis;
    change(changed);
    ids.insert(network_id(changed));
  };
  add([](Genesis& it) { it.name = "x"; });
  add([](Genesis& it) { it.sequencer.bytes[0] = 1; });
  add([](Genesis& it) { it.preimages.bytes[0] = 1; });
  add([](Genesis& it) { it.epoch_ms += 1; });
  add([](Genesis& it) { it.block_ms += 1; });
  add([](Genesis& it) { it.answer_ms += 1; });
  add([](Genesis& it) { it.final_window_ms += 1; });
  add([](Genesis& it) { it.job_idle_ms += 1; });
  add([](Genesis& it) { it.preimage_blocks += 1; });
  add([](Genesis& it) { it.bond_min = Amount(); });
  add([](Genesis& it) { it.balances.resize(1); });
  EXPECT_EQ(ids.size(), 12U);
  EXPECT_EQ(network_id(genesis), network_id(Genesis{}));
}

TEST(PreimageChain, EachLinkGivesTheOneBefore) {
  Hash secret;
  secret.bytes[5] = 9;
  const auto chain = preimage_chain(secret, 1000);
  ASSERT_EQ(chain.size(), 1001U);
  EXPECT_EQ(chain.back(), secret);
  for (size_t i = 1; i < chain.size(); ++i) {
    EXPECT_EQ(chain_link(chain[i]), chain[i - 1]);
  }
  EXPECT_EQ(std::set<Hash>(chain.begin(), chain.end()).size(), chain.size());
  EXPECT_EQ(preimage_chain(secret, 0), std::vector{secret});
  EXPECT_EQ(preimage_chain(chain[400], 400), std::vector(chain.begin(), chain.begin() + 401));
}

TEST(PreimageChain, ALinkHasAUseOfItsOwn) {
  const Hash zero;
  EXPECT_EQ(chain_link(zero),
            crypto::hash(crypto::Mode::derive("lockstep v1 preimage"), zero.view()));
  EXPECT_NE(chain_link(zero), crypto::hash(crypto::Mode::plain(), zero.view()));
}

TEST(PreimageChain, AMemoGivesTheSameChains) {
  const auto secret = [](uint8_t number) {
    Hash hash;
    hash.bytes[0] = number;
    return hash;
  };
  std::vector<std::vector<Hash>> made;
  for (uint8_t i = 0; i < 12; ++i) {
    made.push_back(preimage_chain(secret(i), 5U + i % 2U));
  }
  const ChainMemo memo;
  for (int again = 0; again < 2; ++again) {
    for (uint8_t i = 0; i < 12; ++i) {
      EXPECT_EQ(preimage_chain(secret(i), 5U + i % 2U), made[i]);
    }
  }
  EXPECT_NE(preimage_chain(secret(0), 6), made[0]);
}

}  // namespace
}  // namespace lockstep::model
