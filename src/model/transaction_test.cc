// Transactions and what is signed within them as bytes: they come back, and nothing else is read.
#include "model/transaction.h"

#include <gtest/gtest.h>

#include "codec/random_record.h"
#include "model/genesis.h"

namespace lockstep::model {
namespace {

using codec::test::encoding_fault;
using codec::test::Random;
using codec::test::random_value;

TEST(Transaction, RandomOnesComeBackAndNoOtherBytesAreRead) {
  Random random(1);
  std::array<int, std::variant_size_v<Transaction>> seen{};
  for (int i = 0; i < 600; ++i) {
    const auto transaction = random_value<Transaction>(random);
    ++seen.at(transaction.index());
    EXPECT_EQ(encoding_fault(transaction), "") << "kind " << transaction.index();
    EXPECT_EQ(codec::decode<Transaction>(codec::encode(transaction)).value(), transaction);
  }
  for (const int count : seen) {
    EXPECT_GT(count, 0);
  }
}

TEST(Transaction, AChangedBitIsRefusedOrAnotherTransaction) {
  Random random(2);
  for (int i = 0; i < 5000; ++i) {
    const Bytes bytes = codec::encode(random_value<Transaction>(random));
    EXPECT_TRUE(codec::test::reads_only_canonical<Transaction>(bytes, random));
  }
}

TEST(Transaction, WhatPartiesSignComesBack) {
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(encoding_fault(random_value<Genesis>(random)), "");
    EXPECT_EQ(encoding_fault(random_value<Quote>(random)), "");
    EXPECT_EQ(encoding_fault(random_value<Assignment>(random)), "");
    EXPECT_EQ(encoding_fault(random_value<Receipt>(random)), "");
    EXPECT_EQ(encoding_fault(random_value<Voucher>(random)), "");
    EXPECT_EQ(encoding_fault(random_value<Kept>(random)), "");
  }
}

TEST(Transaction, KindsKeepTheirNumbers) {
  EXPECT_EQ(codec::encode(Transaction(Transfer{})).front(), 0);
  EXPECT_EQ(codec::encode(Transaction(RegisterProgram{})).front(), 4);
  EXPECT_EQ(codec::encode(Transaction(PostClaim{})).front(), 7);
  EXPECT_EQ(codec::encode(Transaction(PostProof{})).front(), 16);
  EXPECT_EQ(codec::encode(Transaction(CloseJob{})).front(), 18);
  EXPECT_EQ(std::variant_size_v<Transaction>, 19U);
}

}  // namespace
}  // namespace lockstep::model
