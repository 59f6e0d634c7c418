// Blobs that are missing come under their own hash only, are asked for once, and again when lost.
#include "node/blob_client.h"

#include <gtest/gtest.h>

#include "chain/test_network.h"
#include "law/roots.h"

namespace lockstep::node {
namespace {

using chain::test::some_key;
using chain::test::TestLog;

const Bytes one{1, 2, 3};
const Bytes two{4, 5};
Hash address_of(const Bytes& bytes) {
  return law::data_hash(bytes);
}

class BlobClientTest : public testing::Test {
 protected:
  PublicKey peer = some_key(1).public_key();
  PublicKey other = some_key(2).public_key();
  TestLog values;
  store::Blobs blobs{values, law::data_mode()};
  Effects effects;
  BlobClient client{blobs, effects};

  void fetch(uint64_t now_ms, uint64_t group, std::vector<Hash> addresses) {
    client.fetch(now_ms, group, addresses, peer);
  }
  /// A blob of one piece.
  static net::GiveBlob piece(const Bytes& bytes) {
    net::GiveBlob give{address_of(bytes), net::BlobAnswer::piece};
    give.total = bytes.size();
    give.bytes = bytes;
    return give;
  }
  void give(const Bytes& bytes) { client.on_give(peer, piece(bytes)); }
  /// Who was asked for what since the last call.
  std::vector<std::pair<PublicKey, Hash>> asked() {
    std::vector<std::pair<PublicKey, Hash>> all;
    for (const Effect& effect : std::exchange(effects, {})) {
      const auto& send = std::get<Send>(effect);
      all.emplace_back(send.to, std::get<net::AskBlob>(send.message).address);
    }
    return all;
  }
};

using Asked = std::vector<std::pair<PublicKey, Hash>>;
using Groups = std::vector<uint64_t>;

TEST_F(BlobClientTest, AGroupIsReadyWhenAllOfItIsThere) {
  ASSERT_TRUE(blobs.put(two).ok());
  fetch(0, 7, {address_of(one), address_of(two), address_of(one)});
  EXPECT_EQ(asked(), (Asked{{peer, address_of(one)}}));
  EXPECT_TRUE(client.take_ready().empty());
  give(one);
  EXPECT_EQ(client.take_ready(), Groups{7});
  EXPECT_TRUE(client.take_ready().empty());
  EXPECT_EQ(*blobs.get(address_of(one)), one);
}

TEST_F(BlobClientTest, WhatIsThereAlreadyIsNotAskedFor) {
  ASSERT_TRUE(blobs.put(one).ok());
  fetch(0, 2, {address_of(one)});
  fetch(0, 1, {});
  EXPECT_TRUE(asked().empty());
  EXPECT_EQ(client.take_ready(), (Groups{1, 2}));
}

TEST_F(BlobClientTest, WhatDoesNotComeIsAskedForAgain) {
  fetch(0, 1, {address_of(one)});
  EXPECT_EQ(asked().size(), 1U);
  client.tick(BlobClient::retry_ms - 1);
  EXPECT_TRUE(asked().empty());
  client.tick(BlobClient::retry_ms);
  EXPECT_EQ(asked(), (Asked{{peer, address_of(one)}}));
  client.tick(BlobClient::retry_ms + 1);
  EXPECT_TRUE(asked().empty());
  give(one);
  EXPECT_EQ(client.take_ready(), Groups{1});
  client.tick(10 * BlobClient::retry_ms);
  EXPECT_TRUE(asked().empty());
}

TEST_F(BlobClientTest, WhoGivesOtherBytesIsNotAskedForTheBlobAgain) {
  fetch(0, 1, {address_of(one)});
  client.fetch(0, 2, std::vector{address_of(one)}, other);
  EXPECT_EQ(asked(), (Asked{{peer, address_of(one)}}));
  net::GiveBlob lie = piece(two);
  lie.address = address_of(one);
  client.on_give(peer, lie);
  EXPECT_EQ(client.counts().lies, 1U);
  EXPECT_FALSE(*blobs.has(address_of(one)));
  EXPECT_FALSE(*blobs.has(address_of(two)));
  EXPECT_EQ(asked(), (Asked{{other, address_of(one)}}));
  client.on_give(peer, piece(one));  // too late
  EXPECT_TRUE(client.take_ready().empty());
  client.on_give(other, piece(one));
  EXPECT_EQ(client.take_ready(), (Groups{1, 2}));
}

TEST_F(BlobClientTest, AGroupThatOnlyALiarServesFailsAndSaysWhy) {
  fetch(0, 1, {address_of(one)});
  net::GiveBlob lie = piece(one);
  lie.total += 1;
  client.on_give(peer, lie);
  const auto failures = client.take_failures();
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_EQ(failures[0].group, 1U);
  EXPECT_EQ(failures[0].error.code, Code::wrong_hash);
  EXPECT_EQ(asked().size(), 1U);
  fetch(0, 2, {address_of(one)});
  EXPECT_TRUE(asked().empty());
  EXPECT_EQ(client.take_failed(), Groups{2});
}

TEST_F(BlobClientTest, ABusyHolderIsAskedAgainWhenItSays) {
  fetch(0, 1, {address_of(one)});
  EXPECT_EQ(asked().size(), 1U);
  net::GiveBlob busy{address_of(one), net::BlobAnswer::busy, net::last_piece};
  busy.wait_ms = 100;
  client.on_give(10, peer, busy);
  client.tick(109);
  EXPECT_TRUE(asked().empty());
  client.tick(110);
  EXPECT_EQ(asked(), (Asked{{peer, address_of(one)}}));
  EXPECT_EQ(client.counts().busy, 1U);
  EXPECT_EQ(client.counts().late, 0U);
}

TEST_F(BlobClientTest, AFullStoreFailsTheGroup) {
  store::Blobs small(values, law::data_mode(), 2);
  BlobClient hers(small, effects);
  hers.fetch(0, 1, std::vector{address_of(one), address_of(two)}, peer);
  hers.on_give(peer, piece(two));
  hers.on_give(peer, piece(one));
  const auto failures = hers.take_failures();
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_EQ(failures[0].error.code, Code::disk_full);
  EXPECT_TRUE(*small.has(address_of(two)));
  hers.tick(10'000);
  EXPECT_EQ(asked().size(), 2U);
}

TEST_F(BlobClientTest, NothingUnwantedIsKept) {
  give(one);
  EXPECT_FALSE(*blobs.has(address_of(one)));
  EXPECT_TRUE(client.take_ready().empty());
}

TEST_F(BlobClientTest, GroupsShareOneQuestion) {
  fetch(0, 3, {address_of(one)});
  fetch(0, 1, {address_of(one), address_of(two)});
  client.fetch(0, 2, std::vector{address_of(one)}, other);
  EXPECT_EQ(asked(), (Asked{{peer, address_of(one)}, {peer, address_of(two)}}));
  give(one);
  EXPECT_EQ(client.take_ready(), (Groups{2, 3}));
  give(two);
  EXPECT_EQ(client.take_ready(), Groups{1});
}

TEST_F(BlobClientTest, TheLastPeerNamedIsAskedWhenTheFirstIsSilent) {
  fetch(0, 1, {address_of(one)});
  client.fetch(0, 2, std::vector{address_of(one)}, other);
  EXPECT_EQ(asked(), (Asked{{peer, address_of(one)}}));
  client.tick(BlobClient::retry_ms);
  EXPECT_EQ(asked(), (Asked{{other, address_of(one)}}));
}

TEST_F(BlobClientTest, AskingAgainAddsToAGroup) {
  fetch(0, 1, {address_of(one)});
  give(one);
  fetch(0, 1, {address_of(two)});
  EXPECT_TRUE(client.take_ready().empty());
  give(two);
  EXPECT_EQ(client.take_ready(), Groups{1});
}

TEST_F(BlobClientTest, ABlobThatThePeerDoesNotHaveFailsItsGroups) {
  fetch(0, 1, {address_of(one), address_of(two)});
  fetch(0, 2, {address_of(one)});
  fetch(0, 3, {address_of(two)});
  EXPECT_EQ(asked().size(), 2U);
  client.on_give(peer, {address_of(one)});
  EXPECT_EQ(client.take_failed(), (Groups{1, 2}));
  EXPECT_TRUE(client.take_failed().empty());
  client.tick(BlobClient::retry_ms);
  EXPECT_EQ(asked(), (Asked{{peer, address_of(two)}}));
  give(two);
  EXPECT_EQ(client.take_ready(), Groups{3});
}

TEST_F(BlobClientTest, AForgottenWishIsNotAskedForAgain) {
  fetch(0, 1, {address_of(one), address_of(two)});
  fetch(0, 2, {address_of(two)});
  EXPECT_EQ(asked().size(), 2U);
  client.forget(1);
  client.forget(5);
  client.tick(BlobClient::retry_ms);
  EXPECT_EQ(asked(), (Asked{{peer, address_of(two)}}));
  give(two);
  EXPECT_EQ(client.take_ready(), Groups{2});
}

TEST_F(BlobClientTest, AStoreThatFailsGetsTheBlobLater) {
  values.fails = true;
  fetch(0, 1, {address_of(one)});
  give(one);
  EXPECT_TRUE(client.take_ready().empty());
  values.fails = false;
  EXPECT_EQ(asked().size(), 1U);
  client.tick(BlobClient::retry_ms);
  EXPECT_EQ(asked().size(), 1U);
  give(one);
  EXPECT_EQ(client.take_ready(), Groups{1});
}

TEST_F(BlobClientTest, AnswersOthers) {
  ASSERT_TRUE(blobs.put(one).ok());
  client.on_ask(other, {address_of(one)});
  client.on_ask(other, {address_of(two)});
  ASSERT_EQ(effects.size(), 2U);
  const auto& found = std::get<net::GiveBlob>(std::get<Send>(effects[0]).message);
  EXPECT_EQ(std::get<Send>(effects[0]).to, other);
  EXPECT_EQ(found.answer, net::BlobAnswer::piece);
  EXPECT_EQ(found.bytes, one);
  EXPECT_EQ(found.total, one.size());
  const auto& missing = std::get<net::GiveBlob>(std::get<Send>(effects[1]).message);
  EXPECT_EQ(missing.address, address_of(two));
  EXPECT_EQ(missing.answer, net::BlobAnswer::missing);
  EXPECT_TRUE(missing.bytes.empty());
}

}  // namespace
}  // namespace lockstep::node
