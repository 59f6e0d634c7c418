// What is acknowledged survives a crash; what is not is there whole or not at all.
#include "sim/disk.h"

#include <gtest/gtest.h>

namespace lockstep::sim {
namespace {

Bytes bytes_of(uint64_t n) {
  Bytes bytes(n % 50 + 1);
  std::fill(bytes.begin(), bytes.end(), static_cast<uint8_t>(n));
  return bytes;
}

TEST(Disk, KeepsWhatItAcknowledgedThroughTornWrites) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Random random(seed);
    Disk disk;
    std::map<std::string, Bytes> model;
    for (int crash = 0; crash < 4; ++crash) {
      const uint64_t writes = random.between(0, 6);
      for (uint64_t i = 0; i < writes; ++i) {
        const std::string key = "k" + std::to_string(random.between(0, 4));
        if (random.chance(200'000)) {
          ASSERT_TRUE(disk.apply({{key, std::nullopt}}).ok());
          model.erase(key);
        } else {
          const Bytes value = bytes_of(random.next());
          ASSERT_TRUE(disk.apply({{key, value}, {"last", value}}).ok());
          model[key] = value;
          model["last"] = value;
        }
      }
      disk.arm(Random(random.next()));
      ASSERT_FALSE(disk.apply({{"torn", Bytes(20, 1)}, {"torn2", Bytes(30, 2)}}).ok());
      EXPECT_TRUE(disk.is_down());
      EXPECT_FALSE(disk.get("last").ok());
      EXPECT_FALSE(disk.apply({{"x", Bytes{1}}}).ok());
      disk.restart();
      for (const auto& [key, value] : model) {
        ASSERT_TRUE(disk.get(key)->has_value()) << key;
        EXPECT_EQ(**disk.get(key), value);
      }
      const bool first = disk.get("torn")->has_value();
      EXPECT_EQ(first, disk.get("torn2")->has_value()) << "all of a batch or nothing";
      ASSERT_TRUE(disk.apply({{"torn", std::nullopt}, {"torn2", std::nullopt}}).ok());
    }
  }
}

TEST(Random, IsTheSameForTheSameSeedAndSpreads) {
  Random a(1);
  Random b(1);
  Random c(2);
  int different = 0;
  int hits = 0;
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t value = a.next();
    EXPECT_EQ(value, b.next());
    different += value != c.next() ? 1 : 0;
    const uint64_t between = Random(value).between(5, 9);
    EXPECT_GE(between, 5u);
    EXPECT_LE(between, 9u);
    hits += Random(value).chance(100'000) ? 1 : 0;
  }
  EXPECT_EQ(different, 10'000);
  EXPECT_NEAR(hits, 1000, 150);
}

}  // namespace
}  // namespace lockstep::sim
