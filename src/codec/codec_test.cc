// Round trips, truncation at every byte, and bounds that are checked before anything is allocated.
#include "codec/codec.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace lockstep::codec {
namespace {

struct Sample {
  uint8_t small = 0;
  int64_t large = 0;
  std::string text;
  std::vector<uint32_t> list;
};

Bytes encode(const Sample& sample) {
  Writer writer;
  writer.number(sample.small);
  writer.number(sample.large);
  writer.string(sample.text);
  writer.number(static_cast<uint32_t>(sample.list.size()));
  for (const uint32_t entry : sample.list) {
    writer.number(entry);
  }
  return std::move(writer).bytes();
}

Result<Sample> decode(ByteView bytes) {
  Reader reader(bytes);
  Sample sample;
  sample.small = TRY(reader.number<uint8_t>());
  sample.large = TRY(reader.number<int64_t>());
  sample.text = TRY(reader.text(1000));
  const uint32_t count = TRY(reader.count(1000, sizeof(uint32_t)));
  for (uint32_t i = 0; i < count; ++i) {
    sample.list.push_back(TRY(reader.number<uint32_t>()));
  }
  TRY(reader.finish());
  return sample;
}

template <class T>
void expect_round_trip(T value) {
  Writer writer;
  writer.number(value);
  ASSERT_EQ(writer.bytes().size(), sizeof value);
  Reader reader(writer.bytes());
  EXPECT_EQ(reader.number<T>().value(), value);
  EXPECT_TRUE(reader.finish().ok());
}

template <class T>
void expect_extremes() {
  expect_round_trip<T>(std::numeric_limits<T>::min());
  expect_round_trip<T>(std::numeric_limits<T>::max());
  expect_round_trip<T>(0);
}

TEST(Codec, NumbersOfEveryWidthComeBack) {
  expect_extremes<uint8_t>();
  expect_extremes<int8_t>();
  expect_extremes<uint16_t>();
  expect_extremes<int16_t>();
  expect_extremes<uint32_t>();
  expect_extremes<int32_t>();
  expect_extremes<uint64_t>();
  expect_extremes<int64_t>();
}

TEST(Codec, BytesAreFixedForEver) {
  Writer writer;
  writer.number(uint32_t{0x01020304});
  writer.number(int16_t{-2});
  writer.string(std::string_view("ab"));
  writer.raw(Bytes{9});
  EXPECT_EQ(to_hex(writer.bytes()), "04030201feff02000000616209");
}

TEST(Codec, HashesAreThirtyTwoRawBytes) {
  Hash hash;
  for (size_t i = 0; i < hash.bytes.size(); ++i) {
    hash.bytes[i] = static_cast<uint8_t>(200 + i);
  }
  Writer writer;
  writer.hash(hash);
  ASSERT_EQ(writer.bytes().size(), 32U);
  EXPECT_EQ(Reader(writer.bytes()).hash().value(), hash);
  EXPECT_EQ(Reader(ByteView(writer.bytes()).first(31)).hash().error().code, Code::truncated);
}

TEST(Codec, RefusesBytesThatAreLeftOver) {
  Bytes bytes = encode({.small = 1, .large = 2, .text = "x", .list = {3}});
  bytes.push_back(0);
  EXPECT_EQ(decode(bytes).error().code, Code::trailing_bytes);
  EXPECT_TRUE(Reader(ByteView()).finish().ok());
}

TEST(Codec, ALengthAboveTheBoundIsRefusedBeforeItsBytesAreLookedAt) {
  Writer writer;
  writer.number(uint32_t{11});
  EXPECT_EQ(Reader(writer.bytes()).string(10).error().code, Code::too_large);
  EXPECT_EQ(Reader(writer.bytes()).text(10).error().code, Code::too_large);
  EXPECT_EQ(Reader(writer.bytes()).string(11).error().code, Code::truncated);
  EXPECT_EQ(Reader(writer.bytes()).count(10, 1).error().code, Code::too_large);
}

TEST(Codec, AStringMayHaveExactlyTheLargestLength) {
  Writer writer;
  writer.string(std::string(10, 'z'));
  EXPECT_EQ(Reader(writer.bytes()).text(10).value(), std::string(10, 'z'));
  EXPECT_EQ(Reader(writer.bytes()).text(9).error().code, Code::too_large);
}

TEST(Codec, ACountThatCannotFitInWhatIsLeftIsRefused) {
  Writer writer;
  writer.number(uint32_t{3});
  writer.raw(Bytes(11));
  EXPECT_EQ(Reader(writer.bytes()).count(1000, 4).error().code, Code::truncated);
  EXPECT_EQ(Reader(writer.bytes()).count(1000, 3).value(), 3U);
}

TEST(Codec, ACountTimesItsEntrySizeDoesNotWrap) {
  Writer writer;
  writer.number(std::numeric_limits<uint32_t>::max());
  writer.raw(Bytes(64));
  Reader reader(writer.bytes());
  EXPECT_EQ(reader.count(std::numeric_limits<uint32_t>::max(), size_t{1} << 31).error().code,
            Code::truncated);
}

TEST(Codec, AFailedReadTakesNothing) {
  const Bytes bytes{1, 2, 3};
  Reader reader(bytes);
  EXPECT_FALSE(reader.number<uint32_t>().ok());
  EXPECT_FALSE(reader.raw(4).ok());
  EXPECT_FALSE(reader.raw(std::numeric_limits<size_t>::max()).ok());
  EXPECT_EQ(reader.left(), 3U);
  EXPECT_EQ(reader.raw(3).value().size(), 3U);
  EXPECT_EQ(reader.left(), 0U);
  EXPECT_TRUE(reader.raw(0).ok());
}

RC_GTEST_PROP(
    CodecProperty,
    WhatWasWrittenIsReadAndWrittenAlike,
    (uint8_t small, int64_t large, const std::string& text, const std::vector<uint32_t>& list)) {
  const Bytes bytes = encode({small, large, text, list});
  const Sample back = decode(bytes).value();
  RC_ASSERT(back.small == small);
  RC_ASSERT(back.large == large);
  RC_ASSERT(back.text == text);
  RC_ASSERT(back.list == list);
  RC_ASSERT(encode(back) == bytes);
}

RC_GTEST_PROP(
    CodecProperty,
    EveryProperPrefixIsTruncated,
    (uint8_t small, int64_t large, const std::string& text, const std::vector<uint32_t>& list)) {
  const Bytes bytes = encode({small, large, text, list});
  for (size_t size = 0; size < bytes.size(); ++size) {
    const Result<Sample> result = decode(ByteView(bytes).first(size));
    RC_ASSERT(!result.ok());
    RC_ASSERT(result.error().code == Code::truncated);
  }
}

RC_GTEST_PROP(
    CodecProperty,
    AcceptedBytesAreTheOnlyEncoding,
    (const std::string& text, const std::vector<uint32_t>& list, uint32_t place, uint8_t flip)) {
  Bytes bytes = encode({.small = 1, .large = -1, .text = text, .list = list});
  bytes[place % bytes.size()] ^= flip;
  const Result<Sample> result = decode(bytes);
  if (result.ok()) {
    RC_ASSERT(encode(*result) == bytes);
  }
}

}  // namespace
}  // namespace lockstep::codec
