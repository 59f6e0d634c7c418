#include "store/blobs.h"

#include <gtest/gtest.h>

namespace lockstep::store {
namespace {

/// Gives back other bytes than were stored.
class RottenValues final : public env::KeyValue {
 public:
  Result<std::optional<Bytes>> get(const std::string&) override { return std::optional(Bytes{1}); }
  Result<void> apply(std::vector<Change>) override { return {}; }
  Result<std::vector<std::string>> keys(const std::string&, const std::string&, size_t) override {
    return std::vector<std::string>();
  }
};

TEST(Blobs, GivesBackWhatWasPut) {
  env::MemoryKeyValue values;
  Blobs blobs(values, crypto::Mode::derive("test"));
  const Bytes bytes{1, 2, 3};
  const auto address = blobs.put(bytes);
  ASSERT_TRUE(address.ok());
  EXPECT_EQ(*address, crypto::hash(crypto::Mode::derive("test"), bytes));
  EXPECT_EQ(*blobs.get(*address), bytes);
}

TEST(Blobs, SaysWhenABlobIsMissing) {
  env::MemoryKeyValue values;
  Blobs blobs(values, crypto::Mode::plain());
  EXPECT_EQ(blobs.get(Hash{}).error().code, Code::blob_missing);
  EXPECT_FALSE(*blobs.has(Hash{}));
  EXPECT_TRUE(*blobs.has(*blobs.put({1})));
}

TEST(Blobs, NeverGivesBytesOfAnotherHash) {
  RottenValues values;
  Blobs blobs(values, crypto::Mode::plain());
  EXPECT_EQ(blobs.get(*blobs.put({1, 2, 3})).error().code, Code::wrong_hash);
}

TEST(Blobs, ARottenBlobIsDroppedAndCanBePutAgain) {
  env::MemoryKeyValue values;
  Blobs blobs(values, crypto::Mode::plain());
  const Hash address = *blobs.put({1, 2, 3});
  const std::string key = "blob/" + std::string(address.bytes.begin(), address.bytes.end());
  ASSERT_TRUE(values.apply({{key, Bytes{1, 2, 7}}}).ok());
  EXPECT_EQ(blobs.get(address).error().code, Code::wrong_hash);
  EXPECT_FALSE(*blobs.has(address)) << "or nobody would fetch it again";
  ASSERT_TRUE(blobs.put({1, 2, 3}).ok());
  EXPECT_EQ(*blobs.get(address), (Bytes{1, 2, 3}));
}

TEST(MemoryKeyValue, AppliesABatchInOrder) {
  env::MemoryKeyValue values;
  ASSERT_TRUE(values.apply({{"a", Bytes{1}}, {"a", Bytes{2}}, {"b", Bytes{3}}, {"b", {}}}).ok());
  EXPECT_EQ(**values.get("a"), Bytes{2});
  EXPECT_FALSE(values.get("b")->has_value());
}

}  // namespace
}  // namespace lockstep::store
