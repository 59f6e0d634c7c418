// Frames and the records in them as bytes.
#include "net/frame.h"

#include <gtest/gtest.h>

#include "codec/random_record.h"
#include "net/test_session_pair.h"

namespace lockstep::net {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace): this file is about nothing else

TEST(Frame, RecordsComeBackAndNoOtherBytesAreRead) {
  Random random(1);
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(codec::test::encoding_fault(codec::test::random_value<Hello>(random)), "");
    EXPECT_EQ(codec::test::encoding_fault(codec::test::random_value<Bye>(random)), "");
    EXPECT_EQ(codec::test::encoding_fault(codec::test::random_value<Open>(random)), "");
  }
}

TEST(Frame, AHeadIsReadOnlyWithASizeOfItsKind) {
  Random random(2);
  size_t good = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::array<uint8_t, frame_head_bytes> bytes{};
    for (uint8_t& byte : bytes) {
      byte = static_cast<uint8_t>(random.chance(2) ? random.below(20) : random.next());
    }
    bytes[2] = bytes[3] = random.chance(4) ? bytes[2] : 0;
    const auto head = read_head(bytes);
    if (head.ok()) {
      ++good;
      ASSERT_LE(head->size, frame_bytes_max);
      Bytes back;
      put_head(back, *head);
      ASSERT_TRUE(std::equal(back.begin(), back.end(), bytes.begin()));
    }
  }
  EXPECT_GT(good, 1000U);
}

TEST(Frame, BytesStayAsTheyAre) {
  Hello hello;
  hello.network.hash.bytes.fill(0xAB);
  hello.role = Role::auditor;
  hello.control_window = 1;
  hello.ordinary_window = 2;
  hello.bulk_window = 3;
  hello.places = {{"a", 0x1234}};
  std::string expected =
      "3a0000000000"
      "0100";
  for (int i = 0; i < 32; ++i) {
    expected += "ab";
  }
  expected +=
      "03"
      "01000000"
      "02000000"
      "03000000"
      "01000000"
      "01000000"
      "61"
      "3412";
  EXPECT_EQ(to_hex(hello_bytes(hello)), expected);
  EXPECT_EQ(to_hex(open_frame(2, 7)),
            "050000000202"
            "01"
            "07000000");
}

}  // namespace
}  // namespace lockstep::net
