#include "store/blobs.h"

#include <gtest/gtest.h>

#include "base/test_random.h"
#include "base/test_soak.h"
#include "store/test_crashing_values.h"

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

TEST(Blobs, SeveralArePutInOneBatch) {
  test::CrashingValues values;
  Blobs blobs(values, crypto::Mode::plain());
  const auto addresses = blobs.put_all({{1, 2}, {3}, {1, 2}, {}});
  ASSERT_TRUE(addresses.ok());
  EXPECT_EQ(values.applied, 1U);
  ASSERT_EQ(addresses->size(), 4U);
  EXPECT_EQ((*addresses)[0], (*addresses)[2]);
  EXPECT_EQ(*blobs.get((*addresses)[1]), Bytes{3});
  EXPECT_TRUE(blobs.get((*addresses)[3])->empty());
  EXPECT_EQ(*blobs.bytes_used(), 3U);
  values.lives = 0;
  EXPECT_FALSE(blobs.put_all({{7}, {8}}).ok());
  EXPECT_EQ(*blobs.bytes_used(), 3U);
}

TEST(Blobs, MoreThanItsBudgetIsRefused) {
  test::CrashingValues values;
  Blobs blobs(values, crypto::Mode::plain(), 8);
  ASSERT_TRUE(blobs.put({1, 2, 3, 4, 5, 6}).ok());
  ASSERT_TRUE(blobs.put({1, 2, 3, 4, 5, 6}).ok()) << "it is there already";
  const auto more = blobs.put_all({{1}, {2}, {3}});
  ASSERT_FALSE(more.ok());
  EXPECT_EQ(more.error().code, Code::disk_full);
  EXPECT_TRUE(blobs.put_all({{1}, {2}}).ok());
  EXPECT_EQ(blobs.check_room(1).error().code, Code::disk_full);
  EXPECT_EQ(*blobs.collect(5), 6U);
  EXPECT_TRUE(blobs.put({3}).ok());
}

TEST(Blobs, WhatWasUsedLongestAgoGoesFirst) {
  test::CrashingValues values;
  Blobs blobs(values, crypto::Mode::plain());
  const std::vector<Hash> all = *blobs.put_all({{1, 1}, {2, 2}, {3, 3}, {4, 4}});
  ASSERT_TRUE(blobs.get(all[0]).ok());
  ASSERT_TRUE(blobs.pin("job", {all[1]}).ok());
  EXPECT_EQ(*blobs.collect(6), 2U);
  EXPECT_FALSE(*blobs.has(all[2]));
  EXPECT_EQ(*blobs.collect(2), 4U);
  EXPECT_TRUE(*blobs.has(all[1]));
  EXPECT_EQ(*blobs.collect(0), 0U);
  ASSERT_TRUE(blobs.unpin("job").ok());
  EXPECT_EQ(*blobs.collect(0), 2U);
  EXPECT_EQ(*blobs.bytes_used(), 0U);
}

TEST(Blobs, PinsLastAndNamesDoNotDisturbOneAnother) {
  test::CrashingValues values;
  std::vector<Hash> all;
  {
    Blobs blobs(values, crypto::Mode::plain());
    all = *blobs.put_all({{1}, {2}, {3}});
    ASSERT_TRUE(blobs.pin("task-a", {all[0], all[1], all[0]}).ok());
    ASSERT_TRUE(blobs.pin("task-b", {all[1]}).ok());
    ASSERT_TRUE(blobs.pin("audit", {all[2]}).ok());
  }
  Blobs blobs(values, crypto::Mode::plain());
  EXPECT_EQ(*blobs.pins("task-"), (std::vector<std::string>{"task-a", "task-b"}));
  EXPECT_EQ(*blobs.collect(0), 0U);
  ASSERT_TRUE(blobs.unpin("task-a").ok());
  ASSERT_TRUE(blobs.unpin("task-a").ok());
  ASSERT_TRUE(blobs.pin("audit", {all[1]}).ok()) << "in place of the third";
  EXPECT_EQ(*blobs.collect(0), 2U);
  EXPECT_TRUE(*blobs.has(all[1]));
  // A pin holds what comes later.
  ASSERT_TRUE(blobs.pin("later", {all[2]}).ok());
  ASSERT_TRUE(blobs.put({3}).ok());
  EXPECT_EQ(*blobs.collect(0), 0U);
}

TEST(Blobs, SizesThatAreMissingAreCountedAnew) {
  test::CrashingValues values;
  const Hash address = *Blobs(values, crypto::Mode::plain()).put({1, 2, 3});
  const std::string key = values.all("size/").at(0);
  for (const auto& damage : {std::optional<Bytes>(), std::optional(Bytes{7})}) {
    ASSERT_TRUE(values.apply({{key, damage}}).ok());
    Blobs blobs(values, crypto::Mode::plain());
    EXPECT_EQ(*blobs.bytes_used(), 3U);
    EXPECT_TRUE(*blobs.has(address));
  }
}

TEST(Blobs, WhatAnotherObjectPutsIsLearnt) {
  test::CrashingValues values;
  Blobs loop(values, crypto::Mode::plain());
  EXPECT_EQ(*loop.bytes_used(), 0U);
  const Hash address = *Blobs(values, crypto::Mode::plain()).put({1, 2, 3});
  EXPECT_TRUE(*loop.has(address));
  EXPECT_EQ(*loop.bytes_used(), 0U);
  ASSERT_TRUE(loop.learn({address}).ok());
  EXPECT_EQ(*loop.bytes_used(), 3U);
  EXPECT_EQ(*loop.collect(0), 3U);
}

TEST(Blobs, TidyMakesRoomInTime) {
  test::CrashingValues values;
  Blobs blobs(values, crypto::Mode::plain(), 800);
  for (uint8_t i = 0; i < 7; ++i) {
    ASSERT_TRUE(blobs.put(Bytes(100, i)).ok());
  }
  EXPECT_EQ(*blobs.tidy(), 0U);
  ASSERT_TRUE(blobs.put(Bytes(1, 9)).ok());
  EXPECT_EQ(*blobs.tidy(), 200U);
  EXPECT_LE(*blobs.bytes_used(), 600U);
  Blobs free(values, crypto::Mode::plain());
  EXPECT_EQ(*free.tidy(), 0U);
}

// ---- whatever is done, in whatever moment the machine goes down

/// The index agrees with the blobs, and all that is pinned and was put is there.
void expect_whole(test::CrashingValues& values, const std::map<Hash, Bytes>& pinned) {
  Blobs blobs(values, crypto::Mode::plain());
  uint64_t sum = 0;
  const std::vector<std::string> keys = values.all("blob/");
  for (const std::string& key : keys) {
    sum += values.get(key).value()->size();
    EXPECT_TRUE(values.get("size/" + key.substr(5))->has_value());
  }
  EXPECT_EQ(values.all("size/").size(), keys.size());
  EXPECT_EQ(*blobs.bytes_used(), sum);
  for (const auto& [address, bytes] : pinned) {
    EXPECT_EQ(*blobs.get(address), bytes);
  }
}

struct Life {
  explicit Life(test::CrashingValues& store) : values(&store) {}
  test::CrashingValues* values;
  std::map<std::string, std::vector<Hash>> pins;  // as acknowledged
  std::map<Hash, Bytes> pinned_blobs;

  void note() {
    Blobs blobs(*values, crypto::Mode::plain());
    pinned_blobs.clear();
    for (const auto& [name, addresses] : pins) {
      for (const Hash& address : addresses) {
        const auto bytes = blobs.get(address);
        if (bytes.ok()) {
          pinned_blobs[address] = *bytes;
        }
      }
    }
  }
  /// Random work until the store fails or it is done.
  void run(TestRandom& random) {
    Blobs blobs(*values, crypto::Mode::plain());
    std::vector<Hash> known;
    for (int i = 0; i < 40; ++i) {
      const std::string name = "job-" + std::to_string(random.below(3));
      switch (random.below(5)) {
        case 0:
        case 1:
          if (const auto put = blobs.put(Bytes(random.below(40), uint8_t(random.below(30))));
              put.ok()) {
            known.push_back(*put);
          }
          break;
        case 2: {
          std::vector<Hash> some(known.begin() + static_cast<ptrdiff_t>(known.size() / 2),
                                 known.end());
          if (blobs.pin(name, some).ok()) {
            pins[name] = some;
          }
          break;
        }
        case 3:
          if (blobs.unpin(name).ok()) {
            pins.erase(name);
          }
          break;
        default:
          note();
          (void)blobs.collect(random.below(100));
          expect_whole(*values, pinned_blobs);
          break;
      }
    }
    note();
  }
};

TEST(Blobs, CollectionNeverDeletesWhatIsPinnedWheneverTheMachineGoesDown) {
  const uint64_t cases = 150 * soak_times();
  for (uint64_t seed = 0; seed < cases; ++seed) {
    test::CrashingValues values;
    TestRandom random(seed);
    Life life(values);
    for (int lives = 0; lives < 3; ++lives) {
      values.lives = random.below(30);
      life.run(random);
      values.lives = UINT64_MAX;
      expect_whole(values, life.pinned_blobs);
    }
  }
}

TEST(MemoryKeyValue, AppliesABatchInOrder) {
  env::MemoryKeyValue values;
  ASSERT_TRUE(values.apply({{"a", Bytes{1}}, {"a", Bytes{2}}, {"b", Bytes{3}}, {"b", {}}}).ok());
  EXPECT_EQ(**values.get("a"), Bytes{2});
  EXPECT_FALSE(values.get("b")->has_value());
}

}  // namespace
}  // namespace lockstep::store
