// Tests of gunzip: round trips, bounds, and every single corruption of a small file.
#include "formats/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace lockstep::formats {
namespace {

Bytes pack(const Bytes& bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  Bytes out(bytes.size() + bytes.size() / 100 + 1000);
  stream.next_in =
      const_cast<Bytef*>(bytes.data());  // NOLINT(*-pro-type-const-cast): zlib only reads
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  const auto made = static_cast<std::ptrdiff_t>(stream.total_out);
  deflateEnd(&stream);
  return {out.begin(), out.begin() + made};
}

Bytes pattern(size_t size) {
  Bytes bytes(size);
  uint64_t state = size;
  for (uint8_t& byte : bytes) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<uint8_t>(state >> 56);
  }
  return bytes;
}

TEST(Gunzip, ReturnsWhatWasPacked) {
  for (const size_t size : {0U, 1U, 100U, 65535U, 65536U, 65537U, 131072U, 1000000U}) {
    for (const Bytes& bytes : {pattern(size), Bytes(size, 7)}) {
      const Result<Bytes> result = gunzip(pack(bytes), size);
      ASSERT_TRUE(result.ok()) << result.error().message();
      EXPECT_EQ(*result, bytes);
    }
  }
}

TEST(Gunzip, RefusesMoreThanTheBound) {
  for (const size_t size : {1U, 65536U, 65537U, 1000000U}) {
    const Result<Bytes> result = gunzip(pack(Bytes(size, 0)), size - 1);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, Code::bad_gzip);
  }
}

TEST(Gunzip, RefusesEveryTruncationAndTrailingByte) {
  const Bytes packed = pack(pattern(300));
  for (size_t size = 0; size < packed.size(); ++size) {
    const Result<Bytes> result = gunzip(ByteView(packed).first(size), 1000);
    ASSERT_FALSE(result.ok()) << size;
    EXPECT_EQ(result.error().code, Code::bad_gzip);
  }
  Bytes longer = packed;
  longer.push_back(0);
  EXPECT_FALSE(gunzip(longer, 1000).ok());
  longer = packed;
  longer.insert(longer.end(), packed.begin(), packed.end());
  EXPECT_FALSE(gunzip(longer, 1000).ok());
}

TEST(Gunzip, NeverReturnsOtherBytesFromAFileWithOneByteChanged) {
  const Bytes bytes = pattern(300);
  const Bytes packed = pack(bytes);
  for (size_t at = 0; at < packed.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes changed = packed;
      changed[at] = static_cast<uint8_t>(changed[at] ^ (1 << bit));
      const Result<Bytes> result = gunzip(changed, 1000);
      // Not covered by the checksum: the header's time, flags and system, and padding bits.
      EXPECT_TRUE(!result.ok() || (*result == bytes && at <= 10)) << at;
    }
  }
}

TEST(Gunzip, RefusesOtherFormats) {
  const Bytes zlib = {0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01};
  EXPECT_FALSE(gunzip(zlib, 10).ok());
  EXPECT_FALSE(gunzip(Bytes(100, 0), 10).ok());
  EXPECT_FALSE(gunzip({}, 10).ok());
}

}  // namespace
}  // namespace lockstep::formats
