// Messages and blocks as bytes: they come back, and nothing is read that nobody sends.
#include "net/message.h"

#include <gtest/gtest.h>

#include "codec/random_record.h"

namespace lockstep::net {
namespace {

using codec::test::encoding_fault;
using codec::test::Random;
using codec::test::random_value;

TEST(Message, RandomMessagesComeBackAndNoOtherBytesAreRead) {
  Random random(1);
  std::array<int, std::variant_size_v<Message>> seen{};
  for (int i = 0; i < 600; ++i) {
    const auto message = random_value<Message>(random);
    ++seen.at(message.index());
    EXPECT_EQ(encoding_fault(message), "") << "kind " << message.index();
  }
  for (const int count : seen) {
    EXPECT_GT(count, 0);
  }
}

TEST(Message, RandomBlocksComeBackAndNoOtherBytesAreRead) {
  Random random(2);
  for (int i = 0; i < 200; ++i) {
    const auto block = random_value<model::Block>(random);
    EXPECT_EQ(encoding_fault(block), "");
    EXPECT_EQ(codec::decode<model::Block>(codec::encode(block)).value(), block);
  }
}

TEST(Message, AChangedBitIsRefusedOrAnotherMessage) {
  Random random(3);
  for (int i = 0; i < 5000; ++i) {
    const Bytes bytes = codec::encode(random_value<Message>(random));
    EXPECT_TRUE(codec::test::reads_only_canonical<Message>(bytes, random));
  }
}

TEST(Message, KindsKeepTheirNumbers) {
  EXPECT_EQ(to_hex(codec::encode(Message(FollowBlocks{2}))), "010200000000000000");
  EXPECT_EQ(codec::encode(Message(SubmitTransaction{})).front(), 0);
  EXPECT_EQ(codec::encode(Message(Blocks{})).front(), 2);
  EXPECT_EQ(codec::encode(Message(GiveBlob{})).front(), 12);
  EXPECT_EQ(to_hex(codec::encode(Message(AskGenesis{}))), "0d");
  EXPECT_EQ(to_hex(codec::encode(Message(GiveGenesis{{7}}))), "0e0100000007");
  EXPECT_EQ(std::variant_size_v<Message>, 15U);
  EXPECT_FALSE(codec::decode<Message>(Bytes{15}).ok());
}

}  // namespace
}  // namespace lockstep::net
