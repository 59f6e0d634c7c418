// Records: fixed bytes, one encoding a value, and nothing read that nobody writes.
#include "codec/record.h"

#include <gtest/gtest.h>

#include "codec/random_record.h"

namespace lockstep::codec {
namespace {

enum class Colour : uint8_t { red = 0, green = 1, blue = 2 };
constexpr Colour last_of(Colour) {
  return Colour::blue;
}

struct Point {
  int32_t x = 0;
  uint16_t y = 0;
  bool operator==(const Point&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.x, self.y);
  }
};
struct Everything {
  bool flag = false;
  Colour colour = Colour::red;
  int64_t number = 0;
  Hash hash;
  Amount amount;
  std::string text;
  Bytes bytes;
  std::array<uint8_t, 3> three{};
  std::optional<Point> maybe;
  std::vector<Point> list;
  std::variant<Point, std::string, bool> one_of;
  std::vector<std::optional<std::vector<std::string>>> nested;
  bool operator==(const Everything&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.flag,
          self.colour,
          self.number,
          self.hash,
          self.amount,
          self.text,
          self.bytes,
          self.three,
          self.maybe,
          self.list,
          self.one_of,
          self.nested);
  }
};

TEST(Record, BytesAreFixedForEver) {
  EXPECT_EQ(to_hex(encode(Point{-2, 0x0102})), "feffffff0201");
  EXPECT_EQ(to_hex(encode(true)), "01");
  EXPECT_EQ(to_hex(encode(Colour::blue)), "02");
  EXPECT_EQ(to_hex(encode(Amount::from_nano(1))), "0100000000000000");
  EXPECT_EQ(to_hex(encode(std::string("ab"))), "020000006162");
  EXPECT_EQ(to_hex(encode(Bytes{9})), "0100000009");
  EXPECT_EQ(to_hex(encode(std::array<uint8_t, 2>{7, 8})), "0708");
  EXPECT_EQ(to_hex(encode(std::optional<uint8_t>())), "00");
  EXPECT_EQ(to_hex(encode(std::optional<uint8_t>(5))), "0105");
  EXPECT_EQ(to_hex(encode(std::vector<uint16_t>{1, 2})), "0200000001000200");
  EXPECT_EQ(to_hex(encode(std::variant<bool, uint8_t>(uint8_t{3}))), "0103");
}

TEST(Record, RandomValuesComeBackAndNothingElseIsRead) {
  test::Random random(1);
  for (int i = 0; i < 500; ++i) {
    const auto value = test::random_value<Everything>(random);
    EXPECT_EQ(test::encoding_fault(value), "");
    EXPECT_EQ(decode<Everything>(encode(value)).value(), value);
  }
}

TEST(Record, AChangedBitIsRefusedOrAnotherValue) {
  test::Random random(2);
  for (int i = 0; i < 5000; ++i) {
    const Bytes bytes = encode(test::random_value<Everything>(random));
    EXPECT_TRUE(test::reads_only_canonical<Everything>(bytes, random));
  }
}

template <class T>
Code refusal(const Bytes& bytes) {
  const auto read = decode<T>(bytes);
  EXPECT_FALSE(read.ok());
  return read.ok() ? Code::internal : read.error().code;
}

TEST(Record, RefusesWhatNoEncoderWrites) {
  EXPECT_EQ(refusal<bool>({2}), Code::not_canonical);
  EXPECT_EQ(refusal<Colour>({3}), Code::not_canonical);
  EXPECT_EQ(refusal<std::optional<bool>>({2, 0}), Code::not_canonical);
  using Either = std::variant<bool, uint8_t>;
  EXPECT_EQ(refusal<Either>({2, 0}), Code::not_canonical);
  EXPECT_EQ(refusal<Either>({0, 2}), Code::not_canonical);
  EXPECT_EQ(refusal<Point>({0, 0, 0, 0, 0}), Code::truncated);
  EXPECT_EQ(refusal<Point>({0, 0, 0, 0, 0, 0, 0}), Code::trailing_bytes);
}

TEST(Record, LengthsAreBoundedBeforeAnythingIsAllocated) {
  const auto with_length = [](uint32_t length) {
    Writer writer;
    writer.number(length);
    return std::move(writer).bytes();
  };
  constexpr auto longest = static_cast<uint32_t>(field_bytes_max);
  EXPECT_EQ(refusal<Bytes>(with_length(longest + 1)), Code::too_large);
  EXPECT_EQ(refusal<std::string>(with_length(longest + 1)), Code::too_large);
  EXPECT_EQ(refusal<std::vector<Point>>(with_length(longest + 1)), Code::too_large);
  EXPECT_EQ(refusal<Bytes>(with_length(longest)), Code::truncated);
  EXPECT_EQ(refusal<std::vector<Point>>(with_length(1)), Code::truncated);
  EXPECT_EQ(refusal<std::vector<Point>>(with_length(UINT32_MAX)), Code::too_large);
  EXPECT_EQ(decode<Bytes>(encode(Bytes(field_bytes_max, 7))).value().size(), field_bytes_max);
}

}  // namespace
}  // namespace lockstep::codec
